// Count mode. It takes the place of checker.cpp: the calls that -fsanitize=thread puts before every
// load and store end here, are gathered into the requests of warps, and each request is weighed by
// the rules of minidecay/cuda/counting.py. Races are not looked for.
#include "runtime.h"
#include <dlfcn.h>
#include <algorithm>
#include <cstdio>
#include <map>

namespace emu {

struct Count {  // minidecay/cuda/emulator/module.py reads it by ctypes
  uint64_t offset;  // of the instruction in the shared object
  int memory;       // the number of an array argument, or SHARED
  unsigned write;
  uint64_t requests;
  uint64_t taken, ideal;  // global memory: sectors; shared memory: passes through the banks
};

enum { SHARED = -1, LANES = 32, BANKS = 32, WORD = 4, SECTOR = 32 };

// What the lanes of a warp ask for at one site, all at their n-th time there.
struct Request {
  unsigned lanes;
  uintptr_t address[LANES];
};

struct Site {
  void* instruction;
  unsigned bytes;  // of an access by one thread
  bool write;
  int memory;
  auto operator<=>(const Site&) const = default;
};

// The accesses of a site: all that is over, and what the present block does.
struct Tally {
  Count count;
  std::vector<unsigned> times;                 // by thread
  std::vector<std::vector<Request>> requests;  // by warp; the n-th is of everyone's n-th time
};

static std::map<Site, Tally> tallies;
static unsigned present;  // the block that is running, and
static size_t held;       // how many requests it has made
static constexpr size_t TOO_MANY = 1'000'000;
static std::vector<Count> counts;

// How many different numbers there are. Sorts them.
static unsigned distinct(uintptr_t* numbers, unsigned n) {
  std::sort(numbers, numbers + n);
  return (unsigned)(std::unique(numbers, numbers + n) - numbers);
}

static void weigh_global(const Request& request, unsigned bytes, Count& count) {
  uintptr_t asked[LANES];
  unsigned n = 0;
  for (int lane = 0; lane < LANES; lane++)
    if (request.lanes >> lane & 1) asked[n++] = request.address[lane];
  n = distinct(asked, n);
  count.ideal += (n * bytes + SECTOR - 1) / SECTOR;
  for (unsigned i = 0; i < n; i++) asked[i] /= SECTOR;  // aligned: none lies across two
  count.taken += distinct(asked, n);
}

// The words of lanes [first, end) that are in the fullest bank: one pass each.
static unsigned passes(const Request& request, unsigned bytes, int first, int end) {
  uintptr_t words[BANKS];  // what goes at once asks for no more
  unsigned n = 0, in_bank[BANKS] = {};
  for (int lane = first; lane < end; lane++)
    if (request.lanes >> lane & 1)
      for (unsigned i = 0; i < bytes; i += WORD)
        words[n++] = (request.address[lane] + i) / WORD;
  n = distinct(words, n);
  for (unsigned i = 0; i < n; i++) in_bank[words[i] % BANKS]++;
  return *std::max_element(in_bank, in_bank + BANKS);
}

static void weigh_shared(const Request& request, unsigned bytes, Count& count) {
  int together = bytes <= WORD ? LANES : BANKS * WORD / (int)bytes;  // lanes that go at once
  for (int first = 0; first < LANES; first += together) {
    unsigned n = passes(request, bytes, first, first + together);
    count.taken += n;
    count.ideal += n > 0;
  }
}

static void end_block() {
  for (auto& [site, tally] : tallies) {
    for (const auto& of_warp : tally.requests)
      for (const Request& request : of_warp) {
        tally.count.requests++;
        if (site.memory == SHARED) weigh_shared(request, site.bytes, tally.count);
        else weigh_global(request, site.bytes, tally.count);
      }
    tally.times.clear();
    tally.requests.clear();
  }
  held = 0;
}

void start_checking(const Launch&) {
  tallies.clear();
  present = 0;
  held = 0;
}

static void refuse(const char* kind, const Site& site) {
  char detail[64];
  snprintf(detail, sizeof detail, "%s of %u bytes", site.write ? "write" : "read", site.bytes);
  report(kind, detail, site.instruction, 0);
  leave_block();
}

static void note(const Site& site, uintptr_t address) {
  if (block->number != present) {
    end_block();
    present = block->number;
  }
  const Fiber& me = block->fibers[block->position];
  Tally& tally = tallies[site];
  tally.times.resize(block->size);
  tally.requests.resize(WARPS);
  auto& requests = tally.requests[me.warp];
  unsigned n = tally.times[me.linear]++;
  if (n == requests.size()) {
    if (++held > TOO_MANY) refuse("more than can be counted: 1e6 requests of one block", site);
    requests.emplace_back();
  }
  requests[n].lanes |= 1u << me.lane;
  requests[n].address[me.lane] = address;
}

static bool of_this_image(const void* address) {
  Dl_info theirs, ours;
  return dladdr(address, &theirs) && dladdr((void*)&note, &ours) &&
         theirs.dli_fbase == ours.dli_fbase;
}

static void access(const void* pointer, unsigned bytes, bool write, void* instruction) {
  const char* address = (const char*)pointer;
  if (!block) return;
  if (address >= block->stacks && address < block->stacks + (size_t)block->size * STACK) return;
  Site site{instruction, bytes, write, SHARED};
  if ((uintptr_t)address % bytes) refuse("misaligned access", site);
  for (const auto* memory : {&block->static_memory, &block->dynamic_memory}) {
    size_t offset = address - (const char*)memory->data();
    if (offset < memory->size() && offset + bytes <= memory->size())
      return note(site, (uintptr_t)address);
  }
  for (unsigned i = 0; i < block->launch->ranges; i++) {
    size_t offset = address - (const char*)block->launch->starts[i];
    site.memory = (int)i;
    if (offset < block->launch->bytes[i] && offset + bytes <= block->launch->bytes[i])
      return note(site, (uintptr_t)address);
  }
  if (!write && of_this_image(address)) return;  // a constant table
  refuse("out of bounds", site);
}

// A struct that is copied whole moves as the widest words that its address and size are made of.
static void copy(const void* pointer, size_t bytes, bool write, void* instruction) {
  unsigned piece = 16;
  while (bytes % piece || (uintptr_t)pointer % piece) piece /= 2;
  for (size_t i = 0; i < bytes; i += piece)
    access((const char*)pointer + i, piece, write, instruction);
}

}  // namespace emu

extern "C" __attribute__((visibility("default")))
const emu::Count* emu_counts(unsigned* how_many) {
  using namespace emu;
  end_block();
  counts.clear();
  for (auto& [site, tally] : tallies) {
    Dl_info image;
    dladdr(site.instruction, &image);
    tally.count.offset = (uint64_t)((char*)site.instruction - (char*)image.dli_fbase) - 1;
    tally.count.memory = site.memory;
    tally.count.write = site.write;
    counts.push_back(tally.count);
  }
  *how_many = (unsigned)counts.size();
  return counts.data();
}

#include "hooks.h"  // last: it calls what stands above
