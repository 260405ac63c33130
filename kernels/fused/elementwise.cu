// One operation on every element, its operands broadcast against each other as NumPy does.
//
//   out (n / (d1 d2 d3), d1, d2, d3)      x (d1, 1, d3): its strides are (0, d3, 0, 1),
//    [i0, i1, i2, i3] <--------------------- and element [i0, i1, i2, i3] lies at i1 d3 + i3
//
// An axis along which an operand is repeated has stride 0, so that nothing is copied to broadcast;
// an operand that is one number everywhere is no array at all. A thread has four neighbours of out.
// Where they lie in one row (d3 is a multiple of four), it finds their place once, and reads from
// each operand one aligned Four, or one number for all; else it finds and reads them one by one.
//
// Bytes: 4 for each element read (a repeated one comes from a cache), 4 (or 1, of a comparison)
// for each written. FLOPs: some one to twenty an element, so memory limits it, and fusing an
// operation into the kernel before it saves more than any change here. Finding a place costs up to
// three integer divisions: little for four elements, for each of them about as long as a large GPU
// needs for its bytes. Operands that need no broadcasting should therefore come as one long axis,
// which needs none.
#include "common/four.cuh"

#ifndef OP
#define OP add  // one of the functions below, without its op_
#endif
#define PASTE(a, b) a##b
#define FUNCTION(name) PASTE(op_, name)

constexpr int THREADS = 256;
constexpr int EACH = 4;  // elements a thread
static_assert(THREADS <= 1024, "a block has at most 1024 threads");
static_assert(sizeof(Four) == EACH * sizeof(float), "a Four holds a thread's elements");

// All are functions of two numbers, so that any may be pasted into any of the kernels.
#define OPERATION __device__ __forceinline__ float
OPERATION op_add(float x, float y) { return x + y; }
OPERATION op_sub(float x, float y) { return x - y; }
OPERATION op_mul(float x, float y) { return x * y; }
OPERATION op_div(float x, float y) { return x / y; }
OPERATION op_pow(float x, float y) { return powf(x, y); }
OPERATION op_maximum(float x, float y) { return x > y || x != x ? x : y; }  // a NaN passes
OPERATION op_minimum(float x, float y) { return x < y || x != x ? x : y; }  // likewise
OPERATION op_relu_grad(float gy, float y) { return y > 0.f ? gy : 0.f; }

OPERATION op_greater(float x, float y) { return x > y; }
OPERATION op_greater_equal(float x, float y) { return x >= y; }
OPERATION op_less(float x, float y) { return x < y; }
OPERATION op_less_equal(float x, float y) { return x <= y; }
OPERATION op_equal(float x, float y) { return x == y; }
OPERATION op_not_equal(float x, float y) { return x != y; }

OPERATION op_neg(float x, float) { return -x; }
OPERATION op_abs(float x, float) { return fabsf(x); }
OPERATION op_sign(float x, float) { return x > 0.f ? 1.f : x < 0.f ? -1.f : x; }  // a NaN passes
OPERATION op_exp(float x, float) { return expf(x); }
OPERATION op_log(float x, float) { return logf(x); }
OPERATION op_log1p(float x, float) { return log1pf(x); }
OPERATION op_sqrt(float x, float) { return sqrtf(x); }
OPERATION op_tanh(float x, float) { return tanhf(x); }
OPERATION op_erf(float x, float) { return erff(x); }
OPERATION op_sigmoid(float x, float) { return 0.5f * (tanhf(0.5f * x) + 1.f); }  // no overflow
OPERATION op_relu(float x, float) { return x <= 0.f ? 0.f : x; }  // a NaN passes

__device__ __forceinline__ float apply(float x, float y = 0.f) { return FUNCTION(OP)(x, y); }

// i / d; one long axis, of d = 1 or of d = n, needs no division.
__device__ __forceinline__ int divided(int i, int d) { return d == 1 ? i : i < d ? 0 : i / d; }

// The place of element i in (any, d1, d2, d3).
__device__ __forceinline__ int4 place_of(int i, int d1, int d2, int d3) {
  const int i2 = divided(i, d3), i1 = divided(i2, d2), i0 = divided(i1, d1);
  return make_int4(i0, i1 - i0 * d1, i2 - i1 * d2, i - i2 * d3);
}

// An array and its strides along the axes of out; with a null pointer, a number.
template <class T>
struct Operand {
  const T* __restrict__ x;
  T value;
  int s0, s1, s2, s3;

