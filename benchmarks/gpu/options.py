"""The options of `python -m benchmarks.gpu`."""

import argparse
from pathlib import Path

from benchmarks.gpu.plan import SCALES


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=description)
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="made where missing")
    p.add_argument(
        "--minutes",
        type=_positive,
        default=8.0,
        metavar="N",
        help="that it may take; what matters most comes first (default: 8)",
    )
    p.add_argument(
        "--scale",
        choices=sorted(SCALES),
        default="full",
        help="smoke: tiny shapes, to see that all of it works; no number worth a quotation",
    )
    p.add_argument(
        "--rounds",
        type=_rounds,
        default=7,
        metavar="N",
        help="of each, at least 5 to be quoted (default: 7)",
    )
    p.add_argument(
        "--tests",
        nargs="+",
        default=[],
        metavar="PATH",
        help="only these of the tests marked gpu (default: all; without hypothesis tests/gpu)",
    )
    p.add_argument("--no-tests", action="store_true", help="only measure")
    p.add_argument("--commit", help="of this code, where it is no checkout of git's")
    return p


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return value


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)
