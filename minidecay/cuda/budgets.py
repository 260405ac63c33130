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
        ValueError: the file is no TOML, or an entry is not the three numbers of a budget.

    >>> budgets()["matmul/03_smem_tile"].shared
    8448
    """
    path = path or source.folder() / "budgets.toml"
    try:
        families = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    found = {}
    for family, rungs in families.items():
        if not isinstance(rungs, dict):
            raise ValueError(f"{path}: {family}: a table of kernel files, not {rungs}")
        for rung, entry in rungs.items():
            found[f"{family}/{rung}"] = _budget(f"{path}: {family}/{rung}", entry)
    return found


def _budget(where: str, entry: object) -> Budget:
    wanted = [each.name for each in fields(Budget)]
    if not isinstance(entry, dict) or entry.keys() != set(wanted):
        raise ValueError(f"{where}: a budget has {', '.join(wanted)}, not {entry}")
    for key in ("registers", "shared"):
        if type(entry[key]) is not int or entry[key] < 0:
            raise ValueError(
                f"{where}: {key} must be a whole number of 0 or more, not {entry[key]}"
            )
    occupancy = entry["occupancy"]
    if type(occupancy) not in (int, float) or not 0 <= occupancy <= 1:
        raise ValueError(f"{where}: occupancy must be 0 to 1, not {occupancy}")
    return Budget(**entry)
