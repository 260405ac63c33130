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
// Bytes: 20 n (w, g and v read, w and v written), and 8 n for each of velocity and mean; FLOPs: 10 n
// to 16 n, a root and a division among them. Memory limits it. The rate is read from memory: what is
// passed as a number is baked into a captured step.
#include "common/fours.cuh"

#ifndef CENTERED
#define CENTERED 0  // 1: divide by the deviation from the mean gradient
#endif
#ifndef MOMENTUM
#define MOMENTUM 0  // 1: there is a velocity
#endif

constexpr int THREADS = 256;

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
rmsprop_step(float* w, const float* __restrict__ g, float* v, float* velocity, float* mean,
             const float* __restrict__ lr, float fresh, float eps, float weight_decay,
             float momentum, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const float rate = lr[0];
  float ws[EACH], gs[EACH], vs[EACH], us[EACH], means[EACH];
  read_four(ws, w, first, n);
  read_four(gs, g, first, n);
  read_four(vs, v, first, n);
  if (MOMENTUM) read_four(us, velocity, first, n);
  if (CENTERED) read_four(means, mean, first, n);
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    const float slope = gs[i] + weight_decay * ws[i];
    vs[i] += fresh * (slope * slope - vs[i]);
    float variance = vs[i];
    if (CENTERED) {
      means[i] += fresh * (slope - means[i]);
      variance -= means[i] * means[i];
      if (variance < 0.f) variance = 0.f;  // rounding; a NaN passes
    }
    const float u = slope / (sqrtf(variance) + eps);
    us[i] = MOMENTUM ? momentum * us[i] + u : u;
    ws[i] -= rate * us[i];
  }
  write_four(w, ws, first, n);
  write_four(v, vs, first, n);
  if (MOMENTUM) write_four(velocity, us, first, n);
  if (CENTERED) write_four(mean, means, first, n);
}
