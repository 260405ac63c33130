// A block copies a tile of A and a tile of B into shared memory, and every thread uses both.
//
//              B    [ T x T ]  k0 .. k0+T      each of the T*T threads copies one element of
//                       |                      each tile, waits for the others, and then reads
//   A  [ T x T ] ---> C [ T x T ]              T elements of each tile for its own sum
//      k0 .. k0+T
//
// Bytes from global memory: 8 M N K / T, since an element is fetched once for T threads. FLOPs:
// 2 M N K. Two barriers a tile: nobody may read before all have copied, and nobody may copy the
// next tile before all have read. What limits it now: two loads from shared memory for each
// multiply-add. The next rung lets a thread compute several elements of C and reuse what it read.
//
// A warp has a row of C. Of As it reads one element, a broadcast, of Bs a row: 32 different banks.
// An operand that is stored transposed is copied by transposed threads, so that a warp always
// reads neighbours; it then writes a column of the tile, whose elements, T words apart, would all
// be in one bank. A column of padding puts them into 32.
#include "common/matmul.cuh"

constexpr int T = 32;
static_assert(T * T <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(N, T), cdiv(M, T), batch
//! block   T, T
extern "C" __global__ void __launch_bounds__(T* T)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ float As[T][T + 1];  // As[m][k]
  __shared__ float Bs[T][T + 1];  // Bs[k][n]
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int x = threadIdx.x, y = threadIdx.y;
  const int m0 = blockIdx.y * T, n0 = blockIdx.x * T;
  float sum = 0.f;
  for (int k0 = 0; k0 < K; k0 += T) {
    if (TRANSPOSE_A) As[x][y] = a_at(A, m0 + x, k0 + y, M, K);
    else As[y][x] = a_at(A, m0 + y, k0 + x, M, K);
    if (TRANSPOSE_B) Bs[x][y] = b_at(B, k0 + x, n0 + y, K, N);
    else Bs[y][x] = b_at(B, k0 + y, n0 + x, K, N);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < T; ++k) sum += As[y][k] * Bs[k][x];
    __syncthreads();
  }
  finish(sum, bias, residual + matrix, C + matrix, m0 + y, n0 + x, M, N);
}
