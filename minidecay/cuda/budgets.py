"""What each kernel file may take of a GPU at most, as `kernels/budgets.toml` has it."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from minidecay.cuda import source

__all__ = ["Budget", "budgets"]


@dataclass(frozen=True)
class Budget:
    """What a file's kernels may take, each of them, on every architecture.

    Attributes:
        registers: a thread's, at most.
        shared: shared memory, static and dynamic, bytes a block at most.
        occupancy: resident warps over the warps that an SM can hold, at least.
    """

    registers: int
    shared: int
    occupancy: float


def budgets(path: Path | None = None) -> dict[str, Budget]:
    """Budgets by kernel file, "matmul/01_naive"; `path` is `kernels/budgets.toml` if not given.

    Raises:
        ValueError: the file is no TOML, or an entry has not just the three numbers of a budget.

    >>> budgets()["matmul/03_smem_tile"].shared
    2176
    """
    path = path or source.folder() / "budgets.toml"
    try:
        families = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    return {
        f"{family}/{rung}": _budget(f"{path}: {family}/{rung}", entry)
        for family, rungs in families.items()
        for rung, entry in rungs.items()
    }


def _budget(where: str, entry: object) -> Budget:
    wanted = [each.name for each in fields(Budget)]
    if not isinstance(entry, dict) or entry.keys() != set(wanted):
        raise ValueError(f"{where}: a budget has {', '.join(wanted)}, not {entry}")
    for key, value in entry.items():
        number = int | float if key == "occupancy" else int
        if isinstance(value, bool) or not isinstance(value, number) or value < 0:
            raise ValueError(f"{where}: {key} must be a number of 0 or more, not {value!r}")
    return Budget(**entry)
