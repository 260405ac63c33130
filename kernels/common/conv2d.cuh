// What every file of conv2d shares: the shapes, and how an element's place is found and stepped on.
//
//   y[n, i, j, o] = sum over a, b, c of  x[n, i SH - PH + a, j SW - PW + b, c]  w[a, b, c, o]
//
//   x (N, H, W, C)    w (KH, KW, C, O)    y (N, OH, OW, O),  OH = (H + 2 PH - KH) / SH + 1
//
// Size and stride of the kernel are options, so that the compiler unrolls and divides by
// constants; the rest are arguments. Each of the three products (y; the gradient for x, of gy and
// w; the gradient for w, of gy and x) takes 2 N OH OW O KH KW C FLOPs.
#pragma once
#include "common/finish.cuh"
#include "common/reduce.cuh"
#include "common/share.cuh"

#ifndef KH
#define KH 3  // height of the kernel
#endif
#ifndef KW
#define KW 3  // width of the kernel
#endif
#ifndef SH
#define SH 1  // stride from row to row
#endif
#ifndef SW
#define SW 1  // stride from column to column
#endif
static_assert(KH > 0 && KW > 0 && SH > 0 && SW > 0, "sizes and strides are 1 or more");

// The place [i, j, k] of an element of an array (any, d1, d2): a pixel in (N, OH, OW), or a tap
// and its channel in (KH, KW, C).
struct Place {
  int i, j, k;
};

// An empty axis is taken as one long: nothing lies in it, and no place in it is ever used.
__device__ __forceinline__ Place place_of(int index, int d1, int d2) {
  d1 = max(d1, 1);
  d2 = max(d2, 1);
  const int row = index / d2;
  return {row / d1, row % d1, index % d2};
}

// The place `by` elements further on. Two divisions are dear beside the few multiply-adds that
// they would serve; a counter that carries costs two comparisons.
__device__ __forceinline__ void advance(Place& place, int by, int d1, int d2) {
  for (place.k += by; place.k >= d2; place.k -= d2) {
    if (++place.j == d1) {
      place.j = 0;
      ++place.i;
    }
  }
}

// x[n, h, w, c] of an image (N, H, W, C), which is zero all around: that is the padding, and it
// lets a tile hang over the edge.
__device__ __forceinline__ float image_at(const float* __restrict__ x, int n, int h, int w, int c,
                                          int N, int H, int W, int C) {
  const bool inside = n < N && h >= 0 && h < H && w >= 0 && w < W;
  return inside ? x[((n * H + h) * W + w) * C + c] : 0.f;
}

// Four neighbours, x[n, h, w, c] and on; those beyond the last channel are zero.
__device__ __forceinline__ Four image_four(const float* __restrict__ x, int n, int h, int w, int c,
                                           int N, int H, int W, int C, bool whole) {
  const bool inside = n < N && h >= 0 && h < H && w >= 0 && w < W;
  if (!inside) return {};
  return four_at(x + ((n * H + h) * W + w) * C, c, C, whole);
}

// The output pixel, of N OH OW, whose tap (a, b) lay on pixel `in` of x; -1 where there is none.
__device__ __forceinline__ int output_over(Place in, int a, int b, int OH, int OW, int PH,
                                           int PW) {
  const int down = in.j + PH - a, right = in.k + PW - b;
  if (down < 0 || down % SH != 0 || right < 0 || right % SW != 0) return -1;
  const int row = down / SH, column = right / SW;
  return row < OH && column < OW ? (in.i * OH + row) * OW + column : -1;
}

constexpr int SUM_COLUMNS = 32;  // elements of gw a block
constexpr int SUM_ROWS = 8;      // and threads an element
static_assert(SUM_COLUMNS * SUM_ROWS <= 1024, "a block has at most 1024 threads");

// gw[i] = sum over s of partial[s, i]: the end of a weight gradient that was split.
//! grid    cdiv(size, SUM_COLUMNS)
//! block   SUM_COLUMNS, SUM_ROWS
extern "C" __global__ void __launch_bounds__(SUM_COLUMNS* SUM_ROWS)
sum_splits(const float* __restrict__ partial, float* gw, int size, int splits) {
  __shared__ float sums[SUM_ROWS][SUM_COLUMNS];
  const int i = blockIdx.x * SUM_COLUMNS + threadIdx.x;
  float sum = 0.f;
  if (i < size)
#pragma unroll 8
    for (int split = threadIdx.y; split < splits; split += SUM_ROWS)
      sum += partial[split * size + i];
  sum = column_reduce<float, add>(sum, sums);
  if (threadIdx.y == 0 && i < size) gw[i] = sum;
}
