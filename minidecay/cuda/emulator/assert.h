// What a kernel finds that includes <assert.h> or <cassert>: as in CUDA's own, the thread's assert.
#undef assert
#define assert(x) ((x) ? (void)0 : emu::give_up("failed assertion", #x, EMU_HERE))
