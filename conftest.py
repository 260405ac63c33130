"""What the examples in docstrings of functions take for granted."""

from typing import Any

import numpy as np
import pytest

import minidecay as md

# They hold no doctests, and as modules all of them would bear one name.
collect_ignore_glob = ["*conftest.py"]


@pytest.fixture(autouse=True)
def names(doctest_namespace: dict[str, Any]) -> None:
    """`md`, `nn` and `np`, as every user has them."""
    doctest_namespace |= {"md": md, "nn": md.nn, "np": np}
