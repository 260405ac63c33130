// Blocks, threads and barriers. Every CUDA thread of a block is a fiber: a stack of its own, left
// and entered by switch_stack. The fibers of a block take turns on one OS thread, each running
// until it waits; blocks spread over the OS threads. Never instrumented.
#include "runtime.h"
#include <link.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include "stacks.h"

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
void new_array(const Slot&, int) {}
void watch_atomic(const void*, unsigned, const void*) {}
#endif

thread_local Block* block;
thread_local Place prints_at;
uint64_t steps, most_steps;
static std::atomic<unsigned> found;
static std::mutex reporting;
static std::vector<Finding> findings;
static constexpr unsigned ENOUGH = 20;  // findings of one launch

// ---- findings --------------------------------------------------------------------------------

static int look(dl_phdr_info* info, size_t, void* into) {
  const char* base = (const char*)info->dlpi_addr;
  Image seen{base, base, base};
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD) continue;
    const char*& end = segment.p_flags & PF_W ? seen.data_end : seen.end;
    end = std::max(end, base + segment.p_vaddr + segment.p_memsz);
  }
  const char* here = (const char*)&look;
  bool this_one = here >= seen.begin && here < seen.end;
  if (this_one) *(Image*)into = seen;
  return this_one;
}

const Image& image() {
  static const Image own = [] {
    Image found{};
    dl_iterate_phdr(look, &found);
    return found;
  }();
  return own;
}

static Fiber* running() { return (Fiber*)current; }

void report(const char* kind, const char* detail, const void* instruction, Place place) {
  {
    Uncut here;
    std::lock_guard<std::mutex> lock(reporting);
    Finding finding{};
    snprintf(finding.kind, sizeof finding.kind, "%s", kind);
    snprintf(finding.detail, sizeof finding.detail, "%s", detail);
    if (instruction) finding.offset = (uint64_t)((const char*)instruction - image().begin) - 1;
    finding.file = place.file;
    finding.line = place.line;
    uint3 b = geometry.block_index, t = current->index;
    unsigned where[2][3] = {{b.x, b.y, b.z}, {t.x, t.y, t.z}};
    memcpy(finding.block, where, sizeof where);
    if (findings.size() < ENOUGH) findings.push_back(finding);
    found++;
  }
  if (found >= ENOUGH) leave_block();
}

void leave_block() {
  void* nowhere;
  emu_switch_stack(&nowhere, block->main_stack);
  __builtin_unreachable();
}

void give_up(const char* kind, const char* detail, Place place) {
  report(kind, detail, nullptr, place);
  leave_block();
}

// ---- taking turns ----------------------------------------------------------------------------

static void fiber_entry();

static void enter(Fiber& next, void** save) {
  current = &next;
  if (!next.started) {
    next.started = true;
    next.stack_pointer = new_stack(block->stacks, next.linear, fiber_entry);
  }
  emu_switch_stack(save, next.stack_pointer);
}

static Fiber& next_in_turn() {
  do block->position = (block->position + 1) % block->size;
  while (block->fibers[block->position].finished);
  return block->fibers[block->position];
}

static void wait_a_turn(Place place) {
  Fiber* me = running();
  if (++block->idle > 4 * block->size + 64) {  // everyone has waited in vain
    char who[160] = "";
    int shown = 0, length = 0;
    for (Fiber& fiber : block->fibers)
      if (!fiber.finished && shown++ < 3)
        length += snprintf(who + length, sizeof who - length, "%sthread %u waits at line %d",
                           shown > 1 ? "; " : "", fiber.linear, fiber.waits_at);
    give_up("deadlock", who, place);
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
             block->barrier);
    pass_block_barrier();
  }
  void* nowhere;
  enter(next_in_turn(), &nowhere);
}

// ---- barriers --------------------------------------------------------------------------------

static bool same(Place one, Place other) {
  return one.line == other.line && (one.file == other.file || !strcmp(one.file, other.file));
}

void block_barrier(Place place) {
  running()->waits_at = place.line;
  block->idle = 0;
  if (block->arrived == 0) block->barrier = place;
  if (!same(block->barrier, place)) {
    char lines[64];
    snprintf(lines, sizeof lines, "threads of one block wait at lines %d and %d",
             std::min(place.line, block->barrier.line), std::max(place.line, block->barrier.line));
    give_up("divergent __syncthreads", lines, place);
  }
  if (checking && block->alive < block->size && block->arrived == 0)
    report("divergent __syncthreads", "some threads have returned already", nullptr, place);
  unsigned epoch = block->epoch;
  if (++block->arrived == block->alive) pass_block_barrier();
  else while (block->epoch == epoch) wait_a_turn(place);
}

