"""What a device must be able to do: every primitive, typed.

An operation (`minidecay/ops`) computes with these and never asks which device it is on. Arrays are
the device's own (NumPy's on `cpu`); shapes are tuples; images are NHWC and convolution weights
`[kh, kw, C_in, C_out]`. Nothing here knows tensors or gradients: a `_grad` primitive is plain
arithmetic that happens to be a derivative. Primitives return new arrays unless they say otherwise.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

Array: TypeAlias = Any  # the device's own array; it has .shape, .dtype, .ndim and .size
Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]  # (height, width)
Axes: TypeAlias = int | tuple[int, ...] | None
Activation: TypeAlias = Literal["relu"] | None
Word: TypeAlias = Any  # an integer below 2**64, or a NumPy array () of one, read at each call
Key: TypeAlias = Any  # two of them: a tuple, or an array (2,)


class Device(Protocol):
    """The primitives of a device, by family."""

    name: str

    # -- arrays in and out -----------------------------------------------------------------------
    def from_numpy(self, x: np.ndarray, /) -> Array: ...  # a copy that is ours
    def asarray(self, x: np.ndarray, /) -> Array: ...  # may share memory with x
    def to_numpy(self, x: Array, /) -> np.ndarray: ...  # may share memory with x
    def zeros(self, shape: Shape, dtype: Any, /) -> Array: ...
    def ones(self, shape: Shape, dtype: Any, /) -> Array: ...
    def arange(self, n: int, /) -> Array: ...  # 0 to n - 1, int64
    def copy(self, x: Array, /) -> Array: ...
    def copy_into(self, out: Array, x: Array, /) -> None: ...  # out[...] = x, broadcasting x
    def astype(self, x: Array, dtype: Any, /) -> Array: ...

    # -- shape; these may return a view ---------------------------------------------------------
    def reshape(self, x: Array, shape: Shape, /) -> Array: ...
    def transpose(self, x: Array, axes: Sequence[int], /) -> Array: ...
    def broadcast_to(self, x: Array, shape: Shape, /) -> Array: ...
    def concatenate(self, xs: Sequence[Array], axis: int, /) -> Array: ...
    def getitem(self, x: Array, index: Any, /) -> Array: ...
    def setitem(self, x: Array, index: Any, value: Array | float, /) -> None: ...  # in place
    def add_at(self, x: Array, index: Any, value: Array, /) -> None: ...  # in place; repeats add up

    # -- elementwise, with broadcasting; a Python number takes the dtype of the array beside it --
    def add(self, x: Array | float, y: Array | float, /) -> Array: ...
    def sub(self, x: Array | float, y: Array | float, /) -> Array: ...
    def mul(self, x: Array | float, y: Array | float, /) -> Array: ...
    def div(self, x: Array | float, y: Array | float, /) -> Array: ...
    def pow(self, x: Array | float, y: Array | float, /) -> Array: ...
    def maximum(self, x: Array | float, y: Array | float, /) -> Array: ...
    def minimum(self, x: Array | float, y: Array | float, /) -> Array: ...
    def neg(self, x: Array, /) -> Array: ...
    def exp(self, x: Array, /) -> Array: ...
    def log(self, x: Array, /) -> Array: ...
    def log1p(self, x: Array, /) -> Array: ...  # log(1 + x), also where 1 + x rounds to 1
    def sqrt(self, x: Array, /) -> Array: ...
    def abs(self, x: Array, /) -> Array: ...
    def sign(self, x: Array, /) -> Array: ...
    def tanh(self, x: Array, /) -> Array: ...
    def erf(self, x: Array, /) -> Array: ...  # 2 / sqrt(pi) times the integral of e**-t^2
    def sigmoid(self, x: Array, /) -> Array: ...
    def relu(self, x: Array, /) -> Array: ...
    def relu_grad(self, gy: Array, y: Array, /) -> Array: ...  # gy where y > 0, else 0
    def where(self, condition: Array, x: Array | float, y: Array | float, /) -> Array: ...
    def greater(self, x: Array | float, y: Array | float, /) -> Array: ...
    def greater_equal(self, x: Array | float, y: Array | float, /) -> Array: ...
    def less(self, x: Array | float, y: Array | float, /) -> Array: ...
    def less_equal(self, x: Array | float, y: Array | float, /) -> Array: ...
    def equal(self, x: Array | float, y: Array | float, /) -> Array: ...
    def not_equal(self, x: Array | float, y: Array | float, /) -> Array: ...

    # -- reductions ------------------------------------------------------------------------------
    def sum(self, x: Array, axis: Axes = None, keepdims: bool = False) -> Array: ...
    def max(self, x: Array, axis: Axes = None, keepdims: bool = False) -> Array: ...
    def norm(self, x: Array, /) -> float: ...  # sqrt of the sum of squares

    # -- linear algebra: activation(a @ b + bias + residual), into `out` where it is given -------
    def matmul(
        self,
        a: Array,
        b: Array,
        *,
        transpose_a: bool = False,  # of the last two axes
        transpose_b: bool = False,
        bias: Array | None = None,
        residual: Array | None = None,
        activation: Activation = None,
        out: Array | None = None,
    ) -> Array: ...

    # -- convolution: x (N, H, W, C), w (kh, kw, C, O), y (N, OH, OW, O) -------------------------
    def conv2d(
        self,
        x: Array,
        w: Array,
        *,
        stride: Pair,
        padding: Pair,
        bias: Array | None = None,
        residual: Array | None = None,
        activation: Activation = None,
    ) -> Array: ...
    def conv2d_input_grad(
        self, gy: Array, w: Array, x_shape: Shape, *, stride: Pair, padding: Pair
    ) -> Array: ...
    def conv2d_weight_grad(
        self, gy: Array, x: Array, w_shape: Shape, *, stride: Pair, padding: Pair
    ) -> Array: ...

    # -- pooling over (kh, kw) windows of x (N, H, W, C) -----------------------------------------
    def max_pool2d(
        self, x: Array, size: Pair, *, stride: Pair, padding: Pair
    ) -> tuple[Array, Array]: ...  # the maxima, and each one's place in its window, row by row
    def max_pool2d_grad(
        self, gy: Array, place: Array, x_shape: Shape, size: Pair, *, stride: Pair, padding: Pair
    ) -> Array: ...
    def avg_pool2d(self, x: Array, size: Pair, *, stride: Pair, padding: Pair) -> Array: ...
    def avg_pool2d_grad(
        self, gy: Array, x_shape: Shape, size: Pair, *, stride: Pair, padding: Pair
    ) -> Array: ...

    # -- batch normalisation over all axes but the last ------------------------------------------
    def batch_norm(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        eps: float,
        *,
        residual: Array | None = None,
        activation: Activation = None,
    ) -> tuple[Array, Array, Array]: ...  # y, and the batch's mean and (biased) variance
    def batch_norm_grad(
        self, gy: Array, x: Array, gamma: Array, mean: Array, var: Array, eps: float
    ) -> tuple[Array, Array, Array]: ...  # gx, ggamma, gbeta
    def batch_norm_inference(
        self,
        x: Array,
        gamma: Array,
        beta: Array,
        mean: Array,
        var: Array,
        eps: float,
        *,
        residual: Array | None = None,
        activation: Activation = None,
    ) -> Array: ...

    # -- dropout: keep where Philox4x64-10(key, counter) >= p * 2**64; its gradient is itself ----
    def dropout(self, x: Array, p: float, key: Key, counter: Word, /) -> Array: ...

    # -- losses over logits (N, classes); labels (N,) integers -----------------------------------
    def log_softmax(self, x: Array, /) -> Array: ...  # over the last axis
    def log_softmax_grad(self, gy: Array, y: Array, /) -> Array: ...
    def softmax_cross_entropy(self, logits: Array, labels: Array, /) -> tuple[Array, Array]: ...
    # ^ the losses (N,) and the probabilities (N, classes), which the gradient wants
    def softmax_cross_entropy_grad(
        self, gy: Array | float, probabilities: Array, labels: Array
    ) -> Array: ...  # gy: one for each example, (N,), or one number for all

    # -- an optimiser's step over flat arrays of one length, in place; g is only read -------------
    # g' = g + weight_decay w or, decoupled, g' = g and before all else w -= lr weight_decay w
    def sgd_step(
        self,
        w: Array,
        g: Array,
        v: Array,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        nesterov: bool,
        decoupled: bool = False,
    ) -> None: ...  # v = momentum v + g';  w -= lr v, with nesterov lr (g' + momentum v)
    def adam_step(
        self,
        w: Array,
        g: Array,
        m: Array,
        v: Array,
        largest: Array | None,
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        decoupled: bool,
        step: int,
    ) -> None: ...
    # ^ m += (1 - b1) (g' - m);  v += (1 - b2) (g'^2 - v);  largest = max(largest, v), where given;
    #   w -= lr m / (1 - b1^step) / (sqrt((largest or v) / (1 - b2^step)) + eps); step from 1
    def rmsprop_step(
        self,
        w: Array,
        g: Array,
        v: Array,
        velocity: Array | None,
        mean: Array | None,
        *,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
    ) -> None: ...
    # ^ v += (1 - alpha) (g'^2 - v);  mean += (1 - alpha) (g' - mean), where given, else 0;
    #   u = g' / (sqrt(max(0, v - mean^2)) + eps);  velocity = momentum velocity + u, where given,
    #   else u;  w -= lr velocity
    def schedule_free_step(
        self,
        w: Array,
        g: Array,
        z: Array,
        x: Array,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        share: float,
    ) -> None: ...  # z -= lr g';  x += share (z - x);  w = z + momentum (x - z)
