"""What each kernel must compute: cases to launch it on, with NumPy's answers.

The tests and `minidecay kernels check` go through these.
"""

from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np

from minidecay.cuda.cases.case import Case

__all__ = ["REFERENCES", "Case", "cases"]

# A ladder's kernels all compute the same: its reference is named after its folder.
REFERENCES = ("matmul",)


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
