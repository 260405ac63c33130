"""What a dose does, in several panels: lines over a dose, and coefficients with their intervals."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minidecay.plots.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = "os^DvPX"


@dataclass(frozen=True)
class Lines:
    """A panel of lines over a dose.

    Attributes:
        lines: label -> doses (N,) and what they did, (seeds, N).
        chance: what guessing gives, drawn as a dotted line.
        logarithmic: the axes that are, "x", "y" or both.
        joined: draw lines, or only points.
        threads: doses and means of points that belong together, joined by thin grey lines.
        slope: draw a dotted line of this slope through the middle of the means, in logarithms.

    >>> seen = [[0.2, 0.5, 0.9], [0.3, 0.5, 0.8]]  # of two seeds
    >>> panel = Lines({"10 patterns": ([5, 15, 45], seen)}, "copies", "accuracy", chance=0.1)
    >>> panel.logarithmic, panel.joined
    ('x', True)
    """

    lines: Mapping[str, tuple[ArrayLike, ArrayLike]]
    x: str
    y: str
    chance: float | None = None
    logarithmic: str = "x"
    joined: bool = True
    threads: Sequence[tuple[ArrayLike, ArrayLike]] = ()
    slope: float | None = None

    def draw(self, axes: Any) -> None:
        """Means over seeds; a band, or a bar where points are not joined, from least to most.

        What is NaN is left out.
        """
        middles = []
        for (label, (doses, values)), colour, marker in zip(
            self.lines.items(), COLOURS, MARKERS, strict=False
        ):
            at, seen = np.asarray(doses, float), np.asarray(values, float)
            some = np.isfinite(seen).any(axis=0)
            at, seen = at[some], seen[:, some]
            low, mean, high = (f(seen, axis=0) for f in (np.nanmin, np.nanmean, np.nanmax))
            middles.append((at, mean))
            look = {"color": colour, "marker": marker, "markersize": 4, "label": label}
            if self.joined:
                axes.plot(at, mean, linewidth=1.3, **look)
                axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
            else:
                axes.errorbar(at, mean, (mean - low, high - mean), fmt="", ls="", lw=1, **look)
        for thread in self.threads:
            axes.plot(*thread, color="0.75", linewidth=0.9, zorder=0)
        x, y = (np.concatenate(each) for each in zip(*middles, strict=True))
        if self.chance is not None:
            axes.axhline(self.chance, color="0.5", linestyle=":", linewidth=1, label="chance")
            axes.set_ylim(-0.04, 1.04)
        axes.set(xlabel=self.x, ylabel=self.y)
        if len(x):
            self._scale(axes, np.unique(x))
        if self.slope is not None and len(x):
            ends = np.array([x.min(), x.max()])
            middle = np.exp(np.log(y).mean() - self.slope * np.log(x).mean())
            name = "proportional" if self.slope == 1 else f"slope {self.slope:g}"
            axes.plot(ends, middle * ends**self.slope, color="0.4", ls=":", lw=1.2, label=name)
        axes.legend(fontsize="x-small", handlelength=1.6, framealpha=0.8, edgecolor="none")

    def _scale(self, axes: Any, doses: NDArray[np.float64]) -> None:
        """Logarithmic axes, ticked at the doses where these are few, else at 1, 2, 5, 10."""
        from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

        few = len(doses) <= 5 and (doses[1:] > 1.5 * doses[:-1]).all()
        for axis in self.logarithmic:
            axes.set(**{f"{axis}scale": "log"})
            ticked = getattr(axes, f"{axis}axis")
            at_doses = axis == "x" and few
            ticked.set_major_locator(
                FixedLocator(doses.tolist()) if at_doses else LogLocator(subs=(1, 2, 5))
            )
            ticked.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ticked.set_minor_formatter(NullFormatter())


@dataclass(frozen=True)
class Intervals:
    """A panel of numbers with their intervals.

    Attributes:
        rows: label -> value, low end, high end, from above.

    >>> Intervals({"copies": (0.9, 0.8, 1.0)}, "log odds a doubling").x
    'log odds a doubling'
    """

    rows: Mapping[str, tuple[float, float, float]]
    x: str

    def draw(self, axes: Any) -> None:
        for place, (value, low, high) in enumerate(self.rows.values()):
            colour = COLOURS[place % len(COLOURS)]
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.plot(value, place, marker="o", color=colour, markersize=5)
        axes.axvline(0, color="0.4", linewidth=0.9)
        axes.set(xlabel=self.x, yticks=range(len(self.rows)), ylim=(len(self.rows) - 0.4, -0.6))
        axes.set_yticklabels(self.rows, fontsize="small")


def dose_panels(
    panels: Mapping[str, Lines | Intervals],
    columns: int = 4,
    note: str = "",
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """Draw the panels, each under its title, and a note below them.

    The figure is saved to `path` when given, whole or not at all.

    ValueError where there is no panel.

    >>> seen = [[0.2, 0.5, 0.9], [0.3, 0.5, 0.8]]
    >>> lines = Lines({"10 patterns": ([5, 15, 45], seen)}, "copies", "accuracy", chance=0.1)
    >>> effects = Intervals({"copies": (0.9, 0.8, 1.0)}, "log odds a doubling")
    >>> figure = dose_panels({"doses": lines, "coefficients": effects})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['a  doses', 'b  coefficients']
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("plots.dose_panels: nothing to draw; give a panel or more")
    columns = min(columns, len(panels))
    rows = ceil(len(panels) / columns)
    figure = Figure(figsize=(3.5 * columns, 3.3 * rows), dpi=180, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, letter, (title, panel) in zip(
        grid.flat, "abcdefghijkl", panels.items(), strict=False
    ):
        panel.draw(axes)
        axes.set_title(f"{letter}  {title}", loc="left", fontsize="medium")
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    if note:
        figure.supxlabel(note, fontsize="small", color="0.35")
    if path is not None:
        save(figure, path)
    return figure
