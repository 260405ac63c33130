"""What each kernel must compute: cases to launch it on, with NumPy's answers.

A reference is a module here with `cases(rng)`. A kernel file is held to the one of its own name
(`fused/dropout` to `dropout`, `conv2d/02_im2col` to `im2col`), else to the one of its folder: a
ladder's kernels all compute the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from minidecay.cuda.cases.case import Case, misaligned

__all__ = ["REFERENCES", "Case", "cases"]

REFERENCES = tuple(sorted({each.name for each in iter_modules(__path__)} - {"case"}))


def cases(reference: str) -> Iterator[Case]:
    """The cases of a reference such as "matmul", the same at every call.

    The last ones are of the largest sizes before them, an array after the other misaligned.

    Raises:
        ValueError: there is no such reference.
    """
    if reference not in REFERENCES:
        raise ValueError(f"no reference {reference!r}; there are {', '.join(REFERENCES)}")
    module = import_module(f"minidecay.cuda.cases.{reference}")
    make: Callable[[np.random.Generator], Iterator[Case]] = module.cases
    made = list(make(np.random.default_rng(0)))
    yield from made
    yield from _misaligned(made)


def _misaligned(made: Sequence[Case]) -> Iterator[Case]:
    """For each kernel: its case of the most and largest arrays, each of them misaligned in turn."""
    for kernel in dict.fromkeys(case.kernel for case in made):
        most = max((case for case in made if case.kernel == kernel), key=_arrays)
        for i, argument in enumerate(most.arguments):
            if isinstance(argument, np.ndarray) and argument.itemsize <= 4:
                changed = (*most.arguments[:i], misaligned(argument), *most.arguments[i + 1 :])
                label = f"{most.label}, argument {i} misaligned"
                yield replace(most, label=label, arguments=changed)


def _arrays(case: Case) -> tuple[int, int]:
    sizes = [each.size for each in case.arguments if isinstance(each, np.ndarray)]
    return len(sizes), sum(sizes)