void warp_barrier(unsigned mask, Place place) {
  Fiber* me = running();
  me->waits_at = place.line;
  block->idle = 0;
  Warp& warp = block->warps[me->warp];
  unsigned lanes = std::min(32u, block->size - me->warp * 32);  // of a last, narrower warp
  unsigned needed = lanes < 32 ? mask & ((1u << lanes) - 1) : mask;
  if (!(mask >> me->lane & 1)) give_up("bad warp mask", "the calling lane is not in it", place);
  if (needed & warp.exited) give_up("bad warp mask", "a lane in it has returned", place);
  int i = 0;
  while (i < warp.masks && warp.barriers[i].mask != mask) i++;
  if (i == warp.masks) {
    if (i == 4) give_up("bad warp mask", "more than four masks in one warp", place);
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
    while (barrier.generation == generation) wait_a_turn(place);
  }
}

// Two sets of slots in turn: a lane that is ahead never overwrites what another still reads.
static uint64_t* hand_in(uint64_t value, unsigned mask, Place place) {
  Fiber* me = running();
  Warp& warp = block->warps[me->warp];
  uint64_t* slots = warp.slots[warp.turn[me->lane] ^= 1];
  slots[me->lane] = value;
  warp_barrier(mask, place);
  return slots;
}

uint64_t exchange(unsigned mask, uint64_t value, int source, Place place) {
  if (!(mask >> (source & 31) & 1) || block->size <= running()->warp * 32 + (source & 31))
    give_up("bad warp mask", "the value of a lane outside it is asked for", place);
  return hand_in(value, mask, place)[source & 31];
}

unsigned vote(unsigned mask, bool value, Place place) {
  unsigned lanes = std::min(32u, block->size - running()->warp * 32), votes = 0;
  uint64_t* slots = hand_in(value, mask, place);
  for (unsigned i = 0; i < lanes; i++)
    if (mask >> i & 1) votes |= (unsigned)slots[i] << i;
  return votes;
}

// ---- atomics ---------------------------------------------------------------------------------

