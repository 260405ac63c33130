// As 05_register_2d, with four floats moved by each instruction, and 8 x 8 sums a thread.
//
//                  Bs  [ BK x 128 ]      a thread copies one float4 of each tile into shared memory
//                   |        |           and reads two of each for every k: 4 loads for 64
//   As [ 128 x BK ]-4x4 ... 4x4          multiply-adds
//                   :        :           its sums are four pieces of 4 x 4, 64 apart, so that the
//                  -4x4 ... 4x4          16 threads of a half warp read neighbours of Bs
//
// As is stored as As[k][m], whichever way A lies in memory: then the elements of a column of A, too,
// are neighbours. What comes as a float4 along k is written to four rows, one after the other, and
// a warp writes 16 elements of the rows k and k + 4 at once. PAD puts these two halves of the warp
// in different banks, and keeps each row aligned to a float4.
//
// A float4 must be aligned. It is, everywhere, where the lines of an operand are multiples of 4
// long and its first element is aligned; then each lies inside the matrix or outside as a whole.
// Else the four are read one by one: a choice made once for each matrix of the batch.
//
// Bytes from global memory: 4 M N K (1/BM + 1/BN), here M N K / 16; FLOPs: 2 M N K, 32 a byte.
// Load instructions for each multiply-add: 1/16 from shared memory, where 05_register_2d has 5/16.
// What limits it now: how much a warp reads from shared memory. Its threads compute 16 x 128
// elements of C, from 16 + 128 elements of the tiles for every k; the next rung makes that squarer.
#include "common/matmul_vectors.cuh"

constexpr int TM = 8;
constexpr int TN = 8;
constexpr int SIDE = 16;  // threads along each side of the block
constexpr int BM = SIDE * TM;
constexpr int BN = SIDE * TN;
constexpr int BK = 8;
constexpr int PAD = 4;
constexpr int THREADS = SIDE * SIDE;
constexpr int BLOCKS = 2;  // on an SM at once: at most 128 registers a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(TM % 4 == 0 && TN % 4 == 0 && BK % 4 == 0 && PAD % 4 == 0, "whole float4s");
static_assert(BM * BK == 4 * THREADS && BN * BK == 4 * THREADS, "a thread copies one of each tile");

//! grid    cdiv(N, BN), cdiv(M, BM), batch
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ __align__(16) float As[BK][BM + PAD];
  __shared__ __align__(16) float Bs[BK][BN + PAD];
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const Stored a = TRANSPOSE_A ? stored(A, K, M) : stored(A, M, K);
  const Stored b = TRANSPOSE_B ? stored(B, N, K) : stored(B, K, N);
  const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
  const int t = threadIdx.x, column = t % SIDE * 4, row = t / SIDE * 4;
  float sum[TM][TN] = {};
  for (int k0 = 0; k0 < K; k0 += BK) {
    put<!TRANSPOSE_A, BM>(As, fetch<!TRANSPOSE_A, BM, BK>(a, m0, k0, t), t);
    put<TRANSPOSE_B, BN>(Bs, fetch<TRANSPOSE_B, BN, BK>(b, n0, k0, t), t);
    __syncthreads();
    multiply<SIDE * 4, SIDE * 4, BK>(sum, As, Bs, row, column);
    __syncthreads();
  }
  finish_fours<SIDE * 4, SIDE * 4>(sum, bias, residual + matrix, C + matrix, m0 + row, n0 + column,
                                   M, N);
}
