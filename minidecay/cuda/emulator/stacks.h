// A stack for each CUDA thread, and how one is left for another.
#pragma once
#include <cstddef>

// Saves the registers a function must keep and the stack pointer in *save, and goes on at `to`.
extern "C" void emu_switch_stack(void** save, void* to);

namespace emu {

enum { STACK = 128 * 1024, GUARD = 64 * 1024, STRIDE = GUARD + STACK, MOST_OS_THREADS = 256 };

// The stacks that OS threads give to the threads of their blocks, the i-th from i * STRIDE on; its
// first GUARD bytes cannot be touched. One for the whole process, whatever kernels it loads: new
// pages cost more than a small kernel.
struct Stacks {
  char* base[MOST_OS_THREADS];
  unsigned threads[MOST_OS_THREADS];
};

// `threads` stacks for the OS thread that is the n-th of a launch; null where there is no memory.
char* stacks_of(Stacks& all, unsigned n, unsigned threads);

// What `emu_switch_stack` can go to, to begin `entry` on the stack of thread i.
void* new_stack(char* stacks, unsigned i, void (*entry)());

}  // namespace emu
