"""Curves over epochs."""

import os
from collections.abc import Callable, Mapping, Sequence
from math import floor, inf, isfinite
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from minidecay.files import write_atomic
from minidecay.optim.schedules import Schedule, as_schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, safe for colour-blind readers; its yellow is too pale for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def schedule(
    *schedules: float | Callable[[float], float],
    epochs: float,
    steps_per_epoch: int = 100,
    labels: Sequence[str] | None = None,
    log: bool = False,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """Draw the rate that each schedule gives each training step of a run of `epochs`.

    Step k trains at `schedule(k / steps_per_epoch)` and is drawn as wide as it lasts, so that a
    jump is upright. `schedules` are whatever an optimiser takes as `lr`; `labels` are their reprs
    unless given; `log` makes the rate's axis logarithmic, which leaves out rates of 0. The figure
    is saved to `path` when given (.png, .pdf or .svg), whole or not at all.

    ValueError where there is nothing to draw, a rate is not finite, there is not one label for each
    schedule, or `path` has another suffix; FileNotFoundError where its folder is missing.

    >>> from minidecay.optim.schedules import Cosine, Ramp, Steps
    >>> warm = Ramp(0, 0.1, epochs=2).then(Cosine(0.1, epochs=16))
    >>> figure = schedule(Steps(0.3, (10, 15)), warm, epochs=18)
    """
    from matplotlib.figure import Figure

    if not schedules:
        raise ValueError("plots.schedule: nothing to draw; pass one schedule or more")
    if not 0 < epochs < inf or steps_per_epoch < 1:
        raise ValueError(
            f"plots.schedule: epochs ({epochs}) and steps_per_epoch ({steps_per_epoch}) "
            "must be finite and above 0"
        )
    rates = [as_schedule(each) for each in schedules]
    names = [_name(rate) for rate in rates] if labels is None else list(labels)
    if len(names) != len(rates):
        raise ValueError(f"plots.schedule: {len(names)} labels for {len(rates)} schedules")

    times = [step / steps_per_epoch for step in range(floor(epochs * steps_per_epoch) + 1)]
    curves = [[rate(t) for t in times] for rate in rates]
    for name, curve in zip(names, curves, strict=True):
        for t, value in zip(times, curve, strict=True):
            if not isfinite(value):
                raise ValueError(f"plots.schedule: {name} is {value} at epoch {t:g}; mend it there")
    top = max(map(max, curves))
    if log and top == 0:
        raise ValueError("plots.schedule: every rate is 0, which log=True cannot show")

    names = [fill(name, 66, subsequent_indent="  ") for name in names]
    lines = sum(name.count("\n") + 1 for name in names)
    figure = Figure(figsize=(6.4, 3.2 + 0.18 * lines), dpi=200, layout="constrained")
    axes = figure.add_subplot()
    for below, (curve, name) in enumerate(zip(curves, names, strict=True)):
        above = len(curves) - 1 - below
        axes.plot(
            times,
            curve,
            label=name,
            color=COLOURS[below % len(COLOURS)],
            linestyle="-" if below < len(COLOURS) else "--",
            # Each line is narrower than those under it: where curves coincide, all of them show.
            linewidth=1.6 + above * min(1.1, 3 / len(curves)),
            drawstyle="steps-post",
        )
    axes.set(xlabel="epoch", ylabel="learning rate", xlim=(0, epochs))
    if log:
        axes.set_yscale("log", nonpositive="mask")
    else:
        axes.set_ylim(-0.03 * (top or 1), 1.05 * (top or 1))
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    font = {"size": 9, "family": "monospace" if labels is None else None}
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, frameon=False, prop=font)
    if path is not None:
        save(figure, path)
    return figure


def legend_above(figure: "Figure", shown: Mapping[str, Any], columns: int) -> None:
    """One legend for all panels of a figure, above them: label -> what stands for it."""
    figure.legend(
        list(shown.values()),
        list(shown),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize="small",
        columnspacing=1.4,
        handlelength=1.8,
    )


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Save the figure in the format of the path's suffix, whole or not at all.

    ValueError for a suffix of no picture, FileNotFoundError where the folder is missing.
    """
    path = Path(path)
    suffix = path.suffix.removeprefix(".")
    if suffix not in figure.canvas.get_supported_filetypes():
        raise ValueError(f"plots: {path} names no picture; let it end in .png, .pdf or .svg")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"plots: there is no folder {path.parent}; make it first")
    write_atomic(path, lambda file: figure.savefig(file, format=suffix))


def _name(rate: Callable[[float], float]) -> str:
    return repr(rate) if isinstance(rate, Schedule) else getattr(rate, "__name__", repr(rate))
