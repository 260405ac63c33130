// What rungs 06 to 08 of the matmul ladder share: four floats with one instruction, from global
// memory into registers, from there into shared memory, from there into products, and out to C.
#pragma once
#include "common/matmul.cuh"

__device__ __forceinline__ bool aligned(const float* p) {
  return (unsigned long long)p % sizeof(float4) == 0;
}

// An operand as it lies in memory: `lines` of `length` neighbours each.
struct Stored {
  const float* __restrict__ data;
  int lines, length;
  bool whole;  // each four neighbours, counted from a line's start, are one aligned float4
};

__device__ __forceinline__ Stored stored(const float* __restrict__ data, int lines, int length) {
  return {data, lines, length, length % 4 == 0 && aligned(data)};
}

// Four neighbours from a multiple of four on. Beyond the edge an operand is zero.
__device__ __forceinline__ float4 four_at(const Stored& x, int line, int first) {
  if (line >= x.lines || first >= x.length) return make_float4(0.f, 0.f, 0.f, 0.f);
  const float* __restrict__ p = x.data + (line * x.length + first);
  if (x.whole) return *(const float4*)p;
  const int left = x.length - first;
  return make_float4(p[0], left > 1 ? p[1] : 0.f, left > 2 ? p[2] : 0.f, left > 3 ? p[3] : 0.f);
}

// A tile is SIDE (along m, or n) by BK, tile[k][m]; each thread copies four of its elements, which
// are neighbours in memory, as its threads are. ALONG_K: memory runs along k, across the tile.
template <bool ALONG_K, int SIDE, int BK>
__device__ __forceinline__ float4 fetch(const Stored& x, int m0, int k0, int thread) {
  return ALONG_K ? four_at(x, m0 + thread / (BK / 4), k0 + thread % (BK / 4) * 4)
                 : four_at(x, k0 + thread / (SIDE / 4), m0 + thread % (SIDE / 4) * 4);
}

template <bool ALONG_K, int SIDE, int BK, int PITCH>
__device__ __forceinline__ void put(float (&tile)[BK][PITCH], float4 four, int thread) {
  if (ALONG_K) {
    const int m = thread / (BK / 4), k = thread % (BK / 4) * 4;
    tile[k][m] = four.x;
    tile[k + 1][m] = four.y;
    tile[k + 2][m] = four.z;
    tile[k + 3][m] = four.w;
  } else {
    *(float4*)&tile[thread / (SIDE / 4)][thread % (SIDE / 4) * 4] = four;
  }
}

// A thread's N elements along one side of the tile: fours, which lie APART from one another.
template <int APART, int N>
__device__ __forceinline__ void read_fours(float (&to)[N], const float* from) {
#pragma unroll
  for (int i = 0; i < N / 4; ++i) {
    const float4 four = *(const float4*)(from + i * APART);
    to[4 * i] = four.x;
    to[4 * i + 1] = four.y;
    to[4 * i + 2] = four.z;
    to[4 * i + 3] = four.w;
  }
}

// sum += for every k of the tiles, the outer product of the thread's part of As and of Bs.
template <int APART_M, int APART_N, int TM, int TN, int BK, int PITCH_A, int PITCH_B>
__device__ __forceinline__ void multiply(float (&sum)[TM][TN], const float (&As)[BK][PITCH_A],
                                         const float (&Bs)[BK][PITCH_B], int row, int column) {
#pragma unroll
  for (int k = 0; k < BK; ++k) {
    float a[TM], b[TN];
    read_fours<APART_M>(a, &As[k][row]);
    read_fours<APART_N>(b, &Bs[k][column]);
#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
      for (int j = 0; j < TN; ++j) sum[i][j] += a[i] * b[j];
  }
}

__device__ __forceinline__ void add_four(float4& to, const float* from) {
  const float4 four = *(const float4*)from;
  to.x += four.x;
  to.y += four.y;
  to.z += four.z;
  to.w += four.w;
}

// Writes four neighbours of C, of which the first lies inside. `whole`: all do, and are aligned.
__device__ __forceinline__ void finish_four(float4 four, const float* __restrict__ bias,
                                            const float* __restrict__ residual, float* C, int m,
                                            int n, int M, int N, bool whole) {
  if (!whole) {
    finish(four.x, bias, residual, C, m, n, M, N);
    finish(four.y, bias, residual, C, m, n + 1, M, N);
    finish(four.z, bias, residual, C, m, n + 2, M, N);
    finish(four.w, bias, residual, C, m, n + 3, M, N);
    return;
  }
  if (m >= M || n >= N) return;
  if (BIAS) add_four(four, bias + n);
  if (RESIDUAL) add_four(four, residual + (m * N + n));
  if (RELU)
    four = make_float4(fmaxf(four.x, 0.f), fmaxf(four.y, 0.f), fmaxf(four.z, 0.f),
                       fmaxf(four.w, 0.f));
  *(float4*)(C + (m * N + n)) = four;
}

// Finishes all elements of a thread: the first is C[m, n].
template <int APART_M, int APART_N, int TM, int TN>
__device__ __forceinline__ void finish_fours(const float (&sum)[TM][TN],
                                             const float* __restrict__ bias,
                                             const float* __restrict__ residual, float* C, int m,
                                             int n, int M, int N) {
  const bool whole = N % 4 == 0 && aligned(C) && (!BIAS || aligned(bias)) &&
                     (!RESIDUAL || aligned(residual));
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; j += 4)
      finish_four(make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]), bias,
                  residual, C, m + i / 4 * APART_M + i % 4, n + j / 4 * APART_N, M, N, whole);
}
