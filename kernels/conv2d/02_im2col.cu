// A convolution is a matrix product once each output pixel's window is written out as a row.
//
//    x (H x W, C deep)         columns (N OH OW, KH KW C)        w as it lies in memory
//    . +-----+ .
//    . |  1  | .  im2col    1: [ tap 0, all C | tap 1 | ... ]    [ KH KW C ]
//    . |    +-----+ ----->  2: [ tap 0, all C | tap 1 | ... ] @  [   x O   ] = y (N OH OW, O)
//    . +----|  2  |            . . .
//           +-----+         a thread four channels of a tap, neighbours on both sides
//
// so y is columns @ w, the gradient for w is columns^T @ gy, and the gradient for x is
// col2im(gy @ w^T): each element of x sums the columns that it was copied to. It gathers them, so
// that no two threads write one place.
//
// Bytes: im2col writes 4 N OH OW KH KW C, at stride 1 KH KW times what x has, and the product
// reads them all again; col2im the other way round. FLOPs: 2 for each multiply-add in the
// product, none here; finding a place takes five integer divisions, so it is found once for four
// channels. What limits it: memory, its speed as well as its size. The next rung makes each tile
// of columns in shared memory, where it is used, and never writes them out.
#include "common/conv2d.cuh"

constexpr int THREADS = 256;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

//! grid    cdiv(N * OH * OW * KH * KW * cdiv(C, 4), THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
im2col(const float* __restrict__ x, float* columns, int N, int H, int W, int C, int OH, int OW,
       int PH, int PW) {
  const int fours = (C + 3) / 4, length = KH * KW * fours;
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * OH * OW * length) return;
  const Place out = place_of(i / length, OH, OW), tap = place_of(i % length, KW, fours);
  const int row = out.j * SH - PH + tap.i, column = out.k * SW - PW + tap.j;
  const bool whole = C % 4 == 0 && aligned(x) && aligned(columns);
  put_four(columns + i / fours * C, tap.k * 4, C,
           image_four(x, out.i, row, column, tap.k * 4, N, H, W, C, whole), whole);
}

//! grid    cdiv(N * H * W * cdiv(C, 4), THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
col2im(const float* __restrict__ columns, float* gx, int N, int H, int W, int C, int OH, int OW,
       int PH, int PW) {
  const int fours = (C + 3) / 4, i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * H * W * fours) return;
  const int pixel = i / fours, c = i % fours * 4;
  const Place in = place_of(pixel, H, W);
  const bool whole = C % 4 == 0 && aligned(columns) && aligned(gx);
  Four sum = {};
  for (int a = 0; a < KH; ++a) {
    for (int b = 0; b < KW; ++b) {
      const int out = output_over(in, a, b, OH, OW, PH, PW);
      if (out < 0) continue;
      sum = sum_of(sum, four_at(columns + (out * KH * KW + a * KW + b) * C, c, C, whole));
    }
  }
  put_four(gx + pixel * C, c, C, sum, whole);
}
