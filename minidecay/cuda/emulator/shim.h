// The CUDA language, as a C++ compiler without CUDA sees it. A .cu file is compiled behind this
// header; what CUDA threads do together (barriers, shuffles, votes) is done by runtime.cpp.
// C's headers alone: <cmath> would take longer to compile than a kernel.
#pragma once
#define _GLIBCXX_INCLUDE_NEXT_C_HEADERS  // the C library's math.h, where libstdc++ has its own
#include <math.h>
#undef _GLIBCXX_INCLUDE_NEXT_C_HEADERS
#include "calls.h"

#define MINIDECAY_EMULATOR 1
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define EMU_UNCHECKED __attribute__((no_sanitize("thread", "bounds"), noinline))

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emu {

// The value of lane `source` of the caller's segment of `width` lanes; outside it, one's own.
template <class T> inline T shuffle(Place place, unsigned mask, T value, int source, int width) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  int first = (int)lane() & ~(width - 1);
  bool inside = source >= 0 && source < width;
  uint64_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, inside ? first + source : (int)lane(), place);
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}
inline int segment_lane(int width) { return (int)lane() & (width - 1); }
template <class T> inline T from(Place place, unsigned mask, T v, int source, int width = 32) {
  return shuffle(place, mask, v, source & (width - 1), width);
}
template <class T> inline T from_xor(Place place, unsigned mask, T v, int other, int width = 32) {
  return shuffle(place, mask, v, segment_lane(width) ^ other, width);
}
template <class T> inline T from_above(Place place, unsigned mask, T v, int by, int width = 32) {
  return shuffle(place, mask, v, segment_lane(width) + by, width);
}
template <class T> inline T from_below(Place place, unsigned mask, T v, int by, int width = 32) {
  return shuffle(place, mask, v, segment_lane(width) - by, width);
}
inline void meet(Place place, unsigned mask = 0xffffffffu) { warp_barrier(mask, place); }

// *p = change(*p), with nobody between; the value before. Blocks may be on several OS threads.
template <class T, class Change> __forceinline__ T atomically(T* p, Change change) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "an atomic changes 4 or 8 bytes");
  T before, after;
  uint64_t seen = atomic_read(p, sizeof(T)), next = 0;
  do {
    __builtin_memcpy(&before, &seen, sizeof(T));
    after = change(before);
    __builtin_memcpy(&next, &after, sizeof(T));
  } while (!atomic_replace(p, sizeof(T), &seen, next));
  return before;
}
template <class T> struct Same { using Type = T; };  // so that atomicAdd(&x, 1) takes x's type

}  // namespace emu

#define EMU_HERE (emu::Place{__FILE__, __LINE__})
#define threadIdx (emu::thread_index())
#define blockIdx (emu::block_index())
#define blockDim (emu::block_dim())
#define gridDim (emu::grid_dim())
#define warpSize 32

#define __syncthreads() emu::block_barrier(EMU_HERE)
#define __syncwarp(...) emu::meet(EMU_HERE __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(...) emu::from(EMU_HERE, __VA_ARGS__)
#define __shfl_xor_sync(...) emu::from_xor(EMU_HERE, __VA_ARGS__)
#define __shfl_down_sync(...) emu::from_above(EMU_HERE, __VA_ARGS__)
#define __shfl_up_sync(...) emu::from_below(EMU_HERE, __VA_ARGS__)
#define __ballot_sync(mask, p) emu::vote(mask, p, EMU_HERE)
#define __any_sync(mask, p) (emu::vote(mask, p, EMU_HERE) != 0)
#define __all_sync(mask, p) (emu::vote(mask, !(p), EMU_HERE) == 0)
#define __threadfence_block() ((void)0)  // memory is seen in the order it was written
#define __threadfence() ((void)0)
#define printf(...) emu::print(EMU_HERE, __VA_ARGS__)
#define __trap() emu::give_up("trap", "__trap()", EMU_HERE)
#include "assert.h"

template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline void __stcs(T* p, T value) { *p = value; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((uint64_t)x * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __uint_as_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
inline int abs(int x) { return x < 0 ? -x : x; }
#define EMU_MIN_MAX(T) \
  inline T min(T x, T y) { return y < x ? y : x; } \
  inline T max(T x, T y) { return x < y ? y : x; }
EMU_MIN_MAX(int) EMU_MIN_MAX(unsigned) EMU_MIN_MAX(long long) EMU_MIN_MAX(float)
EMU_MIN_MAX(double)
// Functions that C has for double alone, for float as CUDA has them: sqrt(2.f) is a float.
#define EMU_OF_FLOAT(name) inline float name(float x) { return name##f(x); }
EMU_OF_FLOAT(exp) EMU_OF_FLOAT(log) EMU_OF_FLOAT(sqrt) EMU_OF_FLOAT(fabs) EMU_OF_FLOAT(tanh)
EMU_OF_FLOAT(sin) EMU_OF_FLOAT(cos) EMU_OF_FLOAT(floor) EMU_OF_FLOAT(ceil)
inline float abs(float x) { return fabsf(x); }
inline double abs(double x) { return fabs(x); }
inline float pow(float x, float y) { return powf(x, y); }
#undef isnan
#undef isinf
#undef isfinite
#undef signbit
#define EMU_TEST(name) \
  inline bool name(float x) { return __builtin_##name(x); } \
  inline bool name(double x) { return __builtin_##name(x); }
EMU_TEST(isnan) EMU_TEST(isinf) EMU_TEST(isfinite) EMU_TEST(signbit)

#define EMU_ATOMIC(name, changed) \
  template <class T> __forceinline__ T name(T* p, typename emu::Same<T>::Type v) { \
    return emu::atomically(p, [v](T x) -> T { return changed; }); \
  }
EMU_ATOMIC(atomicAdd, x + v) EMU_ATOMIC(atomicSub, x - v) EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicMin, v < x ? v : x) EMU_ATOMIC(atomicMax, x < v ? v : x)
EMU_ATOMIC(atomicAnd, x & v) EMU_ATOMIC(atomicOr, x | v) EMU_ATOMIC(atomicXor, x ^ v)
template <class T> __forceinline__ T atomicCAS(T* p, typename emu::Same<T>::Type expected,
                                               typename emu::Same<T>::Type v) {
  return emu::atomically(p, [=](T x) -> T { return x == expected ? v : x; });
}
