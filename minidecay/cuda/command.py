"""The command `minidecay kernels`: list what there is, check and count it without a GPU."""

import argparse
import sys
from pathlib import Path

from minidecay.cuda import checking, counting, source
from minidecay.cuda.cases import REFERENCES
from minidecay.cuda.emulator import KernelFault
from minidecay.cuda.emulator.building import CompilerMissingError

__all__ = ["add_arguments", "main"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the subcommands list, check and count."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="name the kernels")
    check = actions.add_parser(
        "check",
        help="run kernels on ragged shapes on the CPU, watching every access",
        description="Runs each kernel on the CPU against NumPy, on ragged shapes, and reports "
        "races, missing barriers, reads and writes out of bounds with their line. "
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
    """Run one `minidecay kernels` command; its exit code."""
    if arguments.action == "list":
        return _list()
    try:
        if arguments.action == "count":
            return _count(arguments)
        return _check(arguments.names, arguments.reference)
    except (ValueError, CompilerMissingError) as error:
        print(f"minidecay kernels {arguments.action}: {error}", file=sys.stderr)
        return 2


def _list() -> int:
    names = source.names()
    width = max(map(len, names), default=0)
    for name in names:
        print(f"{name:{width}}  {_idea(source.find(name))}")
    return 0


def _idea(path: Path) -> str:
    """The first line of a kernel file, which says its idea."""
    return path.read_text().partition("\n")[0].strip("/ ")


def _count(arguments: argparse.Namespace) -> int:
    name, kernel = arguments.name, arguments.kernel
    sizes = counting.parse_sizes(name, kernel, arguments.shape, arguments.set)
    try:
        print(counting.report(name, sizes, kernel, arguments.against))
    except KernelFault as fault:
        print(fault)
        return 1
    return 0


def _check(names: list[str], reference: str | None) -> int:
    names = names or checking.every_kernel()
    held_to = [(name, reference or checking.reference_of(name)) for name in names]
    for name, known in held_to:
        source.find(name)
        if known is None:
            choices = ", ".join(REFERENCES)
            raise ValueError(f"{name}: say what it must compute by --reference, of {choices}")
    width = max(map(len, names), default=0)
    print(f"{'kernel':{width}}  cases  passed  worst error / tolerance")
    clean = True
    for name, known in held_to:
        outcomes = list(checking.check(name, str(known)))
        passed = sum(outcome.passed for outcome in outcomes)
        worst = max(outcome.error for outcome in outcomes)
        print(f"{name:{width}}  {len(outcomes):5}  {passed:6}  {worst:.2g}", flush=True)
        clean &= passed == len(outcomes)
        _tell([outcome for outcome in outcomes if not outcome.passed])
    print("clean" if clean else "not clean")
    return 0 if clean else 1


def _tell(failed: list[checking.Outcome]) -> None:
    """Each finding once, with the first case that showed it; then a wrong result, if any."""
    seen = set()
    for outcome in failed:
        for finding in outcome.findings:
            if (key := (finding.kind, finding.place)) not in seen:
                seen.add(key)
                print(f"    {finding}\n        on {outcome.case.label}")
    wrong = [outcome for outcome in failed if not outcome.findings]
    if wrong:
        print(f"    wrong on {len(wrong)} cases, first {wrong[0].case.label}: {wrong[0].where}")
