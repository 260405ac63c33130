"""Accuracies of probes at the ends of stages, and what each stage passes on."""

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidecay.plots.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD"


class Transfer(NamedTuple):
    """What one panel shows: label -> numbers of every run.

    >>> moments, stages = np.array([[0.2, 0.9, 1.0]]), np.array([[0.5, 0.1]])
    >>> Transfer({"source": moments, "target": moments / 2}, {"target": stages}).ratios
    {'target': array([[0.5, 0.1]])}
    """

    accuracies: Mapping[str, NDArray[np.float64]]  # (runs, moments)
    ratios: Mapping[str, NDArray[np.float64]]  # (runs, stages); NaN where there is none


def transfer(
    panels: Mapping[str, Transfer],
    epochs: Sequence[float],
    decays: Sequence[float] = (),
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """Draw a panel for each network: accuracy at each moment, and below it each stage's ratio.

    A line is the mean over runs, its band from the lowest to the highest. A ratio stands over the
    epochs of its stage; where a run has none, "no ratio" is written instead.

    Args:
        panels: title -> what to draw; the labels are the same in each or stand in the first that
            has them, with one colour in all.
        epochs: the moments, 0 first; a stage lies between two of them.
        decays: epochs after which the rate decays, drawn as upright lines.
        path: where to save it (.png, .pdf or .svg), whole or not at all.

    ValueError where there is no panel.

    >>> moments, stages = np.array([[0.2, 0.9, 1.0]]), np.array([[0.5, 0.1]])
    >>> panel = Transfer({"source": moments, "target": moments / 2}, {"target": stages})
    >>> figure = transfer({"patterns": panel}, [0, 10, 15], decays=[10])
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['test accuracy of a linear probe', 'gain on target /\\ngain on source']
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("plots.transfer: nothing to draw; give it a panel at least")
    figure = Figure(figsize=(3.5 * len(panels), 4.9), dpi=200, layout="constrained")
    grid = figure.subplots(
        2,
        len(panels),
        sharex="col",
        sharey="row",
        squeeze=False,
        gridspec_kw={"height_ratios": [3, 2]},
    )
    labels = list(dict.fromkeys(label for panel in panels.values() for label in panel.accuracies))
    style = dict(zip(labels, zip(COLOURS, MARKERS * 3, strict=False), strict=False))
    shown: dict[str, Any] = {}
    for column, (title, panel) in enumerate(panels.items()):
        accuracy, ratio = grid[:, column]
        for label, values in panel.accuracies.items():
            colour, marker = style[label]
            look = {"color": colour, "marker": marker, "markersize": 4}
            (shown[label],) = accuracy.plot(epochs, values.mean(axis=0), clip_on=False, **look)
            low, high = values.min(axis=0), values.max(axis=0)
            accuracy.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        for place, (label, values) in enumerate(panel.ratios.items()):
            _ratios(ratio, epochs, values, *style[label], place)
        ratio.axhline(0, color="0.5", linewidth=0.8)
        for decay in decays:
            for axes in (accuracy, ratio):
                line = axes.axvline(decay, color="0.35", linestyle="--", linewidth=0.9)
                shown.setdefault("decay", line)
        accuracy.set(title=title, ylim=(0, 1), xlim=(0, epochs[-1]))
        ratio.set_xlabel("epoch")
        for axes in (accuracy, ratio):
            axes.grid(color="0.9", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    grid[0, 0].set_ylabel("test accuracy of a linear probe")
    grid[1, 0].set_ylabel("gain on target /\ngain on source")
    runs = max(len(v) for panel in panels.values() for v in panel.accuracies.values())
    if runs > 1:
        band = grid[0, 0].fill_between([], [], color="0.5", alpha=0.3, linewidth=0)
        shown[f"range of {runs} runs"] = band
    figure.legend(
        shown.values(),
        shown.keys(),
        loc="outside upper center",
        ncols=min(len(shown), 3),
        frameon=False,
        fontsize="small",
    )
    if path is not None:
        save(figure, path)
    return figure


def _ratios(
    axes: "Axes",
    epochs: Sequence[float],
    values: NDArray[np.float64],
    colour: str,
    marker: str,
    place: int,
) -> None:
    """Each stage's ratio over its epochs: the mean as a line, the range as a band."""
    for (begin, end), runs in zip(pairwise(epochs), values.T, strict=True):
        if np.isnan(runs).any():
            if place == 0:  # once, whatever the target: it is the source that gained too little
                middle = (begin + end) / 2
                axes.text(
                    middle, 0.96, "no ratio", rotation=90, ha="center", va="top", size=7,
                    color="0.35", transform=axes.get_xaxis_transform(),
                )  # fmt: skip
            continue
        axes.fill_between([begin, end], runs.min(), runs.max(), color=colour, alpha=0.2, lw=0)
        axes.plot([begin, end], [runs.mean()] * 2, color=colour, solid_capstyle="butt")
        axes.plot((begin + end) / 2, runs.mean(), marker, color=colour, markersize=4)
