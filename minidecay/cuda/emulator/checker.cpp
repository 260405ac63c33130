// Check mode. The kernel is compiled with the compiler's own -fsanitize=thread,bounds, which puts
// a call before every load and store; the calls end here instead of in the compiler's library.
// Each access is looked up (whose memory is it?) and compared with who touched it last.
#include "runtime.h"
#include <dlfcn.h>
#include <link.h>
#include <cstdio>

namespace emu {

// Who did something, and when: epochs count the barriers that its block and its warp had passed.
struct Stamp { unsigned block, thread, epoch, warp_epoch; };  // block: its number + 1; 0: nobody

// What is remembered of one element of memory.
struct Cell {
  Stamp write, read;
  bool by_threads, by_warps, by_blocks;  // `read` is the last of several such readers
};

static std::vector<std::vector<Cell>> global_cells;  // an array argument: a cell for 4 bytes
static std::vector<Cell> static_cells, dynamic_cells;  // shared memory: a cell for a byte
static uint64_t accesses;
static constexpr uint64_t TOO_MANY = 4'000'000'000;
static const char *image_begin, *image_end;

static int find_image(dl_phdr_info* info, size_t, void*) {
  Dl_info image;
  if (!dladdr((void*)&find_image, &image) || (void*)info->dlpi_addr != image.dli_fbase) return 0;
  image_begin = image_end = (const char*)info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && !(segment.p_flags & PF_W)) {
      const char* end = (const char*)info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
      if (end > image_end) image_end = end;
    }
  }
  return 1;
}

void start_checking(const Launch& launch) {
  if (!image_begin) dl_iterate_phdr(find_image, nullptr);
  global_cells.clear();
  for (unsigned i = 0; i < launch.ranges; i++) global_cells.emplace_back(launch.bytes[i] / 4 + 1);
  static_cells.assign(STATIC_SHARED + SLOTS * (RED_ZONE + 16), Cell{});
  dynamic_cells.assign(launch.shared_bytes, Cell{});
  accesses = 0;
}

// Is what `then` did over before `now`, by the thread's own order or by a barrier between?
static bool ordered(const Stamp& then, const Stamp& now) {
  if (then.block != now.block) return false;
  if (then.thread == now.thread || then.epoch != now.epoch) return true;
  return then.thread / 32 == now.thread / 32 && then.warp_epoch != now.warp_epoch;
}

static bool readers_done(const Cell& cell, const Stamp& now) {
  if (cell.by_blocks) return false;
  if (cell.read.block == now.block && cell.read.epoch == now.epoch) {
    if (cell.by_warps) return false;
    if (cell.by_threads && cell.read.thread / 32 == now.thread / 32)
      return cell.read.warp_epoch != now.warp_epoch;
  }
  return ordered(cell.read, now);
}

static void note_reader(Cell& cell, const Stamp& now) {
  const Stamp& last = cell.read;
  bool same_block = last.block == now.block, same_epoch = same_block && last.epoch == now.epoch;
  bool same_warp = same_epoch && last.thread / 32 == now.thread / 32;
  cell.by_blocks |= last.block && !same_block;
  cell.by_warps = same_epoch && (cell.by_warps || !same_warp);
  cell.by_threads = same_warp && last.warp_epoch == now.warp_epoch &&
                    (cell.by_threads || last.thread != now.thread);
  cell.read = now;
}

enum { STATIC = -1, DYNAMIC = -2 };  // whose memory; from 0 on it is the array with that number

static bool finding(const char* kind, int memory, void* instruction) {
  char where[32];
  snprintf(where, sizeof where, "of argument @%d", memory);
  if (memory == STATIC) snprintf(where, sizeof where, "of a __shared__ array");
  if (memory == DYNAMIC) snprintf(where, sizeof where, "of dynamic shared memory");
  report(kind, where, instruction, 0);
  return true;
}

