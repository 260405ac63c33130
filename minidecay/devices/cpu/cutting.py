"""How work is cut: images into parts that stay in a cache, long matrix products into short ones.

Up to SMALL multiplications OpenBLAS multiplies as the operands lie. Beyond, it packs them first,
which for the narrow matrices of a convolution costs half as much as multiplying. `np.matmul` runs
a stack of short products in one call.
"""

from collections.abc import Iterator
from functools import lru_cache

SMALL = 1_000_000  # multiplications of a product


@lru_cache(maxsize=256)
def divisor(rows: int, size: int, least: int) -> int:
    """How many rows to multiply at a time with a matrix of `size` values: a divisor of `rows`."""
    for tile in range(min(rows, SMALL // max(1, size)), least - 1, -1):
        if rows % tile == 0:
            return tile
    return max(1, rows)


def cut(rows: int, size: int, least: int) -> tuple[int, int]:
    """How many products, of how many rows, hold at least `rows`: hardly more, if any.

    A product of fewer than `least` rows would not be worth its call; then it is one product.
    """
    most = SMALL // max(1, size)
    if most < least:
        return 1, rows
    count = max(1, -(-rows // most))
    return count, -(-rows // count)


def parts(count: int, values: int, most: int) -> tuple[int, Iterator[slice]]:
    """Images in parts of about one length, of at most `most` values if an image has `values`.

    How many images the longest has, and the parts.
    """
    pieces = max(1, -(-count // max(1, most // max(1, values))))
    some = max(1, -(-count // pieces))
    return some, (slice(at, min(at + some, count)) for at in range(0, count, some))
