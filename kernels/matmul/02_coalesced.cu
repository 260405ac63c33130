// As 01_naive, but the threads of a warp lie along a row of C.
//
//   warp:  C[m, n]  C[m, n+1]  ...  C[m, n+31]      threadIdx.x runs along n
//   A[m, k]        one address for all 32 threads: one 32-byte sector, broadcast
//   B[k, n...]     32 neighbours: four full sectors in one request
//
// The same 8 M N K bytes are asked for and the same 2 M N K FLOPs done, but the two loads are
// served by 5 sectors instead of 17, and the store by 4 instead of 16. With a transposed B
// the neighbours of n lie K apart, and the advantage is lost: that takes shared memory, the next
// rung. What limits it now: every element of A and B is still asked for M or N times.
#include "common/matmul.cuh"

constexpr int COLUMNS = 32;
constexpr int ROWS = 8;
constexpr int THREADS = COLUMNS * ROWS;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(N, COLUMNS), cdiv(M, ROWS), batch
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(THREADS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int n = blockIdx.x * COLUMNS + threadIdx.x;
  const int m = blockIdx.y * ROWS + threadIdx.y;
  float sum = 0.f;
  for (int k = 0; k < K; ++k) sum += a_at(A, m, k, M, K) * b_at(B, k, n, K, N);
  finish(sum, bias, residual + matrix, C + matrix, m, n, M, N);
}
