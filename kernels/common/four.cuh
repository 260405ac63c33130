// Four neighbours in memory, moved by one instruction where they lie on a multiple of their size.
//
//   lane       0        1        2   ...   31        a warp moves 512 bytes with one request, and
//   x       [0 1 2 3][4 5 6 7][8 9 10 11]...         finds a place, an alignment, a channel once
//           one load of 16 bytes each                for four elements
#pragma once

template <class T>
struct alignas(4 * sizeof(T)) FourOf {
  T v[4];
};
using Four = FourOf<float>;

// Whether p lies on a multiple of four elements. A null pointer does.
template <class T>
__device__ __forceinline__ bool aligned(const T* p) {
  return (unsigned long long)p % sizeof(FourOf<T>) == 0;
}

// p[first] to p[first + 3]; what lies at `end` or beyond is not read, and is zero. With `whole`,
// p is aligned and `first` is a multiple of four.
template <class T>
__device__ __forceinline__ FourOf<T> four_at(const T* __restrict__ p, int first, int end,
                                             bool whole) {
  if (whole && first <= end - 4) return *(const FourOf<T>*)(p + first);
  FourOf<T> four = {};
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (first + i < end) four.v[i] = p[first + i];
  return four;
}

template <class T>
__device__ __forceinline__ void put_four(T* p, int first, int end, FourOf<T> four, bool whole) {
  if (whole && first <= end - 4) {
    *(FourOf<T>*)(p + first) = four;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (first + i < end) p[first + i] = four.v[i];
}

// Four neighbours of an array that repeats p[0 .. period - 1]: what belongs to their channels.
// With `whole`, as above, `period` is a multiple of four too.
template <class T>
__device__ __forceinline__ FourOf<T> repeated_at(const T* __restrict__ p, int first, int period,
                                                 bool whole) {
  if (whole) return *(const FourOf<T>*)(p + first % period);
  FourOf<T> four;
#pragma unroll
  for (int i = 0; i < 4; ++i) four.v[i] = p[(first + i) % period];
  return four;
}

__device__ __forceinline__ Four sum_of(Four x, const Four& y) {
#pragma unroll
  for (int i = 0; i < 4; ++i) x.v[i] += y.v[i];
  return x;
}
