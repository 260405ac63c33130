// As 07_warp_tile, but the next slice is on its way while this one is multiplied.
//
//   registers      fetch 0  fetch 1 ......  fetch 2 ......  fetch 3 ......
//   As[0], Bs[0]          put 0 | multiply 0              put 2 | multiply 2
//   As[1], Bs[1]                          put 1 | multiply 1             put 3 | ...
//                               ^ barrier       ^ barrier       ^ barrier
//
// A thread asks for its float4s of slice i + 1, multiplies slice i, and only then, when it writes
// them to shared memory, does it need them: the latency of global memory passes behind 512
// multiply-adds. With two buffers there is one barrier a slice. Slice i + 2 goes to the buffer of
// slice i, but no thread puts it there before the barrier of slice i + 1, and all threads have
// multiplied slice i before they come to that one.
//
// Bytes and FLOPs are those of 06_vectorized. The price: twice the shared memory, and 8 registers
// that hold what was fetched. Whether that wins depends on how well other blocks of the same SM
// filled the wait before. What limits it now: the fp32 units themselves, and their feeding from
// shared memory; tensor cores take whole matrices in one instruction.
#include "common/matmul_vectors.cuh"

constexpr int BM = 128;
constexpr int BN = 128;
constexpr int BK = 8;
constexpr int WM = 32;  // a warp's tile
constexpr int WN = 64;
constexpr int LANES_M = 4;  // threads of a warp along m
constexpr int LANES_N = 8;
constexpr int TM = WM / LANES_M;
constexpr int TN = WN / LANES_N;
constexpr int PAD = 4;
constexpr int THREADS = BM / WM * (BN / WN) * 32;
constexpr int BLOCKS = 2;  // on an SM at once: at most 128 registers a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(LANES_M * LANES_N == 32, "a warp has 32 threads");
static_assert(BM % WM == 0 && BN % WN == 0, "whole tiles of warps");
static_assert(WM % LANES_M == 0 && WN % LANES_N == 0, "whole tiles of threads");
static_assert(TM % 4 == 0 && TN % 4 == 0 && BK % 4 == 0 && PAD % 4 == 0, "whole float4s");
static_assert(BM * BK == 4 * THREADS && BN * BK == 4 * THREADS, "a thread copies one of each tile");

//! grid    cdiv(N, BN), cdiv(M, BM), batch
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
matmul(const float* __restrict__ A, const float* __restrict__ B, const float* __restrict__ bias,
       const float* __restrict__ residual, float* C, int M, int N, int K, int batch,
       long long stride_a, long long stride_b) {
  __shared__ __align__(16) float As[2][BK][BM + PAD];
  __shared__ __align__(16) float Bs[2][BK][BN + PAD];
  A += blockIdx.z * stride_a;
  B += blockIdx.z * stride_b;
  const long long matrix = (long long)blockIdx.z * M * N;
  const Stored a = TRANSPOSE_A ? stored(A, K, M) : stored(A, M, K);
  const Stored b = TRANSPOSE_B ? stored(B, N, K) : stored(B, K, N);
  const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN;
  const int t = threadIdx.x, warp = t / 32, lane = t % 32;
  const int row = warp / (BN / WN) * WM + lane / LANES_N * 4;
  const int column = warp % (BN / WN) * WN + lane % LANES_N * 4;
  float sum[TM][TN] = {};
  Four next_a = fetch<!TRANSPOSE_A, BM, BK>(a, m0, 0, t);
  Four next_b = fetch<TRANSPOSE_B, BN, BK>(b, n0, 0, t);
  int buffer = 0;
  for (int k0 = 0; k0 < K; k0 += BK) {
    put<!TRANSPOSE_A, BM>(As[buffer], next_a, t);
    put<TRANSPOSE_B, BN>(Bs[buffer], next_b, t);
    __syncthreads();
    next_a = fetch<!TRANSPOSE_A, BM, BK>(a, m0, k0 + BK, t);  // zeros, beyond the last slice
    next_b = fetch<TRANSPOSE_B, BN, BK>(b, n0, k0 + BK, t);
    multiply<LANES_M * 4, LANES_N * 4, 2>(sum, As[buffer], Bs[buffer], row, column);
    buffer = 1 - buffer;
  }
  finish_fours<LANES_M * 4, LANES_N * 4>(sum, bias, residual + matrix, C + matrix, m0 + row,
                                         n0 + column, M, N);
}
