"""Which rung of each ladder of kernels runs: `use_kernels(matmul="03_smem_tile")`."""

from collections.abc import Mapping

__all__ = ["chosen", "is_chosen", "use_kernels"]

VENDOR = "vendor"  # the array library's own matmul, to compare with
_DEFAULTS = {"matmul": "05_register_2d", "conv2d": "03_implicit_gemm"}
_chosen: dict[str, str] = {}  # by the user, who then gets that rung for every product


class use_kernels:  # noqa: N801 (reads as a function; as a context manager it takes back)
    """Choose the kernels that the devices `emulated` and `cuda` run.

    For all that follows, or, as a context manager, for what stands within it. Every product then
    runs on the rung; without a choice, small and long ones have kernels of their own:

        md.use_kernels(matmul="05_register_2d", conv2d="01_direct")
        with md.use_kernels(matmul="01_naive"):
            ...

    Args:
        rungs: a file of `kernels/matmul/` or `kernels/conv2d/`, without `.cu`, by its ladder.
            `matmul="vendor"` is the array library's own product (cuBLAS by way of CuPy, NumPy's
            on `emulated`): no kernel of ours, for comparison.

    Raises:
        ValueError: there is no such ladder or rung; the message lists those there are.

    >>> with use_kernels(matmul="01_naive"):
    ...     chosen("matmul")
    'matmul/01_naive'
    """

    def __init__(self, **rungs: str) -> None:
        from minidecay.cuda.source import names

        for ladder, rung in rungs.items():
            if ladder not in _DEFAULTS:
                known = ", ".join(_DEFAULTS)
                raise ValueError(f"use_kernels: no ladder {ladder!r}; there are {known}")
            files = [name.partition("/")[2] for name in names() if name.startswith(f"{ladder}/")]
            files += [VENDOR] * (ladder == "matmul")
            if rung not in files:
                known = ", ".join(files)
                raise ValueError(f"use_kernels: {ladder} has no rung {rung!r}; it has {known}")
        self._before = dict(_chosen)
        _chosen.update(rungs)

    def __enter__(self) -> Mapping[str, str]:
        return _DEFAULTS | _chosen

    def __exit__(self, *exception: object) -> None:
        _chosen.clear()
        _chosen.update(self._before)


def is_chosen(ladder: str) -> bool:
    """Has the user chosen a rung? Then no product of it goes to another kernel."""
    return ladder in _chosen


def chosen(ladder: str) -> str:
    """The file that stands for a ladder now, "matmul/05_register_2d"; or "vendor"."""
    rung = _chosen.get(ladder, _DEFAULTS[ladder])
    return rung if rung == VENDOR else f"{ladder}/{rung}"
