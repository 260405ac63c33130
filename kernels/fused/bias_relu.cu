// y = relu(x + bias) in one pass over x (rows, channels), and backward in one: the gradient of x and
// the sums that make the gradient of the bias.
//
//   gy  32 channels          as in batch_norm: a block takes 32 channels and a share of the rows,
//       [ c c c ... c ]  \   8 at a time, writes gx as it goes, and the 8 threads of a channel
//       [ c c c ... c ]   8  meet in shared memory; `parts` shares run side by side, and summing
//       [ c c c ... c ]  /   their results (fused/reduce) gives gbias
//
// Bytes: 8 for each x forward and 12 backward (gy and y read, gx written), where bias, ReLU and the
// sum as launches of their own would move 16 and 16. FLOPs: 2 and 1. Memory limits it.
#include "common/reduce.cuh"
#include "common/share.cuh"

#ifndef RELU
#define RELU 1  // 0: only the bias
#endif

constexpr int THREADS = 256;
constexpr int COLUMNS = WARP;
constexpr int ROWS = 8;

//! grid    cdiv(rows * channels, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
bias_relu(const float* __restrict__ x, const float* __restrict__ bias, float* y, int rows,
          int channels) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= rows * channels) return;
  const float value = x[i] + bias[i % channels];
  y[i] = RELU && value <= 0.f ? 0.f : value;  // a NaN passes
}

//! grid    cdiv(channels, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMNS * ROWS)
bias_relu_grad(const float* __restrict__ gy, const float* __restrict__ y, float* gx,
               float* part_gbias, int rows, int channels, int parts) {
  __shared__ float partial[ROWS][COLUMNS];
  const int c = blockIdx.x * COLUMNS + threadIdx.x;
  const Share share = share_of(rows, blockIdx.y, parts);
  float sum = 0.f;
  if (c < channels)
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS) {
      const long long i = (long long)row * channels + c;
      const float g = RELU && y[i] <= 0.f ? 0.f : gy[i];
      gx[i] = g;
      sum += g;
    }
  sum = column_reduce<add>(sum, partial);
  if (threadIdx.y == 0 && c < channels) part_gbias[blockIdx.y * channels + c] = sum;
}
