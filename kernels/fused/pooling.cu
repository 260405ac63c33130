// Pooling of images x (N, H, W, C): the largest, or the mean, of each window, and the gradients.
//
//   forward: a thread an output            backward: a thread an input, which gathers from
//                                          the windows that hold it
//   x  . . . . .                           gx . . . . .        gy  o o o
//      . a a a .  ->  y[i, j]                 . . p . .   <-       o w w     KH = KW = 3, stride 1:
//      . a a a .      a window of             . . . . .            o w w     up to 9 windows
//      . a a a .      KH x KW                                                hold p
//
// Threads run along the channels, so neighbours read and write neighbours. Gathering needs no
// atomics, even where windows overlap, and adds in a fixed order. A place of padding counts as
// -infinity for the maximum, and as 0, in a window of always KH KW places, for the mean.
//
// Bytes: 4 KH KW / (SH SW) for each input without a cache, 4 with one, and 4 (8 with the maximum's
// place) for each output; FLOPs: one for each place of a window. Memory limits it.
constexpr int THREADS = 256;

struct Pixel {
  int n, h, w, c;
};

// Element i of an array (any, H, W, C).
__device__ __forceinline__ Pixel pixel_of(int i, int H, int W, int C) {
  const int c = i % C, w = i / C % W, h = i / C / W % H;
  return {i / C / W / H, h, w, c};
}

// The windows along one axis that hold place p, of the padded image: first to last.
__device__ __forceinline__ int first_window(int p, int K, int S) {
  return p < K ? 0 : (p - K) / S + 1;
}
__device__ __forceinline__ int last_window(int p, int S, int O) { return min(p / S, O - 1); }

// The first of equal maxima wins. A NaN passes, as NumPy's, and the place stays where it was.
//! grid    cdiv(N * OH * OW * C, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
max_pool2d(const float* __restrict__ x, float* y, int* place, int N, int H, int W, int C, int OH,
           int OW, int KH, int KW, int SH, int SW, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * OH * OW * C) return;
  const Pixel at = pixel_of(i, OH, OW, C);
  float largest = __int_as_float(0xff800000);  // -infinity, as padding
  int found = 0;
  for (int a = 0; a < KH; ++a)
    for (int b = 0; b < KW; ++b) {
      const int h = at.h * SH + a - PH, w = at.w * SW + b - PW;
      if (h < 0 || h >= H || w < 0 || w >= W) continue;
      const float value = x[((at.n * H + h) * W + w) * C + at.c];
      if (value > largest) {
        largest = value;
        found = a * KW + b;
      }
      if (value != value) largest = value;  // and from then on nothing is larger
    }
  y[i] = largest;
  place[i] = found;
}

//! grid    cdiv(N * H * W * C, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
max_pool2d_grad(const float* __restrict__ gy, const int* __restrict__ place, float* gx, int N,
                int H, int W, int C, int OH, int OW, int KH, int KW, int SH, int SW, int PH,
                int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * H * W * C) return;
  const Pixel at = pixel_of(i, H, W, C);
  const int p = at.h + PH, q = at.w + PW;
  float sum = 0.f;
  for (int oh = first_window(p, KH, SH); oh <= last_window(p, SH, OH); ++oh)
    for (int ow = first_window(q, KW, SW); ow <= last_window(q, SW, OW); ++ow) {
      const int o = ((at.n * OH + oh) * OW + ow) * C + at.c;
      if (place[o] == (p - oh * SH) * KW + q - ow * SW) sum += gy[o];
    }
  gx[i] = sum;
}

//! grid    cdiv(N * OH * OW * C, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
avg_pool2d(const float* __restrict__ x, float* y, int N, int H, int W, int C, int OH, int OW,
           int KH, int KW, int SH, int SW, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * OH * OW * C) return;
  const Pixel at = pixel_of(i, OH, OW, C);
  float sum = 0.f;
  for (int a = 0; a < KH; ++a)
    for (int b = 0; b < KW; ++b) {
      const int h = at.h * SH + a - PH, w = at.w * SW + b - PW;
      if (h < 0 || h >= H || w < 0 || w >= W) continue;
      sum += x[((at.n * H + h) * W + w) * C + at.c];
    }
  y[i] = sum / (KH * KW);
}

//! grid    cdiv(N * H * W * C, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
avg_pool2d_grad(const float* __restrict__ gy, float* gx, int N, int H, int W, int C, int OH,
                int OW, int KH, int KW, int SH, int SW, int PH, int PW) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= N * H * W * C) return;
  const Pixel at = pixel_of(i, H, W, C);
  const int p = at.h + PH, q = at.w + PW;
  float sum = 0.f;
  for (int oh = first_window(p, KH, SH); oh <= last_window(p, SH, OH); ++oh)
    for (int ow = first_window(q, KW, SW); ow <= last_window(q, SW, OW); ++ow)
      sum += gy[((at.n * OH + oh) * OW + ow) * C + at.c];
  gx[i] = sum / (KH * KW);
}
