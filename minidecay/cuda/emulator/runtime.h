// What the runtime and the checker know of a launch, a block and its threads.
#pragma once
#include <vector>
#include "shim.h"

namespace emu {

struct Finding {  // minidecay/cuda/emulator/module.py reads it by ctypes
  char kind[64], detail[160];
  uint64_t offset;  // of the instruction in the shared object; 0 where `line` is known
  int line;
  unsigned block[3], thread[3];
};

struct Launch {  // filled in by module.py
  unsigned grid[3], block[3], shared_bytes, os_threads, ranges;
  void* const* starts;  // the arrays among the arguments: where each begins,
  const size_t* bytes;  // and how long it is
  void (*kernel)(void** arguments);
  void** arguments;
};

enum { STACK = 128 * 1024, STATIC_SHARED = 48 * 1024, RED_ZONE = 64, SLOTS = 64, WARPS = 32 };

struct Fiber : Thread { void* stack_pointer; bool started, finished; int waits_at; };

struct WarpBarrier { unsigned mask, arrived, generation; };
struct Warp {
  WarpBarrier barriers[4];
  int masks;                 // how many of `barriers` are in use
  unsigned exited, epoch;    // lanes that returned; barriers that were passed
  uint64_t slots[2][32];     // what lanes hand each other, in turn
  unsigned turn[32];
};

// One block at a time on one OS thread.
struct Block {
  const Launch* launch;
  unsigned number;           // of this block in its grid, and
  unsigned size;             // how many threads it has
  std::vector<Fiber> fibers;
  unsigned position, alive, idle;
  Warp warps[WARPS];
  unsigned arrived, epoch;   // of __syncthreads
  int barrier_line;
  char* stacks;
  void* main_stack;
  std::vector<unsigned char> static_memory, dynamic_memory;
  unsigned char *static_base, *dynamic_base;
  int slot_offset[SLOTS];
  size_t slot_bytes[SLOTS], static_used, static_top;
};

extern thread_local Block* block;
extern bool checking;
void report(const char* kind, const char* detail, void* instruction, int line);
[[noreturn]] void leave_block();
void start_checking(const Launch&);   // checker.cpp: fresh shadow memory for a launch

}  // namespace emu
