// One step of Adam over all parameters at once, in place (Kingma and Ba 2015, algorithm 1).
//
//   g' = g + weight_decay w              (DECOUPLED: g' = g, and first w -= lr weight_decay w: AdamW)
//   m += new1 (g' - m)                    new1 = 1 - beta1
//   v += new2 (g'^2 - v)                  new2 = 1 - beta2
//   w -= lr c1 m / (c2 sqrt(v) + eps)     c1 = 1 / (1 - beta1^t), c2 = 1 / sqrt(1 - beta2^t)
//                                         (AMSGRAD: of the largest v so far, Reddi et al. 2018)
//
//   w, g, m, v  [ 0 1 2 3 | 4 5 6 7 | ... | n-2 n-1 ]     a thread takes four neighbours, the last
//                 thread 0   thread 1        the last      one what is left
//
// Bytes: 28 n (w, g, m and v read, w, m and v written), 36 n with AMSGRAD; FLOPs: about 14 n, a root
// and a division among them. Memory limits it. The moments move by a share of a difference, since
// the shares are small numbers that float32 holds well, and 1 - 0.999f is off by 5e-5 of itself.
// lr, c1 and c2 are read from memory: what is passed as a number is baked into a captured step.
#include "common/fours.cuh"

#ifndef DECOUPLED
#define DECOUPLED 0  // 1: the weights decay by themselves
#endif
#ifndef AMSGRAD
#define AMSGRAD 0  // 1: divide by the largest second moment so far
#endif

constexpr int THREADS = 256;

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
adam_step(float* w, const float* __restrict__ g, float* m, float* v, float* largest,
          const float* __restrict__ lr_c1_c2, float new1, float new2, float eps,
          float weight_decay, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const float lr = lr_c1_c2[0], rate = lr * lr_c1_c2[1], c2 = lr_c1_c2[2];
  float ws[EACH], gs[EACH], ms[EACH], vs[EACH], tops[EACH];
  read_four(ws, w, first, n);
  read_four(gs, g, first, n);
  read_four(ms, m, first, n);
  read_four(vs, v, first, n);
  if (AMSGRAD) read_four(tops, largest, first, n);
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    const float decay = weight_decay * ws[i];
    if (DECOUPLED) ws[i] -= lr * decay;
    const float slope = DECOUPLED ? gs[i] : gs[i] + decay;
    ms[i] += new1 * (slope - ms[i]);
    vs[i] += new2 * (slope * slope - vs[i]);
    const float top = tops[i] = AMSGRAD && tops[i] > vs[i] ? tops[i] : vs[i];
    ws[i] -= rate * ms[i] / (c2 * sqrtf(top) + eps);
  }
  write_four(w, ws, first, n);
  write_four(m, ms, first, n);
  write_four(v, vs, first, n);
  if (AMSGRAD) write_four(largest, tops, first, n);
}
