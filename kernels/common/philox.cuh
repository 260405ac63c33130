// Philox4x64-10 (Salmon, Moraes, Dror and Shaw 2011): four random words from a counter and a key,
// by ten rounds of two wide multiplications. No state: word i of a stream can be computed anywhere.
#pragma once

struct Words {
  unsigned long long w[4];
};

__device__ __forceinline__ Words philox4x64(Words counter, unsigned long long key0,
                                            unsigned long long key1) {
  constexpr unsigned long long M0 = 0xD2E7470EE14C6C93, M1 = 0xCA5A826395121157;
  constexpr unsigned long long W0 = 0x9E3779B97F4A7C15, W1 = 0xBB67AE8584CAA73B;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long high0 = __umul64hi(M0, counter.w[0]), low0 = M0 * counter.w[0];
    const unsigned long long high1 = __umul64hi(M1, counter.w[2]), low1 = M1 * counter.w[2];
    counter = {{high1 ^ counter.w[1] ^ key0, low1, high0 ^ counter.w[3] ^ key1, low0}};
    key0 += W0;
    key1 += W1;
  }
  return counter;
}
