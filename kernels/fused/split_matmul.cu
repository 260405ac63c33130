// A product with a long sum and few results, cut along the sum so that the whole GPU has work.
//
//   A (M x K)    [ split 0 | split 1 | split 2 ]      matmul_splits: the blocks of each split have
//                     x         x         x           the tiles of a whole product, over its part
//   B (K x N)    [ split 0 | split 1 | split 2 ]      of K, in slices of BK
//                     |         |         |
//   partial      [  M x N  |  M x N  |  M x N  ]      finish_splits: adds them, and what else
//                     \____ + ____ + ____/            ends a product
//   C = act(op(A) @ op(B) + bias + residual)
//
// A network's first layer, 64 pictures of 3072 numbers and 256 neurons, is four tiles of the matmul
// ladder: 4 of an H100's 132 SMs would go through 384 slices each, one after the other. Cut into 48
// it is 192 blocks of 8 slices.
//
// Bytes: 4 M N K (1/BM + 1/BN) as in 05_register_2d, whose loop this is, and 8 M N for each split,
// which the caches hold; FLOPs: 2 M N K. What limits it: the latency of the slices that are left,
// and a second launch. Options are those of kernels/matmul; the order of the sums is fixed.
#include "common/matmul.cuh"
#include "common/reduce.cuh"
#include "common/share.cuh"

constexpr int TM = 4;
constexpr int TN = 4;
constexpr int SIDE = 16;  // threads along each side of the block
constexpr int BM = SIDE * TM;
constexpr int BN = SIDE * TN;
constexpr int BK = 8;
constexpr int PAD = 32 / BK;  // at the end of a tile's rows: load_tiles says why
constexpr int THREADS = SIDE * SIDE;
constexpr int BLOCKS = 5;        // on an SM at once, if it holds as many: at most 48 registers
constexpr int SUM_COLUMNS = 32;  // elements of C a block of finish_splits
constexpr int SUM_ROWS = 8;      // and threads an element
constexpr int UNROLL = 8;        // splits that are read before the first is added
static_assert(THREADS <= 1024 && SUM_COLUMNS * SUM_ROWS <= 1024, "at most 1024 threads a block");

//! grid    cdiv(N, BN), cdiv(M, BM), splits
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
matmul_splits(const float* __restrict__ A, const float* __restrict__ B, float* partial, int M,
              int N, int K, int splits) {
  __shared__ float As[BK][BM + PAD];
  __shared__ float Bs[BK][BN + PAD];
  const Share slices = share_of((K + BK - 1) / BK, blockIdx.z, splits);
  const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
  const int t = threadIdx.x, column = t % SIDE, row = t / SIDE * TM;
  float sum[TM][TN] = {};
  for (int slice = slices.first; slice < slices.end; ++slice) {
    load_tiles<BM, BN, BK, THREADS>(As, Bs, A, B, m0, n0, slice * BK, M, N, K, t);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < BK; ++k)
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sum[i][j] += As[k][row + i] * Bs[k][column + j * SIDE];
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int m = m0 + row + i, n = n0 + column + j * SIDE;
      if (m < M && n < N) partial[(blockIdx.z * M + m) * N + n] = sum[i][j];
    }
}

//! grid    cdiv(M * N, SUM_COLUMNS)
//! block   SUM_COLUMNS, SUM_ROWS
extern "C" __global__ void __launch_bounds__(SUM_COLUMNS* SUM_ROWS)
finish_splits(const float* __restrict__ partial, const float* __restrict__ bias,
              const float* __restrict__ residual, float* C, int M, int N, int splits) {
  __shared__ float sums[SUM_ROWS][SUM_COLUMNS];
  const int i = blockIdx.x * SUM_COLUMNS + threadIdx.x;
  float sum = 0.f;
  if (i < M * N)
#pragma unroll UNROLL
    for (int split = threadIdx.y; split < splits; split += SUM_ROWS)
      sum += partial[split * (M * N) + i];
  sum = column_reduce<float, add>(sum, sums);
  if (threadIdx.y == 0) finish(sum, bias, residual, C, i / N, i % N, M, N);
}