// Compares one element's access with its past. True if it was a finding.
static bool touch(Cell& cell, bool write, int memory, void* instruction) {
  const Fiber& me = block->fibers[block->position];
  Stamp now{block->number + 1, me.linear, block->epoch, block->warps[me.warp].epoch};
  if (memory < 0 && cell.write.block != now.block) {  // left by another block: memory nobody wrote
    if (cell.read.block != now.block) cell = Cell{};
    if (!write) return finding("read of what nobody wrote", memory, instruction);
  }
  if (cell.write.block && !ordered(cell.write, now))
    return finding(write ? "data race: two threads write" : "data race: read beside a write",
                   memory, instruction);
  if (write && cell.read.block && !readers_done(cell, now))
    return finding("data race: write beside a read", memory, instruction);
  if (write) {
    cell = Cell{};
    cell.write = now;
  } else {
    note_reader(cell, now);
  }
  return false;
}

static void touch_shared(std::vector<Cell>& cells, size_t offset, unsigned bytes, bool write,
                         int memory, void* instruction) {
  for (unsigned i = 0; i < bytes; i++)
    if (touch(cells[offset + i], write, memory, instruction)) return;
}

static bool in_a_slot(size_t offset, unsigned bytes) {
  for (int i = 0; i < SLOTS; i++)
    if (block->slot_offset[i] >= 0 && offset >= (size_t)block->slot_offset[i] &&
        offset + bytes <= (size_t)block->slot_offset[i] + block->slot_bytes[i])
      return true;
  return false;
}

static void out_of_bounds(const char* address, unsigned bytes, bool write, void* instruction) {
  const char* verb = write ? "write" : "read";
  char detail[128];
  snprintf(detail, sizeof detail, "%s of %u bytes, far from every array", verb, bytes);
  if ((uintptr_t)address < 65536)
    snprintf(detail, sizeof detail, "%s of %u bytes through a null pointer", verb, bytes);
  long nearest = 65536;
  for (unsigned i = 0; i < block->launch->ranges; i++) {
    long offset = address - (const char*)block->launch->starts[i];
    long size = (long)block->launch->bytes[i], distance = offset < 0 ? -offset : offset - size;
    if (distance < nearest) {
      nearest = distance;
      snprintf(detail, sizeof detail, "%s of %u bytes at byte %ld of argument @%u, which has %ld",
               verb, bytes, offset, i, size);
    }
  }
  report("out of bounds", detail, instruction, 0);
  leave_block();
}

static void access(const void* pointer, unsigned bytes, bool write, void* instruction) {
  const char* address = (const char*)pointer;
  if (!block) return;
  if (address >= block->stacks && address < block->stacks + (size_t)block->size * STACK) return;
  if (++accesses > TOO_MANY) {
    report("does not end", "4e9 accesses of memory", instruction, 0);
    leave_block();
  }
  if ((uintptr_t)address % bytes) {
    char detail[64];
    snprintf(detail, sizeof detail, "%s of %u bytes", write ? "write" : "read", bytes);
    report("misaligned access", detail, instruction, 0);
    leave_block();
  }
  size_t in_static = address - (char*)block->static_base;
  size_t in_dynamic = address - (char*)block->dynamic_base;
  if (in_static < static_cells.size()) {
    if (!in_a_slot(in_static, bytes)) {
      report("out of bounds", "outside its __shared__ array", instruction, 0);
      leave_block();
    }
    touch_shared(static_cells, in_static, bytes, write, STATIC, instruction);
    return;
  }
  if (in_dynamic < dynamic_cells.size() && in_dynamic + bytes <= dynamic_cells.size()) {
    touch_shared(dynamic_cells, in_dynamic, bytes, write, DYNAMIC, instruction);
    return;
  }
  for (unsigned i = 0; i < block->launch->ranges; i++) {
    size_t offset = address - (const char*)block->launch->starts[i];
    if (offset < block->launch->bytes[i] && offset + bytes <= block->launch->bytes[i]) {
      for (unsigned k = 0; k < (bytes + 3) / 4; k++)
        if (touch(global_cells[i][offset / 4 + k], write, (int)i, instruction)) return;
      return;
    }
  }
  if (!write && address >= image_begin && address < image_end) return;  // a constant table
  out_of_bounds(address, bytes, write, instruction);
}

static void copy(const void* p, size_t bytes, bool write, void* instruction) {
  for (size_t i = 0; i + 4 <= bytes; i += 4) access((const char*)p + i, 4, write, instruction);
}

}  // namespace emu

#include "hooks.h"  // last: it calls what stands above
