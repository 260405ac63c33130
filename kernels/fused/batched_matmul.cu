// Many small products at once, as an ensemble of small networks needs them.
//
//   C[b] = act(op(A[b]) @ op(B[b]) + bias + residual)
//
//            Bs [ BK x 32 ]         a block of 64 threads has a 32 x 32 tile of one matrix, so that
//                  | | | |          a small matrix leaves few threads idle, and the batch fills the
//   As [32 x BK]--C C C C           GPU where no single product could; a thread has 4 x 4 sums, in
//               --C C C C           neighbouring rows and in columns SIDE apart
//
// The matmul ladder's 64 x 64 tiles would be mostly beyond the edge of a 10-column product. Bytes:
// 4 batch (M K + K N + M N) as long as a matrix is one tile; FLOPs: 2 batch M N K. What limits it:
// at K = 64 some 6 FLOPs a byte, so memory, and for the very small ones the latency of two barriers
// a slice. Prototype and options are those of kernels/matmul.
#include "common/matmul.cuh"

constexpr int SIDE = 8;  // threads along each side of the block
constexpr int EACH = 4;  // sums of a thread along each side
constexpr int TILE = SIDE * EACH;
constexpr int BK = 16;
constexpr int PAD = 32 / BK;  // at the end of a tile's rows: load_tiles says why
constexpr int THREADS = SIDE * SIDE;
constexpr int BLOCKS = 14;  // on an SM at once: at most 72 registers a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(N, TILE), cdiv(M, TILE), batch
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ float As[BK][TILE + PAD];
  __shared__ float Bs[BK][TILE + PAD];
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int m0 = blockIdx.y * TILE, n0 = blockIdx.x * TILE;
  const int t = threadIdx.x, column = t % SIDE, row = t / SIDE * EACH;
  float sum[EACH][EACH] = {};
  for (int k0 = 0; k0 < K; k0 += BK) {
    load_tiles<TILE, TILE, BK, THREADS>(As, Bs, A, B, m0, n0, k0, M, N, K, t);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < BK; ++k)
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) sum[i][j] += As[k][row + i] * Bs[k][column + j * SIDE];
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < EACH; ++i)
#pragma unroll
    for (int j = 0; j < EACH; ++j)
      finish(sum[i][j], bias, residual + matrix, C + matrix, m0 + row + i, n0 + column + j * SIDE,
             M, N);
}
