// What a compiled kernel asks of the runtime.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct uint3 { unsigned x, y, z; };

namespace emu {

struct Place { const char* file; int line; };  // in the kernel's source

// What the running thread may know of itself. Its fiber (runtime.h) begins with it.
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

void block_barrier(Place place);
void warp_barrier(unsigned mask, Place place);
uint64_t exchange(unsigned mask, uint64_t value, int source_lane, Place place);
unsigned vote(unsigned mask, bool value, Place place);
void* static_shared(const char* tag, size_t bytes, size_t alignment, Place place);
void* dynamic_shared();
uint64_t atomic_read(void* p, unsigned bytes);
bool atomic_replace(void* p, unsigned bytes, uint64_t* seen, uint64_t next);  // else, `seen` anew
int print(Place place, const char* format, ...) __attribute__((format(printf, 2, 3)));
[[noreturn]] void give_up(const char* kind, const char* detail, Place place);

}  // namespace emu
