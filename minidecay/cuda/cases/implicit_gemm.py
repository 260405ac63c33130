"""The conv2d ladder's cases for 03_implicit_gemm, whose tiles have three widths."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from minidecay.cuda.cases import conv2d
from minidecay.cuda.cases.case import Case

__all__ = ["cases"]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """All of them in tiles 64 wide, and those of the usual kernel in narrower ones too."""
    every = list(conv2d.cases(rng))
    yield from every
    for width in (16, 32):
        for case in every:
            if not case.defines and case.kernel != "sum_splits":
                label = f"{case.label}, tiles {width} wide"
                yield replace(case, label=label, defines={"BN": width})
