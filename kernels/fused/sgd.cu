// One step of SGD over all parameters at once, in place.
//
//   g' = g + weight_decay w       v = momentum v + g'       w = w - lr v
//                                                 (NESTEROV: w - lr (g' + momentum v))
//   (DECOUPLED: g' = g, and first of all w = w - lr weight_decay w: SGDW)
//
//   w, g, v  [ 0 1 2 3 | 4 5 6 7 | ... | n-2 n-1 ]     a thread takes four neighbours, the last
//              thread 0   thread 1        the last      one what is left
//
// All parameters lie in one flat buffer, so a step is one launch. Bytes: 20 n (w, g and v read, w
// and v written); FLOPs: 6 n, or 8 n with NESTEROV. Memory limits it: nothing is left to save but
// the gradient's own bytes. The learning rate is read from memory, since what is passed as a number
// is baked into a captured step.
#include "common/four.cuh"

#ifndef NESTEROV
#define NESTEROV 0  // 1: look ahead along the momentum (Sutskever et al. 2013)
#endif
#ifndef DECOUPLED
#define DECOUPLED 0  // 1: the weights decay by themselves (Loshchilov and Hutter 2019)
#endif

constexpr int THREADS = 256;
constexpr int EACH = 4;  // elements a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
sgd_step(float* w, const float* __restrict__ g, float* v, const float* __restrict__ lr,
         float momentum, float weight_decay, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const bool whole = aligned(w) && aligned(g) && aligned(v);
  const Four gradient = four_at(g, first, n, whole);
  Four weight = four_at(w, first, n, whole), velocity = four_at(v, first, n, whole);
  const float rate = lr[0];
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    if (DECOUPLED) weight.v[i] -= rate * weight_decay * weight.v[i];
    const float step = gradient.v[i] + (DECOUPLED ? 0 : weight_decay * weight.v[i]);
    velocity.v[i] = momentum * velocity.v[i] + step;
    weight.v[i] -= rate * (NESTEROV ? step + momentum * velocity.v[i] : velocity.v[i]);
  }
  put_four(w, first, n, weight, whole);
  put_four(v, first, n, velocity, whole);
}
