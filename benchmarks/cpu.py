"""minidecay and torch eager on a CPU, in turn, as a table: `python -m benchmarks.cpu`."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.measure import CHECKED_STEPS, TOLERANCE
from minidecay.files import plain, write_json
from minidecay.lab.machinery.workers import ONE_THREAD
from minidecay.tables import table

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"step": "training step", "operation": "operation, with its gradients"}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 0, or 1 where the two sides of a case disagree or measuring fails."""
    p = parser()
    options = p.parse_args(argv)
    if options.json and not os.access(options.json.absolute().parent, os.W_OK):
        p.error(f"--json {options.json}: its folder is missing or not writable; make it first")
    reports = []
    try:
        for threads in options.threads:
            reports.append(measured(threads, options.rounds, options.cases))
            print(describe(reports[-1]), flush=True)
    except KeyboardInterrupt:
        print(f"{p.prog}: interrupted", file=sys.stderr)
        return 130
    except subprocess.CalledProcessError:
        print(f"{p.prog}: measuring failed; its error stands above", file=sys.stderr)
        return 1
    if options.json:
        write_json(options.json, plain({"reports": reports}, "report", non_finite="null"))
    return 0 if all(result["agrees"] for r in reports for result in r["results"]) else 1


def measured(threads: int, rounds: int, names: Sequence[str]) -> dict[str, Any]:
    """`measure.report` of a fresh process: libraries read their number of threads as they load."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure", str(threads), str(rounds), *names],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(ONE_THREAD, str(threads))},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def describe(report: Mapping[str, Any]) -> str:
    """A report as text: where it was measured, a table for each kind of case, what to beware of."""
    results, rounds = report["results"], report["rounds"]
    blocks = [_environment(report["environment"], report["threads"])]
    for kind in KINDS:
        if some := [result for result in results if result["kind"] == kind]:
            blocks.append(_table(kind, some))
    notes = [
        f"Milliseconds a step and ratios are medians of {rounds} rounds, in brackets their 10th "
        "and 90th\npercentiles. A ratio is torch's time over minidecay's in the same round: above "
        "1 minidecay is faster."
    ]
    for result in results:
        if not result["agrees"]:
            notes.append(
                f"{result['name']}: the two sides differ by {result['difference']:.1e} within the "
                f"first {CHECKED_STEPS} steps,\nmore than {TOLERANCE:g}; not timed."
            )
    if disturbed := [result["name"] for result in results if result.get("disturbed")]:
        notes.append(f"DISTURBED by other work, and not to be quoted: {', '.join(disturbed)}")
    return "\n\n".join([*blocks, *notes]) + "\n"


def _environment(found: Mapping[str, Any], threads: int) -> str:
    blas = found["blas_in_use"] or {"internal_api": found["blas"]}
    library = " ".join(filter(None, (blas["internal_api"], blas.get("version"))))
    architecture = blas.get("architecture") or "an unknown architecture (threadpoolctl tells some)"
    commit = (
        found["commit"][:12] + ", changed since" * found["dirty"] if found["commit"] else "none"
    )
    variables = [f"{name}={value}" for name, value in found["variables"].items()]
    if "OPENBLAS_CORETYPE" not in found["variables"]:
        variables.insert(0, "OPENBLAS_CORETYPE not set")
    load = "unknown" if found["load"] is None else f"{found['load']:.2f}"
    lines = {
        "minidecay": f"{found['minidecay']}, commit {commit}; {found['date']}",
        "processor": f"{found['cpu']}, {found['cores']} cores, load before the start {load}",
        "platform": f"{found['platform']}, Python {found['python']}",
        "NumPy": f"{found['numpy']}, {library} for {architecture}, "
        f"{_threads(blas.get('num_threads', threads))}",
        "torch": _torch(found["torch"]),
        "variables": ", ".join(variables),
    }
    return "\n".join(f"{name:9}  {line}" for name, line in lines.items())


def _torch(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "not installed: minidecay alone is timed (pip install torch)"
    libraries = [name for name in ("MKL", "oneDNN") if found[name.lower()]]
    sgd = "fused SGD" if found["fused_sgd"] else "plain SGD (a newer torch has a fused one)"
    parts = [found["version"], "eager", found["instructions"], *libraries, sgd, "channels_last"]
    return ", ".join([*parts, _threads(found["threads"])])


def _threads(count: int) -> str:
    return f"{count} thread" + "s" * (count > 1)


def _table(kind: str, results: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for result in results:
        cells = ["disagrees", "disagrees", "-"]
        if result["agrees"]:
            sides = (result["seconds"].get(side) for side in ("minidecay", "torch"))
            cells = [_cell(side, 1e3, ".4g") for side in sides]
            cells.append(_cell(result["ratio"], 1, ".2f"))
        rows.append([result["name"], *cells])
    ratios = [r["ratio"]["median"] for r in results if r.get("ratio")]
    if ratios:
        count = f"{len(ratios)} of {len(results)}"
        rows.append(
            [f"geometric mean, {count}", "", "", f"{statistics.geometric_mean(ratios):.2f}"]
        )
    return table([KINDS[kind], "minidecay, ms", "torch, ms", "torch / minidecay"], rows)


def _cell(spread: Mapping[str, Any] | None, scale: float, form: str) -> str:
    if spread is None:
        return "-"
    median, p10, p90 = (format(spread[key] * scale, form) for key in ("median", "p10", "p90"))
    return f"{median} ({p10} to {p90})"


def parser() -> argparse.ArgumentParser:
    """The options."""
    names = [case.name for case in CASES]
    p = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=__doc__)
    p.add_argument(
        "--cases", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    p.add_argument(
        "--threads", nargs="+", type=_positive, default=[1], metavar="N", help="(default: 1)"
    )
    p.add_argument(
        "--rounds",
        type=_positive,
        default=25,
        metavar="N",
        help="of each case, at least 15 to be quoted (default: 25)",
    )
    p.add_argument("--json", type=Path, metavar="PATH", help="write everything measured there")
    return p


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
