// Sums, maxima and sums of squares along rows or columns.
//
//   reduce_rows     x (rows, length)            reduce_columns    x (outer, length, inner)
//
//   row 0  [ lanes 0..31 | 0..31 | ... ]        threadIdx.x: 32 neighbouring columns
//          \___ part 0 ___/\__ part 1 __/       0 [ c c c c ... c ]  \
//           a warp           another            1 [ c c c c ... c ]   a block: 8 rows at a time,
//                                               . [ c c c c ... c ]   then the 8 sums of a column
//                                               7 [ c c c c ... c ]  /  in shared memory
//
// Neighbouring threads read neighbours in both. Where there are few results, each is cut into
// `parts` that run side by side, and a second launch (parts = 1) reduces the parts' results: no
// atomics, and the order of the additions is fixed.
//
// Bytes: 4 for each x; FLOPs: one each. Memory limits it. A warp sums 32 strands, each of
// cdiv(length, 32 parts) numbers, so rounding errors grow with that and not with `length`.
#include "common/reduce.cuh"
#include "common/share.cuh"

#ifndef OP
#define OP sum  // sum, max or square_sum
#endif
#define PASTE(a, b) a##b
#define NAMED(prefix, name) PASTE(prefix, name)

constexpr int WARPS = 8;
constexpr int THREADS = WARPS * WARP;
constexpr int COLUMNS = WARP;  // of a block of reduce_columns
constexpr int ROWS = 8;

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

//! grid    cdiv(rows * parts, WARPS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
reduce_rows(const float* __restrict__ x, float* y, int rows, int length, int parts) {
  const int result = blockIdx.x * WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (result >= rows * parts) return;  // a whole warp leaves together
  const Share share = share_of(length, result % parts, parts);
  x += (long long)(result / parts) * length;
  float sum = nothing();
  for (int i = share.first + lane; i < share.end; i += WARP) sum = combine(sum, enter(x[i]));
  sum = warp_reduce<combine>(sum);
  if (lane == 0) y[result] = sum;
}

//! grid    outer * cdiv(inner, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMNS * ROWS)
reduce_columns(const float* __restrict__ x, float* y, int outer, int length, int inner,
               int parts) {
  __shared__ float partial[ROWS][COLUMNS];
  const int across = (inner + COLUMNS - 1) / COLUMNS, o = blockIdx.x / across;
  const int column = blockIdx.x % across * COLUMNS + threadIdx.x;
  const Share share = share_of(length, blockIdx.y, parts);
  x += (long long)o * length * inner + column;
  float sum = nothing();
  if (column < inner)
    for (int i = share.first + threadIdx.y; i < share.end; i += ROWS)
      sum = combine(sum, enter(x[(long long)i * inner]));
  sum = column_reduce<combine>(sum, partial);
  if (threadIdx.y == 0 && column < inner)
    y[((long long)o * parts + blockIdx.y) * inner + column] = sum;
}
