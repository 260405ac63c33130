// Check mode. The kernel is compiled with the compiler's own -fsanitize=thread,bounds and others,
// which put a call before every load and store; the calls end here (hooks.h) instead of in the
// compiler's library. Each access is looked up (whose memory is it?) and compared with who touched
// it last.
#include <cstdlib>
#include <memory>
#include <new>
#include "runtime.h"

namespace emu {
static void access(const void* pointer, unsigned bytes, bool write, const void* instruction);
}
#include "hooks.h"

namespace emu {

// Who did something, and when: epochs count the barriers that its block and its warp had passed.
struct Stamp {
  unsigned block;  // its number + 1; 0: nobody
  unsigned epoch;
  unsigned thread : 10, warp_epoch : 22;
};

// Those who did the same to an element, of whom `last` was the last.
struct Group {
  Stamp last;
  uint8_t threads : 1, warps : 1, blocks : 1;  // there were others: of its warp, its block, its grid
};

// What is remembered of one element of memory. Atomics count as writers of a kind of their own.
struct Cell {
  Group writers, readers;
  bool atomic;
};

// Cells of a piece of memory: one for 4 bytes, until something narrower is accessed; then for each.
class Shadow {
 public:
  // Nobody has touched `size` bytes.
  void cover(size_t size) {
    bytes = size;
    shift = 2;
    size_t needed = size / 4 + 1;
    if (needed > room || room > MOST_KEPT) {
      cells.reset((Cell*)calloc(needed, sizeof(Cell)));  // pages that nobody touches cost nothing
      room = cells ? needed : 0;
      if (!cells) throw std::bad_alloc();
    } else {
      memset((void*)cells.get(), 0, needed * sizeof(Cell));  // new pages would cost more
    }
  }
  bool covers(size_t size) const { return size <= bytes; }
  void forget() { bytes = 0; }

  struct Range { Cell *begin, *end; };
  Range of(size_t offset, unsigned length) {
    if (shift && (offset | length) & 3) refine();
    return {&cells[offset >> shift], &cells[(offset + length - 1) >> shift] + 1};
  }

 private:
  void refine() {
    Uncut here;
    Cell* fine = (Cell*)calloc(bytes + 1, sizeof(Cell));
    if (!fine) give_up("out of memory", "for what the check notes", {});
    for (size_t i = 0; i < bytes; i++) fine[i] = cells[i / 4];
    cells.reset(fine);
    room = bytes + 1;
    shift = 0;
  }

  struct Free { void operator()(Cell* p) const { free(p); } };
  static constexpr size_t MOST_KEPT = 1 << 20;  // cells, from launch to launch
  std::unique_ptr<Cell[], Free> cells;
  size_t room = 0, bytes = 0;
  int shift = 2;
};

static std::vector<Shadow> of_array;
static Shadow of_slot[SLOTS], of_dynamic;

void start_checking(const Launch& launch) {
  if (of_array.size() < launch.arrays) of_array.resize(launch.arrays);
  for (unsigned i = 0; i < launch.arrays; i++) of_array[i].cover(launch.array[i].bytes);
  of_dynamic.cover(launch.shared_bytes);
  for (Shadow& each : of_slot) each.forget();
}

// What another block left in its cells is known by that block's number.
void new_array(const Slot& slot, int number) {
  Uncut here;
  if (!of_slot[number].covers(slot.bytes)) of_slot[number].cover(slot.bytes);
}

// Is what `then` did over before `now`, by the thread's own order or by a barrier between?
static bool ordered(const Stamp& then, const Stamp& now) {
  if (then.block != now.block) return false;
  if (then.thread == now.thread || then.epoch != now.epoch) return true;
  return then.thread / 32 == now.thread / 32 && then.warp_epoch != now.warp_epoch;
}

static bool all_done(const Group& group, const Stamp& now) {
  const Stamp& last = group.last;
  if (!last.block) return true;
  if (group.blocks) return false;
  if (last.block == now.block && last.epoch == now.epoch) {
    if (group.warps) return false;
    if (group.threads && last.thread / 32 == now.thread / 32)
      return last.warp_epoch != now.warp_epoch;
  }
  return ordered(last, now);
}

static void join(Group& group, const Stamp& now) {
  const Stamp& last = group.last;
  bool same_block = last.block == now.block, same_epoch = same_block && last.epoch == now.epoch;
  bool same_warp = same_epoch && last.thread / 32 == now.thread / 32;
  group.blocks |= last.block && !same_block;
  group.warps = same_epoch && (group.warps || !same_warp);
  group.threads = same_warp && last.warp_epoch == now.warp_epoch &&
                  (group.threads || last.thread != now.thread);
  group.last = now;
}

enum Kind { READ, WRITE, ATOMIC };

// What is wrong with an access of one element after its past; null where nothing is.
static const char* touch(Cell& cell, Kind kind, bool shared, const Stamp& now) {
  if (shared && cell.writers.last.block != now.block) {  // left by another block, or by nobody
    if (cell.readers.last.block != now.block) cell = Cell{};
    if (kind != WRITE) return "read of what nobody wrote";
  }
  bool together = kind == ATOMIC && cell.atomic;
  if (!together && !all_done(cell.writers, now))
    return kind == READ ? "data race: read beside a write" : "data race: two threads write";
  if (kind == READ) {
    join(cell.readers, now);
    return nullptr;
  }
  if (!all_done(cell.readers, now)) return "data race: write beside a read";
  cell.readers = Group{};
  if (together) join(cell.writers, now);
  else cell.writers = Group{now, 0, 0, 0};
  cell.atomic = kind == ATOMIC;
  return nullptr;
}

static void watch(const char* address, unsigned bytes, Kind kind, const void* instruction) {
  bool write = kind != READ;
  Spot spot = spot_of(address, bytes, write);
  if (spot.owner == ITS_OWN || spot.owner == CONSTANT) return;
  if ((uintptr_t)address % bytes) misaligned(bytes, write, instruction);
  if (spot.owner == NOBODY) out_of_bounds(address, bytes, write, instruction);
  Shadow& shadow = spot.owner == STATIC    ? of_slot[spot.slot]
                   : spot.owner == DYNAMIC ? of_dynamic
                                           : of_array[spot.owner];
  const Fiber& me = block->fibers[block->position];
  Stamp now{block->number + 1, block->epoch, me.linear, block->warps[me.warp].epoch};
  const char* wrong = nullptr;
  if (write && spot.owner >= 0 && block->launch->array[spot.owner].constant)
    wrong = "write to a const array";
  auto [cell, end] = shadow.of(spot.offset, bytes);
  for (; !wrong && cell < end; cell++) wrong = touch(*cell, kind, spot.owner < 0, now);
  if (!wrong) return;
  char where[32] = "of a __shared__ array";
  if (spot.owner == DYNAMIC) snprintf(where, sizeof where, "of dynamic shared memory");
  if (spot.owner >= 0) snprintf(where, sizeof where, "of argument @%d", spot.owner);
  report(wrong, where, instruction);
}

static void access(const void* pointer, unsigned bytes, bool write, const void* instruction) {
  watch((const char*)pointer, bytes, write ? WRITE : READ, instruction);
}

void watch_atomic(const void* pointer, unsigned bytes, const void* instruction) {
  watch((const char*)pointer, bytes, ATOMIC, instruction);
}

}  // namespace emu
