// A bias and ReLU in one pass over x (rows, channels), and their gradients in one.
//
//   y = relu(x + bias)      gx = gy where y > 0, else 0;  gbias = sum of gx over the rows
//
//   x, y     [ 0 1 2 3 | 4 5 6 7 | ... ]     forward: a thread takes four neighbours
//   gy, gx   [ c c c ... c ]  \
//            [ c c c ... c ]   ROWS          backward: as columns.cuh has it, a block a share of the
//            [ c c c ... c ]  /              rows, of which it writes gx as it goes; `parts` shares
//                                            run side by side, and summing their results
//                                            (fused/reduce) gives gbias
//
// Bytes: 8 for each x forward and 12 backward (gy and y read, gx written), where bias, ReLU and the
// sum as launches of their own would move 16 and 16. FLOPs: 2 and 1. Memory limits it.
#ifndef RELU
#define RELU 1  // 0: only the bias
#endif
#include "common/columns.cuh"
#include "common/four.cuh"
#include "common/relu.cuh"

constexpr int THREADS = 256;  // forward
constexpr int EACH = 4;       // elements a thread, forward
constexpr int UNROLL = 4;     // rows that are read before the first is used, backward
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

//! grid    cdiv(rows * channels, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
bias_relu(const float* __restrict__ x, const float* __restrict__ bias, float* y, int rows,
          int channels) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH, n = rows * channels;
  if (first >= n) return;
  const bool whole = aligned(x) && aligned(y);
  Four value = sum_of(four_at(x, first, n, whole),
                      repeated_at(bias, first, channels, channels % EACH == 0 && aligned(bias)));
#pragma unroll
  for (int i = 0; i < EACH; ++i) value.v[i] = activated(value.v[i]);
  put_four(y, first, n, value, whole);
}

//! grid    cdiv(channels, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMN_THREADS)
bias_relu_grad(const float* __restrict__ gy, const float* __restrict__ y, float* __restrict__ gx,
               float* part_gbias, int rows, int channels, int parts) {
  __shared__ float partial[ROWS][COLUMNS];
  const int c = blockIdx.x * COLUMNS + threadIdx.x;
  const Share share = share_of(rows, blockIdx.y, parts);
  float sum = 0.f;
  if (c < channels)
#pragma unroll UNROLL
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS) {
      const int i = row * channels + c;
      const float g = RELU ? passed_back(gy[i], y[i]) : gy[i];
      gx[i] = g;
      sum += g;
    }
  sum = column_reduce<float, add>(sum, partial);
  if (threadIdx.y == 0 && c < channels) part_gbias[blockIdx.y * channels + c] = sum;
}
