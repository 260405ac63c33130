"""Dropout from counted random words, so that any device can draw the same mask."""

import numpy as np

from minidecay.devices.protocol import Key, Word


def dropout(x: np.ndarray, p: float, key: Key, counter: Word) -> np.ndarray:
    """x / (1 - p) where the word is at least p * 2**64, else 0; word i belongs to element i.

    The words are those of Philox4x64-10 (Salmon et al. 2011) as NumPy counts them, beginning at
    `counter` in the upper half of its 256 bits.
    """
    low, high = map(int, key)
    philox = np.random.Philox(key=low + (high << 64), counter=int(counter) << 128)
    words = philox.random_raw(x.size).reshape(x.shape)
    kept = words >= np.uint64(int(p * 2.0**64))
    return np.asarray(x * kept * x.dtype.type(1 / (1 - p)))
