"""Dropout by NumPy's own Philox4x64-10 words, element i by word i."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, unwritten

__all__ = ["cases"]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes around the four words of a block of Philox, large keys and counters, and extreme p."""
    high = 2**64 - 1
    for n, p, key, counter in [
        (1, 0.5, (0, 0), 0),
        (3, 0.1, (1, 2), 3),
        (4, 0.9, (high, 5), 1),
        (5, 0.5, (7, high), high),
        (1029, 0.25, (2**63 + 3, 2**40), 2**32 + 9),
        (33, 0.0, (1, 0), 0),
    ]:
        words = _words(n, key, counter)
        yield _case(rng, f"{n} elements, p {p}", words, int(p * 2.0**64), key, counter)
    words = _words(6, (1, 0), 0)
    yield _case(rng, "a word that is the threshold", words, int(words[4]), (1, 0), 0)


def _words(n: int, key: tuple[int, int], counter: int) -> np.ndarray:
    philox = np.random.Philox(key=key[0] + (key[1] << 64), counter=counter << 128)
    return philox.random_raw(n)


def _case(
    rng: np.random.Generator,
    label: str,
    words: np.ndarray,
    threshold: int,
    key: tuple[int, int],
    counter: int,
) -> Case:
    n, scale = words.size, 1 / (1 - threshold / 2**64)
    x = rng.standard_normal(n, dtype=np.float32)
    at = np.array([counter], np.uint64)
    expected = {"y": np.where(words >= np.uint64(threshold), x * scale, 0)}
    arguments = (x, unwritten(n), n, threshold, scale, *key, at)
    return Case("dropout", label, arguments, expected)
