"""Compiled kernels on disk, named by everything that they were made of."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from threading import get_ident

from minidecay.files import cache_folder

__all__ = ["cached"]


def cached(parts: tuple[object, ...], suffix: str, make: Callable[[Path], None]) -> Path:
    """The file made of `parts`; `make(path)` writes it where it is not there yet.

    It is written under a name of this thread's own and renamed, so that threads and processes side
    by side never see half a file. `parts` must hold all that the file depends on.
    """
    key = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:24]
    path = cache_folder() / f"{key}{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.{get_ident()}{suffix}")
        try:
            make(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    return path
