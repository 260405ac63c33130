// A thread computes one element of the result, as the sum is written: no tiles, no shared memory.
//
//     x (H x W, C deep)            w                  y (OH x OW, O deep)
//     . . . . . .
//     . +-----+ .   KH x KW x C    element o of       . . . .
//     . |     | . ---------------> each tap and ----> . * . .   * : [n, i, j, o], one thread;
//     . |     | .                  channel            . . . .   neighbours differ in o
//     . +-----+ .
//
// A warp (32 neighbours in o) reads one element of x, a broadcast, and 32 neighbours of w for
// each multiply-add. The gradient for x gathers: an element of gx finds the outputs it had a part
// in, so that no two threads write one place and no atomics are needed. The gradient for w has
// few elements, each a long sum over all pixels: `splits` threads share one, each sums its
// pixels into `partial`, and sum_splits adds them up, always in the same order.
//
// Bytes asked for: 8 for each multiply-add, nearly all answered by the caches; FLOPs: 2 for each.
// What limits it: two loads and the arithmetic of their addresses for one multiply-add; in
// conv2d_input_grad also that neighbours, in c, read elements of w that lie O apart. The last rung
// fetches what a block needs once, and reuses it from registers.
#include "common/conv2d.cuh"

constexpr int THREADS = 256;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(N * OH * OW * O, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
conv2d(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ bias,
       const float* __restrict__ residual, float* y, int N, int H, int W, int C, int OH, int OW,
       int O, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * OH * OW * O) return;
  const int pixel = i / O, o = i % O;
  const Place out = place_of(pixel, OH, OW);
  float sum = 0.f;
  for (int a = 0; a < KH; ++a) {
    for (int b = 0; b < KW; ++b) {
      const int row = out.j * SH - PH + a, column = out.k * SW - PW + b;
      if (row < 0 || row >= H || column < 0 || column >= W) continue;
      const float* x_pixel = x + ((out.i * H + row) * W + column) * C;
      const float* w_tap = w + (a * KW + b) * C * O + o;
      for (int c = 0; c < C; ++c) sum += x_pixel[c] * w_tap[c * O];
    }
  }
  finish(sum, bias, residual, y, pixel, o, N * OH * OW, O);
}

//! grid    cdiv(N * H * W * C, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
conv2d_input_grad(const float* __restrict__ gy, const float* __restrict__ w, float* gx, int N,
                  int H, int W, int C, int OH, int OW, int O, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * H * W * C) return;
  const int c = i % C;
  const Place in = place_of(i / C, H, W);
  float sum = 0.f;
  for (int a = 0; a < KH; ++a) {
    for (int b = 0; b < KW; ++b) {
      const int out = output_over(in, a, b, OH, OW, PH, PW);
      if (out < 0) continue;
      const float* gy_pixel = gy + out * O;
      const float* w_channel = w + ((a * KW + b) * C + c) * O;
      for (int o = 0; o < O; ++o) sum += gy_pixel[o] * w_channel[o];
    }
  }
  gx[i] = sum;
}

//! grid    cdiv(KH * KW * C * O, THREADS), splits
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
conv2d_weight_grad(const float* __restrict__ gy, const float* __restrict__ x, float* partial,
                   int N, int H, int W, int C, int OH, int OW, int O, int PH, int PW,
                   int splits) {
  const int i = blockIdx.x * THREADS + threadIdx.x, size = KH * KW * C * O;
  if (i >= size) return;
  const int o = i % O;
  const Place tap = place_of(i / O, KW, C);
  const Share share = share_of(N * OH * OW, blockIdx.y, splits);
  Place out = place_of(share.first, OH, OW);
  float sum = 0.f;
  for (int pixel = share.first; pixel < share.end; ++pixel) {
    const int row = out.j * SH - PH + tap.i, column = out.k * SW - PW + tap.j;
    sum += gy[pixel * O + o] * image_at(x, out.i, row, column, tap.k, N, H, W, C);
    advance(out, 1, OH, OW);
  }
  partial[blockIdx.y * size + i] = sum;
}
