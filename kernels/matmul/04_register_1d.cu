// A thread computes a column of TM elements of C, and uses each element of B's tile TM times.
//
//            Bs  [ BK x BN ]        for each k: one load of Bs[k][n], TM loads of As[k][m..],
//                     |             TM multiply-adds; the sums stay in registers
//   As [ BM x BK ]    C: TM elements, one below the other
//
// Bytes from global memory: 4 M N K (1/BM + 1/BN), here a 64th of what 02_coalesced asks for;
// FLOPs: 2 M N K. Elements read from shared memory for each multiply-add: 1 + 1/TM, where
// 03_smem_tile has 2. Those of A are the same for a whole warp (a broadcast), and neighbours: the
// compiler reads four with one instruction. What limits it now: still more than one element read
// for a multiply-add. The next rung reuses A's elements too.
#include "common/matmul.cuh"

constexpr int BM = 64;
constexpr int BN = 64;
constexpr int BK = 8;
constexpr int TM = 8;
constexpr int PAD = 32 / BK;  // at the end of a tile's rows: load_tiles says why
constexpr int THREADS = BM / TM * BN;
constexpr int BLOCKS = 4;  // on an SM of 2048 threads at once: at most 32 registers a thread
static_assert(BM % TM == 0 && THREADS <= 1024, "whole columns, at most 1024 threads");
static_assert(BN % 32 == 0, "a warp lies in one row of threads");

//! grid    cdiv(N, BN), cdiv(M, BM), batch
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ float As[BK][BM + PAD];  // As[k][m]
  __shared__ float Bs[BK][BN + PAD];  // Bs[k][n]
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
  const int t = threadIdx.x, column = t % BN, row = t / BN * TM;
  float sum[TM] = {};
  for (int k0 = 0; k0 < K; k0 += BK) {
    load_tiles<BM, BN, BK, THREADS>(As, Bs, A, B, m0, n0, k0, M, N, K, t);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < BK; ++k) {
      const float b = Bs[k][column];
#pragma unroll
      for (int i = 0; i < TM; ++i) sum[i] += As[k][row + i] * b;
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
    finish(sum[i], bias, residual + matrix, C + matrix, m0 + row + i, n0 + column, M, N);
}
