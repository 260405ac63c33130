// What every rung of the matmul ladder shares: C = act(op(A) @ op(B) + bias + residual), how an
// element of an operand is found, and how a result is finished. A rung differs only in who loads
// and who computes what.
#pragma once
#include "common/finish.cuh"

#ifndef TRANSPOSE_A
#define TRANSPOSE_A 0  // 1: A is stored (K, M) and used transposed
#endif
#ifndef TRANSPOSE_B
#define TRANSPOSE_B 0  // 1: B is stored (N, K) and used transposed
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

// All THREADS threads of a block copy a BM x BK tile of A and a BK x BN tile of B. Neighbouring
// threads read neighbours in memory, whichever way the operand is stored. Where they lie along k, a
// warp writes 32 / BK elements of each of the tile's BK rows. So that no two are in one bank, rows
// must begin 32 / BK banks apart: a row is a multiple of 32 long, and PAD = 32 / BK more.
//
//   BK = 8, PAD = 4    row 0: banks 0 1 2 3    row 1: banks 4 5 6 7   ...   row 7: banks 28 to 31
template <int BM, int BN, int BK, int THREADS, int PITCH_A, int PITCH_B>
__device__ __forceinline__ void load_tiles(float (&As)[BK][PITCH_A], float (&Bs)[BK][PITCH_B],
                                           const float* __restrict__ A,
                                           const float* __restrict__ B, int m0, int n0, int k0,
                                           int M, int N, int K, int thread) {
  static_assert(BM * BK % THREADS == 0 && BN * BK % THREADS == 0, "all threads copy as much");
#pragma unroll
  for (int i = thread; i < thread + BM * BK; i += THREADS) {
    const int m = TRANSPOSE_A ? i % BM : i / BK, k = TRANSPOSE_A ? i / BM : i % BK;
    As[k][m] = a_at(A, m0 + m, k0 + k, M, K);
  }
#pragma unroll
  for (int i = thread; i < thread + BN * BK; i += THREADS) {
    const int n = TRANSPOSE_B ? i / BK : i % BN, k = TRANSPOSE_B ? i % BK : i / BN;
    Bs[k][n] = b_at(B, k0 + k, n0 + n, K, N);
  }
}
