// Batch normalisation of x (rows, channels) with what follows it, forward and backward.
//
//   y = act(gamma (x - mean) / sqrt(var + eps) + beta + residual)
//
//   x   32 channels          a block takes 32 channels and a share of the rows, 8 at a time;
//       [ c c c ... c ]  \   neighbouring threads read neighbouring channels, and the 8 threads of
//       [ c c c ... c ]   8  a channel meet in shared memory
//       [ c c c ... c ]  /
//       ...                  share 0 -> part 0      then one launch merges the parts of a channel
//       ...                  share 1 -> part 1
//
// Three launches forward (moments of each part, merged, then the normalisation) and three backward.
// The variance is a sum of squared distances from the share's own mean, in a second reading, and
// parts are merged by the formula of Chan, Golub and LeVeque (1979): nothing is lost where the mean
// is a thousand times the deviation, as in E[x^2] - E[x]^2 it would be.
//
// Bytes forward: 16 for each x (read for the mean, for the variance and to normalise; y written; the
// second reading is often a cache's); backward: 20 (gy and x twice, gx). FLOPs: about 8 and 12.
// Memory limits it: what fusing saves is the 8 to 16 bytes of a ReLU and of a residual's addition.
#include "common/reduce.cuh"
#include "common/share.cuh"

#ifndef RESIDUAL
#define RESIDUAL 0  // 1: add `residual` before the activation; backward also writes its gradient
#endif
#ifndef RELU
#define RELU 0  // 1: what is below zero becomes zero; backward counts gy only where y > 0
#endif

constexpr int COLUMNS = WARP;  // channels a block
constexpr int ROWS = 8;
constexpr int THREADS = 256;  // of the elementwise kernels

//! grid    cdiv(channels, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMNS * ROWS)
channel_moments(const float* __restrict__ x, float* part_mean, float* part_m2, int rows,
                int channels, int parts) {
  __shared__ float sums[ROWS][COLUMNS];
  __shared__ float squares[ROWS][COLUMNS];
  const int c = blockIdx.x * COLUMNS + threadIdx.x;
  const Share share = share_of(rows, blockIdx.y, parts);
  const int count = share.end - share.first;
  float sum = 0.f;
  if (c < channels)
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS)
      sum += x[(long long)row * channels + c];
  const float mean = column_reduce<add>(sum, sums) / (count ? count : 1);
  float m2 = 0.f;
  if (c < channels)
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS) {
      const float centred = x[(long long)row * channels + c] - mean;
      m2 += centred * centred;
    }
  m2 = column_reduce<add>(m2, squares);
  if (threadIdx.y == 0 && c < channels) {
    part_mean[blockIdx.y * channels + c] = mean;
    part_m2[blockIdx.y * channels + c] = m2;
  }
}

// A thread a channel. With n values so far and k more, delta = mean of those - mean of these:
//   m2 += m2 of those + delta^2 n k / (n + k)       mean += delta k / (n + k)
//! grid    cdiv(channels, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
merge_moments(const float* __restrict__ part_mean, const float* __restrict__ part_m2, float* mean,
              float* var, int rows, int channels, int parts) {
  const int c = blockIdx.x * THREADS + threadIdx.x;
  if (c >= channels) return;
  float count = 0.f, center = 0.f, m2 = 0.f;
  for (int part = 0; part < parts; ++part) {
    const Share share = share_of(rows, part, parts);
    const float more = share.end - share.first;
    if (more == 0.f) continue;
    const float delta = part_mean[part * channels + c] - center, weight = more / (count + more);
    m2 += part_m2[part * channels + c] + delta * delta * count * weight;
    center += delta * weight;
    count += more;
  }
  mean[c] = center;
  var[c] = m2 / count;
}

//! grid    cdiv(rows * channels, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
normalize(const float* __restrict__ x, const float* __restrict__ gamma,
          const float* __restrict__ beta, const float* __restrict__ mean,
          const float* __restrict__ var, const float* __restrict__ residual, float* y, float eps,
          int rows, int channels) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= rows * channels) return;
  const int c = i % channels;
  float value = gamma[c] * ((x[i] - mean[c]) / sqrtf(var[c] + eps)) + beta[c];
  if (RESIDUAL) value += residual[i];
  y[i] = RELU && value <= 0.f ? 0.f : value;  // a NaN passes
}

// The gradient that reaches the normalisation: gy, where the activation let it through.
__device__ __forceinline__ float through(const float* __restrict__ gy,
                                         const float* __restrict__ y, long long i) {
  return RELU && y[i] <= 0.f ? 0.f : gy[i];
}

// gbeta = sum of g;  ggamma = sum of g (x - mean) / sqrt(var + eps); here over a share of the rows.
//! grid    cdiv(channels, COLUMNS), parts
//! block   COLUMNS, ROWS
extern "C" __global__ void __launch_bounds__(COLUMNS * ROWS)
channel_gradients(const float* __restrict__ gy, const float* __restrict__ x,
                  const float* __restrict__ y, const float* __restrict__ mean,
                  const float* __restrict__ var, float* part_gbeta, float* part_ggamma, float eps,
                  int rows, int channels, int parts) {
  __shared__ float betas[ROWS][COLUMNS];
  __shared__ float gammas[ROWS][COLUMNS];
  const int c = blockIdx.x * COLUMNS + threadIdx.x;
  const Share share = share_of(rows, blockIdx.y, parts);
  float gbeta = 0.f, ggamma = 0.f;
  if (c < channels) {
    const float center = mean[c], inverse = 1.f / sqrtf(var[c] + eps);
    for (int row = share.first + threadIdx.y; row < share.end; row += ROWS) {
      const long long i = (long long)row * channels + c;
      const float g = through(gy, y, i);
      gbeta += g;
      ggamma += g * ((x[i] - center) * inverse);
    }
  }
  gbeta = column_reduce<add>(gbeta, betas);
  ggamma = column_reduce<add>(ggamma, gammas);
  if (threadIdx.y == 0 && c < channels) {
    part_gbeta[blockIdx.y * channels + c] = gbeta;
    part_ggamma[blockIdx.y * channels + c] = ggamma;
  }
}

//! grid    cdiv(channels, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
merge_gradients(const float* __restrict__ part_gbeta, const float* __restrict__ part_ggamma,
                float* gbeta, float* ggamma, int channels, int parts) {
  const int c = blockIdx.x * THREADS + threadIdx.x;
  if (c >= channels) return;
  float beta = 0.f, gamma = 0.f;
  for (int part = 0; part < parts; ++part) {
    beta += part_gbeta[part * channels + c];
    gamma += part_ggamma[part * channels + c];
  }
  gbeta[c] = beta;
  ggamma[c] = gamma;
}

// gx = gamma / sqrt(var + eps) (g - gbeta / rows - x^ ggamma / rows), x^ the normalised x
//! grid    cdiv(rows * channels, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
batch_norm_grad(const float* __restrict__ gy, const float* __restrict__ x,
                const float* __restrict__ y, const float* __restrict__ gamma,
                const float* __restrict__ mean, const float* __restrict__ var,
                const float* __restrict__ gbeta, const float* __restrict__ ggamma, float* gx,
                float* gresidual, float eps, int rows, int channels) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= rows * channels) return;
  const int c = i % channels;
  const float inverse = 1.f / sqrtf(var[c] + eps), share = 1.f / rows;
  const float g = through(gy, y, i), normal = (x[i] - mean[c]) * inverse;
  gx[i] = gamma[c] * inverse * (g - gbeta[c] * share - normal * (ggamma[c] * share));
  if (RESIDUAL) gresidual[i] = g;
}
