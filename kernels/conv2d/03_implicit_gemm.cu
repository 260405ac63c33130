// The product of 02_im2col without its matrix: a block makes its tiles of it from the image.
//
//                         B  [ BK x BN ]     A           (M x K)         B (K x N)   C (M x N)
//                                |       y : columns of x                w           y
//   A, gathered [ BM x BK ] -> C: BM x BN gx: columns of gy              w           gx
//      from an image                     gw: columns of x, transposed    gy          partial
//
//   M: rows of C, pixels or taps     a thread has 4 x 4 neighbours of C: for every k two Fours
//   N: columns of C, channels        from shared memory, 16 multiply-adds
//   K: what is summed over, in slices of BK that all threads copy together, the next one on its
//      way from global memory while this one is multiplied
//
// A tile is as wide as it has channels to be: BN is 16, 32 or 64, and a block has a thread for each
// 16 of its sums. What lies side by side in memory (channels) is copied in Fours; with a number of
// channels that is no multiple of four (a picture's three) each of the four finds its own place.
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
// What limits it, by a count of its instructions: the multiply-adds and, with a narrow tile, what
// gathers A: 64 multiply-adds for each Four at BN = 16, 256 at 64. Tensor cores would do more of
// them at once.
#include "common/conv2d_tiles.cuh"

//! grid    cdiv(N * OH * OW, BM) * cdiv(O, BN)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
conv2d(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ bias,
       const float* __restrict__ residual, float* y, int N, int H, int W, int C, int OH, int OW,
       int O, int PH, int PW) {
  __shared__ __align__(16) float As[BK][BM + PAD];  // As[k][slot(k, m)]
  __shared__ __align__(16) float Bs[BK][BN];        // Bs[k][slot(k, n)]
  const int K = KH * KW * C, t = threadIdx.x;
  const Corner corner = corner_of(O);
  const int k = t % (BK / 4) * 4, line = t / (BK / 4);  // of A: the Fours lie along k
  const int k_b = t / ACROSS, n = t % ACROSS * 4;       // of B: along n
  const bool whole_x = C % 4 == 0 && aligned(x), whole_w = O % 4 == 0 && aligned(w);
  Place window[FOURS];  // where the window of each output pixel begins in x
#pragma unroll
  for (int i = 0; i < FOURS; ++i) {
    const Place out = place_of(corner.m + line + i * (BM / FOURS), OH, OW);
    window[i] = {out.i, out.j * SH - PH, out.k * SW - PW};
  }
  Place tap = place_of(k, KW, C);
  Four a[FOURS], b;
  const auto fetch = [&](int k0) {
#pragma unroll
    for (int i = 0; i < FOURS; ++i) {
      const Place at = window[i];
      const auto one = [&](Place tap) {
        return tap.i < KH ? image_at(x, at.i, at.j + tap.i, at.k + tap.j, tap.k, N, H, W, C) : 0.f;
      };
      if (!whole_x) a[i] = one_by_one(tap, KW, C, one);
      else if (tap.i >= KH) a[i] = {};
      else a[i] = image_four(x, at.i, at.j + tap.i, at.k + tap.j, tap.k, N, H, W, C, true);
    }
    b = four_of(w, k0 + k_b, K, corner.n + n, O, whole_w);
    advance(tap, BK, KW, C);
  };
  const int row = t / ACROSS * 4, column = t % ACROSS * 4;
  float sum[4][4] = {};
  if (K > 0) fetch(0);
  for (int k0 = 0; k0 < K; k0 += BK) {
#pragma unroll
    for (int i = 0; i < FOURS; ++i) put_down(As, k, line + i * (BM / FOURS), a[i]);
    put_along(Bs, k_b, n, b);
    __syncthreads();
    if (k0 + BK < K) fetch(k0 + BK);
    multiply(sum, As, Bs, row, column);
    __syncthreads();
  }
  const bool whole = finishes_in_fours(bias, residual, y, O);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    finish_four({sum[i][0], sum[i][1], sum[i][2], sum[i][3]}, bias, residual, y,
                corner.m + row + i, corner.n + column, N * OH * OW, O, whole);
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
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
conv2d_input_grad(const float* __restrict__ gy, const float* __restrict__ w, float* gx, int N,
                  int H, int W, int C, int OH, int OW, int O, int PH, int PW) {
  __shared__ __align__(16) float As[BK][BM + PAD];
  __shared__ __align__(16) float Bs[BK][BN + PAD];
  const Phase rows = phase_of(blockIdx.y / SW, KH, H, SH, PH);
  const Phase columns = phase_of(blockIdx.y % SW, KW, W, SW, PW);
  const Corner corner = corner_of(C);
  if (corner.m >= N * rows.count * columns.count) return;  // all threads: no such tile
  const int K = rows.taps * columns.taps * O, t = threadIdx.x;
  const int k = t % (BK / 4) * 4, line = t / (BK / 4);  // of A and of B: the Fours lie along k
  const int c = corner.n + line;
  const bool whole_gy = O % 4 == 0 && aligned(gy), whole_w = O % 4 == 0 && aligned(w);
  Place out[FOURS];  // the output pixel that each pixel of x meets by tap 0
#pragma unroll
  for (int i = 0; i < FOURS; ++i) {
    const Place in =
        place_of(corner.m + line + i * (BM / FOURS), rows.count, columns.count);
    out[i] = {in.i, rows.out + in.j, columns.out + in.k};
  }
  Place tap = place_of(k, columns.taps, O);
  Four a[FOURS], b;
  const auto fetch = [&] {
#pragma unroll
    for (int i = 0; i < FOURS; ++i) {
      const Place at = out[i];
      const auto one = [&](Place tap) {
        return tap.i < rows.taps
                   ? image_at(gy, at.i, at.j - tap.i, at.k - tap.j, tap.k, N, OH, OW, O)
                   : 0.f;
      };
      if (!whole_gy) a[i] = one_by_one(tap, columns.taps, O, one);
      else if (tap.i >= rows.taps) a[i] = {};
      else a[i] = image_four(gy, at.i, at.j - tap.i, at.k - tap.j, tap.k, N, OH, OW, O, true);
    }
    const auto weights = [&](Place tap) {
      return w + (((rows.tap + tap.i * SH) * KW + columns.tap + tap.j * SW) * C + c) * O + tap.k;
    };
    const auto one = [&](Place tap) { return tap.i < rows.taps && c < C ? *weights(tap) : 0.f; };
    if (!whole_w) b = one_by_one(tap, columns.taps, O, one);
    else if (tap.i >= rows.taps || c >= C) b = {};
    else b = *(const Four*)weights(tap);
    advance(tap, BK, columns.taps, O);
  };
  const int row = t / ACROSS * 4, column = t % ACROSS * 4;
  float sum[4][4] = {};
  if (K > 0) fetch();
  for (int k0 = 0; k0 < K; k0 += BK) {
#pragma unroll
    for (int i = 0; i < FOURS; ++i) put_down(As, k, line + i * (BM / FOURS), a[i]);
    put_down(Bs, k, line, b);
    __syncthreads();
    if (k0 + BK < K) fetch();
    multiply(sum, As, Bs, row, column);
    __syncthreads();
  }
  const bool whole = C % 4 == 0 && aligned(gx);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const Place in = place_of(corner.m + row + i, rows.count, columns.count);
    const int h = rows.first + in.j * SH, v = columns.first + in.k * SW;
    if (in.i < N)
      put_four(gx + ((in.i * H + h) * W + v) * C, corner.n + column, C,
               {sum[i][0], sum[i][1], sum[i][2], sum[i][3]}, whole);
  }
}

