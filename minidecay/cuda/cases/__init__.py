"""What each kernel must compute: cases to launch it on, with NumPy's answers.

A reference is a module here with `cases(rng)`. A kernel file is held to the one of its own name
(`fused/dropout` to `dropout`, `conv2d/02_im2col` to `im2col`), else to the one of its folder: a
ladder's kernels all compute the same.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules

import numpy as np

from minidecay.cuda.cases.case import Case

__all__ = ["REFERENCES", "Case", "cases"]

REFERENCES = tuple(sorted({each.name for each in iter_modules(__path__)} - {"case"}))


def cases(reference: str) -> Iterator[Case]:
    """The cases of a reference such as "matmul", the same at every call.

    Raises:
        ValueError: there is no such reference.
    """
    if reference not in REFERENCES:
        raise ValueError(f"no reference {reference!r}; there are {', '.join(REFERENCES)}")
    module = import_module(f"minidecay.cuda.cases.{reference}")
    make: Callable[[np.random.Generator], Iterator[Case]] = module.cases
    return make(np.random.default_rng(0))
