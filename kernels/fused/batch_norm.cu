// Batch normalisation of x (rows, channels) with what follows it, forward and backward.
//
//   y = act(gamma (x - mean) / sqrt(var + eps) + beta + residual)
//
//   forward                                      backward
//   channel_moments  x --> parts' mean, m2       channel_gradients  gy, x --> parts' sums
//   merge_moments    parts --> mean, var         merge_gradients    parts --> gbeta, ggamma
//   normalize        x --> y                     batch_norm_grad    gy, x --> gx
//
// The first of each three goes down the columns as columns.cuh has it, a block a share of the rows,
// so that also few channels fill the GPU; the last takes four neighbours a thread.
//
// Mean and variance come of one reading. Values are taken as distances from the first of them all
// and merged one by one, as parts are, by the formula of Chan, Golub and LeVeque (1979): nothing
// is lost where the mean is a thousand times the deviation, as in E[x^2] - E[x]^2 it would be.
//
// Bytes forward: 12 for each x (read for the moments and to normalise; y written); backward: 20 (gy
// and x twice, gx), and 4 for each reading of y (RELU) and of the residual. FLOPs: about 17 and
// 16. Memory limits it: what fusing saves is the 8 to 16 bytes of a ReLU and of a residual's
// addition.
#ifndef RESIDUAL
#define RESIDUAL 0  // 1: add `residual` before the activation; backward also writes its gradient
#endif
#ifndef RELU
#define RELU 0  // 1: what is below zero becomes zero; backward counts gy only where y > 0
#endif
#include "common/columns.cuh"
#include "common/four.cuh"
#include "common/relu.cuh"

constexpr int THREADS = 256;  // of the elementwise kernels
constexpr int EACH = 4;       // elements a thread of theirs
constexpr int MERGED = 8;     // channels a block that merges parts; a sector of each part
constexpr int MERGERS = 32;   // and threads a channel
constexpr int UNROLL = 4;     // rows that are read before the first is used
static_assert(THREADS <= 1024 && MERGED * MERGERS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

// How many values there are, their mean, and the sum of their squared distances from it.
struct Moments {
  float count, mean, m2;
};

__device__ __forceinline__ Moments merged(Moments some, Moments more) {
  const float count = some.count + more.count, delta = more.mean - some.mean;
  const float weight = __fdividef(more.count, fmaxf(count, 1.f));  // 0 where there are no more
  return {count, some.mean + delta * weight,
          some.m2 + more.m2 + delta * delta * (some.count * weight)};
}

//! grid    cdiv(channels, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMN_THREADS)
channel_moments(const float* __restrict__ x, float* part_mean, float* part_m2, int rows,
                int channels, int parts) {
  __shared__ Moments partial[ROWS][COLUMNS];
  const int c = blockIdx.x * COLUMNS + threadIdx.x;
  const Share share = share_of(rows, blockIdx.y, parts);
  Moments moments = {};
  float origin = 0.f;
  if (c < channels && share.first < share.end) {
    origin = x[c];
#pragma unroll UNROLL
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS)
      moments = merged(moments, {1.f, x[row * channels + c] - origin, 0.f});
  }
  moments = column_reduce<Moments, merged>(moments, partial);
  if (threadIdx.y == 0 && c < channels) {
    part_mean[blockIdx.y * channels + c] = origin + moments.mean;
    part_m2[blockIdx.y * channels + c] = moments.m2;
  }
}

//! grid    cdiv(channels, MERGED)
//! block   MERGED, MERGERS
extern "C" __global__ void __launch_bounds__(MERGED* MERGERS)
merge_moments(const float* __restrict__ part_mean, const float* __restrict__ part_m2, float* mean,
              float* var, int rows, int channels, int parts) {
  __shared__ Moments partial[MERGERS][MERGED];
  const int c = blockIdx.x * MERGED + threadIdx.x;
  Moments moments = {};
  if (c < channels)
#pragma unroll UNROLL
    for (int part = threadIdx.y; part < parts; part += MERGERS) {
      const Share share = share_of(rows, part, parts);
      const float count = share.end - share.first;
      const int i = part * channels + c;
      moments = merged(moments, {count, part_mean[i], part_m2[i]});
    }
  moments = column_reduce<Moments, merged>(moments, partial);
  if (threadIdx.y == 0 && c < channels) {
    mean[c] = moments.mean;
    var[c] = moments.m2 / moments.count;
  }
}

//! grid    cdiv(rows * channels, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
normalize(const float* __restrict__ x, const float* __restrict__ gamma,
          const float* __restrict__ beta, const float* __restrict__ mean,
          const float* __restrict__ var, const float* __restrict__ residual, float* y, float eps,
          int rows, int channels) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH, n = rows * channels;
  if (first >= n) return;
  const bool whole = aligned(x) && aligned(y) && (!RESIDUAL || aligned(residual));
  const bool fours = channels % EACH == 0 && aligned(gamma) && aligned(beta) && aligned(mean) &&
                     aligned(var);
  Four value = four_at(x, first, n, whole);
  const Four center = repeated_at(mean, first, channels, fours);
  const Four spread = repeated_at(var, first, channels, fours);
  const Four scale = repeated_at(gamma, first, channels, fours);
  const Four shift = repeated_at(beta, first, channels, fours);
