// The product of 02_im2col without its matrix: a block makes each tile of `columns` in shared
// memory, from the image, and multiplies it there.
//
//                         B  [ BK x BN ]     A           (M x K)         B (K x N)   C (M x N)
//                                |       y : columns of x                w           y
//   A, gathered [ BM x BK ] -> C: BM x BN gx: columns of gy              w           gx
//      from an image                     gw: columns of x, transposed    gy          partial
//
//   M: rows of C, pixels or taps     16 x 16 threads, each TM x TN neighbours of C: for every k
//   N: columns of C, channels        two float4 from shared memory, 16 multiply-adds
//   K: what is summed over, in slices of BK that all threads copy together
//
// A place in the image is a pixel and a tap. Of the elements that a thread copies, one of the two
// stays the same from slice to slice (in gw the tap, else the pixels), and the other is a counter
// that steps on: no division in any loop.
//
// With a stride, an element of gx meets only the taps that lie a whole number of strides from it.
// Pixels that meet the same taps (a phase, SH SW of them) are put into blocks together; over these
// it is a convolution of stride 1 with a part of the kernel, and no product with zero is made:
//
//     stride 2, kernel 3:   pixel   0 1 2 3 4 5     even: taps 0 and 2, odd: tap 1 (no padding)
//                           phase   0 1 0 1 0 1
//
// Bytes from global memory: 4 M N K (1/BM + 1/BN), an image's mostly from the caches, for its
// windows overlap; FLOPs: 2 M N K. The images are read once for each of N / BN columns of tiles.
// What limits it, by a count of its instructions: the multiply-adds themselves, and, with fewer
// than BN channels, those that only fill up the tile. Tensor cores would do more of them at once.
#include "common/conv2d.cuh"

constexpr int SIDE = 16;  // threads along each side of a block
constexpr int TM = 4;
constexpr int TN = 4;
constexpr int BM = SIDE * TM;
constexpr int BN = SIDE * TN;
constexpr int BK = 16;
constexpr int PAD = 4;  // spreads writes over the banks, and keeps rows at multiples of a float4
constexpr int THREADS = SIDE * SIDE;
constexpr int STEP = THREADS / BK;  // lines along m or n that the threads copy at once
constexpr int ROWS = THREADS / BN;  // and, where neighbours lie along n, lines along k
constexpr int RUN = BK * BM / THREADS;  // pixels, one after the other, that a thread of gw copies
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(THREADS % BK == 0 && BM % STEP == 0 && BN % STEP == 0, "a thread keeps its k");
static_assert(THREADS % BN == 0 && BK % ROWS == 0, "or its n");
static_assert(THREADS % BM == 0 && BK * BM % THREADS == 0, "or its m, with whole runs of pixels");
static_assert(TM == 4 && TN == 4 && PAD % 4 == 0, "a float4 a thread, and aligned");

// Copies B[k0.., n0..] of a matrix (K, N) as it lies in memory.
__device__ __forceinline__ void copy_rows(float (&Bs)[BK][BN + PAD], const float* __restrict__ B,
                                          int k0, int K, int n0, int N, int t) {
  const int n = n0 + t % BN;
#pragma unroll
  for (int i = 0; i < BK / ROWS; ++i) {
    const int k = t / BN + i * ROWS;
    Bs[k][t % BN] = k0 + k < K && n < N ? B[(k0 + k) * N + n] : 0.f;
  }
}

// sum += the outer products of this thread's part of each line of the two tiles.
__device__ __forceinline__ void multiply(const float (&As)[BK][BM + PAD],
                                         const float (&Bs)[BK][BN + PAD], float (&sum)[TM][TN],
                                         int row, int column) {
#pragma unroll
  for (int k = 0; k < BK; ++k) {
    float a[TM], b[TN];
#pragma unroll
    for (int i = 0; i < TM; ++i) a[i] = As[k][row + i];
#pragma unroll
    for (int j = 0; j < TN; ++j) b[j] = Bs[k][column + j];
#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
      for (int j = 0; j < TN; ++j) sum[i][j] += a[i] * b[j];
  }
}

// The first row and column of C's tile for this block. Neighbouring blocks share rows, so that
// what they gather is in the caches.
struct Corner {
  int m, n;
};

__device__ __forceinline__ Corner corner_of(int N) {
  const int across = (N + BN - 1) / BN, tile = blockIdx.x;
  return {tile / across * BM, tile % across * BN};
}

//! grid    cdiv(N * OH * OW, BM) * cdiv(O, BN)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
conv2d(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ bias,
       const float* __restrict__ residual, float* y, int N, int H, int W, int C, int OH, int OW,
       int O, int PH, int PW) {
  __shared__ __align__(16) float As[BK][BM + PAD];  // As[k][m]
  __shared__ __align__(16) float Bs[BK][BN + PAD];  // Bs[k][n]
  const int t = threadIdx.x, row = t / SIDE * TM, column = t % SIDE * TN;
  const Corner corner = corner_of(O);
  const int k = t % BK, line = t / BK;
  Place window[BM / STEP];  // where the window of each output pixel begins in x
#pragma unroll
  for (int i = 0; i < BM / STEP; ++i) {
    const Place out = place_of(corner.m + line + i * STEP, OH, OW);
    window[i] = {out.i, out.j * SH - PH, out.k * SW - PW};
  }
  Place tap = place_of(k, KW, C);
  float sum[TM][TN] = {};
  for (int k0 = 0; k0 < KH * KW * C; k0 += BK) {
#pragma unroll
    for (int i = 0; i < BM / STEP; ++i) {
      const Place at = window[i];
      As[k][line + i * STEP] =
          tap.i < KH ? image_at(x, at.i, at.j + tap.i, at.k + tap.j, tap.k, N, H, W, C) : 0.f;
    }
    copy_rows(Bs, w, k0, KH * KW * C, corner.n, O, t);
    advance(tap, BK, KW, C);
    __syncthreads();
    multiply(As, Bs, sum, row, column);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int pixel = corner.m + row + i, o = corner.n + column + j;
      if (pixel < N * OH * OW && o < O) finish(sum[i][j], bias, residual, y, pixel, o, O);
    }
}

