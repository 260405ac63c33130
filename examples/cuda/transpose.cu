// y is x transposed, a tile at a time: read by rows, turned in shared memory, written by rows.
//
//        x, a tile of T x T             shared memory              y, a tile of T x T
//     a warp reads a row: ------>   tile[row][0 .. T-1]         a warp writes a row:
//     4 sectors, as few as can be   tile[0 .. T-1][column] ---> 4 sectors
//
// Without the tile either the reads or the writes would go down a column: 32 sectors a request.
// Down a column of the tile it is the banks that suffer. An element T words on is in the same
// bank, so a warp that reads a column waits 32 times; with a row that is one word longer the
// column's elements lie in 32 different banks. See it counted:
//
//     minidecay kernels count examples/cuda/transpose.cu --shape 64,64 --against PADDING=1
#ifndef PADDING
#define PADDING 0  // words added to each row of the tile
#endif

constexpr int T = 32;
constexpr int ROWS = 8;  // of threads: each copies T / ROWS elements
static_assert(T % ROWS == 0, "the rows of threads must cover the tile");

//! grid    cdiv(columns, T), cdiv(rows, T)
//! block   T, ROWS
extern "C" __global__ void transpose(const float* __restrict__ x, float* __restrict__ y, int rows,
                                     int columns) {
  __shared__ float tile[T][T + PADDING];
  const int top = blockIdx.y * T, left = blockIdx.x * T;
  for (int i = threadIdx.y; i < T; i += ROWS)
    if (top + i < rows && left + threadIdx.x < columns)
      tile[i][threadIdx.x] = x[(top + i) * columns + left + threadIdx.x];
  __syncthreads();
  for (int i = threadIdx.y; i < T; i += ROWS)
    if (left + i < columns && top + threadIdx.x < rows)
      y[(left + i) * rows + top + threadIdx.x] = tile[threadIdx.x][i];
}
