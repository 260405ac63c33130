// What the runtime, the checker and the counter know of a launch, a block and its threads.
#pragma once
#include <vector>
#include "calls.h"

namespace emu {

struct Finding {  // minidecay/cuda/emulator/module.py reads it by ctypes
  char kind[64], detail[160];
  uint64_t offset;  // of the instruction in the shared object, where `file` is not known
  const char* file;
  int line;
  unsigned block[3], thread[3];
};

struct Array {  // one that is among the arguments
  char* start;
  size_t bytes;
  unsigned constant;  // the kernel has promised not to write it
};

struct Launch {  // filled in by module.py
  unsigned grid[3], block[3], shared_bytes, os_threads, arrays;
  const Array* array;
  void (*kernel)(void** arguments);
  void** arguments;
  uint64_t most_steps;  // in check mode: then the launch is said not to end
  struct Stacks* stacks;
};

enum {
  STATIC_SHARED = 48 * 1024,  // bytes of __shared__ arrays that a block may have
  SLOTS = 64,                 // how many arrays
  RED_ZONE = 64,              // bytes between two of them
  THREADS = 1024,             // of a block
  WARPS = THREADS / 32,
};

struct Fiber : Thread { void* stack_pointer; bool started, finished; int waits_at; };

struct WarpBarrier { unsigned mask, arrived, generation; };
struct Warp {
  WarpBarrier barriers[4];
  int masks;                 // how many of `barriers` are in use
  unsigned exited, epoch;    // lanes that returned; barriers that were passed
  uint64_t slots[2][32];     // what lanes hand each other, in turn
  unsigned turn[32];
};

struct Slot { const char* tag; size_t offset, bytes; };  // a __shared__ array

// One block at a time on one OS thread.
struct Block {
  const Launch* launch;
  unsigned number;           // of this block in its grid, and
  unsigned size;             // how many threads it has
  std::vector<Fiber> fibers;
  unsigned position, alive, idle;
  Warp warps[WARPS];
  unsigned arrived, epoch;   // of __syncthreads
  Place barrier;
  char* stacks;              // thread i's is the i-th
  void* main_stack;
  unsigned char *static_base, *dynamic_base;
  Slot slot[SLOTS];
  int slots;
  size_t static_used, static_top;
};

extern thread_local Block* block;
extern thread_local Place prints_at;  // while it reads what it shall print
extern bool checking;
extern uint64_t steps, most_steps;  // of a checked launch: basic blocks that it has entered
extern volatile int interrupted;    // by Ctrl-C, a second ago

struct Image { const char *begin, *end, *data_end; };  // this shared object: code, constants; data
const Image& image();

void report(const char* kind, const char* detail, const void* instruction, Place place = {});
[[noreturn]] void leave_block();

// checker.cpp or counter.cpp
void start_checking(const Launch&);
void new_array(const Slot&, int number);  // of shared memory: nobody has written it
void watch_atomic(const void* p, unsigned bytes, const void* instruction);

// faults.cpp: while they live, what would end the process ends the block that did it.
class Signals {
 public:
  Signals();
  ~Signals();
};
class SignalStack {  // for each OS thread, the n-th
 public:
  explicit SignalStack(unsigned n);
  ~SignalStack();
 private:
  unsigned n;
  void* memory;
};
struct Uncut {  // where timers wait, since a lock is held or memory asked for
  Uncut();
  ~Uncut();
};

}  // namespace emu
