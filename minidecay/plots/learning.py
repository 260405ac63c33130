"""Accuracy by subset over epochs, with the learning rate below."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minidecay.plots.curves import COLOURS, legend_above, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Records = Sequence[Mapping[str, Any]]  # of one run, epoch 1 first

MARKERS = "os^DvPX"  # in a print without colours the lines still differ


def subset_accuracy(
    panels: Mapping[str, Sequence[Records]],
    lines: Mapping[str, tuple[str, str]],
    marks: Mapping[str, Sequence[float]] | None = None,
    chance: float | None = None,
    quantity: str = "accuracy",
    path: str | os.PathLike[str] | None = None,
) -> "Figure":
    """Draw accuracy over epochs, a panel for each way of training, the rate below each.

    A line is the mean over a panel's runs; its band goes from the lowest run to the highest. The
    accuracy of epoch e, seen after it, stands at e; the rate that it was trained at, from e - 1 to
    e. A decay that begins with epoch e + 1 is therefore marked at e, before what it does. Where
    runs differ in their rates, each is drawn.

    Args:
        panels: title -> the records of each seed, as `training.fit` yields them.
        lines: label -> where a record holds it, such as ("train", "noise"); at most seven. One
            that a panel's records do not hold is left out there.
        marks: title -> epochs after which the rate decays there, drawn as upright lines.
        chance: the accuracy of guessing, drawn as a dotted line.
        quantity: what the upper axis shows.
        path: where to save it (.png, .pdf or .svg), whole or not at all.

    ValueError where there is no panel, or one without runs.

    >>> seen = [{"epoch": e, "lr": 0.1, "train": {"all": 1 - 0.5**e}} for e in (1, 2, 3)]
    >>> figure = subset_accuracy({"decay": [seen]}, {"training set": ("train", "all")})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy', 'learning rate']
    """
    from matplotlib.figure import Figure

    if not panels or not all(panels.values()):
        raise ValueError("plots.subset_accuracy: nothing to draw; give each panel a run at least")
    figure = Figure(figsize=(3.5 * len(panels), 4.3), dpi=200, layout="constrained")
    grid = figure.subplots(
        2,
        len(panels),
        sharex="col",
        sharey="row",
        squeeze=False,
        gridspec_kw={"height_ratios": [3, 1]},
    )
    for column, (title, runs) in enumerate(panels.items()):
        accuracy, rate = grid[:, column]
        epochs = np.array([record["epoch"] for record in runs[0]])
        styles = zip(lines.items(), COLOURS, MARKERS, strict=False)
        for (label, (split, subset)), colour, marker in styles:
            if subset not in runs[0][0][split]:
                continue
            values = np.array([[record[split][subset] for record in run] for run in runs])
            look = {"color": colour, "marker": marker, "markersize": 3.5}
            look["markevery"] = max(1, len(epochs) // 20)
            accuracy.plot(epochs, values.mean(axis=0), label=label, clip_on=False, **look)
            low, high = values.min(axis=0), values.max(axis=0)
            accuracy.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        if chance is not None:
            accuracy.axhline(chance, color="0.5", linestyle=":", linewidth=1, label="chance")
        for mark in (marks or {}).get(title, ()):
            for axes in (accuracy, rate):
                axes.axvline(mark, color="0.35", linestyle="--", linewidth=0.9)
        for rates in dict.fromkeys(tuple(record["lr"] for record in run) for run in runs):
            rate.step([0, *epochs], [*rates, rates[-1]], where="post", color="0.15")
        rate.set_yscale("log")
        accuracy.set(title=title, ylim=(-0.02, 1.03), xlim=(0, epochs[-1]))
        rate.set_xlabel("epoch")
        for axes in (accuracy, rate):
            axes.grid(color="0.9", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    grid[0, 0].set_ylabel(quantity)
    grid[1, 0].set_ylabel("learning rate")
    if marks:
        grid[0, 0].plot([], [], color="0.35", linestyle="--", linewidth=0.9, label="decay")
    if (seeds := max(map(len, panels.values()))) > 1:
        band = f"range of {seeds} runs"
        grid[0, 0].fill_between([], [], color="0.5", alpha=0.3, linewidth=0, label=band)
    shown: dict[str, Any] = {}  # label -> line, of all panels
    for axes in grid[0]:
        handles, labels = axes.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    names = sorted(shown, key=[*lines, *shown].index)
    columns = len(names) if len(names) <= 2 * len(panels) else 2 + len(panels)
    legend_above(figure, {name: shown[name] for name in names}, columns)
    if path is not None:
        save(figure, path)
    return figure
