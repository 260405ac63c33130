"""A report as tables, for a terminal and in Markdown."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.roofline import least_seconds
from minidecay.tables import table

Report = Mapping[str, Any]
Result = Mapping[str, Any]
STEP_SIDES = (
    *("minidecay", "minidecay, graph", "torch eager fp32", "torch eager tf32"),
    *("torch.compile fp32", "torch graph fp32", "torch graph tf32"),
)


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column says what a row is of."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """For a terminal."""
        return f"{self.title}\n\n{table(self.header, self.rows)}"

    def markdown(self) -> str:
        """For a page."""
        lines = [self.header, ["---", *["---:"] * (len(self.header) - 1)], *self.rows]
        return f"{self.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def head(report: Report) -> list[str]:
    """Where, when and on what it was measured, a line each."""
    card, torch, seen = report["card"], report["torch"], report["clocks"]
    commit = report["environment"]["commit"]
    dirty = ", changed since" * bool(report["environment"]["dirty"])
    lines = [
        f"{card['name']}, compute capability {card['compute_capability']}, "
        f"{card['multiprocessors']} multiprocessors, driver {card['driver'] or 'unknown'}",
        f"CuPy {card['cupy']}, NumPy {report['environment']['numpy']}, "
        f"Python {report['environment']['python']}, "
        + (
            f"torch {torch['version']} (CUDA {torch['cuda']}, cuDNN {torch['cudnn']})"
            if torch.get("cuda")
            else f"without torch: {torch.get('why_not', 'not asked')}"
        ),
        f"minidecay {report['environment']['minidecay']}, commit "
        f"{commit[:12] + dirty if commit else 'unknown'}, {report['environment']['date']}",
    ]
    if seen:
        clock = seen["sm_mhz"]
        lines.append(
            f"SM clock while at work {clock['lowest']:.0f} to {clock['highest']:.0f} MHz, median "
            f"{clock['median']:.0f}, as the card chose ({seen['samples']} samples)"
        )
    ceilings = report["ceilings"]
    if ceilings.get("bytes_per_second"):
        lines.append(f"copy in memory, measured: {ceilings['bytes_per_second'] / 1e9:.4g} GB/s")
    if ceilings.get("fp32_flops"):
        peak = ceilings["fp32_flops"] / 1e12
        lines.append(f"float32, from lanes and highest clock: {peak:.4g} TFLOP/s")
    return lines


def tables(report: Report) -> list[Table]:
    """Steps, the two ladders, and the fused primitives; what is empty is left out."""
    results, ceilings = report["results"], report["ceilings"]
    ladders = (
        _ladder(title, [each for each in timed(results) if each["family"] == family], ceilings)
        for family, title in (("matmul", "Matrix products"), ("conv2d", "Convolutions, float32"))
    )
    every = [_steps(results), *ladders, _fused(results, ceilings)]
    return [each for each in every if each.rows]


def notes(report: Report) -> list[str]:
    """Tests, what failed, what was left out, and how to read the tables."""
    tests = report["tests"]
    lines = []
    if tests is not None:
        told = ", ".join(
            f"{tests[kind] if isinstance(tests[kind], int) else len(tests[kind])} {word}"
            for kind, word in (
                *(("passed", "passed"), ("failed", "failed")),
                *(("skipped", "skipped"), ("not_run", "not run")),
            )
        )
        lines.append(f"tests marked gpu: {told}" + f"; {tests['trouble']}" * bool(tests["trouble"]))
        lines += [f"FAILED {name}: {why}" for name, why in tests["failed"].items()]
    for result in report["results"]:
        for side, why in result.get("failed", {}).items():
            lines.append(f"FAILED {result['name']}, {side}: {why}")
        if not result.get("agrees", True):
            errors = ", ".join(f"{side} {e:.1e}" for side, e in result["error"].items())
            lines.append(f"WRONG {result['name']}, not timed: off by {errors}")
        for side, why in result.get("not_captured", {}).items():
            lines.append(f"{result['name']}, {side}: timed as launches, not captured: {why}")
    lines += [f"not timed: {name}: {why}" for name, why in report["left_out"].items()]
    lines.append(
        "Times are medians of the rounds; a ratio is the other's time over ours in the same round, "
        "above 1 ours is faster. Of a ladder the roof is that of float32 arithmetic or of memory, "
        "whichever is lower."
    )
    return lines


def text(report: Report) -> str:
    """All of it for a terminal."""
    parts = ["\n".join(head(report)), *(each.text() for each in tables(report))]
    return "\n\n".join([*parts, "\n".join(notes(report))]) + "\n"


def markdown(report: Report) -> str:
    """All of it as a page."""
    parts = [f"# {report['card']['name']}", *head(report)]
    parts += [each.markdown() for each in tables(report)]
    return "\n\n".join([*parts, *notes(report)]) + "\n"


def best_rungs(results: Iterable[Result]) -> list[Result]:
    """Of each case the fastest result, in the order of the cases."""
    best: dict[str, Result] = {}
    for result in results:
        before = best.get(result["case"])
        if before is None or _median(result, "minidecay") < _median(before, "minidecay"):
            best[result["case"]] = result
    return list(best.values())


def timed(results: Iterable[Result]) -> list[Result]:
    """The primitives that were timed, less those beside torch.compile."""
    return [
        each
        for each in results
        if each.get("family") in ("matmul", "conv2d", "fused")
        and "torch.compile" not in each.get("seconds", {})
        and "seconds" in each
    ]


def _steps(results: Sequence[Result]) -> Table:
    merged: dict[str, dict[str, Any]] = {}
    for result in results:
        if result.get("family") == "step" and "seconds" in result:
            merged[result["case"]] = {**result["seconds"], **merged.get(result["case"], {})}
    sides = [side for side in STEP_SIDES if any(side in each for each in merged.values())]
    rows = [
        [name, *(_microseconds(each.get(side)) for side in sides)] for name, each in merged.items()
    ]
    return Table("Training steps, microseconds (p10 to p90)", ["step", *sides], rows)


def _ladder(title: str, results: Sequence[Result], ceilings: Mapping[str, Any]) -> Table:
    rows = [
        [
            result["case"],
            result["rung"] or "",
            f"{result['flops'] / _median(result, 'minidecay') / 1e12:.4g}",
            share(result, ceilings),
            *(_ratio(result, f"torch {kind}") for kind in ("fp32", "tf32")),
            f"{result['error']['minidecay']:.0e}",
        ]
        for result in sorted(results, key=lambda each: (each["case"], each["rung"] or ""))
    ]
    rows += [_mean_row(results)] if any("torch fp32" in each["ratio"] for each in results) else []
    return Table(
        title,
        ["case", "kernel", "TFLOP/s", "of the roof", "torch fp32", "torch TF32", "error"],
        rows,
    )


def _fused(results: Sequence[Result], ceilings: Mapping[str, Any]) -> Table:
    some = [each for each in timed(results) if each["family"] == "fused"]
    compiled = {
        each["case"]: each
        for each in results
        if each.get("family") == "fused" and "torch.compile" in each.get("ratio", {})
    }
    rows = [
        [
            result["case"],
            _microseconds(result["seconds"]["minidecay"]),
            f"{result['bytes'] / _median(result, 'minidecay') / 1e9:.4g}",
            share(result, ceilings),
            _ratio(result, "torch fp32"),
            _ratio(compiled.get(result["case"], {}), "torch.compile"),
            f"{result['error']['minidecay']:.0e}",
        ]
        for result in some
    ]
    rows += [_mean_row(some)] if any("torch fp32" in each["ratio"] for each in some) else []
    return Table(
        "Fused primitives, limited by memory",
        ["case", "microseconds", "GB/s", "of the roof", "torch", "torch.compile", "error"],
        rows,
    )


def _mean_row(results: Sequence[Result]) -> list[str]:
    """The geometric mean over the cases of torch's time to our best, losses and all."""
    ratios = [
        each["ratio"]["torch fp32"]["median"]
        for each in best_rungs(results)
        if "torch fp32" in each["ratio"]
    ]
    mean = f"{statistics.geometric_mean(ratios):.2f}"
    return [f"geometric mean of the best, {len(ratios)} cases", "", "", "", mean, "", ""]


def share(result: Result, ceilings: Mapping[str, Any]) -> str:
    """How much of what the roof allows, "83%"."""
    least = least_seconds(result, ceilings)
    return "-" if least is None else f"{least / _median(result, 'minidecay'):.0%}"


def _ratio(result: Result, side: str) -> str:
    found = result.get("ratio", {}).get(side)
    return "-" if found is None else f"{found['median']:.2f}"


def _microseconds(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return "-"
    median, p10, p90 = (format(spread[key] * 1e6, ".4g") for key in ("median", "p10", "p90"))
    return f"{median} ({p10} to {p90})"


def _median(result: Result, side: str) -> float:
    return float(result["seconds"][side]["median"])
