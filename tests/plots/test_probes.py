"""Probes at the ends of stages: where each number stands, and what is said where there is none."""

import numpy as np
import pytest

from minidecay import plots

ACCURACIES = {
    "source": np.array([[0.4, 0.8, 0.9], [0.6, 1.0, 1.0]]),
    "target": np.array([[0.3, 0.5, 0.5], [0.5, 0.7, 0.8]]),
}
PANEL = plots.Transfer(ACCURACIES, {"target": np.array([[0.5, 0.0], [0.7, np.nan]])})


def drawn(panels=None, **options):
    panels = panels or {"patterns": PANEL}
    figure = plots.transfer(panels, [0, 10, 15], decays=[10], **options)
    return figure, figure.axes[0], figure.axes[len(panels)]


def test_a_line_is_the_mean_over_runs_at_the_end_of_each_stage_and_its_band_their_range():
    _, accuracy, _ = drawn()
    source = accuracy.get_lines()[0]
    np.testing.assert_array_equal(source.get_xdata(), [0, 10, 15])
    np.testing.assert_allclose(source.get_ydata(), [0.5, 0.9, 0.95])
    corners = {tuple(corner) for corner in accuracy.collections[0].get_paths()[0].vertices}
    assert {(0, 0.4), (0, 0.6), (15, 0.9), (15, 1.0)} <= corners


def test_a_ratio_stands_over_its_stage_and_where_a_run_has_none_that_is_said():
    _, _, ratio = drawn()
    spans = [line for line in ratio.get_lines() if list(line.get_xdata()) == [0, 10]]
    np.testing.assert_allclose(spans[0].get_ydata(), [0.6, 0.6])
    assert not [line for line in ratio.get_lines() if list(line.get_xdata()) == [10, 15]]
    (text,) = ratio.texts
    assert (text.get_text(), text.get_position()[0]) == ("no ratio", 12.5)


def test_the_decay_is_marked_and_the_legend_names_everything_once():
    figure, accuracy, ratio = drawn({"narrow": PANEL, "wide": PANEL})
    for axes in (accuracy, ratio):
        assert [10, 10] in [list(line.get_xdata()) for line in axes.get_lines()]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["source", "target", "decay", "range of 2 runs"]
    assert (ratio.get_xlabel(), accuracy.get_title()) == ("epoch", "narrow")


def test_it_is_saved_whole(tmp_path):
    drawn(path=tmp_path / "probes.png")
    assert (tmp_path / "probes.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to draw; give it a panel at least"):
        plots.transfer({}, [0, 1])