template <class T> static bool replace(T* p, uint64_t* seen, T next) {
  T before = (T)*seen;
  bool done = __atomic_compare_exchange_n(p, &before, next, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
  *seen = before;
  return done;
}

uint64_t atomic_read(void* p, unsigned bytes) {
  watch_atomic(p, bytes, __builtin_return_address(0));
  return bytes == 4 ? __atomic_load_n((uint32_t*)p, __ATOMIC_RELAXED)
                    : __atomic_load_n((uint64_t*)p, __ATOMIC_RELAXED);
}

bool atomic_replace(void* p, unsigned bytes, uint64_t* seen, uint64_t next) {
  return bytes == 4 ? replace((uint32_t*)p, seen, (uint32_t)next)
                    : replace((uint64_t*)p, seen, next);
}

// ---- shared memory ---------------------------------------------------------------------------

// A quiet NaN that is easily recognised: what nobody wrote must not look like a result.
static void poison(unsigned char* memory, size_t bytes) {
  const uint32_t pattern = 0x7fc0dead;
  size_t i = 0;
  for (; i + 4 <= bytes; i += 4) memcpy(memory + i, &pattern, 4);
  memset(memory + i, 0xde, bytes - i);
}

// `tag` is the declaration's; a template's has one for each of its instances.
void* static_shared(const char* tag, size_t bytes, size_t alignment, Place place) {
  Block& b = *block;
  int i = 0;
  while (i < b.slots && b.slot[i].tag != tag) i++;
  Slot& slot = b.slot[i];
  if (i == b.slots) {
    b.static_used += bytes;
    if (b.static_used > STATIC_SHARED)
      give_up("too much shared memory", "static __shared__ arrays take more than 48 KiB", place);
    if (i == SLOTS)
      give_up("too much shared memory", "more than 64 __shared__ arrays", place);
    slot = {tag, (b.static_top + alignment - 1) / alignment * alignment, bytes};
    b.static_top = slot.offset + bytes + RED_ZONE;
    b.slots++;
    poison(b.static_base + slot.offset, bytes);
    new_array(slot, i);
  }
  return b.static_base + slot.offset;
}

void* dynamic_shared() { return block->dynamic_base; }

// ---- printf ----------------------------------------------------------------------------------

int print(Place place, const char* format, ...) {
  Uncut here;
  prints_at = place;
  char text[2048];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(text, sizeof text, format, values);
  va_end(values);
  prints_at = {};
  size_t shown = std::min<size_t>(std::max(length, 0), sizeof text - 1);
  for (size_t done = 0; done < shown;) {
    ssize_t n = write(STDOUT_FILENO, text + done, shown - done);
    if (n < 0) break;
    done += (size_t)n;
  }
  return length;
}

// ---- a launch --------------------------------------------------------------------------------

static void run_block(unsigned number) {
  Block& b = *block;
  const Launch& launch = *b.launch;
  const unsigned *grid = launch.grid, *size = launch.block;
  b.number = number;
  geometry.block_index = {number % grid[0], number / grid[0] % grid[1], number / grid[0] / grid[1]};
  geometry.block = {size[0], size[1], size[2]};
  geometry.grid = {grid[0], grid[1], grid[2]};
  poison(b.dynamic_base, launch.shared_bytes);
  b.static_used = b.static_top = 0;
  b.slots = 0;
  for (unsigned i = 0; i < b.size; i++) {
    Fiber& fiber = b.fibers[i];
    fiber = Fiber{};
    fiber.index = {i % size[0], i / size[0] % size[1], i / size[0] / size[1]};
    fiber.linear = i;
    fiber.lane = i % 32;
    fiber.warp = i / 32;
  }
  for (unsigned i = 0; i < (b.size + 31) / 32; i++) b.warps[i] = Warp{};
  b.position = b.arrived = b.epoch = b.idle = 0;
  b.alive = b.size;
  enter(b.fibers[0], &b.main_stack);
}

using Memory = std::unique_ptr<unsigned char[]>;

static unsigned char* aligned(Memory& memory, size_t bytes) {
  memory.reset(new unsigned char[bytes + 1024]);
  return (unsigned char*)(((uintptr_t)memory.get() + 1023) & ~(uintptr_t)1023);
}

// What the n-th OS thread of a launch does.
static void run_blocks(const Launch& launch, unsigned n, std::atomic<uint64_t>& next) {
  Memory static_memory, dynamic_memory;
  Block mine{};
  mine.launch = &launch;
  mine.size = launch.block[0] * launch.block[1] * launch.block[2];
  mine.fibers.resize(mine.size);
  mine.static_base = aligned(static_memory, STATIC_SHARED + SLOTS * (RED_ZONE + 16));
  mine.dynamic_base = aligned(dynamic_memory, launch.shared_bytes);
  mine.stacks = stacks_of(*launch.stacks, n, mine.size);
  if (!mine.stacks) throw std::bad_alloc();
  block = &mine;
  SignalStack while_it_runs(n);
  uint64_t blocks = (uint64_t)launch.grid[0] * launch.grid[1] * launch.grid[2];
  for (uint64_t i; (i = next++) < blocks && !found && !interrupted;) run_block((unsigned)i);
  block = nullptr;
}

static void run(const Launch& launch) {
  found = 0;
  findings.clear();
  findings.reserve(ENOUGH);
  steps = 0;
  most_steps = launch.most_steps;
  if (checking) start_checking(launch);
  uint64_t blocks = (uint64_t)launch.grid[0] * launch.grid[1] * launch.grid[2];
  // The shadow memory of a checked launch belongs to one OS thread.
  unsigned most = checking ? 1 : std::min<unsigned>(launch.os_threads, MOST_OS_THREADS);
  std::atomic<uint64_t> next{0};
  std::atomic<bool> no_memory{false};
  auto work = [&](unsigned n) {
    try {
      run_blocks(launch, n, next);
    } catch (const std::bad_alloc&) {
      no_memory = true;
    }
  };
  Signals while_it_runs;
  std::vector<std::thread> helpers;
  try {
    for (unsigned n = 1; n < std::min<uint64_t>(most, blocks); n++) helpers.emplace_back(work, n);
  } catch (const std::system_error&) {  // no more OS threads: those that there are suffice
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
  if (no_memory) throw std::bad_alloc();
}

}  // namespace emu

#define EXPORT extern "C" __attribute__((visibility("default")))

enum { NO_MEMORY = -1, INTERRUPTED = -2 };

// Runs a launch; returns how many findings are kept, or why there can be none.
EXPORT int emu_run(const emu::Launch* launch) {
  try {
    emu::run(*launch);
  } catch (const std::bad_alloc&) {
    return NO_MEMORY;
  }
  return emu::interrupted ? INTERRUPTED : (int)emu::findings.size();
}

EXPORT const emu::Finding* emu_findings() { return emu::findings.data(); }

EXPORT emu::Stacks* emu_new_stacks() { return new (std::nothrow) emu::Stacks{}; }
