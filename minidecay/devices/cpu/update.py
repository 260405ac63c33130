"""The optimisers' steps: in place, over flat arrays of one length, a chunk at a time.

`minidecay.devices.protocol` has the formulas. A chunk of each array stays in a cache while all is
done to it that a step does.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

CHUNK = 65_536  # floats: few calls, and a chunk of each array still stays in a cache


def sgd_step(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
    decoupled: bool = False,
) -> None:
    """One step as torch.optim.SGD defines it; decoupled as Loshchilov and Hutter 2019 (SGDW)."""
    scratch = _scratch(w, 1 + nesterov)
    for wc, gc, vc, *some in _chunks(w, g, v, *scratch):
        gc = _decayed(wc, gc, lr, weight_decay, decoupled, some[0])
        vc *= momentum
        vc += gc
        if nesterov:
            ahead = np.multiply(vc, momentum, out=some[1])
            ahead += gc
            ahead *= lr
            wc -= ahead
        else:
            wc -= np.multiply(vc, lr, out=some[0])


def adam_step(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    largest: np.ndarray | None,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
) -> None:
    """One step as torch.optim.Adam and AdamW define it, the `step`-th from 1."""
    new1, new2 = 1 - betas[0], 1 - betas[1]
    rate, root = lr / (1 - betas[0] ** step), math.sqrt(1 - betas[1] ** step)
    scratch = _scratch(w, 2)
    highest = v if largest is None else largest
    for wc, gc, mc, vc, top, decayed, some in _chunks(w, g, m, v, highest, *scratch):
        gc = _decayed(wc, gc, lr, weight_decay, decoupled, decayed)
        _approach(mc, gc, new1, some)
        _approach(vc, np.multiply(gc, gc, out=decayed), new2, some)
        if largest is not None:
            np.maximum(top, vc, out=top)
        np.sqrt(top, out=some)
        some /= root
        some += eps
        np.divide(mc, some, out=some)
        some *= rate
        wc -= some


def rmsprop_step(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    velocity: np.ndarray | None,
    mean: np.ndarray | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> None:
    """One step as torch.optim.RMSprop defines it; centered where there is a `mean`."""
    new = 1 - alpha
    scratch = _scratch(w, 3)
    moving, middle = w if velocity is None else velocity, w if mean is None else mean
    for wc, gc, vc, uc, mc, decayed, some, root in _chunks(w, g, v, moving, middle, *scratch):
        gc = _decayed(wc, gc, lr, weight_decay, False, decayed)
        _approach(vc, np.multiply(gc, gc, out=some), new, root)
        if mean is None:
            np.sqrt(vc, out=root)
        else:
            _approach(mc, gc, new, some)
            np.multiply(mc, mc, out=some)
            np.subtract(vc, some, out=root)
            np.maximum(root, 0, out=root)  # a variance that rounding made less than 0
            np.sqrt(root, out=root)
        root += eps
        np.divide(gc, root, out=some)
        if velocity is not None:
            uc *= momentum
            uc += some
            np.copyto(some, uc)
        some *= lr
        wc -= some


def schedule_free_step(
    w: np.ndarray,
    g: np.ndarray,
    z: np.ndarray,
    x: np.ndarray,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    share: float,
) -> None:
    """One step of schedule-free SGD (Defazio et al. 2024, equations 3 to 5): w is their y."""
    scratch = _scratch(w, 2)
    for wc, gc, zc, xc, decayed, some in _chunks(w, g, z, x, *scratch):
        gc = _decayed(wc, gc, lr, weight_decay, False, decayed)
        zc -= np.multiply(gc, lr, out=some)
        _approach(xc, zc, share, some)
        np.subtract(xc, zc, out=some)
        some *= momentum
        np.add(zc, some, out=wc)


def _scratch(w: np.ndarray, count: int) -> list[np.ndarray]:
    return [np.empty(min(CHUNK, w.size), w.dtype) for _ in range(count)]


def _chunks(w: np.ndarray, *arrays: np.ndarray) -> Iterable[Sequence[np.ndarray]]:
    """The same chunk of every array, each in turn; of scratch, which is as long as one, its start.

    An array that a step does without may be any other.
    """
    return [(w, *arrays)] if w.size <= CHUNK else _cut(w.size, (w, *arrays))


def _cut(size: int, arrays: Sequence[np.ndarray]) -> Iterator[Sequence[np.ndarray]]:
    for start in range(0, size, CHUNK):
        end = min(start + CHUNK, size)
        yield [each[start:end] if each.size == size else each[: end - start] for each in arrays]


def _decayed(
    w: np.ndarray, g: np.ndarray, lr: float, decay: float, decoupled: bool, out: np.ndarray
) -> np.ndarray:
    """The gradient with its weight decay; decoupled, w decays by itself and g stays."""
    if decay == 0:
        return g
    if decoupled:
        w *= 1 - lr * decay
        return g
    np.multiply(w, decay, out=out)
    out += g
    return out


def _approach(x: np.ndarray, y: np.ndarray, share: float, scratch: np.ndarray) -> None:
    """x += share (y - x)."""
    np.subtract(y, x, out=scratch)
    scratch *= share
    x += scratch
