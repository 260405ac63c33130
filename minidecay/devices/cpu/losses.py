"""Softmax and its losses, over the last axis; the largest logit is taken off first."""

import numpy as np


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_softmax_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(gy - np.exp(y) * gy.sum(axis=-1, keepdims=True))


def softmax_cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    out: tuple[np.ndarray, np.ndarray] | tuple[None, None] = (None, None),
) -> tuple[np.ndarray, np.ndarray]:
    losses, probabilities = out
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exp = np.exp(shifted, out=probabilities)
    total = exp.sum(axis=-1, keepdims=True)
    of_label = shifted[np.arange(len(labels)), labels]
    losses = np.subtract(np.log(total[:, 0]), of_label, out=losses)
    return np.asarray(losses), np.divide(exp, total, out=exp)


def softmax_cross_entropy_grad(
    gy: np.ndarray | float,
    probabilities: np.ndarray,
    labels: np.ndarray,
    out: np.ndarray | None = None,
) -> np.ndarray:
    gx: np.ndarray = np.positive(probabilities, out=out)
    gx[np.arange(len(labels)), labels] -= 1
    gx *= gy if np.ndim(gy) == 0 else np.reshape(gy, (-1, 1))
    return gx
