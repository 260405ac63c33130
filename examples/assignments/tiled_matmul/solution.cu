// A matrix product through shared memory: a solution.
#include "common/matmul.cuh"

constexpr int T = 16;

//! grid    cdiv(N, T), cdiv(M, T), batch
//! block   T, T
extern "C" __global__ void matmul(const float* __restrict__ A, const float* __restrict__ B,
                                  const float* __restrict__ bias,
                                  const float* __restrict__ residual, float* C, int M, int N,
                                  int K, int batch, long long stride_a, long long stride_b) {
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int m = blockIdx.y * T + threadIdx.y;
  const int n = blockIdx.x * T + threadIdx.x;

  __shared__ float As[T][T];
  __shared__ float Bs[T][T];
  float sum = 0.f;
  for (int k0 = 0; k0 < K; k0 += T) {
    As[threadIdx.y][threadIdx.x] = a_at(A, m, k0 + threadIdx.x, M, K);
    Bs[threadIdx.y][threadIdx.x] = b_at(B, k0 + threadIdx.y, n, K, N);
    __syncthreads();  // all have copied before anyone reads
    for (int k = 0; k < T; ++k) sum += As[threadIdx.y][k] * Bs[k][threadIdx.x];
    __syncthreads();  // all have read before anyone copies the next slice
  }
  finish(sum, bias, residual + matrix, C + matrix, m, n, M, N);
}