  __device__ __forceinline__ int at(int4 place) const {
    return place.x * s0 + place.y * s1 + place.z * s2 + place.w * s3;
  }
  __device__ __forceinline__ T one(int4 place) const { return x ? x[at(place)] : value; }

  // Whether each four neighbours of out in one row, from a multiple of four on, meet one Four of
  // it, or one of its numbers.
  __device__ __forceinline__ bool in_fours() const {
    return !x || s3 == 0 || (aligned(x) && s3 == 1 && (s0 | s1 | s2) % 4 == 0);
  }
  __device__ __forceinline__ FourOf<T> four(int4 place) const {
    if (x && s3) return *(const FourOf<T>*)(x + at(place));
    const T same = one(place);
    return {same, same, same, same};
  }
};

// Writes this thread's elements of out: in fours of `four(place)`, else one by one of `one(place)`.
template <class T, class One, class InFours>
__device__ __forceinline__ void fill(T* out, int n, int d1, int d2, int d3, bool in_fours, One one,
                                     InFours four) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  FourOf<T> result = {};
  if (in_fours && d3 % EACH == 0) {
    if (first < n) result = four(place_of(first, d1, d2, d3));
  } else {
#pragma unroll
    for (int i = 0; i < EACH; ++i)
      if (first + i < n) result.v[i] = one(place_of(first + i, d1, d2, d3));
  }
  put_four(out, first, n, result, aligned(out));
}

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
unary(const float* __restrict__ x, float* y, int n) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  const bool whole = aligned(x) && aligned(y);
  Four four = four_at(x, first, n, whole);
#pragma unroll
  for (int i = 0; i < EACH; ++i) four.v[i] = apply(four.v[i]);
  put_four(y, first, n, four, whole);
}

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
binary(const float* __restrict__ x, const float* __restrict__ y, float x_value, float y_value,
       float* out, int n, int d1, int d2, int d3, int x0, int x1, int x2, int x3, int y0, int y1,
       int y2, int y3) {
  const Operand<float> a = {x, x_value, x0, x1, x2, x3}, b = {y, y_value, y0, y1, y2, y3};
  fill(
      out, n, d1, d2, d3, a.in_fours() && b.in_fours(),
      [&](int4 place) { return apply(a.one(place), b.one(place)); },
      [&](int4 place) {
        Four p = a.four(place);
        const Four q = b.four(place);
#pragma unroll
        for (int i = 0; i < EACH; ++i) p.v[i] = apply(p.v[i], q.v[i]);
        return p;
      });
}

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
compare(const float* __restrict__ x, const float* __restrict__ y, float x_value, float y_value,
        unsigned char* out, int n, int d1, int d2, int d3, int x0, int x1, int x2, int x3, int y0,
        int y1, int y2, int y3) {
  const Operand<float> a = {x, x_value, x0, x1, x2, x3}, b = {y, y_value, y0, y1, y2, y3};
  fill(
      out, n, d1, d2, d3, a.in_fours() && b.in_fours(),
      [&](int4 place) -> unsigned char { return apply(a.one(place), b.one(place)) != 0.f; },
      [&](int4 place) {
        const Four p = a.four(place), q = b.four(place);
        FourOf<unsigned char> four;
#pragma unroll
        for (int i = 0; i < EACH; ++i) four.v[i] = apply(p.v[i], q.v[i]) != 0.f;
        return four;
      });
}

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
where(const unsigned char* __restrict__ condition, const float* __restrict__ x,
      const float* __restrict__ y, float x_value, float y_value, float* out, int n, int d1, int d2,
      int d3, int c0, int c1, int c2, int c3, int x0, int x1, int x2, int x3, int y0, int y1,
      int y2, int y3) {
  const Operand<unsigned char> choice = {condition, 0, c0, c1, c2, c3};
  const Operand<float> a = {x, x_value, x0, x1, x2, x3}, b = {y, y_value, y0, y1, y2, y3};
  fill(
      out, n, d1, d2, d3, choice.in_fours() && a.in_fours() && b.in_fours(),
      [&](int4 place) { return choice.one(place) ? a.one(place) : b.one(place); },
      [&](int4 place) {
        const FourOf<unsigned char> chosen = choice.four(place);
        Four p = a.four(place);
        const Four q = b.four(place);
#pragma unroll
        for (int i = 0; i < EACH; ++i) p.v[i] = chosen.v[i] ? p.v[i] : q.v[i];
        return p;
      });
}
