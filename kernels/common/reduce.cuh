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

// Over a block's column, the HEIGHT threads of one threadIdx.x; the first of them gets the result.
// All threads call it, once for each array: nothing keeps another call's writes behind its reads.
//
//   threadIdx.y   0  1  2  3  4  5  6  7      the upper half hands its results to the lower, which
//                 |  |  |  |__|__|__|__|      takes them in; then the upper half of that one
//                 |  |__|__|
//                 |__|
template <class T, T combine(T, T), int HEIGHT, int WIDTH>
__device__ __forceinline__ T column_reduce(T x, T (&partial)[HEIGHT][WIDTH]) {
  static_assert((HEIGHT & (HEIGHT - 1)) == 0, "rows are halved until one is left");
  const int row = threadIdx.y, column = threadIdx.x;
#pragma unroll
  for (int half = HEIGHT / 2; half > 0; half /= 2) {
    if (row >= half && row < 2 * half) partial[row][column] = x;
    __syncthreads();
    if (row < half) x = combine(x, partial[row + half][column]);
  }
  return x;
}
