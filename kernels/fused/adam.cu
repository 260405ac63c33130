// One step of Adam over all parameters at once, in place (Kingma and Ba 2015, algorithm 1).
//
//   g' = g + weight_decay w            (DECOUPLED: g' = g, and first w -= lr weight_decay w: AdamW)
//   m += new1 (g' - m)                    new1 = 1 - beta1
//   v += new2 (g'^2 - v)                  new2 = 1 - beta2
//   w -= lr c1 m / (c2 sqrt(v) + eps)     c1 = 1 / (1 - beta1^t), c2 = 1 / sqrt(1 - beta2^t)
//                                         (AMSGRAD: of the largest v so far, Reddi et al. 2018)
//
//   w, g, m, v  [ 0 1 2 3 | 4 5 6 7 | ... | n-2 n-1 ]     a thread takes four neighbours, the last
//                 thread 0   thread 1        the last      one what is left
//
// Bytes: 28 n (w, g, m and v read, w, m and v written), 36 n with AMSGRAD; FLOPs: about 14 n, a
// root and a division among them. Memory limits it. The moments move by a share of a difference,
// since the shares are small numbers that float32 holds well, and 1 - 0.999f is off by 1.3e-5 of
// itself.
// lr, c1 and c2 are read from memory: what is passed as a number is baked into a captured step.
#include "common/four.cuh"

#ifndef DECOUPLED
#define DECOUPLED 0  // 1: the weights decay by themselves
#endif
#ifndef AMSGRAD
#define AMSGRAD 0  // 1: divide by the largest second moment so far
#endif

constexpr int THREADS = 256;
constexpr int EACH = 4;  // elements a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
adam_step(float* w, const float* __restrict__ g, float* m, float* v, float* largest,
          const float* __restrict__ lr, const float* __restrict__ c1,
          const float* __restrict__ c2, float new1, float new2, float eps, float weight_decay,
          int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const Four gradient = four_at(g, first, n, aligned(g));
  Four weight = four_at(w, first, n, aligned(w)), mean = four_at(m, first, n, aligned(m));
  Four square = four_at(v, first, n, aligned(v)), top = {};
  if (AMSGRAD) top = four_at(largest, first, n, aligned(largest));
  const float rate = lr[0], step = rate * c1[0], scale = c2[0];
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    const float decay = weight_decay * weight.v[i];
    const float slope = DECOUPLED ? gradient.v[i] : gradient.v[i] + decay;
    if (DECOUPLED) weight.v[i] -= rate * decay;
    mean.v[i] += new1 * (slope - mean.v[i]);
    square.v[i] += new2 * (slope * slope - square.v[i]);
    if (!AMSGRAD || !(top.v[i] > square.v[i])) top.v[i] = square.v[i];  // a NaN passes
    weight.v[i] -= step * mean.v[i] / (scale * sqrtf(top.v[i]) + eps);
  }
  put_four(w, first, n, weight, aligned(w));
  put_four(m, first, n, mean, aligned(m));
  put_four(v, first, n, square, aligned(v));
  if (AMSGRAD) put_four(largest, first, n, top, aligned(largest));
}
