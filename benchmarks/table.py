"""The README's table of kernels, from benchmarks/results/gpu-*.json: `python -m benchmarks.table`.

It stands between two marks; what is outside of them is not touched. No figure comes from elsewhere:
without a result the table says so.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.report import Table, best_rungs, share, timed
from minidecay.files import read_json, write_atomic

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- gpu table -->", "<!-- end of gpu table -->"
NOTHING = "The CUDA kernels are not measured yet: no card has run them."
SHOWN = {"matmul", "conv2d", "fused"}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the table; with --check, 1 where it is not what the results say."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    p.add_argument("--check", action="store_true", help="write nothing; 1 where it is out of date")
    p.add_argument("--readme", type=Path, default=ROOT / "README.md", help=argparse.SUPPRESS)
    p.add_argument("--results", type=Path, default=RESULTS, help=argparse.SUPPRESS)
    options = p.parse_args(argv)
    before = options.readme.read_text()
    try:
        after = with_table(before, block(options.results))
    except ValueError as error:
        print(f"{p.prog}: {options.readme}: {error}", file=sys.stderr)
        return 2
    if options.check:
        if after != before:
            print(f"{options.readme} is out of date: run {p.prog}", file=sys.stderr)
        return int(after != before)
    if after != before:
        write_atomic(options.readme, lambda file: file.write(after.encode()))
    return 0


def with_table(page: str, inner: str) -> str:
    """The page with `inner` between its marks.

    Raises:
        ValueError: a mark is missing, comes twice, or they stand the wrong way about.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"it must have one line {BEGIN} and, below it, one line {END}")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{inner}\n{END}{tail}"


def block(results: Path) -> str:
    """A table for each card that has results, or the line that there are none."""
    reports = [read_json(path) for path in sorted(results.glob("gpu-*.json"))]
    shown = [_of_card(each) for each in reports if each["scale"] == "full" and each["complete"]]
    return "\n\n".join(shown) if shown else NOTHING


def _of_card(report: Mapping[str, Any]) -> str:
    environment, torch = report["environment"], report["torch"]
    rows = []
    for result in best_rungs(timed(report["results"])):
        if result["family"] not in SHOWN:
            continue
        spread = result["seconds"]["minidecay"]
        median, p10, p90 = (f"{spread[k] * 1e6:.4g}" for k in ("median", "p10", "p90"))
        ratios = [result["ratio"].get(f"torch {kind}") for kind in ("fp32", "tf32")]
        rows.append(
            [
                f"`{result['case']}`",
                f"`{result['rung']}`" if result["rung"] else "",
                f"{median} ({p10} to {p90})",
                share(result, report["ceilings"]),
                *("" if each is None else f"{each['median']:.2f}" for each in ratios),
            ]
        )
    header = ["case", "best kernel", "microseconds", "of the roof", "torch", "torch TF32"]
    commit = (environment["commit"] or "unknown")[:12] + ", changed since" * bool(
        environment["dirty"]
    )
    title = (
        f"On {report['card']['name']}, {environment['date'][:10]}, commit `{commit}`, driver "
        f"{report['card']['driver']}, torch {torch.get('version') or 'not there'}. Medians (10th "
        "to 90th percentile); torch's time over ours, above 1 ours is faster."
    )
    return Table(title, header, rows).markdown()


if __name__ == "__main__":
    sys.exit(main())