//! grid    cdiv(KH * KW * C, BM) * cdiv(O, BN), splits
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
conv2d_weight_grad(const float* __restrict__ gy, const float* __restrict__ x, float* partial,
                   int N, int H, int W, int C, int OH, int OW, int O, int PH, int PW,
                   int splits) {
  __shared__ __align__(16) float As[BK][BM + PAD];
  __shared__ __align__(16) float Bs[BK][BN];
  const int M = KH * KW * C, t = threadIdx.x;
  const Corner corner = corner_of(O);
  const Share share = share_of(N * OH * OW, blockIdx.y, splits);
  const int m = t % (BM / 4) * 4, k = t / (BM / 4);  // of A: the Fours lie along m, taps
  const int n = t % ACROSS * 4, k_b = t / ACROSS;    // of B: along n
  const bool whole_x = C % 4 == 0 && aligned(x), whole_gy = O % 4 == 0 && aligned(gy);
  const Place tap = place_of(corner.m + m, KW, C);
  Place out = place_of(share.first + k, OH, OW);
  Four a[FOURS], b;
  const auto fetch = [&](int k0) {
#pragma unroll
    for (int i = 0; i < FOURS; ++i) {
      const int h = out.j * SH - PH, v = out.k * SW - PW;
      const auto one = [&](Place tap) {
        return image_at(x, out.i, h + tap.i, v + tap.j, tap.k, N, H, W, C);
      };
      if (k0 + k + i * (BK / FOURS) >= share.end) a[i] = {};
      else if (!whole_x) a[i] = one_by_one(tap, KW, C, one);
      else a[i] = image_four(x, out.i, h + tap.i, v + tap.j, tap.k, N, H, W, C, true);
      advance(out, BK / FOURS, OH, OW);
    }
    b = four_of(gy, k0 + k_b, share.end, corner.n + n, O, whole_gy);
  };
  const int row = t / ACROSS * 4, column = t % ACROSS * 4;
  float sum[4][4] = {};
  if (share.first < share.end) fetch(share.first);
  for (int k0 = share.first; k0 < share.end; k0 += BK) {
#pragma unroll
    for (int i = 0; i < FOURS; ++i) put_along(As, k + i * (BK / FOURS), m, a[i]);
    put_along(Bs, k_b, n, b);
    __syncthreads();
    if (k0 + BK < share.end) fetch(k0 + BK);
    multiply(sum, As, Bs, row, column);
    __syncthreads();
  }
  const bool whole = O % 4 == 0 && aligned(partial);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int to = corner.m + row + i;
    if (to < M)
      put_four(partial + (blockIdx.y * M + to) * O, corner.n + column, O,
               {sum[i][0], sum[i][1], sum[i][2], sum[i][3]}, whole);
  }
}
