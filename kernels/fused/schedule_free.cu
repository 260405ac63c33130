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
#include "common/four.cuh"

constexpr int THREADS = 256;
constexpr int EACH = 4;  // elements a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
schedule_free_step(float* w, const float* __restrict__ g, float* z, float* x,
                   const float* __restrict__ lr, const float* __restrict__ share,
                   float momentum, float weight_decay, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const Four gradient = four_at(g, first, n, aligned(g));
  Four weight = four_at(w, first, n, aligned(w)), stepped = four_at(z, first, n, aligned(z));
  Four average = four_at(x, first, n, aligned(x));
  const float rate = lr[0], part = share[0];
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    stepped.v[i] -= rate * (gradient.v[i] + weight_decay * weight.v[i]);
    average.v[i] += part * (stepped.v[i] - average.v[i]);
    weight.v[i] = stepped.v[i] + momentum * (average.v[i] - stepped.v[i]);
  }
  put_four(w, first, n, weight, aligned(w));
  put_four(z, first, n, stepped, aligned(z));
  put_four(x, first, n, average, aligned(x));
}
