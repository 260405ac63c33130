// Pooling of images x (N, H, W, C): the largest, or the mean, of each window, and the gradients.
//
//   forward: a thread an output            backward: a thread an input, which gathers from
//                                          the windows that hold it
//   x  . . . . .                           gx . . . . .        gy  o o o
//      . a a a .  ->  y[i, j]                 . . p . .   <-       o w w     KH = KW = 3, stride 1:
//      . a a a .      a window of             . . . . .            o w w     up to 9 windows
//      . a a a .      KH x KW                                                hold p
//
// Each for four neighbouring channels, which share their pixels: places are divided out once for
// them, and move as one Four where C is a multiple of four. Gathering needs no atomics, even where
// windows overlap, and adds in a fixed order. A place of padding counts as -infinity for the
// maximum, and as 0, in a window of always KH KW places, for the mean.
//
// Bytes: 4 KH KW / (SH SW) for each input without a cache, 4 with one, and 4 (8 with the maximum's
// place) for each output; FLOPs: one for each place of a window. Memory limits it, unless channels
// are few: then the divisions, some seven of them in the gradients.
#include "common/four.cuh"

constexpr int THREADS = 256;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

// Four channels of a pixel, from c on.
struct Pixel {
  int n, h, w, c;
};

// The i-th four of an array (any, H, W, C).
__device__ __forceinline__ Pixel pixel_of(int i, int H, int W, int C) {
  const int fours = (C + 3) / 4, pixel = i / fours, row = pixel / W;
  return {row / H, row % H, pixel % W, i % fours * 4};
}

// The windows along one axis that hold place p, of the padded image: first to last.
__device__ __forceinline__ int first_window(int p, int K, int S) {
  return p < K ? 0 : (p - K) / S + 1;
}
__device__ __forceinline__ int last_window(int p, int S, int O) { return min(p / S, O - 1); }

// The first of equal maxima wins. A NaN passes, as NumPy's, and the place stays where it was.
//! grid    cdiv(N * OH * OW * cdiv(C, 4), THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
max_pool2d(const float* __restrict__ x, float* y, int* place, int N, int H, int W, int C, int OH,
           int OW, int KH, int KW, int SH, int SW, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  const Pixel at = pixel_of(i, OH, OW, C);
  if (at.n >= N) return;
  const bool whole = C % 4 == 0 && aligned(x) && aligned(y) && aligned(place);
  const float least = __int_as_float(0xff800000);  // -infinity, as padding
  Four largest = {least, least, least, least};
  FourOf<int> found = {};
  for (int a = 0; a < KH; ++a)
    for (int b = 0; b < KW; ++b) {
      const int h = at.h * SH + a - PH, w = at.w * SW + b - PW;
      if (h < 0 || h >= H || w < 0 || w >= W) continue;
      const Four value = four_at(x + ((at.n * H + h) * W + w) * C, at.c, C, whole);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        if (value.v[j] > largest.v[j]) {
          largest.v[j] = value.v[j];
          found.v[j] = a * KW + b;
        }
        if (value.v[j] != value.v[j]) largest.v[j] = value.v[j];  // then nothing is larger
      }
    }
  const int out = ((at.n * OH + at.h) * OW + at.w) * C;
  put_four(y + out, at.c, C, largest, whole);
  put_four(place + out, at.c, C, found, whole);
}

//! grid    cdiv(N * H * W * cdiv(C, 4), THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
max_pool2d_grad(const float* __restrict__ gy, const int* __restrict__ place, float* gx, int N,
                int H, int W, int C, int OH, int OW, int KH, int KW, int SH, int SW, int PH,
                int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  const Pixel at = pixel_of(i, H, W, C);
  if (at.n >= N) return;
  const bool whole = C % 4 == 0 && aligned(gy) && aligned(place) && aligned(gx);
  const int p = at.h + PH, q = at.w + PW;
  Four sum = {};
  for (int oh = first_window(p, KH, SH); oh <= last_window(p, SH, OH); ++oh)
    for (int ow = first_window(q, KW, SW); ow <= last_window(q, SW, OW); ++ow) {
      const int out = ((at.n * OH + oh) * OW + ow) * C;
      const Four g = four_at(gy + out, at.c, C, whole);
      const FourOf<int> from = four_at(place + out, at.c, C, whole);
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (from.v[j] == (p - oh * SH) * KW + q - ow * SW) sum.v[j] += g.v[j];
    }
  put_four(gx + ((at.n * H + at.h) * W + at.w) * C, at.c, C, sum, whole);
}

//! grid    cdiv(N * OH * OW * cdiv(C, 4), THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
avg_pool2d(const float* __restrict__ x, float* y, int N, int H, int W, int C, int OH, int OW,
           int KH, int KW, int SH, int SW, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  const Pixel at = pixel_of(i, OH, OW, C);
  if (at.n >= N) return;
  const bool whole = C % 4 == 0 && aligned(x) && aligned(y);
  Four sum = {};
  for (int a = 0; a < KH; ++a)
    for (int b = 0; b < KW; ++b) {
      const int h = at.h * SH + a - PH, w = at.w * SW + b - PW;
      if (h < 0 || h >= H || w < 0 || w >= W) continue;
      sum = sum_of(sum, four_at(x + ((at.n * H + h) * W + w) * C, at.c, C, whole));
    }
#pragma unroll
  for (int j = 0; j < 4; ++j) sum.v[j] /= KH * KW;
  put_four(y + ((at.n * OH + at.h) * OW + at.w) * C, at.c, C, sum, whole);
}

//! grid    cdiv(N * H * W * cdiv(C, 4), THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
avg_pool2d_grad(const float* __restrict__ gy, float* gx, int N, int H, int W, int C, int OH,
                int OW, int KH, int KW, int SH, int SW, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  const Pixel at = pixel_of(i, H, W, C);
  if (at.n >= N) return;
  const bool whole = C % 4 == 0 && aligned(gy) && aligned(gx);
  const int p = at.h + PH, q = at.w + PW;
  Four sum = {};
  for (int oh = first_window(p, KH, SH); oh <= last_window(p, SH, OH); ++oh)
    for (int ow = first_window(q, KW, SW); ow <= last_window(q, SW, OW); ++ow)
      sum = sum_of(sum, four_at(gy + ((at.n * OH + oh) * OW + ow) * C, at.c, C, whole));
#pragma unroll
  for (int j = 0; j < 4; ++j) sum.v[j] /= KH * KW;
  put_four(gx + ((at.n * H + at.h) * W + at.w) * C, at.c, C, sum, whole);
}
