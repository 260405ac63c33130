// Sums and maxima over a warp, and down the columns of a block. The order in which
// numbers are combined never changes, so runs repeat bit for bit.
#pragma once

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;

__device__ __forceinline__ float add(float x, float y) { return x + y; }
__device__ __forceinline__ float larger(float x, float y) { return x > y || x != x ? x : y; }
// `larger` lets a NaN through, as NumPy's maximum does; fmaxf would drop it.

// Over the 32 lanes of a warp, which all take part; each lane gets the result.
//
//   lane    0   1   2   3 ...      other = 16: lane i and lane i ^ 16 exchange, and both
//           |\ /|   |\ /|                      combine; then 8, 4, 2, 1
//           |/ \|   |/ \|          after five exchanges each lane has all 32
template <float combine(float, float)>
__device__ __forceinline__ float warp_reduce(float x) {
#pragma unroll
  for (int other = WARP / 2; other > 0; other /= 2)
    x = combine(x, __shfl_xor_sync(ALL_LANES, x, other));
  return x;
}

__device__ __forceinline__ float warp_sum(float x) { return warp_reduce<add>(x); }
__device__ __forceinline__ float warp_max(float x) { return warp_reduce<larger>(x); }

// Over a block's column, the ROWS threads of one threadIdx.x; each thread gets its column's
// result. All threads call it; a second call needs an array of its own, since nothing keeps its
// writes behind the first one's reads.
template <float combine(float, float), int ROWS, int COLUMNS>
__device__ __forceinline__ float column_reduce(float x, float (&partial)[ROWS][COLUMNS]) {
  partial[threadIdx.y][threadIdx.x] = x;
  __syncthreads();
  x = partial[0][threadIdx.x];
#pragma unroll
  for (int row = 1; row < ROWS; ++row) x = combine(x, partial[row][threadIdx.x]);
  return x;
}
