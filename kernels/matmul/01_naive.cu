// One thread computes one element of C, straight from global memory.
//
//        B                     thread (x, y) walks down one column of B
//        |                     and along one row of A:
//   A ---C[m, n]               K multiply-adds, 2 K loads
//
// Bytes: 8 M N K asked for (each operand element is asked for once by every thread that needs it),
// FLOPs: 2 M N K, so a quarter of a FLOP a byte. Caches save some of it, and the loads' latency
// limits the rest. Worse, threadIdx.x, in which neighbouring threads of a warp differ, runs along
// the *rows* of C: one load of the warp touches 16 rows of A, 16 separate pieces of memory, and
// one store 16 rows of C. The next rung exchanges the two.
#include "common/matmul.cuh"

constexpr int SIDE = 16;
constexpr int THREADS = SIDE * SIDE;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(M, SIDE), cdiv(N, SIDE), batch
//! block   SIDE, SIDE
extern "C" __global__ void __launch_bounds__(THREADS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;  // where this one of the batch begins
  const int m = blockIdx.x * SIDE + threadIdx.x;
  const int n = blockIdx.y * SIDE + threadIdx.y;
  float sum = 0.f;
  for (int k = 0; k < K; ++k) sum += a_at(A, m, k, M, K) * b_at(B, k, n, K, N);
  finish(sum, bias, residual + matrix, C + matrix, m, n, M, N);
}
