"""Curvature: the largest eigenvalue of the training loss's Hessian, from gradients alone.

A product of the Hessian H with a vector v is the change of the gradient g along it, by a central
difference: H v = (g(w + e v) - g(w - e v)) / 2e. Lanczos' iteration needs nothing but such products
(Golub and Van Loan, Matrix Computations, chapter 10).

Gradient descent at rate lr with momentum m, v = m v + g and w -= lr v, oscillates ever more along
an eigenvector whose eigenvalue exceeds 2 (1 + m) / lr (Cohen et al. 2021, arXiv 2103.00065).
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from minidecay import functions as F
from minidecay.autograd import from_numpy, no_grad
from minidecay.data import Split
from minidecay.nn import Module

Vector: TypeAlias = NDArray[np.float64]

# Of a ReLU network the gradient jumps where an activation crosses zero. In a step as short as the
# first hardly any does, so that the result is the Hessian as it is almost everywhere, which
# differentiating twice would give; float64 leaves six digits of it. Where one does, the gradient
# changes much more on one side than on the other, and a shorter step is taken.
STEPS = (1e-9, 1e-10, 1e-11)


def sharpness(
    network: Module,
    split: Split,
    batch_size: int,
    weight_decay: float,
    rng: np.random.Generator,
    tol: float = 0.05,
) -> float:
    """The largest eigenvalue of the Hessian of the loss that SGD descends, over all parameters.

    The loss is the mean cross entropy over the split, in nats, plus weight_decay / 2 |w|^2. Batch
    norm is in training mode, as the optimiser sees it: each batch of `batch_size` examples, in
    their order, is normalised by its own mean and variance. The network itself is only read.

    Args:
        rng: where Lanczos' first vector is drawn from.
        tol: as in `largest_eigenvalue`.
    """
    gradient = LossGradient(network, split, batch_size)
    w, here = gradient.weights, gradient(gradient.weights)

    def product(v: Vector) -> Vector:
        for step in STEPS:
            ahead, behind = gradient(w + step * v) - here, here - gradient(w - step * v)
            change = ahead + behind
            if np.linalg.norm(ahead - behind) <= 0.1 * np.linalg.norm(change):
                break
        return change / (2 * step)

    return largest_eigenvalue(product, rng.standard_normal(w.size), tol) + weight_decay


class LossGradient:
    """The gradient of the mean cross entropy over a split, as a function of all weights: (P,).

    It works on a copy of the network on `cpu`, in float64 and in training mode, so that weights,
    modes, gradients and running statistics of the network stay as they are. `weights` is where it
    stands. The last batch is left out where it would be smaller. Dropout would make it another
    function at each call; there must be none.
    """

    def __init__(self, network: Module, split: Split, batch_size: int) -> None:
        self.network = copy.deepcopy(network).to("cpu").train()
        for _, each in self.network.named_tensors():
            each.data = each.device.astype(each.data, np.dtype(np.float64))
        self.parameters = list(self.network.parameters())
        self.weights = self._flat([p.numpy() for p in self.parameters])
        size = min(batch_size, len(split))
        parts = [slice(at, at + size) for at in range(0, len(split) - size + 1, size)]
        self.batches = [
            (from_numpy(split.images[part].astype(np.float64)), split.labels[part])
            for part in parts
        ]

    def __call__(self, weights: Vector) -> Vector:
        ends = np.cumsum([p.size for p in self.parameters])
        with no_grad():
            for p, values in zip(self.parameters, np.split(weights, ends[:-1]), strict=True):
                p[...] = values.reshape(p.shape)
        self.network.zero_grad()
        for images, labels in self.batches:
            F.cross_entropy(self.network(images), labels).backward()  # adds to the gradients
        gradients = [p.grad.numpy() for p in self.parameters if p.grad is not None]
        return self._flat(gradients) / len(self.batches)

    @staticmethod
    def _flat(arrays: list[np.ndarray]) -> Vector:
        return np.concatenate([array.ravel() for array in arrays])


def largest_eigenvalue(
    product: Callable[[Vector], Vector], start: Vector, tol: float = 0.05, most: int = 60
) -> float:
    """The largest (not in magnitude) eigenvalue of the symmetric matrix that `product` applies.

    Lanczos' iteration from `start` (P,), each vector made orthogonal to all before it. It ends
    where the residual |A y - theta y| of the largest Ritz pair is at most tol |theta|, so that an
    eigenvalue lies that close to theta, which is never above the largest but for rounding. After
    `most` products the best so far is returned.

    >>> round(largest_eigenvalue(lambda v: np.array([-9.0, 1.0, 4.0]) * v, np.ones(3), 1e-9), 9)
    4.0
    """
    basis = [start / np.linalg.norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        v = product(basis[-1])
        diagonal.append(float(v @ basis[-1]))
        for _ in range(2):  # once leaves what rounding brings back
            for each in basis:
                v = v - (v @ each) * each
        beside.append(float(np.linalg.norm(v)))
        tridiagonal = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
        values, vectors = np.linalg.eigh(tridiagonal)
        residual = beside[-1] * abs(vectors[-1, -1])
        if residual <= tol * abs(values[-1]) or len(basis) == min(most, start.size):
            return float(values[-1])
        basis.append(v / beside[-1])


def steps_to_jump(
    products: Mapping[int, float], losses: Sequence[float], threshold: float
) -> float:
    """Steps from where lambda x rate crosses the threshold to a loss above twice the lowest before.

    Args:
        products: lambda x rate by step; the crossing is interpolated between those measured.
        losses: of each step, from step 1 on.

    Returns NaN where one of the two never comes.

    >>> steps_to_jump({1: 3.0, 3: 5.0}, [1.0, 0.4, 0.3, 0.7], threshold=4.0)
    2.0
    """
    lowest = np.minimum.accumulate(losses)
    jumps = np.flatnonzero(np.asarray(losses)[1:] > 2 * lowest[:-1]) + 2
    for (before, low), (after, high) in pairwise(products.items()):
        if low < threshold <= high and len(jumps):
            return float(jumps[0] - np.interp(threshold, (low, high), (before, after)))
    return math.nan
