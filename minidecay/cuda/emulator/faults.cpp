// What would end the process becomes a finding. A signal that reaches an OS thread while it runs a
// kernel's code (its stack tells) takes it out of its block, and the launch is over; any other goes
// where it went before. Ctrl-C is Python's, and cuts a launch that is not over a second later. Some
// compilers mark no step in a loop that has nothing to do: a checked launch whose steps stand still
// does not end either, and a timer of its own looks for that.
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include "runtime.h"
#include "stacks.h"

namespace emu {

volatile int interrupted;

static const int FAULTS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
static constexpr int CUT = SIGURG;  // ignored where nobody handles it
static struct sigaction before[NSIG];
static bool python_is_asked;
static pthread_t running[MOST_OS_THREADS];
static volatile bool runs[MOST_OS_THREADS];
static thread_local volatile int uncut;

// A timer of Linux's: it sends CUT after a second, and then again and again.
class Timer {
 public:
  void start(clockid_t clock, struct sigevent event, timespec again) {
    event.sigev_signo = CUT;
    struct itimerspec when = {again, {1, 0}};
    if (!runs && !syscall(SYS_timer_create, clock, &event, &id))
      runs = !syscall(SYS_timer_settime, id, 0, &when, nullptr);
  }
  void stop() {
    if (runs) syscall(SYS_timer_delete, id);
    runs = false;
  }

