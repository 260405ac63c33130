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
#ifndef NESTEROV
#define NESTEROV 0  // 1: look ahead along the momentum (Sutskever et al. 2013)
#endif
#ifndef DECOUPLED
#define DECOUPLED 0  // 1: the weights decay by themselves (Loshchilov and Hutter 2019)
#endif

constexpr int THREADS = 256;
constexpr int EACH = 4;  // elements a thread, a float4 where the pointers allow it
static_assert(EACH == 4, "a float4 holds four");

__device__ __forceinline__ void update(float& w, float g, float& v, float lr, float momentum,
                                       float weight_decay) {
  if (DECOUPLED) w -= lr * weight_decay * w;
  else g += weight_decay * w;
  v = momentum * v + g;
  w -= lr * (NESTEROV ? g + momentum * v : v);
}

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
sgd_step(float* w, const float* __restrict__ g, float* v, const float* __restrict__ lr,
         float momentum, float weight_decay, int n) {
  const int quad = blockIdx.x * THREADS + threadIdx.x, first = quad * EACH;
  const float rate = lr[0];
  const bool aligned = ((unsigned long long)w | (unsigned long long)g | (unsigned long long)v) %
                           sizeof(float4) == 0;
  if (aligned && first + EACH <= n) {
    float4 ws = ((float4*)w)[quad], vs = ((float4*)v)[quad];
    const float4 gs = ((const float4*)g)[quad];
    update(ws.x, gs.x, vs.x, rate, momentum, weight_decay);
    update(ws.y, gs.y, vs.y, rate, momentum, weight_decay);
    update(ws.z, gs.z, vs.z, rate, momentum, weight_decay);
    update(ws.w, gs.w, vs.w, rate, momentum, weight_decay);
    ((float4*)w)[quad] = ws;
    ((float4*)v)[quad] = vs;
  } else {
    for (int i = first; i < min(first + EACH, n); ++i)
      update(w[i], g[i], v[i], rate, momentum, weight_decay);
  }
}
