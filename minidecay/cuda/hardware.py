"""Which kernels a GPU has run, and passed: the record in `kernels/hardware.toml`.

An entry holds for the very text that ran, includes and all: a kernel that is edited, or whose
include is, is unverified again. What launched it is not part of that; the commit says it.
"""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from minidecay.cuda import source

__all__ = ["Run", "record", "runs", "verified_on"]

_HEADER = """\
# The kernels that a GPU has run and that gave what they must there: which card, when, at which
# commit, and the hash of the text that ran, its includes in place. Where that text has changed
# since, the entry says nothing, and `minidecay kernels list` shows "hardware: unverified".
#
# Written by `python -m benchmarks.gpu`, which runs them; never by hand.
"""


@dataclass(frozen=True)
class Run:
    """One card that ran all cases of a kernel file, and passed.

    Attributes:
        card: as the driver names it, "NVIDIA H100 80GB HBM3".
        date: ISO 8601.
        commit: of the code that ran.
        text: the first 16 hexadecimal digits of the SHA-256 of the kernel's text.
    """

    card: str
    date: str
    commit: str
    text: str


def runs(name: str, path: Path | None = None) -> list[Run]:
    """The runs of a kernel file as it stands now, "matmul/01_naive"; none: it is unverified.

    Args:
        name: a path under `kernels/` without `.cu`.
        path: the record; `kernels/hardware.toml` if not given.

    Raises:
        ValueError: no such kernel, or a record that cannot be read.
    """
    return [each for each in _read(path).get(name, []) if each.text == _digest(name)]


def verified_on(name: str) -> str:
    """The cards that ran a kernel file as it stands now, or "unverified"."""
    return ", ".join(run.card for run in runs(name)) or "unverified"


def record(
    card: str, names: Iterable[str], *, date: str, commit: str, path: Path | None = None
) -> Path:
    """Add that `card` ran these kernel files and that they passed; the file that was written.

    It takes the place of what the card did with the same kernels before, and of what no longer
    holds because the text has changed.

    Args:
        card, date, commit: as in `Run`.
        names: paths under `kernels/` without `.cu`.
        path: the record to add to, `kernels/hardware.toml` if not given. One that is not there
            yet begins with what that one holds.

    Raises:
        ValueError: no such kernel, or a record that cannot be read.
    """
    known = _read(path if path and path.exists() else None)
    for name in names:
        new = Run(card, date, commit, _digest(name))
        others = [each for each in known.get(name, []) if each.card != card]
        known[name] = [each for each in others if each.text == new.text] + [new]
    entries = [
        f"\n[[{name.replace('/', '.')}]]\n"
        + "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in asdict(run).items())
        for name, each in sorted(known.items())
        for run in each
    ]
    path = path or _place()
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        aside.write_text(_HEADER + "".join(entries), encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _place() -> Path:
    return source.folder() / "hardware.toml"


def _digest(name: str) -> str:
    return hashlib.sha256(source.read(source.find(name)).text.encode()).hexdigest()[:16]


def _read(path: Path | None) -> dict[str, list[Run]]:
    path = path or _place()
    wanted = {each.name for each in fields(Run)}
    try:
        families = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = {
            f"{family}/{rung}": each
            for family, rungs in families.items()
            for rung, each in rungs.items()
        }
        if any(set(one) != wanted for each in entries.values() for one in each):
            raise ValueError(f"an entry has {', '.join(sorted(wanted))}")
        return {name: [Run(**one) for one in each] for name, each in entries.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