 private:
  int id;
  bool runs;
};
static Timer since_interrupt, of_work;
static constexpr int WORKED = 1;  // what the signals of `of_work` carry: another second of it
static uint64_t stood_at;         // where `steps` was at the last, and
static int standing;              // for how many it has been there

Uncut::Uncut() { uncut = uncut + 1; }
Uncut::~Uncut() { uncut = uncut - 1; }

#if defined(__x86_64__)
static char* stack_pointer(const mcontext_t& at) { return (char*)at.gregs[REG_RSP]; }
static const char* program_counter(const mcontext_t& at) { return (char*)at.gregs[REG_RIP]; }
static const char* link_register(const mcontext_t&) { return nullptr; }
#else
static char* stack_pointer(const mcontext_t& at) { return (char*)at.sp; }
static const char* program_counter(const mcontext_t& at) { return (char*)at.pc; }
static const char* link_register(const mcontext_t& at) { return (char*)at.regs[30]; }
#endif

static bool in_a_kernel(const mcontext_t& at) {
  return block && stack_pointer(at) >= block->stacks &&
         stack_pointer(at) < block->stacks + (size_t)block->size * STRIDE;
}

static bool ours(const char* code) { return code >= image().begin && code < image().end; }

// The end of the instruction to blame. Where the kernel called what lies elsewhere, that call: the
// first address of the kernel's code that is found on the stack.
static const char* to_blame(const mcontext_t& at, const char* stack) {
  if (ours(program_counter(at))) return program_counter(at) + 1;
  if (ours(link_register(at))) return link_register(at);
  char** word = (char**)stack_pointer(at);
  for (char** end = (char**)(stack + STACK); (char*)word >= stack && word < end; word++)
    if (ours(*word)) return *word;
  return nullptr;
}

static void tell(int number, const siginfo_t* info, const mcontext_t& at) {
  const char* address = (const char*)info->si_addr;
  const char* guard = block->stacks + (size_t)block->position * STRIDE;
  const char* blamed = prints_at.file ? nullptr : to_blame(at, guard + GUARD);
  const Place place = std::exchange(prints_at, {});
  char detail[64];
  if (number == SIGFPE) {
    report("integer division", "by zero, or of the least number by -1", blamed);
  } else if (number != SIGSEGV && number != SIGBUS) {
    report("trap", "the kernel ended itself", blamed);
  } else if (address >= guard && address < guard + GUARD) {
    snprintf(detail, sizeof detail, "the local memory of a thread is %d KiB here", STACK / 1024);
    report("stack overflow", detail, blamed, place);
  } else if (address == program_counter(at)) {
    snprintf(detail, sizeof detail, "there is none at %p", (const void*)address);
    report("call of no function", detail, blamed);
  } else {
    snprintf(detail, sizeof detail, "access at %p", (const void*)address);
    report("out of bounds", detail, blamed, place);
  }
}

static void on_fault(int number, siginfo_t* info, void* context) {
  const mcontext_t& at = ((ucontext_t*)context)->uc_mcontext;
  if (in_a_kernel(at)) {
    uncut = 0;
    tell(number, info, at);
    leave_block();
  }
  sigaction(number, &before[number], nullptr);  // returning repeats what the processor refused
  if (info->si_code <= 0) raise(number);        // but not what a process sent
}

// A step is a few instructions. What takes long between two of them (Uncut) is not the kernel's.
static void look_for_progress(const mcontext_t& at) {
  standing = steps == stood_at ? standing + 1 : 0;
  stood_at = steps;
  if (standing < 2 || uncut || !in_a_kernel(at)) return;
  const char* blamed = program_counter(at) + 1;
  if (!interrupted) report("does not end", "a loop in which nothing happens", blamed);
  leave_block();
}

// The signal of `since_interrupt` goes to any thread of the process, and from there to all that run
// blocks.
static void on_cut(int, siginfo_t* info, void* context) {
  bool from_timer = info->si_code == SI_TIMER;
  if (from_timer && info->si_value.sival_int == WORKED)
    return look_for_progress(((ucontext_t*)context)->uc_mcontext);
  int kept = errno;
  bool runs_blocks = !from_timer;
  if (from_timer) {
    interrupted = 1;
    most_steps = 0;  // a checked launch ends at its next step: what the check notes is left whole
    for (int n = 0; n < MOST_OS_THREADS; n++) {
      if (!runs[n]) continue;
      if (pthread_equal(running[n], pthread_self())) runs_blocks = true;
      else pthread_kill(running[n], CUT);
    }
  }
  errno = kept;
  if (runs_blocks && !checking && !uncut && in_a_kernel(((ucontext_t*)context)->uc_mcontext))
    leave_block();
}

static void on_interrupt(int number, siginfo_t* info, void* context) {
  int kept = errno;
  const struct sigaction& python = before[SIGINT];
  if (python.sa_flags & SA_SIGINFO) python.sa_sigaction(number, info, context);
  else python.sa_handler(number);
  struct sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  // Again and again, since a thread may be between two blocks.
  since_interrupt.start(CLOCK_MONOTONIC, event, {0, 50'000'000});
  errno = kept;
}

static void handle(int number, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  // NODEFER, since a handler may be left without returning.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
  sigaction(number, &action, &before[number]);
}

Signals::Signals() {
  interrupted = 0;
  for (int number : FAULTS) handle(number, on_fault);
  handle(CUT, on_cut);
  sigaction(SIGINT, nullptr, &before[SIGINT]);
  python_is_asked = before[SIGINT].sa_handler != SIG_DFL && before[SIGINT].sa_handler != SIG_IGN;
  if (python_is_asked) handle(SIGINT, on_interrupt);
  if (!checking) return;
  stood_at = standing = 0;
  struct sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event._sigev_un._tid = (int)syscall(SYS_gettid);  // a checked launch has one OS thread
  event.sigev_value.sival_int = WORKED;
  of_work.start(CLOCK_THREAD_CPUTIME_ID, event, {1, 0});
}

Signals::~Signals() {
  if (python_is_asked) sigaction(SIGINT, &before[SIGINT], nullptr);
  since_interrupt.stop();
  of_work.stop();
  sigaction(CUT, &before[CUT], nullptr);
  for (int number : FAULTS) sigaction(number, &before[number], nullptr);
}

static constexpr size_t ROOM = 64 * 1024;
static thread_local stack_t stack_before;

SignalStack::SignalStack(unsigned n) : n(n), memory(malloc(ROOM)) {
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = ROOM;
  if (memory) sigaltstack(&stack, &stack_before);
  uncut = 0;
  running[n] = pthread_self();
  runs[n] = true;
}

SignalStack::~SignalStack() {
  runs[n] = false;
  if (memory) sigaltstack(&stack_before, nullptr);
  free(memory);
}

}  // namespace emu
