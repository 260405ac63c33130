// How a block goes over a matrix (rows, columns) to reduce its columns: COLUMNS at a time.
//
//        COLUMNS neighbours
//   row 0  [ c c c ... c ]  \      neighbouring threads read neighbours; with as few COLUMNS as the
//   row 1  [ c c c ... c ]   ROWS  matrix has, also from row to row, and no thread is idle
//   ...                      |
//          [ c c c ... c ]  /      each thread steps on by ROWS rows; then the ROWS threads of a
//   ...                            column meet in shared memory (column_reduce)
#pragma once
#include "common/reduce.cuh"
#include "common/share.cuh"

#ifndef COLUMNS
#define COLUMNS 32  // of a block: a power of two, at least the matrix's, at most 32
#endif

constexpr int COLUMN_THREADS = 256;
constexpr int ROWS = COLUMN_THREADS / COLUMNS;
static_assert(COLUMNS > 0 && COLUMNS <= 32 && (COLUMNS & (COLUMNS - 1)) == 0, "1, 2, 4, ... 32");
