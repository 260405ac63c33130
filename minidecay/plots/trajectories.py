"""Panels of lines over epochs or steps, with their spread over runs."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minidecay.plots.curves import legend_above, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Panel", "Trajectory", "panels"]

LINES = ("-", "--", ":", "-.")  # what else a style may be is a marker


@dataclass(frozen=True)
class Trajectory:
    """One quantity of several runs, (runs, points), over `x`; drawn as their mean and range.

    Lines of one label are to have one colour and one style. A style is matplotlib's: "-", ":", "*".

    >>> Trajectory("decay", [1, 2], [[0.5, 0.8], [0.4, 0.9]]).label
    'decay'
    """

    label: str
    x: Sequence[float]
    runs: Sequence[Sequence[float]]
    colour: str = "black"
    style: str = "-"

    @classmethod
    def of(
        cls,
        label: str,
        runs: Sequence[Sequence[Mapping[str, Any]]],
        value: Callable[[Mapping[str, Any]], float | None],
        colour: str = "black",
        style: str = "-",
    ) -> "Trajectory":
        """A value of each record over epochs, where it is not None; `runs` hold records alike."""
        epochs = [record["epoch"] for record in runs[0] if value(record) is not None]
        values = [[v for record in run if (v := value(record)) is not None] for run in runs]
        return cls(label, epochs, values, colour, style)


@dataclass(frozen=True)
class Panel:
    """Lines in one pair of axes.

    level: a value and its name, drawn across.
    marks: upright lines, such as the epochs after which the rate decays.

    >>> Panel("loss (nats)", [Trajectory("decay", [1, 2], [[2.3, 0.4]])], title="one run").log
    False
    """

    ylabel: str
    lines: Sequence[Trajectory]
    title: str = ""
    xlabel: str = ""
    log: bool = False
    level: tuple[float, str] | None = None
    marks: Sequence[float] = ()


def panels(grid: Sequence[Sequence[Panel]], path: str | os.PathLike[str] | None = None) -> "Figure":
    """Draw rows of panels under one legend.

    Those of a column share the axis along x, those of a row the upright one where it is named
    alike. Bands go from the lowest run to the highest. The figure is saved to `path` (.png, .pdf or
    .svg) where one is given, whole or not at all. ValueError where rows differ in length, or there
    is none.

    >>> loss = Panel("loss (nats)", [Trajectory("decay", [1, 2], [[2.3, 0.4], [2.3, 0.6]])])
    >>> [axes.get_ylabel() for axes in panels([[loss]]).axes]
    ['loss (nats)']
    """
    from matplotlib.figure import Figure

    widths = {len(row) for row in grid}
    if len(widths) != 1 or 0 in widths:
        raise ValueError("plots.panels: nothing to draw, or ragged rows; give each as many panels")
    (columns,) = widths
    size = (max(5.0, 3.8 * columns), 0.7 + 2.1 * len(grid))
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    every = figure.subplots(len(grid), columns, sharex="col", squeeze=False)
    shown: dict[str, Any] = {}  # label -> what stands for it in the legend
    for row, places in zip(grid, every, strict=True):
        for panel, axes in zip(row, places, strict=True):
            shared = axes is not places[0] and panel.ylabel == row[0].ylabel
            if shared:
                axes.sharey(places[0])
            _draw(panel, axes)
            if shared:
                axes.set_ylabel("")
            handles, labels = axes.get_legend_handles_labels()
            shown |= dict(zip(labels, handles, strict=True))
    runs = max(len(line.runs) for row in grid for panel in row for line in panel.lines)
    if runs > 1:
        label = f"range of {runs} runs"
        shown[label] = every[0, 0].fill_between([], [], color="0.5", alpha=0.3, linewidth=0)
    legend_above(figure, shown, 2 + columns)
    if path is not None:
        save(figure, path)
    return figure


def _draw(panel: Panel, axes: Any) -> None:
    for line in panel.lines:
        values = np.array(line.runs, float)
        look: dict[str, Any] = {"linestyle": line.style}
        if line.style not in LINES:
            look = {"linestyle": "", "marker": line.style, "markersize": 6, "zorder": 3}
        elif len(line.x) <= 8:
            look |= {"marker": ".", "markersize": 4}
        axes.plot(line.x, values.mean(axis=0), color=line.colour, label=line.label, **look)
        low, high = values.min(axis=0), values.max(axis=0)
        axes.fill_between(line.x, low, high, color=line.colour, alpha=0.2, linewidth=0)
    if panel.level is not None:
        value, label = panel.level
        axes.axhline(value, color="0.35", linestyle=":", linewidth=1.2, label=label)
    for mark in panel.marks:
        axes.axvline(mark, color="0.35", linestyle="--", linewidth=0.9, label="decay")
    if panel.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(lambda x, _: _between_decades(x, *axes.get_ylim()))
    axes.set(title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _between_decades(value: float, low: float, high: float) -> str:
    """The label of 2 and 5 and their like, where the axis is not too long for it."""
    return f"{value:g}" if high < 300 * low and f"{value:.0e}"[0] in "25" else ""
