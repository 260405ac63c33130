// How a product ends, and a convolution, which is one of pixels and filters:
// C[m, n] = act(sum + bias[n] + residual[m, n]).
#pragma once
#include "common/four.cuh"

#ifndef BIAS
#define BIAS 0  // 1: add bias[n] to every row
#endif
#ifndef RESIDUAL
#define RESIDUAL 0  // 1: add residual, which is shaped as C
#endif
#ifndef RELU
#define RELU 0  // 1: what is below zero becomes zero
#endif
#include "common/relu.cuh"

// Writes one element of C, unless it lies beyond the edge. `residual` and `C` are one matrix's.
__device__ __forceinline__ void finish(float sum, const float* __restrict__ bias,
                                       const float* __restrict__ residual, float* C, int m, int n,
                                       int M, int N) {
  if (m >= M || n >= N) return;
  if (BIAS) sum += bias[n];
  if (RESIDUAL) sum += residual[m * N + n];
  C[m * N + n] = activated(sum);
}

// Whether fours of C, from a multiple of four on, and what is added to them, lie aligned.
__device__ __forceinline__ bool finishes_in_fours(const float* bias, const float* residual,
                                                  const float* C, int N) {
  return N % 4 == 0 && aligned(C) && (!BIAS || aligned(bias)) && (!RESIDUAL || aligned(residual));
}

// Writes four neighbours of C, those that lie inside. `whole`: what finishes_in_fours says.
__device__ __forceinline__ void finish_four(Four four, const float* __restrict__ bias,
                                            const float* __restrict__ residual, float* C, int m,
                                            int n, int M, int N, bool whole) {
  if (m >= M) return;
  if (BIAS) four = sum_of(four, four_at(bias, n, N, whole));
  if (RESIDUAL) four = sum_of(four, four_at(residual + m * N, n, N, whole));
#pragma unroll
  for (int i = 0; i < 4; ++i) four.v[i] = activated(four.v[i]);
  put_four(C + m * N, n, N, four, whole);
}
