"""Accuracy by subset over epochs: where each thing stands, and that it can be told apart."""

import numpy as np
import pytest

from minidecay import plots


def run(seed, rates=(0.3, 0.3, 0.03)):
    """The records of a run whose accuracies tell its seed and epoch."""
    return [
        {
            "epoch": epoch,
            "lr": rate,
            "train": {"noise": 0.1 * epoch + 0.01 * seed},
            "test": {"all": 0.2 * epoch},
        }
        for epoch, rate in enumerate(rates, 1)
    ]


LINES = {"noise": ("train", "noise"), "test": ("test", "all")}


def drawn(panels=None, **options):
    panels = panels or {"decay": [run(0), run(1), run(5)]}
    figure = plots.subset_accuracy(panels, LINES, **options)
    accuracy, rate = figure.axes[0], figure.axes[len(panels)]
    return figure, accuracy, rate


def line(axes, label):
    return next(each for each in axes.get_lines() if each.get_label() == label)


def test_a_line_is_the_mean_over_runs_at_the_end_of_each_epoch_and_its_band_their_range():
    _, accuracy, _ = drawn()
    noise = line(accuracy, "noise")
    np.testing.assert_array_equal(noise.get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(noise.get_ydata(), [0.12, 0.22, 0.32])
    corners = accuracy.collections[0].get_paths()[0].vertices
    assert {(1, 0.1), (1, 0.15), (3, 0.3), (3, 0.35)} <= {(x, round(y, 9)) for x, y in corners}


def test_a_decay_is_marked_where_the_rate_drops_and_before_the_accuracy_it_changes():
    _, accuracy, rate = drawn(marks={"decay": [2]})
    for axes in (accuracy, rate):
        assert [2, 2] in [list(each.get_xdata()) for each in axes.get_lines()]
    (steps,) = (each for each in rate.get_lines() if each.get_drawstyle() == "steps-post")
    assert list(zip(*steps.get_data(), strict=True)) == [(0, 0.3), (1, 0.3), (2, 0.03), (3, 0.03)]
    assert accuracy.get_xlim() == rate.get_xlim() == (0, 3)


def test_runs_that_differ_in_their_rates_are_all_drawn_and_those_that_agree_once():
    runs = [run(0), run(1), run(2, rates=(0.3, 0.03, 0.03))]
    _, _, rate = drawn({"decay": runs})
    rates = [list(each.get_ydata()) for each in rate.get_lines()]
    assert rates == [[0.3, 0.3, 0.03, 0.03], [0.3, 0.03, 0.03, 0.03]]


def test_lines_differ_without_their_colours_too():
    _, accuracy, _ = drawn()
    noise, test = line(accuracy, "noise"), line(accuracy, "test")
    assert noise.get_color() != test.get_color() and noise.get_marker() != test.get_marker()


def test_the_legend_names_everything_once_and_fits():
    three = {title: [run(0), run(1)] for title in ("decay", "large", "small")}
    figure, _, _ = drawn(three, marks={"decay": [2]}, chance=0.1)
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["noise", "test", "chance", "decay", "range of 2 runs"]
    figure.draw_without_rendering()
    place = legend.get_window_extent()
    assert 0 <= place.x0 < place.x1 <= figure.bbox.x1


def test_one_run_has_no_range_to_speak_of():
    figure, _, _ = drawn({"decay": [run(0)]})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["noise", "test"]


def test_the_axes_say_what_they_show():
    _, accuracy, rate = drawn()
    assert (accuracy.get_ylabel(), rate.get_ylabel()) == ("accuracy", "learning rate")
    assert (rate.get_xlabel(), accuracy.get_title()) == ("epoch", "decay")


@pytest.mark.parametrize("panels", [{}, {"decay": []}])
def test_a_picture_of_nothing_is_refused(panels):
    with pytest.raises(ValueError, match="nothing to draw; give each panel a run at least"):
        plots.subset_accuracy(panels, LINES)
