// The calls that -fsanitize=thread,bounds puts into a kernel, all on their way to one `access`. The
// file that includes this says what an access means, and into which pieces a copy falls.
#pragma once
#include "runtime.h"
#include <cstdio>

#define CALLER __builtin_return_address(0)
#define HOOK(name, n, write) void __tsan_##name##n(void* p) { emu::access(p, n, write, CALLER); }
#define PAIR(kind, n) HOOK(kind##read, n, false) HOOK(kind##write, n, true)
#define HOOKS(n) PAIR(, n) PAIR(unaligned_, n) PAIR(volatile_, n) PAIR(unaligned_volatile_, n)

static void bad_index(int line, uintptr_t index) {
  char detail[64];
  snprintf(detail, sizeof detail, "index %ld of a declared array", (long)index);
  emu::report("out of bounds", detail, nullptr, line);
  emu::leave_block();
}

extern "C" {
struct SourceLocation { const char* file; uint32_t line, column; };  // as both compilers lay it out
void __ubsan_handle_out_of_bounds(SourceLocation* where, uintptr_t index) {
  bad_index((int)where->line, index);
}
void __ubsan_handle_out_of_bounds_abort(SourceLocation* where, uintptr_t index) {
  bad_index((int)where->line, index);
}
void __ubsan_handle_local_out_of_bounds() { bad_index(0, 0); }
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
