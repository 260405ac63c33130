// Blocks, threads and barriers. Every CUDA thread of a block is a fiber: a stack of its own, left
// and entered by switch_stack. The fibers of a block take turns on one OS thread, each running
// until it waits; blocks spread over the OS threads. Never instrumented.
#include "runtime.h"
#include <dlfcn.h>
#include <sys/mman.h>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

// Saves the registers a function must keep and the stack pointer in *save, and goes on at `to`.
extern "C" void emu_switch_stack(void** save, void* to);
#if defined(__x86_64__)
asm(R"(
.text
.hidden emu_switch_stack
.globl emu_switch_stack
.type emu_switch_stack, @function
emu_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
static void* new_stack(char* top, void (*entry)()) {
  void** stack = (void**)((uintptr_t)top & ~(uintptr_t)15);
  *--stack = nullptr;  // where `entry` would return to, and its alignment
  *--stack = (void*)entry;
  for (int i = 0; i < 6; i++) *--stack = nullptr;  // the six registers popped above
  return stack;
}
#elif defined(__aarch64__)
asm(R"(
.text
.hidden emu_switch_stack
.globl emu_switch_stack
.type emu_switch_stack, %function
emu_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
static void* new_stack(char* top, void (*entry)()) {
  void** stack = (void**)((uintptr_t)top & ~(uintptr_t)15) - 20;
  memset(stack, 0, 160);
  stack[11] = (void*)entry;  // x30, the address that `ret` goes to
  return stack;
}
#else
#error "the emulator switches stacks on x86-64 and aarch64 only"
#endif

namespace emu {

#ifdef MINIDECAY_CHECK
static __thread Thread* current;
static __thread Geometry geometry;
uint3 thread_index() { return current->index; }
uint3 block_index() { return geometry.block_index; }
uint3 block_dim() { return geometry.block; }
uint3 grid_dim() { return geometry.grid; }
unsigned lane() { return current->lane; }
bool checking = true;
#else
__thread Thread* current;
__thread Geometry geometry;
bool checking = false;
void start_checking(const Launch&) {}
#endif

thread_local Block* block;
static std::atomic<unsigned> found;
static std::mutex reporting;
static std::vector<Finding> findings;
static constexpr unsigned ENOUGH = 20;  // findings of one launch

// ---- findings --------------------------------------------------------------------------------

static Fiber* running() { return (Fiber*)current; }

void report(const char* kind, const char* detail, void* instruction, int line) {
  std::lock_guard<std::mutex> lock(reporting);
  if (found++ >= ENOUGH) return;
  Finding finding{};
  snprintf(finding.kind, sizeof finding.kind, "%s", kind);
  snprintf(finding.detail, sizeof finding.detail, "%s", detail);
  Dl_info image;
  if (instruction && dladdr(instruction, &image))
    finding.offset = (uint64_t)((char*)instruction - (char*)image.dli_fbase) - 1;
  finding.line = line;
  uint3 b = geometry.block_index, t = current->index;
  unsigned where[2][3] = {{b.x, b.y, b.z}, {t.x, t.y, t.z}};
  memcpy(finding.block, where, sizeof where);
  findings.push_back(finding);
}

void leave_block() {
  void* nowhere;
  emu_switch_stack(&nowhere, block->main_stack);
  __builtin_unreachable();
}

static void give_up(const char* kind, const char* detail, int line) {
  report(kind, detail, nullptr, line);
  leave_block();
}

void failed_assertion(const char* text, int line) {
  give_up("failed assertion", text, line);
  __builtin_unreachable();
}

// ---- taking turns ----------------------------------------------------------------------------

static void fiber_entry();

static void enter(Fiber& next, void** save) {
  current = &next;
  if (!next.started) {
    next.started = true;
    next.stack_pointer = new_stack(block->stacks + (size_t)(next.linear + 1) * STACK, fiber_entry);
  }
  emu_switch_stack(save, next.stack_pointer);
}

static Fiber& next_in_turn() {
  do block->position = (block->position + 1) % block->size;
  while (block->fibers[block->position].finished);
  return block->fibers[block->position];
}

static void wait_a_turn() {
  Fiber* me = running();
  if (++block->idle > 4 * block->size + 64) {  // everyone has waited in vain
    char who[160] = "";
    int shown = 0, length = 0;
    for (Fiber& fiber : block->fibers)
      if (!fiber.finished && shown++ < 3)
        length += snprintf(who + length, sizeof who - length, "%sthread %u waits at line %d",
                           shown > 1 ? "; " : "", fiber.linear, fiber.waits_at);
    give_up("deadlock", who, me->waits_at);
  }
  Fiber& next = next_in_turn();
  if (&next != me) enter(next, &me->stack_pointer);
}

static void pass_block_barrier() { block->arrived = 0; block->epoch++; }

static void fiber_entry() {
  block->launch->kernel(block->launch->arguments);
  Fiber* me = running();
  me->finished = true;
  block->alive--;
  block->idle = 0;
  block->warps[me->warp].exited |= 1u << me->lane;
  if (block->alive == 0) leave_block();
  // Threads that returned no longer count: those at the barrier may be all that are left.
  if (block->arrived == block->alive) {
    if (checking)
      report("divergent __syncthreads", "some threads returned without reaching it", nullptr,
             block->barrier_line);
    pass_block_barrier();
  }
  void* nowhere;
  enter(next_in_turn(), &nowhere);
}

// ---- barriers --------------------------------------------------------------------------------

void block_barrier(int line) {
  running()->waits_at = line;
  block->idle = 0;
  if (block->arrived == 0) block->barrier_line = line;
  if (block->barrier_line != line) {
    char lines[64];
    snprintf(lines, sizeof lines, "threads of one block wait at lines %d and %d",
             std::min(line, block->barrier_line), std::max(line, block->barrier_line));
    give_up("divergent __syncthreads", lines, line);
  }
  if (checking && block->alive < block->size && block->arrived == 0)
    report("divergent __syncthreads", "some threads have returned already", nullptr, line);
  unsigned epoch = block->epoch;
  if (++block->arrived == block->alive) pass_block_barrier();
  else while (block->epoch == epoch) wait_a_turn();
}

void warp_barrier(unsigned mask, int line) {
  Fiber* me = running();
  me->waits_at = line;
  block->idle = 0;
  Warp& warp = block->warps[me->warp];
  unsigned lanes = std::min(32u, block->size - me->warp * 32);  // of a last, narrower warp
  unsigned needed = lanes < 32 ? mask & ((1u << lanes) - 1) : mask;
  if (!(mask >> me->lane & 1)) give_up("bad warp mask", "the calling lane is not in it", line);
  if (needed & warp.exited) give_up("bad warp mask", "a lane in it has returned", line);
  int i = 0;
  while (i < warp.masks && warp.barriers[i].mask != mask) i++;
  if (i == warp.masks) {
    if (i == 4) give_up("bad warp mask", "more than four masks in one warp", line);
    warp.barriers[warp.masks++] = {mask, 0, 0};
  }
  WarpBarrier& barrier = warp.barriers[i];
  unsigned generation = barrier.generation;
  barrier.arrived |= 1u << me->lane;
  if (barrier.arrived == needed) {
    barrier.arrived = 0;
    barrier.generation++;
    warp.epoch++;
  } else {
    while (barrier.generation == generation) wait_a_turn();
  }
}

// Two sets of slots in turn: a lane that is ahead never overwrites what another still reads.
static uint64_t* hand_in(uint64_t value, unsigned mask, int line) {
  Fiber* me = running();
  Warp& warp = block->warps[me->warp];
  uint64_t* slots = warp.slots[warp.turn[me->lane] ^= 1];
  slots[me->lane] = value;
  warp_barrier(mask, line);
  return slots;
}

uint64_t exchange(unsigned mask, uint64_t value, int source, int line) {
  if (!(mask >> (source & 31) & 1) || block->size <= running()->warp * 32 + (source & 31))
    give_up("bad warp mask", "the value of a lane outside it is asked for", line);
  return hand_in(value, mask, line)[source & 31];
}

unsigned vote(unsigned mask, bool value, int line) {
  unsigned lanes = std::min(32u, block->size - running()->warp * 32), votes = 0;
  uint64_t* slots = hand_in(value, mask, line);
  for (unsigned i = 0; i < lanes; i++)
    if (mask >> i & 1) votes |= (unsigned)slots[i] << i;
  return votes;
}

// ---- shared memory ---------------------------------------------------------------------------

void* static_shared(int slot, size_t bytes, size_t alignment, int line) {
  Block& b = *block;
  if (b.slot_offset[slot] < 0) {
    b.static_used += bytes;
    if (b.static_used > STATIC_SHARED)
      give_up("too much shared memory", "static __shared__ arrays take more than 48 KiB", line);
    size_t offset = (b.static_top + alignment - 1) / alignment * alignment;
    b.slot_offset[slot] = (int)offset;
    b.slot_bytes[slot] = bytes;
    b.static_top = offset + bytes + RED_ZONE;
  }
  return b.static_base + b.slot_offset[slot];
}

void* dynamic_shared() { return block->dynamic_base; }

// ---- a launch --------------------------------------------------------------------------------

// A quiet NaN that is easily recognised: what nobody wrote must not look like a result.
static void poison(std::vector<unsigned char>& memory) {
  const uint32_t pattern = 0x7fc0dead;
  for (size_t i = 0; i + 4 <= memory.size(); i += 4) memcpy(&memory[i], &pattern, 4);
}

static unsigned char* aligned(std::vector<unsigned char>& memory) {
  return (unsigned char*)(((uintptr_t)memory.data() + 1023) & ~(uintptr_t)1023);
}

static void run_block(unsigned number) {
  Block& b = *block;
  const Launch& launch = *b.launch;
  const unsigned *grid = launch.grid, *size = launch.block;
  b.number = number;
  geometry.block_index = {number % grid[0], number / grid[0] % grid[1], number / grid[0] / grid[1]};
  geometry.block = {size[0], size[1], size[2]};
  geometry.grid = {grid[0], grid[1], grid[2]};
  poison(b.static_memory);
  poison(b.dynamic_memory);
  std::fill(b.slot_offset, b.slot_offset + SLOTS, -1);
  b.static_used = b.static_top = 0;
  for (unsigned i = 0; i < b.size; i++) {
    Fiber& fiber = b.fibers[i];
    fiber = Fiber{};
    fiber.index = {i % size[0], i / size[0] % size[1], i / size[0] / size[1]};
    fiber.linear = i;
    fiber.lane = i % 32;
    fiber.warp = i / 32;
  }
  for (Warp& warp : b.warps) warp = Warp{};
  b.position = b.arrived = b.epoch = b.idle = 0;
  b.alive = b.size;
  enter(b.fibers[0], &b.main_stack);
}

// Room for the stacks of the largest block. An OS thread keeps it from launch to launch, since
// touching new pages costs more than a small kernel.
struct Stacks {
  static constexpr size_t BYTES = (size_t)1024 * STACK;
  char* base = (char*)mmap(nullptr, BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ~Stacks() { munmap(base, BYTES); }
};

static void run_blocks(const Launch& launch, std::atomic<size_t>& next) {
  Block mine{};
  mine.launch = &launch;
  mine.size = launch.block[0] * launch.block[1] * launch.block[2];
  mine.fibers.resize(mine.size);
  mine.static_memory.resize(STATIC_SHARED + SLOTS * (RED_ZONE + 16) + 1024);
  mine.dynamic_memory.resize(launch.shared_bytes + 1024);
  mine.static_base = aligned(mine.static_memory);
  mine.dynamic_base = aligned(mine.dynamic_memory);
  static thread_local Stacks stacks;
  mine.stacks = stacks.base;
  block = &mine;
  size_t blocks = (size_t)launch.grid[0] * launch.grid[1] * launch.grid[2];
  for (size_t i; (i = next++) < blocks && !found;) run_block((unsigned)i);
  block = nullptr;
}

}  // namespace emu

#define EXPORT extern "C" __attribute__((visibility("default")))

// Runs a launch; returns how many findings there are (at most 20 are kept).
EXPORT unsigned emu_run(const emu::Launch* launch) {
  using namespace emu;
  found = 0;
  findings.clear();
  std::atomic<size_t> next{0};
  size_t blocks = (size_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
  if (checking) start_checking(*launch);
  // The shadow memory of a checked launch belongs to one OS thread.
  size_t threads = checking ? 1 : std::min<size_t>(launch->os_threads, blocks);
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < threads; i++)
    helpers.emplace_back([&] { run_blocks(*launch, next); });
  run_blocks(*launch, next);
  for (std::thread& helper : helpers) helper.join();
  return (unsigned)findings.size();
}

EXPORT const emu::Finding* emu_findings() { return emu::findings.data(); }
