"""Every example at every epoch: what each row, column, colour and line stands for."""

import numpy as np
import pytest

from minidecay import plots

RNG = np.random.default_rng(0)


def drawn(examples=10, runs=3, **options):
    """Two panels of two groups over four epochs."""
    titles, groups = ("decay", "small"), ("clean", "noise")
    panels = {t: {g: RNG.standard_normal((4, examples)) for g in groups} for t in titles}
    lines = {t: {"found": RNG.random((runs, 4))} for t in titles}
    return panels, lines, plots.example_margins(panels, lines, **options)


def images(figure):
    return [axes.get_images()[0] for axes in figure.axes if axes.get_images()]


def test_a_row_is_an_example_from_the_bottom_up_and_a_column_an_epoch_as_long_as_it_lasts():
    panels, _, figure = drawn()
    shown = images(figure)
    assert len(shown) == 4
    for image, (title, group) in zip(
        shown, [("decay", "clean"), ("small", "clean"), ("decay", "noise"), ("small", "noise")],
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(image.get_array(), panels[title][group].T)
        assert image.origin == "lower" and image.get_extent() == [0, 4, 0, 100]


def test_right_is_blue_and_wrong_is_red_alike_in_every_panel():
    _, _, figure = drawn(limit=2.0)
    for image in images(figure):
        assert image.get_clim() == (-2, 2)
        right, wrong = image.cmap(image.norm(1.5)), image.cmap(image.norm(-1.5))
        assert right[2] > right[0] and wrong[0] > wrong[2]


def test_many_examples_are_thinned_evenly_to_what_can_be_seen():
    margins = np.arange(5 * 9000.0).reshape(5, 9000)
    (image,) = images(plots.example_margins({"decay": {"simple": margins}}))
    rows = image.get_array()[:, 0]
    assert len(rows) == 400 and (rows[0], rows[-1]) == (0, 8999)
    assert set(np.diff(rows)) <= {22, 23}


def test_a_line_is_the_mean_over_runs_and_its_band_their_range():
    _, lines, figure = drawn(marks={"decay": [2]}, chance=0.5)
    axes = figure.axes[4]
    line = next(each for each in axes.get_lines() if each.get_label() == "found")
    found = lines["decay"]["found"]
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_allclose(line.get_ydata(), found.mean(axis=0))
    corners = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert {found.min(), found.max()} <= set(corners)
    for axes in (figure.axes[0], figure.axes[2], figure.axes[4]):
        assert [2, 2] in [list(each.get_xdata()) for each in axes.get_lines()]
    assert [2, 2] not in [list(each.get_xdata()) for each in figure.axes[1].get_lines()]


def test_the_axes_the_bar_and_the_legend_say_what_they_show():
    _, _, figure = drawn(marks={"decay": [2]}, chance=0.5, line_label="area", note="of seed 3")
    *labels, bar = [axes.get_ylabel() for axes in figure.axes][::2]
    assert labels == ["clean\nexamples, %", "noise\nexamples, %", "area"]
    assert bar == "margin, logits (blue: right, red: wrong)"
    assert [axes.get_xlabel() for axes in figure.axes][4:6] == ["epoch", "epoch"]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["found", "chance", "decay", "range of 3 runs"]
    assert figure.get_suptitle() == "of seed 3"
    assert [axes.get_title() for axes in figure.axes[:2]] == ["decay", "small"]


def test_one_run_has_no_range_to_speak_of():
    *_, figure = drawn(runs=1)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["found"]


@pytest.mark.parametrize(
    "panels",
    [{}, {"decay": {}}, {"a": {"clean": np.ones((2, 3))}, "b": {"noise": np.ones((2, 3))}}],
)
def test_a_picture_of_nothing_or_of_unlike_panels_is_refused(panels):
    with pytest.raises(ValueError, match="give a panel at least, and each the same groups"):
        plots.example_margins(panels)
