// Dropout from counted random words, so that it needs no mask in memory.
//
//   y = x scale where the element's word is at least `threshold`, else 0
//
//   counter  c+1          c+2          c+3       of Philox4x64-10, the stream at (0, 0, counter, 0)
//   words    0 1 2 3      4 5 6 7      8 9 ..    as numpy.random.Philox gives them
//   x        0 1 2 3      4 5 6 7      8 9 ..
//            thread 0     thread 1     thread 2  a thread takes the four words of one block, and
//                                                one Four of x and of y
//
// The words are NumPy's, bit for bit, so a seed drops the same elements on every device. Element i
// always gets word i: the mask needs no memory, and backward draws it again (the gradient of
// dropout is dropout, of the same words).
//
// Bytes: 8 for each element; integer multiplications: ten rounds of two 64-bit products, high and
// low, for four elements: about as long as the memory takes on a large GPU.
#include "common/four.cuh"
#include "common/philox.cuh"

constexpr int THREADS = 256;
constexpr int EACH = 4;  // words a Philox block
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Words) == EACH * 8 && sizeof(Four) == EACH * 4, "a word for each of a Four");

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
dropout(const float* __restrict__ x, float* y, int n, unsigned long long threshold, float scale,
        unsigned long long key0, unsigned long long key1,
        const unsigned long long* __restrict__ counter) {
  const int block = blockIdx.x * THREADS + threadIdx.x, first = block * EACH;
  const bool whole = aligned(x) && aligned(y);
  Four four = four_at(x, first, n, whole);
  // NumPy counts one up before it draws.
  const Words words = philox4x64({{block + 1ull, 0, counter[0], 0}}, key0, key1);
#pragma unroll
  for (int i = 0; i < EACH; ++i) four.v[i] = words.w[i] >= threshold ? four.v[i] * scale : 0.f;
  put_four(y, first, n, four, whole);
}
