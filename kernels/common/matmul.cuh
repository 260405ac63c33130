// What every rung of the matmul ladder shares: C = act(op(A) @ op(B) + bias + residual), how an
// element of an operand is found, and how a result is finished. A rung differs only in who loads
// and who computes what.
#pragma once

#ifndef TRANSPOSE_A
#define TRANSPOSE_A 0  // 1: A is stored (K, M) and used transposed
#endif
#ifndef TRANSPOSE_B
#define TRANSPOSE_B 0  // 1: B is stored (N, K) and used transposed
#endif
#ifndef BIAS
#define BIAS 0  // 1: add bias[n] to every row
#endif
#ifndef RESIDUAL
#define RESIDUAL 0  // 1: add residual[b, m, n]
#endif
#ifndef RELU
#define RELU 0  // 1: what is below zero becomes zero
#endif

// Beyond the edge an operand is zero, so a tile may hang over it: zeros add nothing.
__device__ __forceinline__ float a_at(const float* __restrict__ A, int m, int k, int M, int K) {
  if (m >= M || k >= K) return 0.f;
  return TRANSPOSE_A ? A[k * M + m] : A[m * K + k];
}

__device__ __forceinline__ float b_at(const float* __restrict__ B, int k, int n, int K, int N) {
  if (k >= K || n >= N) return 0.f;
  return TRANSPOSE_B ? B[n * K + k] : B[k * N + n];
}

// Writes one element of C, unless it lies beyond the edge. `residual` and `C` are one matrix's.
__device__ __forceinline__ void finish(float sum, const float* __restrict__ bias,
                                       const float* __restrict__ residual, float* C, int m, int n,
                                       int M, int N) {
  if (m >= M || n >= N) return;
  if (BIAS) sum += bias[n];
  if (RESIDUAL) sum += residual[m * N + n];
  C[m * N + n] = RELU ? fmaxf(sum, 0.f) : sum;
}

// All THREADS threads of a block copy a BM x BK tile of A and a BK x BN tile of B. Neighbouring
// threads read neighbours in memory, whichever way the operand is stored.
template <int BM, int BN, int BK, int THREADS>
__device__ __forceinline__ void load_tiles(float (&As)[BK][BM + 1], float (&Bs)[BK][BN + 1],
                                           const float* __restrict__ A,
                                           const float* __restrict__ B, int m0, int n0, int k0,
                                           int M, int N, int K, int thread) {
  for (int i = thread; i < BM * BK; i += THREADS) {
    const int m = TRANSPOSE_A ? i % BM : i / BK, k = TRANSPOSE_A ? i / BM : i % BK;
    As[k][m] = a_at(A, m0 + m, k0 + k, M, K);
  }
  for (int i = thread; i < BN * BK; i += THREADS) {
    const int n = TRANSPOSE_B ? i / BK : i % BN, k = TRANSPOSE_B ? i % BK : i / BN;
    Bs[k][n] = b_at(B, k0 + k, n0 + n, K, N);
  }
}
