// The tiles of an implicit product: their sizes, how they are written and multiplied.
#pragma once
#include "common/conv2d.cuh"

#ifndef BN
#define BN 64  // columns of C's tile: 16, 32 or 64, as few as there are channels
#endif

constexpr int BM = 64;
constexpr int BK = 16;
constexpr int PAD = 4;
constexpr int ACROSS = BN / 4;  // threads along n
constexpr int THREADS = BM / 4 * ACROSS;
constexpr int FOURS = BM * BK / 4 / THREADS;  // of A's tile that a thread copies; of B's, one
constexpr int BLOCKS = BN == 16 ? 8 : 768 / THREADS;  // on an SM at once: at most 128 registers, 80
static_assert(BN == 16 || BN == 32 || BN == 64, "whole Fours of A, and one of B, a thread");
static_assert(BK == 16 && PAD == 4, "what slot() and the rows of Fours along k count on");

// Where column m of row k lies in a tile. A warp that copies Fours along k writes eight columns of
// the rows k, k + 4, k + 8 and k + 12 at once. With PAD these begin at the banks 0, 16, 0 and 16
// from where the first does; exchanging each eight columns with the next eight in the rows from 8
// on puts the second two into the banks that the first two leave free.
__device__ __forceinline__ int slot(int k, int m) { return m ^ (k & 8); }

// Writes Four elements of column m, from row k on.
template <int PITCH>
__device__ __forceinline__ void put_down(float (&tile)[BK][PITCH], int k, int m, Four four) {
#pragma unroll
  for (int i = 0; i < 4; ++i) tile[k + i][slot(k, m)] = four.v[i];
}

// Writes Four elements of row k, from column m on.
template <int PITCH>
__device__ __forceinline__ void put_along(float (&tile)[BK][PITCH], int k, int m, Four four) {
  *(Four*)&tile[k][slot(k, m)] = four;
}

// sum += the outer products of this thread's part of each row of the two tiles.
template <int PITCH_A, int PITCH_B>
__device__ __forceinline__ void multiply(float (&sum)[4][4], const float (&As)[BK][PITCH_A],
                                         const float (&Bs)[BK][PITCH_B], int row, int column) {
#pragma unroll
  for (int k = 0; k < BK; ++k) {
    const Four a = *(const Four*)&As[k][slot(k, row)], b = *(const Four*)&Bs[k][slot(k, column)];
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) sum[i][j] += a.v[i] * b.v[j];
  }
}

// The first row and column of C's tile for this block. Neighbouring blocks share rows, so that
// what they gather is in the caches.
struct Corner {
  int m, n;
};

__device__ __forceinline__ Corner corner_of(int N) {
  const int across = (N + BN - 1) / BN, tile = blockIdx.x;
  return {tile / across * BM, tile % across * BN};
}

// Four elements of a matrix (K, N) as it lies in memory.
__device__ __forceinline__ Four four_of(const float* __restrict__ B, int k, int K, int n, int N,
                                        bool whole) {
  if (k >= K) return {};
  return four_at(B + k * N, n, N, whole);
}

// Four neighbours along taps and channels, from `place` on, each found by itself.
template <class One>
__device__ __forceinline__ Four one_by_one(Place place, int d1, int d2, One one) {
  Four four;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    four.v[i] = one(place);
    advance(place, 1, d1, d2);
  }
  return four;
}
