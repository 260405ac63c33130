// The calls that -fsanitize and -fsanitize-coverage put into a kernel: all loads and stores on
// their way to one `access`, each basic block to `steps`, what the language forbids to a finding.
// The file that includes this says what an access means.
#pragma once
#include <cstdio>
#include <cstring>
#include "runtime.h"
#include "stacks.h"

namespace emu {

// Whose memory an address is; from 0 on, that of the array argument with this number.
enum Owner { STATIC = -1, DYNAMIC = -2, ITS_OWN = -3, CONSTANT = -4, NOBODY = -5 };

struct Spot {
  int owner;
  size_t offset;
  int slot;  // of STATIC
};

static bool within(const char* address, unsigned bytes, const void* start, size_t size) {
  size_t offset = (size_t)(address - (const char*)start);
  return offset < size && offset + bytes <= size;
}

static Spot spot_of(const char* address, unsigned bytes, bool write) {
  const Block& b = *block;
  for (int i = 0; i < b.slots; i++)
    if (within(address, bytes, b.static_base + b.slot[i].offset, b.slot[i].bytes))
      return {STATIC, address - (char*)b.static_base - b.slot[i].offset, i};
  const Launch& launch = *b.launch;
  for (unsigned i = 0; i < launch.arrays; i++)
    if (within(address, bytes, launch.array[i].start, launch.array[i].bytes))
      return {(int)i, (size_t)(address - launch.array[i].start), 0};
  if (within(address, bytes, b.dynamic_base, launch.shared_bytes))
    return {DYNAMIC, (size_t)(address - (char*)b.dynamic_base), 0};
  const char* own = b.stacks + (size_t)b.position * STRIDE;
  if (within(address, bytes, own + GUARD, STACK)) return {ITS_OWN, 0, 0};
  if (!write && within(address, bytes, image().begin, image().end - image().begin))
    return {CONSTANT, 0, 0};
  return {NOBODY, 0, 0};
}

// Tells of an access of nobody's memory, and ends the block.
[[noreturn]] static void out_of_bounds(const char* address, unsigned bytes, bool write,
                                       const void* instruction) {
  const Block& b = *block;
  const char* verb = write ? "write" : "read";
  char detail[128];
  snprintf(detail, sizeof detail, "%s of %u bytes, far from every array", verb, bytes);
  if ((uintptr_t)address < 65536)
    snprintf(detail, sizeof detail, "%s of %u bytes through a null pointer", verb, bytes);
  if (within(address, 1, b.static_base, b.static_top))
    snprintf(detail, sizeof detail, "outside its __shared__ array");
  if (within(address, 1, image().begin, image().data_end - image().begin))
    snprintf(detail, sizeof detail, "%s of %u bytes of a global variable", verb, bytes);
  if (within(address, 1, b.stacks, (size_t)b.size * STRIDE))
    snprintf(detail, sizeof detail, "%s of %u bytes in another thread's local memory", verb, bytes);
  long nearest = 65536;
  for (unsigned i = 0; i < b.launch->arrays; i++) {
    const Array& array = b.launch->array[i];
    long offset = address - array.start, size = (long)array.bytes;
    long distance = offset < 0 ? -offset : offset - size;
    if (distance < nearest) {
      nearest = distance;
      snprintf(detail, sizeof detail, "%s of %u bytes at byte %ld of argument @%u, which has %ld",
               verb, bytes, offset, i, size);
    }
  }
  report("out of bounds", detail, instruction);
  leave_block();
}

[[noreturn]] static void misaligned(unsigned bytes, bool write, const void* instruction) {
  char detail[64];
  snprintf(detail, sizeof detail, "%s of %u bytes", write ? "write" : "read", bytes);
  report("misaligned access", detail, instruction);
  leave_block();
}

// A struct that is copied whole moves as the widest words that its address and size are made of.
static void copy(const void* pointer, size_t bytes, bool write, const void* instruction) {
  unsigned piece = 16;
  while (bytes % piece || (uintptr_t)pointer % piece) piece /= 2;
  for (size_t i = 0; i < bytes; i += piece, steps++)
    access((const char*)pointer + i, piece, write, instruction);
}

[[noreturn]] static void too_many_steps(const void* instruction) {
  char detail[64];
  snprintf(detail, sizeof detail, "after %llu steps", (unsigned long long)most_steps);
  if (!interrupted) report("does not end", detail, instruction);
  leave_block();
}

}  // namespace emu

#define CALLER __builtin_return_address(0)
#define HOOK(name, n, how, write) \
  void __tsan_##name##n(void* p) { if (emu::block) emu::how(p, n, write, CALLER); }
#define PAIR(kind, n, how) HOOK(kind##read, n, how, false) HOOK(kind##write, n, how, true)
// What a compiler calls unaligned is its own doing: two fields of a struct moved at once.
#define HOOKS(n) \
  PAIR(, n, access) PAIR(volatile_, n, access) \
  PAIR(unaligned_, n, copy) PAIR(unaligned_volatile_, n, copy)

// Some compilers call the handlers that may return, others those that may not.
#define FORBIDDEN(name, kind, detail) \
  void __ubsan_handle_##name(SourceLocation* at, uintptr_t, uintptr_t) { \
    emu::give_up(kind, detail, {at->file, (int)at->line}); \
  } \
  void __ubsan_handle_##name##_abort(SourceLocation* at, uintptr_t x, uintptr_t y) { \
    __ubsan_handle_##name(at, x, y); \
  }

extern "C" {
struct SourceLocation { const char* file; uint32_t line, column; };  // as both compilers lay it out

void __ubsan_handle_out_of_bounds(SourceLocation* at, uintptr_t index) {
  char detail[64];
  snprintf(detail, sizeof detail, "index %ld of a declared array", (long)index);
  emu::give_up("out of bounds", detail, {at->file, (int)at->line});
}
void __ubsan_handle_out_of_bounds_abort(SourceLocation* at, uintptr_t index) {
  __ubsan_handle_out_of_bounds(at, index);
}
FORBIDDEN(divrem_overflow, "integer division", "by zero, or of the least number by -1")
FORBIDDEN(add_overflow, "integer overflow", "a sum beyond its type")
FORBIDDEN(sub_overflow, "integer overflow", "a difference beyond its type")
FORBIDDEN(mul_overflow, "integer overflow", "a product beyond its type")
FORBIDDEN(negate_overflow, "integer overflow", "a negative beyond its type")
FORBIDDEN(shift_out_of_bounds, "bad shift", "by fewer than 0 bits, or as many as the type has")
void __sanitizer_cov_trace_pc() {
  if (++emu::steps > emu::most_steps && emu::block) emu::too_many_steps(CALLER);
}
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void* __tsan_memcpy(void* to, const void* from, size_t n) {
  emu::copy(from, n, false, CALLER);
  emu::copy(to, n, true, CALLER);
  return memcpy(to, from, n);
}
void* __tsan_memmove(void* to, const void* from, size_t n) {
  emu::copy(from, n, false, CALLER);
  emu::copy(to, n, true, CALLER);
  return memmove(to, from, n);
}
void* __tsan_memset(void* to, int value, size_t n) {
  emu::copy(to, n, true, CALLER);
  return memset(to, value, n);
}
void __tsan_read_range(void* p, size_t n) { emu::copy(p, n, false, CALLER); }
void __tsan_write_range(void* p, size_t n) { emu::copy(p, n, true, CALLER); }
}
