// One step of RMSprop over all parameters at once, in place (Hinton 2012, lecture 6e).
//
//   g' = g + weight_decay w
//   v += fresh (g'^2 - v)                 fresh = 1 - alpha
//   mean += fresh (g' - mean)             (CENTERED alone: the variance is v - mean^2; Graves 2013)
//   u = g' / (sqrt(v) + eps)
//   velocity = momentum velocity + u      (MOMENTUM alone, else u is the velocity)
//   w -= lr velocity
//
//   w, g, v  [ 0 1 2 3 | 4 5 6 7 | ... | n-2 n-1 ]     a thread takes four neighbours, the last
//              thread 0   thread 1        the last      one what is left
//
// Bytes: 20 n (w, g and v read, w and v written), and 8 n for each of velocity and mean; FLOPs: 10
// to 16 n, a root and a division among them. Memory limits it. The rate is read from memory: what
// is passed as a number is baked into a captured step.
#include "common/four.cuh"

#ifndef CENTERED
#define CENTERED 0  // 1: divide by the deviation from the mean gradient
#endif
#ifndef MOMENTUM
#define MOMENTUM 0  // 1: there is a velocity
#endif

constexpr int THREADS = 256;
constexpr int EACH = 4;  // elements a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
rmsprop_step(float* w, const float* __restrict__ g, float* v, float* velocity, float* mean,
             const float* __restrict__ lr, float fresh, float eps, float weight_decay,
             float momentum, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const Four gradient = four_at(g, first, n, aligned(g));
  Four weight = four_at(w, first, n, aligned(w)), square = four_at(v, first, n, aligned(v));
  Four moving = {}, middle = {};
  if (MOMENTUM) moving = four_at(velocity, first, n, aligned(velocity));
  if (CENTERED) middle = four_at(mean, first, n, aligned(mean));
  const float rate = lr[0];
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    const float slope = gradient.v[i] + weight_decay * weight.v[i];
    square.v[i] += fresh * (slope * slope - square.v[i]);
    float variance = square.v[i];
    if (CENTERED) {
      middle.v[i] += fresh * (slope - middle.v[i]);
      variance -= middle.v[i] * middle.v[i];
      if (variance < 0.f) variance = 0.f;  // rounding; a NaN passes
    }
    const float u = slope / (sqrtf(variance) + eps);
    moving.v[i] = MOMENTUM ? momentum * moving.v[i] + u : u;
    weight.v[i] -= rate * moving.v[i];
  }
  put_four(w, first, n, weight, aligned(w));
  put_four(v, first, n, square, aligned(v));
  if (MOMENTUM) put_four(velocity, first, n, moving, aligned(velocity));
  if (CENTERED) put_four(mean, first, n, middle, aligned(mean));
}
