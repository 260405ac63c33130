"""Tables of text."""

import statistics
from collections.abc import Sequence


def mean_and_spread(values: Sequence[float]) -> str:
    """The mean, and the sample standard deviation where there is more than one value."""
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, under a rule; the first is flush left.

    >>> print(table(["arm", "noise"], [["decay", "0.41"], ["small", "0.99"]]))
    arm    noise
    -----  -----
    decay   0.41
    small   0.99
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])
