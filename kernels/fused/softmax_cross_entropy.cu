// Softmax over each row, its logarithm, and the cross-entropy loss, with their gradients.
//
//   x (rows, classes)   row 0  [ lane 0, 1, ... 31, 0, 1, ... ]  warp 0 of the block
//                       row 1  [ lane 0, 1, ... 31, 0, 1, ... ]  warp 1
//                       ...
//
// A warp has a row: its lanes read neighbours, 32 apart from step to step, and combine by shuffles,
// so that no shared memory and no barrier is needed. The largest logit m is taken off first, or exp
// would overflow:
//
//   log softmax(x)[c] = x[c] - m - log(sum of exp(x - m))
//   loss = -log softmax(x)[label]         d loss / d x = softmax(x) - one_hot(label)
//
// Bytes: 4 for each logit read and 4 for each number written, since a row of a few thousand classes
// is still in the cache at its second and third reading; FLOPs: about 5 a logit, and an exp at the
// second and the third reading (log_softmax: at the second alone).
// `softmax_cross_entropy_forward_backward` writes the gradient at once and saves the probabilities'
// 8 bytes a logit. What limits it: memory; with few classes the lanes beyond them, which idle, and
// for a batch of some hundred rows the launch itself.
#include "common/reduce.cuh"

constexpr int WARPS = 4;  // rows a block
constexpr int THREADS = WARPS * WARP;
static_assert(THREADS <= 1024, "a block has at most 1024 threads");

__device__ __forceinline__ int row_of_this_warp() {
  return blockIdx.x * WARPS + threadIdx.x / WARP;
}

// The largest logit of a row, and the logarithm of the sum of exp(x - largest).
struct Normalizer {
  float largest, log_sum;
};

__device__ __forceinline__ Normalizer normalizer(const float* __restrict__ x, int lane,
                                                 int classes) {
  float largest = x[0];
  for (int c = lane; c < classes; c += WARP) largest = larger(largest, x[c]);
  largest = warp_max(largest);
  float sum = 0.f;
  for (int c = lane; c < classes; c += WARP) sum += expf(x[c] - largest);
  return {largest, logf(warp_sum(sum))};
}

// The loss of a row. The host does not look at labels that lie on a GPU, it would have to wait for
// them: one that names no class gives NaN, and reads nothing.
__device__ __forceinline__ float loss_of(const float* __restrict__ x, Normalizer n, long long label,
                                         int classes) {
  return 0 <= label && label < classes ? n.log_sum - (x[label] - n.largest) : nanf("");
}

//! grid    cdiv(rows, WARPS)
//! block   THREADS
//! require classes > 0: a row of no classes has no softmax
extern "C" __global__ void __launch_bounds__(THREADS)
log_softmax(const float* __restrict__ x, float* y, int rows, int classes) {
  const int row = row_of_this_warp(), lane = threadIdx.x % WARP;
  if (row >= rows) return;  // a whole warp leaves together
  x += (long long)row * classes;
  y += (long long)row * classes;
  const Normalizer n = normalizer(x, lane, classes);
  for (int c = lane; c < classes; c += WARP) y[c] = x[c] - n.largest - n.log_sum;
}

// gx = gy - softmax(x) * (the sum of gy), with softmax(x) = exp(y)
//! grid    cdiv(rows, WARPS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
log_softmax_grad(const float* __restrict__ gy, const float* __restrict__ y, float* gx, int rows,
                 int classes) {
  const int row = row_of_this_warp(), lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const long long start = (long long)row * classes;
  float sum = 0.f;
  for (int c = lane; c < classes; c += WARP) sum += gy[start + c];
  sum = warp_sum(sum);
  for (int c = lane; c < classes; c += WARP)
    gx[start + c] = gy[start + c] - expf(y[start + c]) * sum;
}

//! grid    cdiv(rows, WARPS)
//! block   THREADS
//! require classes > 0: a row of no classes has no softmax
extern "C" __global__ void __launch_bounds__(THREADS)
softmax_cross_entropy(const float* __restrict__ logits, const long long* __restrict__ labels,
                      float* losses, float* probabilities, int rows, int classes) {
  const int row = row_of_this_warp(), lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const long long start = (long long)row * classes;
  const Normalizer n = normalizer(logits + start, lane, classes);
  for (int c = lane; c < classes; c += WARP)
    probabilities[start + c] = expf(logits[start + c] - n.largest - n.log_sum);
  if (lane == 0) losses[row] = loss_of(logits + start, n, labels[row], classes);
}

// gx = gy (softmax - one_hot); a null gy stands for gy_value in every row.
//! grid    cdiv(rows, WARPS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
softmax_cross_entropy_grad(const float* __restrict__ gy, float gy_value,
                           const float* __restrict__ probabilities,
                           const long long* __restrict__ labels, float* gx, int rows,
                           int classes) {
  const int row = row_of_this_warp(), lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const long long start = (long long)row * classes;
  const float scale = gy ? gy[row] : gy_value;
  for (int c = lane; c < classes; c += WARP)
    gx[start + c] = scale * (probabilities[start + c] - (c == labels[row] ? 1.f : 0.f));
}

//! grid    cdiv(rows, WARPS)
//! block   THREADS
//! require classes > 0: a row of no classes has no softmax
extern "C" __global__ void __launch_bounds__(THREADS)
softmax_cross_entropy_forward_backward(const float* __restrict__ logits,
                                       const long long* __restrict__ labels, float* losses,
                                       float* gx, float gy_value, int rows, int classes) {
  const int row = row_of_this_warp(), lane = threadIdx.x % WARP;
  if (row >= rows) return;
  const long long start = (long long)row * classes;
  const Normalizer n = normalizer(logits + start, lane, classes);
  for (int c = lane; c < classes; c += WARP) {
    const float probability = expf(logits[start + c] - n.largest - n.log_sum);
    gx[start + c] = gy_value * (probability - (c == labels[row] ? 1.f : 0.f));
  }
  if (lane == 0) losses[row] = loss_of(logits + start, n, labels[row], classes);
}
