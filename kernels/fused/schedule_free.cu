// One step of schedule-free SGD over all parameters at once, in place (Defazio et al. 2024).
//
//   g' = g + weight_decay w       w is where the gradient was taken, the paper's y
//   z -= lr g'                    the steps of plain SGD
//   x += share (z - x)            their weighted average, which one evaluates; share = c_(t+1)
//   w = z + momentum (x - z)      between the two: the paper's (1 - beta) z + beta x
//
//   w, g, z, x  [ 0 1 2 3 | 4 5 6 7 | ... | n-2 n-1 ]     a thread takes four neighbours, the last
//                 thread 0   thread 1        the last      one what is left
//
// Bytes: 28 n (all four read, w, z and x written); FLOPs: 10 n. Memory limits it. The rate and the
// share are read from memory: what is passed as a number is baked into a captured step.
#include "common/fours.cuh"

constexpr int THREADS = 256;

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
schedule_free_step(float* w, const float* __restrict__ g, float* z, float* x,
                   const float* __restrict__ lr_share, float momentum, float weight_decay, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const float rate = lr_share[0], share = lr_share[1];
  float ws[EACH], gs[EACH], zs[EACH], xs[EACH];
  read_four(ws, w, first, n);
  read_four(gs, g, first, n);
  read_four(zs, z, first, n);
  read_four(xs, x, first, n);
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    zs[i] -= rate * (gs[i] + weight_decay * ws[i]);
    xs[i] += share * (zs[i] - xs[i]);
    ws[i] = zs[i] + momentum * (xs[i] - zs[i]);
  }
  write_four(w, ws, first, n);
  write_four(z, zs, first, n);
  write_four(x, xs, first, n);
}
