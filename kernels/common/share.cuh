// How a long sum is cut into parts that run side by side.
#pragma once

// What part `part` of `parts` takes of `length` things: [first, end), cdiv(length, parts) of them
// but for the last ones, which may have fewer or none.
struct Share {
  int first, end;
};

__device__ __forceinline__ Share share_of(int length, int part, int parts) {
  const long long size = (length - 1) / parts + 1, first = part * size;
  const long long end = first + size;
  return {(int)(first < length ? first : length), (int)(end < length ? end : length)};
}
