"""The elementwise functions that NumPy does not bring, and the tail of the heavy ones."""

from collections.abc import Sequence

import numpy as np

from minidecay.devices.protocol import Activation

# W. J. Cody 1969, "Rational Chebyshev approximations for the error function": numerators and
# denominators, highest power first. ERF is of x^2, for |x| <= 0.46875; ERFC, of |x|, for up to 4,
# and beyond it is right to what still counts there, since 1 - erf(4) is 1.5e-8.
ERF = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
ERFC = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.tanh(0.5 * x) + 1)  # 1 / (1 + exp(-x)) without its overflow


def erf(x: np.ndarray) -> np.ndarray:
    """x R(x^2) near 0, elsewhere sign(x) (1 - e**-x^2 R(|x|)), which is 1 to all digits from 6."""
    far = np.minimum(np.abs(x), 6)
    tail = np.sign(x) * (1 - np.exp(-far * far) * _ratio(far, *ERFC))
    near = np.clip(x, -0.46875, 0.46875)
    return np.asarray(np.where(near == x, near * _ratio(near * near, *ERF), tail))


def _ratio(x: np.ndarray, numerator: Sequence[float], denominator: Sequence[float]) -> np.ndarray:
    return np.asarray(_polynomial(x, numerator) / _polynomial(x, denominator))


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y = np.asarray(y * x + coefficient)
    return y


def relu(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    # Against a row of zeros NumPy's loop is vectorised, against the number 0 it is not (2x).
    zeros = spread(np.zeros(x.shape[-1:], x.dtype), x)
    return np.asarray(np.maximum(x, zeros, out=out))


def relu_grad(gy: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return np.asarray(np.multiply(gy, y > 0, out=out))


def spread(v: np.ndarray, x: np.ndarray) -> np.ndarray:
    """v (C,) as it broadcasts against x (..., W, C), repeated over W.

    NumPy's inner loop then runs over W * C values; over a few channels it is several times slower.
    """
    return np.tile(v, (x.shape[-2], 1)) if x.ndim > 2 else v


def finish(
    y: np.ndarray,
    bias: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    activation: Activation = None,
) -> np.ndarray:
    """activation(y + bias + residual), written into y: the tail of every heavy primitive."""
    if bias is not None:
        y += spread(bias, y)
    if residual is not None:
        y += residual
    return relu(y, out=y) if activation == "relu" else y
