// Sums, maxima and sums of squares along rows or columns.
//
//   reduce_rows   x (rows, length)   reduce_long_rows                reduce_columns
//                                                                    x (outer, length, inner)
//   row 0 [ a warp             ]     row 0 [ block 0 | block 1 | ]
//   row 1 [ the block's second ]           \_part 0_/\_part 1_/      columns.cuh has the picture
//   ...   [ ...                ]     row 1 [ block 2 | block 3 | ]
//
// Neighbouring threads read neighbours in all three. Where there are few results, each is cut into
// `parts` that run side by side, so that the whole GPU reads, and a second launch reduces the parts'
// results: no atomics, and the order of the additions is fixed.
//
// Bytes: 4 for each x; FLOPs: one each. Memory limits it, as long as enough reads are under way: a
// thread asks for UNROLL numbers before it adds the first. Each thread adds up a strand of its own
// (in a warp's row a 32nd of it, in a block's part a 256th, in a column's a ROWS-th), and rounding
// errors grow with that, not with `length`.
#include "common/columns.cuh"

#ifndef OP
#define OP sum  // sum, max or square_sum
#endif
#define PASTE(a, b) a##b
#define NAMED(prefix, name) PASTE(prefix, name)

constexpr int WARPS = 8;  // of a block that reduces rows
constexpr int THREADS = WARPS * WARP;
constexpr int UNROLL = 8;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

// How an element enters, how two results become one, and the result of nothing.
__device__ __forceinline__ float enter_sum(float x) { return x; }
__device__ __forceinline__ float enter_max(float x) { return x; }
__device__ __forceinline__ float enter_square_sum(float x) { return x * x; }
__device__ __forceinline__ float combine_sum(float x, float y) { return x + y; }
__device__ __forceinline__ float combine_max(float x, float y) { return larger(x, y); }
__device__ __forceinline__ float combine_square_sum(float x, float y) { return x + y; }
__device__ __forceinline__ float nothing_sum() { return 0.f; }
__device__ __forceinline__ float nothing_max() { return __int_as_float(0xff800000); }  // -infinity
__device__ __forceinline__ float nothing_square_sum() { return 0.f; }

__device__ __forceinline__ float enter(float x) { return NAMED(enter_, OP)(x); }
__device__ __forceinline__ float combine(float x, float y) { return NAMED(combine_, OP)(x, y); }
__device__ __forceinline__ float nothing() { return NAMED(nothing_, OP)(); }

// What x[first], x[first + step] ... come to, as far as they lie before x[end].
__device__ __forceinline__ float strand(const float* __restrict__ x, int first, int end, int step,
                                        long long stride) {
  float sum = nothing();
#pragma unroll UNROLL
  for (int i = first; i < end; i += step) sum = combine(sum, enter(x[i * stride]));
  return sum;
}

//! grid    cdiv(rows, WARPS)
//! block   WARP, WARPS
extern "C" __global__ void __launch_bounds__(THREADS)
reduce_rows(const float* __restrict__ x, float* y, int rows, int length) {
  const int row = blockIdx.x * WARPS + threadIdx.y;
  if (row >= rows) return;  // a whole warp leaves together
  const float sum = strand(x + (long long)row * length, threadIdx.x, length, WARP, 1);
  const float all = warp_reduce<combine>(sum);
  if (threadIdx.x == 0) y[row] = all;
}

//! grid    rows * parts
//! block   WARP, WARPS
extern "C" __global__ void __launch_bounds__(THREADS)
reduce_long_rows(const float* __restrict__ x, float* y, int rows, int length, int parts) {
  __shared__ float partial[WARPS][WARP];
  const Share share = share_of(length, blockIdx.x % parts, parts);
  x += (long long)(blockIdx.x / parts) * length;
  const int t = threadIdx.y * WARP + threadIdx.x;
  float sum = strand(x, share.first + t, share.end, THREADS, 1);
  sum = column_reduce<float, combine>(sum, partial);
  if (threadIdx.y > 0) return;
  sum = warp_reduce<combine>(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

//! grid    outer * cdiv(inner, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMN_THREADS)
reduce_columns(const float* __restrict__ x, float* y, int outer, int length, int inner,
               int parts) {
  __shared__ float partial[ROWS][COLUMNS];
  const int across = (inner + COLUMNS - 1) / COLUMNS, o = blockIdx.x / across;
  const int column = blockIdx.x % across * COLUMNS + threadIdx.x;
  const Share share = share_of(length, blockIdx.y, parts);
  float sum = nothing();
  if (column < inner)
    sum = strand(x + (long long)o * length * inner + column, share.first + threadIdx.y, share.end,
                 ROWS, inner);
  sum = column_reduce<float, combine>(sum, partial);
  if (threadIdx.y == 0 && column < inner)
    y[((long long)o * parts + blockIdx.y) * inner + column] = sum;
}
