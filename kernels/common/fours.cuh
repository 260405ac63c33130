// Four neighbours a thread, for kernels that pass once over flat arrays: one float4 where the array
// begins on 16 bytes and has all four, else what there is of them.
#pragma once

constexpr int EACH = 4;
static_assert(EACH == 4, "a float4 holds four");

__device__ __forceinline__ bool is_whole(const float* array, int first, int n) {
  return (unsigned long long)array % sizeof(float4) == 0 && first + EACH <= n;
}

__device__ __forceinline__ void read_four(float (&x)[EACH], const float* array, int first, int n) {
  if (is_whole(array, first, n)) {
    const float4 four = *(const float4*)(array + first);
    x[0] = four.x;
    x[1] = four.y;
    x[2] = four.z;
    x[3] = four.w;
  } else {
#pragma unroll
    for (int i = 0; i < EACH; ++i) x[i] = first + i < n ? array[first + i] : 0.f;
  }
}

__device__ __forceinline__ void write_four(float* array, const float (&x)[EACH], int first, int n) {
  if (is_whole(array, first, n)) {
    *(float4*)(array + first) = make_float4(x[0], x[1], x[2], x[3]);
  } else {
    for (int i = 0; i < min(EACH, n - first); ++i) array[first + i] = x[i];
  }
}
