"""The command `minidecay kernels`: list what there is, check and count it without a GPU."""

import argparse
import re
import sys
from itertools import takewhile
from pathlib import Path
from textwrap import fill, indent

from minidecay.cuda import checking, counting, hardware, nvrtc, source
from minidecay.cuda.cases import REFERENCES
from minidecay.cuda.checking import Verdict
from minidecay.cuda.emulator import KernelFault
from minidecay.cuda.emulator.building import CompilerMissingError

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the subcommands list, check and count."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="name the kernels, and the GPUs that have run them")
    check = actions.add_parser(
        "check",
        help="run kernels on ragged shapes on the CPU, and compile them for every GPU",
        description="Runs each kernel on the CPU against NumPy, on ragged shapes, and reports "
        "races, missing barriers, reads and writes out of bounds with their line. Where NVRTC is "
        f"installed, compiles it for sm_{', '.join(nvrtc.ARCHITECTURES)} and reports the most "
        "registers and shared memory, spills, and the lowest occupancy, computed. A spill is a "
        "finding, and so is more than kernels/budgets.toml allows to a kernel of the project. "
        "Exit code 0: clean; 1: findings; 2: wrong use.",
    )
    check.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="a path under kernels/ without .cu, or any .cu file; none means all",
    )
    check.add_argument(
        "--reference",
        choices=REFERENCES,
        help="what a .cu file of one's own must compute",
    )
    check.add_argument(
        "--require-nvrtc",
        action="store_true",
        help="end with 2 where NVRTC is missing; without this its columns are left out",
    )
    count = actions.add_parser(
        "count",
        help="count what each line of a kernel asks of memory",
        description="Runs a kernel on the CPU and counts, line by line, the sectors of global "
        "memory and the bank conflicts of shared memory that its warps ask for. A model: its "
        "rules stand in minidecay/cuda/counting.py.",
    )
    count.add_argument("name", metavar="NAME", help="a path under kernels/, or any .cu file")
    count.add_argument("--kernel", help="which of the file's kernels")
    count.add_argument(
        "--shape",
        metavar="M,N,K",
        default="",
        help="the kernel's first int parameters, in their order; M,N,K for a matmul",
    )
    count.add_argument(
        "--set",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="other integer parameters, options, and how many elements an array has",
    )
    count.add_argument(
        "--against",
        metavar="NAME",
        default="",
        help="another file beside it, or OPTION=VALUE: the same file under another option",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run one `minidecay kernels` command; its exit code, 130 after Ctrl-C."""
    if arguments.action == "list":
        return _list()
    try:
        if arguments.action == "count":
            return _count(arguments)
        return _check(arguments.names, arguments.reference, arguments.require_nvrtc)
    except (ValueError, CompilerMissingError, nvrtc.NvrtcMissingError) as error:
        print(f"minidecay kernels {arguments.action}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nminidecay kernels {arguments.action}: interrupted", file=sys.stderr)
        return 130


def _list() -> int:
    names = source.names()
    width = max(map(len, names), default=0)
    for name in names:
        print(f"{name:{width}}  hardware: {hardware.verified_on(name)}")
        print(fill(_idea(source.find(name)), 96, initial_indent="    ", subsequent_indent="    "))
    return 0


def _idea(path: Path) -> str:
    """The first sentence of a kernel file, which says its idea."""
    lines = takewhile(lambda line: line.strip("/ "), path.read_text(encoding="utf-8").splitlines())
    text = " ".join(line.strip("/ ") for line in lines)
    return re.split(r"\. (?=[A-Z])", text)[0].rstrip(".:") + "."  # "et al. 2024" goes on


def _count(arguments: argparse.Namespace) -> int:
    name, kernel = arguments.name, arguments.kernel
    sizes = counting.parse_sizes(name, kernel, arguments.shape, arguments.set)
    try:
        print(counting.report(name, sizes, kernel, arguments.against))
    except KernelFault as fault:
        print(fault)
        return 1
    return 0


def _check(names: list[str], reference: str | None, require_nvrtc: bool) -> int:
    names = names or checking.every_kernel()
    held_to = [(name, reference or checking.reference_of(name)) for name in names]
    for name, known in held_to:
        source.read(source.find(name))  # wrong use is told before anything runs
        if known is None:
            choices = ", ".join(REFERENCES)
            raise ValueError(f"{name}: say what it must compute by --reference, of {choices}")
    missing = _missing_nvrtc(require_nvrtc)
    width = max(len("kernel"), *map(len, names))
    print(_ROW.format("kernel", *_COLUMNS, width=width))
    clean = True
    for name, known in held_to:
        verdict = checking.judge(name, str(known), compiled=not missing)
        print(_ROW.format(name, *_cells(verdict), width=width), flush=True)
        for finding in verdict.findings:
            print(indent(finding, "    "))
        clean &= not verdict.findings
    print(f"not compiled for any GPU: {missing}" if missing else _LEGEND)
    print("clean" if clean else "not clean")
    return 0 if clean else 1


_COLUMNS = (
    *("passed", "error/tol", "findings"),
    *("registers", "shared", "spills", "occupancy"),
)
_LEGEND = (
    "registers a thread, shared memory a block and spills in bytes, occupancy computed: the worst\n"
    f"over a file's kernels, its options and sm_{', '.join(nvrtc.ARCHITECTURES)}"
)
_ROW = "{:{width}}  {:>10}  {:>9}  {:>8}  {:>9}  {:>6}  {:>6}  {}"


def _cells(verdict: Verdict) -> list[str]:
    """A row of the table under `_COLUMNS`: of the file's kernels, options and GPUs the worst."""
    passed = f"{verdict.passed} of {verdict.cases}"
    told = [passed, f"{verdict.error:.2g}", str(len(verdict.findings))]
    taken = verdict.footprint
    if not taken or not (hungriest := taken.hungriest):
        return [*told, "-", "-", "-", "-"]
    assert taken.widest and taken.leakiest
    occupancy = "-"
    if emptiest := taken.emptiest:
        occupancy = f"{emptiest.filled:.0%}"
        occupancy += f" sm_{emptiest.arch}" if emptiest.filled < 1 else ""
    worst = (hungriest.registers, taken.widest.shared, taken.leakiest.spills)
    return [*told, *map(str, worst), occupancy]


def _missing_nvrtc(required: bool) -> str:
    """Why there is no NVRTC, and the mend; nothing where there is one.

    Raises:
        NvrtcMissingError: there is none, and it is required.
    """
    try:
        nvrtc.version()
    except nvrtc.NvrtcMissingError as error:
        if required:
            raise
        return str(error)
    return ""
