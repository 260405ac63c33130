// Count mode. It takes the place of checker.cpp: the calls that -fsanitize=thread puts before every
// load and store end here, are gathered into the requests of warps, and each request is weighed by
// the rules of minidecay/cuda/counting.py. Races are not looked for.
#include <algorithm>
#include <map>
#include "runtime.h"

namespace emu {
static void access(const void* pointer, unsigned bytes, bool write, const void* instruction);
}
#include "hooks.h"

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
  const void* instruction;
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

static void note(const Site& site, uintptr_t address) {
  Uncut here;
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
    if (++held > TOO_MANY) {
      report("more than can be counted: 1e6 requests of one block",
             site.write ? "of which this is a write" : "of which this is a read", site.instruction);
      leave_block();
    }
    requests.emplace_back();
  }
  requests[n].lanes |= 1u << me.lane;
  requests[n].address[me.lane] = address;
}

static void access(const void* pointer, unsigned bytes, bool write, const void* instruction) {
  const char* address = (const char*)pointer;
  Spot spot = spot_of(address, bytes, write);
  if (spot.owner == ITS_OWN || spot.owner == CONSTANT) return;
  if ((uintptr_t)address % bytes) misaligned(bytes, write, instruction);
  if (spot.owner == NOBODY) out_of_bounds(address, bytes, write, instruction);
  note({instruction, bytes, write, spot.owner < 0 ? SHARED : spot.owner}, (uintptr_t)address);
}

void watch_atomic(const void* p, unsigned bytes, const void* instruction) {
  access(p, bytes, true, instruction);
}

void new_array(const Slot&, int) {}

}  // namespace emu

extern "C" __attribute__((visibility("default")))
const emu::Count* emu_counts(unsigned* how_many) {
  using namespace emu;
  end_block();
  counts.clear();
  for (auto& [site, tally] : tallies) {
    tally.count.offset = (const char*)site.instruction - image().begin - 1;
    tally.count.memory = site.memory;
    tally.count.write = site.write;
    counts.push_back(tally.count);
  }
  *how_many = (unsigned)counts.size();
  return counts.data();
}
