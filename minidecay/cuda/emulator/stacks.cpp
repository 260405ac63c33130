#include "stacks.h"
#include <sys/mman.h>
#include <cstdint>
#include <cstring>

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
static void* ready(void** stack, void (*entry)()) {
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
static void* ready(void** stack, void (*entry)()) {
  stack -= 20;
  memset(stack, 0, 160);
  stack[11] = (void*)entry;  // x30, the address that `ret` goes to
  return stack;
}
#else
#error "the emulator switches stacks on x86-64 and aarch64 only"
#endif

namespace emu {

void* new_stack(char* stacks, unsigned i, void (*entry)()) {
  // All tops at one distance would meet in the same few lines of the cache.
  char* top = stacks + (size_t)(i + 1) * STRIDE - i % 32 * 128;
  return ready((void**)((uintptr_t)top & ~(uintptr_t)15), entry);
}

char* stacks_of(Stacks& all, unsigned n, unsigned threads) {
  if (threads > all.threads[n]) {
    if (all.base[n]) munmap(all.base[n], (size_t)all.threads[n] * STRIDE);
    all.threads[n] = 0;
    size_t bytes = (size_t)threads * STRIDE;
    void* fresh = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    all.base[n] = fresh == MAP_FAILED ? nullptr : (char*)fresh;
    if (!all.base[n]) return nullptr;
    // Linux allows some 65 000 mappings; beyond them a stack has no guard.
    for (unsigned i = 0; i < threads; i++)
      mprotect(all.base[n] + (size_t)i * STRIDE, GUARD, PROT_NONE);
    all.threads[n] = threads;
  }
  return all.base[n];
}

}  // namespace emu
