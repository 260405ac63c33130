"""Panels of doses: what is drawn is what was given."""

import numpy as np
import pytest

from minidecay.plots import Intervals, Lines, dose_panels

SEEN = [[0.2, 0.5, 0.9], [0.4, 0.5, 0.7]]


def drawn(panel):
    return dose_panels({"title": panel}).axes[0]


def test_a_line_is_the_mean_over_seeds_with_a_band_from_least_to_most():
    axes = drawn(Lines({"ten": ([5, 15, 45], SEEN)}, "copies", "accuracy", chance=0.1))
    line = axes.lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[5, 0.3], [15, 0.5], [45, 0.8]])
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices.round(9)}
    assert {(5.0, 0.2), (5.0, 0.4), (45.0, 0.7), (45.0, 0.9)} <= corners
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("copies", "accuracy")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["ten", "chance"]


def test_few_doses_are_ticked_themselves_and_many_at_round_numbers():
    axes = drawn(Lines({"ten": ([5, 15, 45], SEEN)}, "copies", "accuracy"))
    assert axes.get_xticks().tolist() == [5, 15, 45]
    close = drawn(Lines({"ten": ([5, 6, 45], SEEN)}, "copies", "accuracy"))
    assert {5, 10, 20, 50} <= set(close.get_xticks().tolist())


def test_threads_join_points_that_belong_together():
    axes = drawn(Lines({"ten": ([5, 15, 45], SEEN)}, "x", "y", threads=[([5, 45], [0.3, 0.8])]))
    np.testing.assert_allclose(axes.lines[-1].get_xydata(), [[5, 0.3], [45, 0.8]])


def test_what_is_no_number_is_left_out():
    values = [[np.nan, 0.5, np.nan], [np.nan, 0.5, 0.7]]
    axes = drawn(Lines({"ten": ([5, 15, 45], values)}, "copies", "accuracy"))
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[15, 0.5], [45, 0.7]])
    nothing = Lines({"ten": ([5], [[np.nan]])}, "x", "y", logarithmic="xy", joined=False, slope=1)
    assert drawn(nothing).get_xscale() == "linear"


def test_points_that_are_proportional_lie_on_the_dotted_line():
    lines = {str(x): ([x], [[3 * x], [3 * x]]) for x in (1.0, 2.0, 5.0)}
    axes = drawn(Lines(lines, "x", "y", logarithmic="xy", joined=False, slope=1))
    dotted = next(line for line in axes.lines if line.get_label() == "proportional")
    np.testing.assert_allclose(dotted.get_xydata(), [[1, 3], [5, 15]])


def test_an_interval_goes_from_its_low_end_to_its_high_end():
    axes = drawn(Intervals({"copies": (0.9, 0.8, 1.1), "patterns": (0.0, -0.1, 0.2)}, "log odds"))
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.8, 1.1])
    np.testing.assert_allclose(axes.lines[1].get_xydata(), [[0.9, 0]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["copies", "patterns"]
    top, second = axes.lines[1].get_ydata()[0], axes.lines[3].get_ydata()[0]
    assert axes.transData.transform((0, top))[1] > axes.transData.transform((0, second))[1]


def test_panels_fill_a_grid_and_the_picture_is_a_file(tmp_path):
    panel = Lines({"ten": ([5, 15, 45], SEEN)}, "copies", "accuracy")
    panels = {"one": panel, "two": panel, "three": panel}
    figure = dose_panels(panels, 2, note="of two seeds", path=tmp_path / "p.png")
    assert figure.get_supxlabel() == "of two seeds"
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nothing to draw; give a panel or more"):
        dose_panels({})
