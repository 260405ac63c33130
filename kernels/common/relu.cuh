// What may end a product, a convolution, a normalisation: ReLU, where the file's option RELU is 1.
#pragma once

// A NaN passes, as in NumPy; fmaxf(x, 0) would make it a zero.
__device__ __forceinline__ float activated(float x) { return RELU && x <= 0.f ? 0.f : x; }

// The part of the gradient g that passes back through the activation whose result was y.
__device__ __forceinline__ float passed_back(float g, float y) {
  return RELU && y <= 0.f ? 0.f : g;
}
