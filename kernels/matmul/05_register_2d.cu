// A thread computes TM x TN elements of C: an outer product in registers for every k.
//
//            Bs  [ BK x BN ]        for each k: TM elements of As, TN elements of Bs,
//               |   |   |   |       TM * TN multiply-adds
//   As [ BM x BK ]--C   C   C   C
//                 --C   C   C   C   a thread's rows are neighbours, its columns lie SIDE apart, so
//                 --C   C   C   C   that the 16 threads of a half warp read neighbours of Bs
//                                   (different banks) and write neighbours of C
//
// Bytes from global memory: 4 M N K (1/BM + 1/BN), as 04_register_1d; FLOPs: 2 M N K. Elements
// read from shared memory for each multiply-add: 1/TM + 1/TN, a half instead of 1 1/8. The
// compiler reads the TM of As, which are neighbours, with one instruction. What limits it now: load
// instructions, 5 for 16 multiply-adds; the next rung reads four floats with each, and computes
// more with them.
#include "common/matmul.cuh"

constexpr int TM = 4;
constexpr int TN = 4;
constexpr int SIDE = 16;  // threads along each side of the block
constexpr int BM = SIDE * TM;
constexpr int BN = SIDE * TN;
constexpr int BK = 8;
constexpr int PAD = 32 / BK;  // at the end of a tile's rows: load_tiles says why
constexpr int THREADS = SIDE * SIDE;
constexpr int BLOCKS = 5;  // on an SM at once, if it holds as many: at most 48 registers
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(N, BN), cdiv(M, BM), batch
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ float As[BK][BM + PAD];
  __shared__ float Bs[BK][BN + PAD];
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
  const int t = threadIdx.x, column = t % SIDE, row = t / SIDE * TM;
  float sum[TM][TN] = {};
  for (int k0 = 0; k0 < K; k0 += BK) {
    load_tiles<BM, BN, BK, THREADS>(As, Bs, A, B, m0, n0, k0, M, N, K, t);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < BK; ++k) {
      float a[TM], b[TN];
#pragma unroll
      for (int i = 0; i < TM; ++i) a[i] = As[k][row + i];
#pragma unroll
      for (int j = 0; j < TN; ++j) b[j] = Bs[k][column + j * SIDE];
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sum[i][j] += a[i] * b[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j)
      finish(sum[i][j], bias, residual + matrix, C + matrix, m0 + row + i,
             n0 + column + j * SIDE, M, N);
}
