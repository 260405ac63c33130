"""The roofline: what memory and arithmetic allow, and where each kernel stands below it.

Williams, Waterman and Patterson 2009. A kernel of I operations a byte reaches at most
min(peak, I * bandwidth).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FAMILIES = {"matmul": ("C0", "o"), "conv2d": ("C1", "s"), "fused": ("C2", "^")}


def least_seconds(result: Mapping[str, Any], ceilings: Mapping[str, Any]) -> float | None:
    """What a call takes at least: its bytes or its operations, whichever take longer.

    None where neither ceiling is known.
    """
    bandwidth, peak = ceilings.get("bytes_per_second"), ceilings.get("fp32_flops")
    times = [
        *([result["bytes"] / bandwidth] if bandwidth else []),
        *([result["flops"] / peak] if peak else []),
    ]
    return max(times) if times else None


def picture(
    path: Path,
    results: Iterable[Mapping[str, Any]],
    ceilings: Mapping[str, Any],
    title: str,
) -> None:
    """Draw every timed primitive: FLOP/s over FLOPs a byte, under the two roofs.

    A ladder's best rung is named. Without a measured bandwidth or a known peak that roof is left
    out.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    timed = [each for each in results if each["family"] in FAMILIES and "seconds" in each]
    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    best: dict[str, tuple[float, float, str]] = {}
    for family, (colour, marker) in FAMILIES.items():
        some = [each for each in timed if each["family"] == family]
        points = [_point(each) for each in some]
        if points:
            axes.plot(
                *zip(*points, strict=True),
                marker,
                color=colour,
                alpha=0.6,
                markersize=5,
                label=f"{family} ({len(points)})",
            )
        for each, (x, y) in zip(some, points, strict=True):
            if each["case"] not in best or y > best[each["case"]][1]:
                best[each["case"]] = x, y, each["case"]
    _roofs(axes, [x for x, _, _ in best.values()], ceilings)
    for x, y, name in _apart(best.values()):
        axes.annotate(name, (x, y), (4, 3), textcoords="offset points", fontsize=6)
    axes.set(xscale="log", yscale="log", title=title)
    axes.set(xlabel="FLOPs a byte that must be moved", ylabel="FLOP/s")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _point(result: Mapping[str, Any]) -> tuple[float, float]:
    seconds = result["seconds"]["minidecay"]["median"]
    return result["flops"] / result["bytes"], result["flops"] / seconds


def _roofs(axes: Any, intensities: list[float], ceilings: Mapping[str, Any]) -> None:
    bandwidth, peak = ceilings.get("bytes_per_second"), ceilings.get("fp32_flops")
    low, high = min([0.1, *intensities]) / 2, max([100.0, *intensities]) * 2
    knee = peak / bandwidth if bandwidth and peak else high
    if bandwidth:
        told = f"copy, measured: {bandwidth / 1e9:.4g} GB/s"
        end = min(knee, high)
        axes.plot([low, end], [low * bandwidth, end * bandwidth], "k-", lw=1, label=told)
    if peak:
        told = f"float32 lanes x highest clock: {peak / 1e12:.4g} TFLOP/s"
        axes.plot([min(knee, high) if bandwidth else low, high], [peak, peak], "k--", lw=1)
        axes.plot([], [], "k--", lw=1, label=told)


def _apart(points: Iterable[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Those whose names would not lie upon one another."""
    kept: list[tuple[float, float, str]] = []
    for x, y, name in sorted(points, key=lambda each: -each[1]):
        if all(abs(y / other - 1) > 0.3 or not 0.12 < x / place < 8 for place, other, _ in kept):
            kept.append((x, y, name))
    return kept