#pragma unroll
  for (int i = 0; i < EACH; ++i)
    value.v[i] =
        scale.v[i] * ((value.v[i] - center.v[i]) * rsqrtf(spread.v[i] + eps)) + shift.v[i];
  if (RESIDUAL) value = sum_of(value, four_at(residual, first, n, whole));
#pragma unroll
  for (int i = 0; i < EACH; ++i) value.v[i] = activated(value.v[i]);
  put_four(y, first, n, value, whole);
}

// The two sums that the gradients for beta and gamma are, of g = gy as far as it passes back:
// gbeta = sum of g;  ggamma = sum of g (x - mean) / sqrt(var + eps).
struct Sums {
  float beta, gamma;
};

__device__ __forceinline__ Sums added(Sums x, Sums y) {
  return {x.beta + y.beta, x.gamma + y.gamma};
}

//! grid    cdiv(channels, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMN_THREADS)
channel_gradients(const float* __restrict__ gy, const float* __restrict__ x,
                  const float* __restrict__ y, const float* __restrict__ mean,
                  const float* __restrict__ var, float* part_gbeta, float* part_ggamma, float eps,
                  int rows, int channels, int parts) {
  __shared__ Sums partial[ROWS][COLUMNS];
  const int c = blockIdx.x * COLUMNS + threadIdx.x;
  const Share share = share_of(rows, blockIdx.y, parts);
  Sums sums = {};
  if (c < channels) {
    const float center = mean[c], inverse = rsqrtf(var[c] + eps);
#pragma unroll UNROLL
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS) {
      const int i = row * channels + c;
      const float g = RELU ? passed_back(gy[i], y[i]) : gy[i];
      sums = added(sums, {g, g * ((x[i] - center) * inverse)});
    }
  }
  sums = column_reduce<Sums, added>(sums, partial);
  if (threadIdx.y == 0 && c < channels) {
    part_gbeta[blockIdx.y * channels + c] = sums.beta;
    part_ggamma[blockIdx.y * channels + c] = sums.gamma;
  }
}

//! grid    cdiv(channels, MERGED)
//! block   MERGED, MERGERS
extern "C" __global__ void __launch_bounds__(MERGED* MERGERS)
merge_gradients(const float* __restrict__ part_gbeta, const float* __restrict__ part_ggamma,
                float* gbeta, float* ggamma, int channels, int parts) {
  __shared__ Sums partial[MERGERS][MERGED];
  const int c = blockIdx.x * MERGED + threadIdx.x;
  Sums sums = {};
  if (c < channels)
#pragma unroll UNROLL
    for (int part = threadIdx.y; part < parts; part += MERGERS) {
      const int i = part * channels + c;
      sums = added(sums, {part_gbeta[i], part_ggamma[i]});
    }
  sums = column_reduce<Sums, added>(sums, partial);
  if (threadIdx.y == 0 && c < channels) {
    gbeta[c] = sums.beta;
    ggamma[c] = sums.gamma;
  }
}

// gx = gamma / sqrt(var + eps) (g - gbeta / rows - x^ ggamma / rows), x^ the normalised x
//! grid    cdiv(rows * channels, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
batch_norm_grad(const float* __restrict__ gy, const float* __restrict__ x,
                const float* __restrict__ y, const float* __restrict__ gamma,
                const float* __restrict__ mean, const float* __restrict__ var,
                const float* __restrict__ gbeta, const float* __restrict__ ggamma, float* gx,
                float* gresidual, float eps, int rows, int channels) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH, n = rows * channels;
  if (first >= n) return;
  const bool whole = aligned(gy) && aligned(x) && aligned(gx) && (!RELU || aligned(y)) &&
                     (!RESIDUAL || aligned(gresidual));
  const bool fours = channels % EACH == 0 && aligned(gamma) && aligned(mean) && aligned(var) &&
                     aligned(gbeta) && aligned(ggamma);
  Four g = four_at(gy, first, n, whole), value = four_at(x, first, n, whole);
  if (RELU) {
    const Four result = four_at(y, first, n, whole);
#pragma unroll
    for (int i = 0; i < EACH; ++i) g.v[i] = passed_back(g.v[i], result.v[i]);
  }
  const Four center = repeated_at(mean, first, channels, fours);
  const Four spread = repeated_at(var, first, channels, fours);
  const Four scale = repeated_at(gamma, first, channels, fours);
  const Four of_beta = repeated_at(gbeta, first, channels, fours);
  const Four of_gamma = repeated_at(ggamma, first, channels, fours);
  const float share = __fdividef(1.f, rows);
#pragma unroll
  for (int i = 0; i < EACH; ++i) {
    const float inverse = rsqrtf(spread.v[i] + eps);
    const float normal = (value.v[i] - center.v[i]) * inverse;
    value.v[i] = scale.v[i] * inverse *
                 (g.v[i] - of_beta.v[i] * share - normal * (of_gamma.v[i] * share));
  }
  put_four(gx, first, n, value, whole);
  if (RESIDUAL) put_four(gresidual, first, n, g, whole);
}
