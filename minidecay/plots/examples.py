"""Every example at every epoch: a row an example, a column an epoch, its margin the colour."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from minidecay.plots.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 400  # examples shown of a group: about a pixel each


def example_margins(
    panels: Mapping[str, Mapping[str, ArrayLike]],
    lines: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    marks: Mapping[str, Sequence[float]] | None = None,
    limit: float = 5.0,
    line_label: str = "",
    chance: float | None = None,
    note: str = "",
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """Draw each example's margin after each epoch: blue where it is right, red where wrong.

    A column for each way of training, an image for each group of examples in it, and a panel of
    lines below. Rows stand in the order given, the first at the bottom, and are thinned evenly to
    400 a group. The colour of epoch e fills e - 1 to e; a line's point of epoch e stands at e. A
    line is the mean over runs; its band goes from the lowest run to the highest.

    Args:
        panels: title -> group -> margins in logits, (epochs, examples) in the order to draw.
        lines: title -> label -> values, (runs, epochs).
        marks: title -> epochs after which the rate decays there, drawn as upright lines.
        limit: the margin, in logits, at which colours end.
        line_label, chance: of the lines, what they show and what guessing would give.
        note: a line above all, such as which examples these are.
        path: where to save it (.png, .pdf or .svg), whole or not at all.

    ValueError where there is no panel or no group, or panels differ in their groups.

    >>> margins = np.linspace(-4, 4, 30).reshape(3, 10)
    >>> figure = example_margins({"decay": {"clean": margins, "noise": -margins}})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['clean\\nexamples, %', 'noise\\nexamples, %', 'margin, logits (blue: right, red: wrong)']
    """
    from matplotlib.figure import Figure

    groups = list(next(iter(panels.values()), ()))
    if not groups or any(list(panel) != groups for panel in panels.values()):
        raise ValueError(
            "plots.example_margins: give a panel at least, and each the same groups of examples"
        )
    heights = [3.0] * len(groups) + ([2.0] if lines else [])
    size = 3.0 * len(panels) + 1.0, 0.62 * sum(heights) + 1.2
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    grid = figure.subplots(
        len(heights),
        len(panels),
        sharex="col",
        sharey="row",
        squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )
    for column, (title, panel) in enumerate(panels.items()):
        for axes, margins in zip(grid[:, column], map(np.asarray, panel.values()), strict=False):
            image = axes.imshow(
                _thinned(margins).T,
                aspect="auto",
                origin="lower",
                interpolation="nearest",
                extent=(0, len(margins), 0, 100),
                cmap="RdBu",
                vmin=-limit,
                vmax=limit,
            )
        if lines:
            _draw_lines(grid[-1, column], lines[title], chance)
        for mark in (marks or {}).get(title, ()):
            for axes in grid[:, column]:
                axes.axvline(mark, color="0.1", linestyle="--", linewidth=0.9)
        grid[0, column].set_title(title)
        grid[-1, column].set(xlabel="epoch", xlim=(0, len(margins)))
    for axes, group in zip(grid[:, 0], groups, strict=False):
        axes.set(ylabel=f"{group}\nexamples, %", yticks=(0, 25, 50, 75, 100))
    images = grid[: len(groups)].ravel().tolist()
    bar = figure.colorbar(image, ax=images, extend="both", fraction=0.05, aspect=40, pad=0.015)
    bar.set_label("margin, logits (blue: right, red: wrong)")
    if lines:
        grid[-1, 0].set_ylabel(line_label)
        _explain(figure, grid[-1, 0], lines, any((marks or {}).values()))
    if note:
        figure.suptitle(note, fontsize="small")
    if path is not None:
        save(figure, path)
    return figure


def _thinned(margins: Any) -> Any:
    """At most ROWS examples of (epochs, examples), evenly from first to last."""
    count = margins.shape[1]
    return margins[:, np.linspace(0, count - 1, min(count, ROWS)).round().astype(int)]


def _draw_lines(axes: Any, lines: Mapping[str, ArrayLike], chance: float | None) -> None:
    for (label, values), colour in zip(lines.items(), COLOURS, strict=False):
        values = np.asarray(values)
        epochs = np.arange(1, values.shape[1] + 1)
        axes.plot(epochs, values.mean(axis=0), label=label, color=colour, marker="o", markersize=3)
        low, high = values.min(axis=0), values.max(axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
    if chance is not None:
        axes.axhline(chance, color="0.5", linestyle=":", linewidth=1, label="chance")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _explain(
    figure: "Figure", axes: Any, lines: Mapping[str, Mapping[str, ArrayLike]], marked: bool
) -> None:
    """A legend below all: the lines, and where there are any the decays and the band."""
    if marked:
        axes.plot([], [], color="0.1", linestyle="--", linewidth=0.9, label="decay")
    runs = max(len(np.asarray(values)) for panel in lines.values() for values in panel.values())
    if runs > 1:
        band = f"range of {runs} runs"
        axes.fill_between([], [], color="0.5", alpha=0.3, linewidth=0, label=band)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize="small",
    )
