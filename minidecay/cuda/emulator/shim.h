// The CUDA language, as a C++ compiler without CUDA sees it. A .cu file is compiled behind this
// header; what CUDA threads do together (barriers, shuffles, votes) is done by runtime.cpp.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

struct uint3 { unsigned x, y, z; };
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

// What the running thread may know of itself. Its fiber (runtime.cpp) begins with it.
struct Thread { uint3 index; unsigned linear, lane, warp; };
struct Geometry { uint3 block_index, block, grid; };

#ifdef MINIDECAY_CHECK
// Out of line, so that reading threadIdx is no memory access of the kernel's.
uint3 thread_index(); uint3 block_index(); uint3 block_dim(); uint3 grid_dim(); unsigned lane();
#else
extern __thread Thread* current __attribute__((visibility("hidden")));
extern __thread Geometry geometry __attribute__((visibility("hidden")));
inline uint3 thread_index() { return current->index; }
inline uint3 block_index() { return geometry.block_index; }
inline uint3 block_dim() { return geometry.block; }
inline uint3 grid_dim() { return geometry.grid; }
inline unsigned lane() { return current->lane; }
#endif

void block_barrier(int line);
void warp_barrier(unsigned mask, int line);
uint64_t exchange(unsigned mask, uint64_t value, int source_lane, int line);
unsigned vote(unsigned mask, bool value, int line);
void* static_shared(int slot, size_t bytes, size_t alignment, int line);
void* dynamic_shared();
[[noreturn]] void failed_assertion(const char* text, int line);

// The value of lane `source` of the caller's segment of `width` lanes; outside it, one's own.
template <class T> inline T shuffle(unsigned mask, T value, int source, int width, int line) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  int first = (int)lane() & ~(width - 1);
  bool inside = source >= 0 && source < width;
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, inside ? first + source : (int)lane(), line);
  memcpy(&value, &bits, sizeof(T));
  return value;
}
inline int place(int width) { return (int)lane() & (width - 1); }  // in the segment
template <class T> inline T from(int line, unsigned mask, T v, int source, int width = 32) {
  return shuffle(mask, v, source & (width - 1), width, line);
}
template <class T> inline T from_xor(int line, unsigned mask, T v, int other, int width = 32) {
  return shuffle(mask, v, place(width) ^ other, width, line);
}
template <class T> inline T from_above(int line, unsigned mask, T v, int delta, int width = 32) {
  return shuffle(mask, v, place(width) + delta, width, line);
}
template <class T> inline T from_below(int line, unsigned mask, T v, int delta, int width = 32) {
  return shuffle(mask, v, place(width) - delta, width, line);
}
inline void meet(int line, unsigned mask = 0xffffffffu) { warp_barrier(mask, line); }

}  // namespace emu

#define threadIdx (emu::thread_index())
#define blockIdx (emu::block_index())
#define blockDim (emu::block_dim())
#define gridDim (emu::grid_dim())
#define warpSize 32

#define __syncthreads() emu::block_barrier(__LINE__)
#define __syncwarp(...) emu::meet(__LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(...) emu::from(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emu::from_xor(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emu::from_above(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emu::from_below(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, p) emu::vote(mask, p, __LINE__)
#define __any_sync(mask, p) (emu::vote(mask, p, __LINE__) != 0)
#define __all_sync(mask, p) (emu::vote(mask, !(p), __LINE__) == 0)
#undef assert
#define assert(x) ((x) ? (void)0 : emu::failed_assertion(#x, __LINE__))

template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline void __stcs(T* p, T value) { *p = value; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((uint64_t)x * y >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}
inline int __float_as_int(float x) { int bits; memcpy(&bits, &x, 4); return bits; }
inline float __int_as_float(int bits) { float x; memcpy(&x, &bits, 4); return x; }
inline unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }
inline float __uint_as_float(unsigned bits) { float x; memcpy(&x, &bits, 4); return x; }
#define EMU_MIN_MAX(T) \
  inline T min(T x, T y) { return y < x ? y : x; } \
  inline T max(T x, T y) { return x < y ? y : x; }
EMU_MIN_MAX(int) EMU_MIN_MAX(unsigned) EMU_MIN_MAX(long long) EMU_MIN_MAX(float)
