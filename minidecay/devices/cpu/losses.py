"""Softmax and its losses, over the last axis; the largest logit is taken off first."""

import numpy as np


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_softmax_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(gy - np.exp(y) * gy.sum(axis=-1, keepdims=True))


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exp = np.exp(shifted)
    total = exp.sum(axis=-1, keepdims=True)
    losses = np.log(total[:, 0]) - shifted[np.arange(len(labels)), labels]
    return losses, np.divide(exp, total, out=exp)


def softmax_cross_entropy_grad(
    gy: np.ndarray | float, probabilities: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    gx = probabilities.copy()
    gx[np.arange(len(labels)), labels] -= 1
    gx *= gy if np.ndim(gy) == 0 else np.reshape(gy, (-1, 1))
    return gx
