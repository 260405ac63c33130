"""What the examples in docstrings of functions take for granted."""

from typing import Any

import numpy as np
import pytest

import minidecay as md


@pytest.fixture(autouse=True)
def names(doctest_namespace: dict[str, Any]) -> None:
    """`md`, `nn` and `np`, as every user has them."""
    doctest_namespace |= {"md": md, "nn": md.nn, "np": np}
