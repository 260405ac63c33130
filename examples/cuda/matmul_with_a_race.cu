// 03_smem_tile of the matmul ladder, its tiles smaller, with a mistake planted: no second barrier.
//
//        warp 0    copy tile 0 |barrier| sum tile 0   copy tile 1 |barrier| sum tile 1
//        warp 1    copy tile 0 |barrier| sum tile 0 ........ still reading tile 0
//                                                     ^ warp 0 writes what warp 1 reads
//
// Results are right as long as no warp is late: on a GPU that may be so for years. See it told by
// its line, and what the second barrier does for it:
//
//     minidecay kernels check examples/cuda/matmul_with_a_race.cu --reference matmul
#include "common/matmul.cuh"

constexpr int T = 16;

//! grid    cdiv(N, T), cdiv(M, T), batch
//! block   T, T
extern "C" __global__ void __launch_bounds__(T* T)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ float As[T][T];  // As[m][k]
  __shared__ float Bs[T][T];  // Bs[k][n]
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int x = threadIdx.x, y = threadIdx.y;
  const int m = blockIdx.y * T + y, n = blockIdx.x * T + x;
  float sum = 0.f;
  for (int k0 = 0; k0 < K; k0 += T) {
    As[y][x] = a_at(A, m, k0 + x, M, K);
    Bs[y][x] = b_at(B, k0 + y, n, K, N);
    __syncthreads();
    for (int k = 0; k < T; ++k) sum += As[y][k] * Bs[k][x];
    // The mistake: without a second __syncthreads() here a quick warp already copies the next tile.
  }
  finish(sum, bias, residual + matrix, C + matrix, m, n, M, N);
}
