"""Shuffled batches of a split."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from minidecay.data.split import FloatArray, Split, check_integer
from minidecay.data.transforms import Transform

Batch = tuple[FloatArray, NDArray[np.int64]]


def batches(
    data: Split | Batch,
    batch_size: int,
    rng: np.random.Generator,
    drop_last: bool = True,
    transform: Transform | None = None,
) -> Iterator[Batch]:
    """One epoch: `(images, labels)` batches in an order shuffled by `rng`.

    data: a `Split`, or the pair of arrays (N, ...) and (N,) that would make one.
    Batches are contiguous copies of `batch_size` examples; `drop_last` leaves out the last where
    it would be smaller, which training wants: every update then averages over as many examples.
    `transform` makes the images of each batch anew, as `RandomCrop` does.

    The permutation is drawn, and the arguments are checked, by the call itself, not by the first
    `next`: a generator state saved after the call belongs to the next epoch. With a `transform` a
    key is drawn after it, from which all chance of this epoch's transforms comes. Raises TypeError
    or ValueError where a `Split` would, for a batch size below 1, and for one that leaves no batch.

    >>> x, y = np.zeros((5, 2), np.float32), np.arange(5)
    >>> [len(labels) for _, labels in batches((x, y), 2, np.random.default_rng(0), drop_last=False)]
    [2, 2, 1]
    """
    if not isinstance(data, Split):
        if not isinstance(data, tuple) or len(data) != 2:
            raise TypeError(
                f"batches: expected a Split, got {type(data).__name__}; "
                "pass one, or a tuple (images, labels)"
            )
        data = Split(*data)
    images, labels = data.images, data.labels
    batch_size = check_integer("batches: batch_size", batch_size, 1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"batches: rng must be a numpy.random.Generator, got {type(rng).__name__}; "
            'pass e.g. stream(seed, "batches")'
        )
    examples = len(data)
    if drop_last and batch_size > examples:
        raise ValueError(
            f"batches: batch_size {batch_size} exceeds {examples} examples and drop_last leaves "
            "no batch; lower it or pass drop_last=False"
        )
    order = rng.permutation(examples)
    end = examples - examples % batch_size if drop_last else examples
    parts = (order[start : start + batch_size] for start in range(0, end, batch_size))
    if transform is None:
        return ((images[index], labels[index]) for index in parts)
    key = rng.integers(0, 2**64, size=2, dtype=np.uint64)
    chance = np.random.Generator(np.random.Philox(key=key))
    return ((transform(images[index], chance), labels[index]) for index in parts)
