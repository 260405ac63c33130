"""Tables of text."""

import statistics
from collections.abc import Sequence


def mean_and_spread(values: Sequence[float]) -> str:
    """The mean, and the sample standard deviation where there is more than one value."""
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns as wide as their widest cell, under a rule; the first `left` are flush left.

    >>> print(table(["arm", "noise"], [["decay", "0.41"], ["small", "0.99"]]))
    arm    noise
    -----  -----
    decay   0.41
    small   0.99
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded)

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])
