// What rungs 06 to 08 of the matmul ladder share: four floats with one instruction, from global
// memory into registers, from there into shared memory, from there into products, and out to C.
#pragma once
#include "common/four.cuh"
#include "common/matmul.cuh"

// An operand as it lies in memory: `lines` of `length` neighbours each.
struct Stored {
  const float* __restrict__ data;
  int lines, length;
  bool whole;  // each four neighbours, counted from a line's start, are one aligned Four
};

__device__ __forceinline__ Stored stored(const float* __restrict__ data, int lines, int length) {
  return {data, lines, length, length % 4 == 0 && aligned(data)};
}

// Four neighbours from a multiple of four on. Beyond the edge an operand is zero.
__device__ __forceinline__ Four four_of(const Stored& x, int line, int first) {
  if (line >= x.lines) return {};
  return four_at(x.data + line * x.length, first, x.length, x.whole);
}

// A tile is SIDE (along m, or n) by BK, tile[k][m]; each thread copies four of its elements, which
// are neighbours in memory, as its threads are. ALONG_K: memory runs along k, across the tile.
template <bool ALONG_K, int SIDE, int BK>
__device__ __forceinline__ Four fetch(const Stored& x, int m0, int k0, int thread) {
  return ALONG_K ? four_of(x, m0 + thread / (BK / 4), k0 + thread % (BK / 4) * 4)
                 : four_of(x, k0 + thread / (SIDE / 4), m0 + thread % (SIDE / 4) * 4);
}

template <bool ALONG_K, int SIDE, int BK, int PITCH>
__device__ __forceinline__ void put(float (&tile)[BK][PITCH], Four four, int thread) {
  if (ALONG_K) {
    const int m = thread / (BK / 4), k = thread % (BK / 4) * 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) tile[k + i][m] = four.v[i];
  } else {
    *(Four*)&tile[thread / (SIDE / 4)][thread % (SIDE / 4) * 4] = four;
  }
}

// A thread's N elements along one side of the tile: fours, which lie APART from one another.
template <int APART, int N>
__device__ __forceinline__ void read_fours(Four (&to)[N], const float* from) {
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = *(const Four*)(from + i * APART);
}

// sum += for every k of the tiles, the outer product of the thread's part of As and of Bs. The
// compiler reads ahead as far as the loop is unrolled, into registers that must be there.
template <int APART_M, int APART_N, int UNROLL, int TM, int TN, int BK, int PITCH_A, int PITCH_B>
__device__ __forceinline__ void multiply(float (&sum)[TM][TN], const float (&As)[BK][PITCH_A],
                                         const float (&Bs)[BK][PITCH_B], int row, int column) {
#pragma unroll UNROLL
  for (int k = 0; k < BK; ++k) {
    Four a[TM / 4], b[TN / 4];
    read_fours<APART_M>(a, &As[k][row]);
    read_fours<APART_N>(b, &Bs[k][column]);
#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
      for (int j = 0; j < TN; ++j) sum[i][j] += a[i / 4].v[i % 4] * b[j / 4].v[j % 4];
  }
}

// Finishes all elements of a thread: the first is C[m, n].
template <int APART_M, int APART_N, int TM, int TN>
__device__ __forceinline__ void finish_fours(const float (&sum)[TM][TN],
                                             const float* __restrict__ bias,
                                             const float* __restrict__ residual, float* C, int m,
                                             int n, int M, int N) {
  const bool whole = finishes_in_fours(bias, residual, C, N);
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; j += 4)
      finish_four({sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]}, bias, residual, C,
                  m + i / 4 * APART_M + i % 4, n + j / 4 * APART_N, M, N, whole);
}
