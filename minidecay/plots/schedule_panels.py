"""Schedules side by side, a panel for each."""

import os
from collections.abc import Sequence
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING

from minidecay.optim.schedules import Schedule
from minidecay.plots.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def schedules(
    shown: Sequence[Schedule],
    *,
    epochs: float,
    columns: int = 4,
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """Draw each schedule in a panel of its own, under the code that makes it.

    The rates are those of 100 steps an epoch, drawn as wide as they last; all panels have the same
    axes. The figure is saved to `path` when given (.png, .pdf or .svg), whole or not at all.

    ValueError where there is nothing to draw.

    >>> from minidecay.optim.schedules import Cosine, Ramp
    >>> figure = schedules([Ramp(0.1, 0, 30), Cosine(0.1, 30)], epochs=30)
    """
    from matplotlib.figure import Figure

    if not shown or not epochs > 0:
        raise ValueError("plots.schedules: nothing to draw; pass schedules, and epochs above 0")
    columns = min(columns, len(shown))
    rows = ceil(len(shown) / columns)
    figure = Figure(figsize=(2.7 * columns, 1.75 * rows + 0.3), dpi=160, layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    times = [step / 100 for step in range(round(epochs * 100))]
    for axes, schedule in zip(grid.flat, shown, strict=False):
        rates = [schedule(t) for t in times]
        axes.plot(times, rates, color=COLOURS[0], linewidth=1.4, drawstyle="steps-post")
        axes.fill_between(times, rates, step="post", color=COLOURS[0], alpha=0.12, linewidth=0)
        title = fill(repr(schedule), 36, break_long_words=False, break_on_hyphens=False)
        axes.set_title(title, fontsize=6.5, family="monospace", loc="left")
        axes.set(xlim=(0, epochs), ylim=(0, None))
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("learning rate", fontsize=9)
    if path is not None:
        save(figure, path)
    return figure