// The pixels of x, along one axis, that meet taps tap, tap + stride, ...: `count` pixels at first,
// first + stride, ..., and `taps` taps. The h-th pixel meets output out + h - i by the i-th tap.
struct Phase {
  int tap, taps, first, count, out;
};

__device__ __forceinline__ Phase phase_of(int tap, int size, int length, int stride,
                                          int padding) {
  const int first = (tap + stride - padding % stride) % stride;
  return {tap, (size - tap + stride - 1) / stride, first, (length - first + stride - 1) / stride,
          (first + padding) / stride};
}

//! grid    cdiv(N * cdiv(H, SH) * cdiv(W, SW), BM) * cdiv(C, BN), SH * SW
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
conv2d_input_grad(const float* __restrict__ gy, const float* __restrict__ w, float* gx, int N,
                  int H, int W, int C, int OH, int OW, int O, int PH, int PW) {
  __shared__ __align__(16) float As[BK][BM + PAD];
  __shared__ __align__(16) float Bs[BK][BN + PAD];
  const Phase rows = phase_of(blockIdx.y / SW, KH, H, SH, PH);
  const Phase columns = phase_of(blockIdx.y % SW, KW, W, SW, PW);
  const Corner corner = corner_of(C);
  if (corner.m >= N * rows.count * columns.count) return;  // all threads: no such tile
  const int t = threadIdx.x, row = t / SIDE * TM, column = t % SIDE * TN;
  const int k = t % BK, line = t / BK;
  Place out[BM / STEP];  // the output pixel that each pixel of x meets by tap 0
#pragma unroll
  for (int i = 0; i < BM / STEP; ++i) {
    const Place in = place_of(corner.m + line + i * STEP, rows.count, columns.count);
    out[i] = {in.i, rows.out + in.j, columns.out + in.k};
  }
  Place tap = place_of(k, columns.taps, O);
  float sum[TM][TN] = {};
  for (int k0 = 0; k0 < rows.taps * columns.taps * O; k0 += BK) {
    const int a = rows.tap + tap.i * SH, b = columns.tap + tap.j * SW;
#pragma unroll
    for (int i = 0; i < BM / STEP; ++i) {
      const Place at = out[i];
      As[k][line + i * STEP] =
          a < KH ? image_at(gy, at.i, at.j - tap.i, at.k - tap.j, tap.k, N, OH, OW, O) : 0.f;
    }
#pragma unroll
    for (int i = 0; i < BN / STEP; ++i) {
      const int c = corner.n + line + i * STEP;
      Bs[k][line + i * STEP] =
          a < KH && c < C ? w[((a * KW + b) * C + c) * O + tap.k] : 0.f;
    }
    advance(tap, BK, columns.taps, O);
    __syncthreads();
    multiply(As, Bs, sum, row, column);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i) {
    const Place in = place_of(corner.m + row + i, rows.count, columns.count);
    const int h = rows.first + in.j * SH, v = columns.first + in.k * SW;
    const int pixel = (in.i * H + h) * W + v;
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int c = corner.n + column + j;
      if (in.i < N && c < C) gx[pixel * C + c] = sum[i][j];
    }
  }
}

//! grid    cdiv(KH * KW * C, BM) * cdiv(O, BN), splits
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
conv2d_weight_grad(const float* __restrict__ gy, const float* __restrict__ x, float* partial,
                   int N, int H, int W, int C, int OH, int OW, int O, int PH, int PW,
                   int splits) {
  __shared__ __align__(16) float As[BK][BM + PAD];
  __shared__ __align__(16) float Bs[BK][BN + PAD];
  const int t = threadIdx.x, row = t / SIDE * TM, column = t % SIDE * TN;
  const Corner corner = corner_of(O);
  const int m = t % BM, run = t / BM * RUN;
  const Place tap = place_of(corner.m + m, KW, C);
  const Share share = share_of(N * OH * OW, blockIdx.y, splits);
  Place out = place_of(share.first + run, OH, OW);
  float sum[TM][TN] = {};
  for (int k0 = share.first; k0 < share.end; k0 += BK) {
#pragma unroll
    for (int k = run; k < run + RUN; ++k) {  // what lies beyond the share meets zeros of gy
      const int h = out.j * SH - PH + tap.i, v = out.k * SW - PW + tap.j;
      As[k][m] = image_at(x, out.i, h, v, tap.k, N, H, W, C);
      advance(out, 1, OH, OW);
    }
    copy_rows(Bs, gy, k0, share.end, corner.n, O, t);
    advance(out, BK - RUN, OH, OW);
    __syncthreads();
    multiply(As, Bs, sum, row, column);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j) {
      const int to = corner.m + row + i, o = corner.n + column + j;
      if (to < KH * KW * C && o < O) partial[(blockIdx.y * KH * KW * C + to) * O + o] = sum[i][j];
    }
}
