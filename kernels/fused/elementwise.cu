// One operation on every element, its operands broadcast against each other as NumPy does.
//
//   out (n / (d1 d2 d3), d1, d2, d3)      x (d1, 1, d3): its strides are (0, d3, 0, 1),
//    [i0, i1, i2, i3] <--------------------- and element [i0, i1, i2, i3] lies at i1 d3 + i3
//
// An axis along which an operand is repeated has stride 0, so that nothing is copied to broadcast;
// an operand that is one number everywhere is no array at all. Neighbouring threads write
// neighbours of out.
//
// Bytes: 4 for each element read (a repeated one comes from a cache), 4 (or 1, of a comparison)
// for each written. FLOPs: some one to twenty an element, so memory limits it, and fusing an
// operation into the kernel before it saves more than any change here. Finding an element's place
// costs up to three integer divisions, about as long as a large GPU needs for its bytes;
// operands that need no broadcasting should therefore come as one long axis, which needs none.
#ifndef OP
#define OP add  // one of the functions below, without its op_
#endif
#define PASTE(a, b) a##b
#define FUNCTION(name) PASTE(op_, name)

constexpr int THREADS = 256;
constexpr int EACH = 4;  // neighbours that a thread of `unary` and `compare` takes
static_assert(EACH == 4, "a float4 holds four");

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

OPERATION op_copy(float x, float) { return x; }
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

__device__ __forceinline__ int dot(int4 place, int4 strides) {
  return place.x * strides.x + place.y * strides.y + place.z * strides.z + place.w * strides.w;
}

__device__ __forceinline__ float operand(const float* __restrict__ x, float value, int4 place,
                                         int4 strides) {
  return x ? x[dot(place, strides)] : value;
}

//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
unary(const float* __restrict__ x, float* y, int n) {
  const int quad = blockIdx.x * THREADS + threadIdx.x, first = quad * EACH;
  const bool aligned = ((unsigned long long)x | (unsigned long long)y) % sizeof(float4) == 0;
  if (aligned && first + EACH <= n) {
    const float4 v = ((const float4*)x)[quad];
    ((float4*)y)[quad] = make_float4(apply(v.x), apply(v.y), apply(v.z), apply(v.w));
  } else {
    for (int i = first; i < min(first + EACH, n); ++i) y[i] = apply(x[i]);
  }
}

//! grid    cdiv(n, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
binary(const float* __restrict__ x, const float* __restrict__ y, float x_value, float y_value,
       float* out, int n, int d1, int d2, int d3, int x0, int x1, int x2, int x3, int y0, int y1,
       int y2, int y3) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= n) return;
  const int4 place = place_of(i, d1, d2, d3);
  out[i] = apply(operand(x, x_value, place, make_int4(x0, x1, x2, x3)),
                 operand(y, y_value, place, make_int4(y0, y1, y2, y3)));
}

// A thread has EACH neighbours, since they are bytes: a warp then writes whole sectors of memory.
//! grid    cdiv(n, THREADS * EACH)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
compare(const float* __restrict__ x, const float* __restrict__ y, float x_value, float y_value,
        unsigned char* out, int n, int d1, int d2, int d3, int x0, int x1, int x2, int x3, int y0,
        int y1, int y2, int y3) {
  const int first = (blockIdx.x * THREADS + threadIdx.x) * EACH;
  for (int i = first; i < min(first + EACH, n); ++i) {
    const int4 place = place_of(i, d1, d2, d3);
    out[i] = apply(operand(x, x_value, place, make_int4(x0, x1, x2, x3)),
                   operand(y, y_value, place, make_int4(y0, y1, y2, y3))) != 0.f;
  }
}

//! grid    cdiv(n, THREADS)
//! block   THREADS
extern "C" __global__ void __launch_bounds__(THREADS)
where(const unsigned char* __restrict__ condition, const float* __restrict__ x,
      const float* __restrict__ y, float x_value, float y_value, float* out, int n, int d1, int d2,
      int d3, int c0, int c1, int c2, int c3, int x0, int x1, int x2, int x3, int y0, int y1,
      int y2, int y3) {
  const int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= n) return;
  const int4 place = place_of(i, d1, d2, d3);
  out[i] = condition[dot(place, make_int4(c0, c1, c2, c3))]
               ? operand(x, x_value, place, make_int4(x0, x1, x2, x3))
               : operand(y, y_value, place, make_int4(y0, y1, y2, y3));
}
