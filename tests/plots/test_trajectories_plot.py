"""Panels of lines: what is drawn where, and what the legend says."""

import numpy as np
import pytest

from minidecay.plots import Panel, Trajectory, panels

RUNS = [[0.2, 0.4, 0.9], [0.4, 0.4, 0.7]]


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_a_line_is_the_mean_of_its_runs_and_its_band_their_range():
    (axes,) = panels([[Panel("accuracy", [Trajectory("decay", [1, 2, 3], RUNS, "#0072B2")])]]).axes
    assert lines_of(axes)["decay"].get_xydata() == pytest.approx(
        np.array([[1, 0.3], [2, 0.4], [3, 0.8]])
    )
    (band,) = axes.collections[:1]
    edges = band.get_paths()[0].vertices
    assert {0.2, 0.4, 0.7, 0.9} <= set(edges[:, 1].round(9))


def test_a_line_of_records_leaves_out_where_there_is_no_value():
    runs = [[{"epoch": e, "value": e * factor or None} for e in range(3)] for factor in (1, 10)]
    line = Trajectory.of("decay", runs, lambda record: record["value"])
    assert (line.x, line.runs) == ([1, 2], [[1, 2], [10, 20]])


def test_the_legend_names_each_label_once_and_how_many_runs_there_are():
    one = Panel(
        "loss", [Trajectory("mean", [1, 2, 3], RUNS)], level=(0.5, "threshold"), marks=(1, 2)
    )
    two = Panel(
        "accuracy",
        [Trajectory("mean", [1, 2, 3], RUNS), Trajectory("star", [2], [[1], [0]], "k", "*")],
    )
    (legend,) = panels([[one, two]]).legends
    said = [text.get_text() for text in legend.get_texts()]
    assert sorted(said) == ["decay", "mean", "range of 2 runs", "star", "threshold"]
    assert (
        len(panels([[Panel("loss", [Trajectory("mean", [1, 2, 3], RUNS[:1])])]]).legends[0].texts)
        == 1
    )


def test_panels_of_one_name_in_a_row_share_their_axis_and_others_do_not():
    def row(*names):
        return [
            Panel(name, [Trajectory("decay", [1, 2], [[i, i + 1]])]) for i, name in enumerate(names)
        ]

    a, b, c, d = panels([row("loss", "loss"), row("loss", "accuracy")]).axes
    assert a.get_ylim() == b.get_ylim() and a.get_ylim()[0] < 0 < 2 < a.get_ylim()[1]
    assert c.get_ylim() != d.get_ylim()
    assert [axes.get_ylabel() for axes in (a, b, c, d)] == ["loss", "", "loss", "accuracy"]


@pytest.mark.parametrize(
    ("least", "said"), [(0.02, {"0.05", "0.1", "0.2", "1"}), (1e-4, {"0.001", "0.01", "0.1", "1"})]
)
def test_a_logarithmic_axis_is_labelled_with_plain_numbers(least, said):
    figure = panels([[Panel("loss", [Trajectory("decay", [1, 2], [[least, 3.0]])], log=True)]])
    figure.canvas.draw()
    axis = figure.axes[0].yaxis
    labels = {label.get_text() for label in (*axis.get_ticklabels(), *axis.get_minorticklabels())}
    assert said <= labels and ("0.05" in labels) == ("0.05" in said)


@pytest.mark.parametrize("grid", [[], [[]], [[Panel("a", [])], []]])
def test_what_cannot_be_laid_out_is_refused(grid):
    with pytest.raises(ValueError, match="ragged rows; give each as many panels"):
        panels(grid)


def test_the_picture_is_a_file(tmp_path):
    panels([[Panel("loss", [Trajectory("decay", [1, 2, 3], RUNS)])]], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
