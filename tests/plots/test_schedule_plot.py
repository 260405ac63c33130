import subprocess
import sys
from math import inf

import matplotlib as mpl
import numpy as np
import pytest

from minidecay import plots
from minidecay.optim.schedules import Constant, Cosine, Ramp, Steps

DECAY = Steps(0.5, (2, 3))
WARM = Ramp(0, 0.5, 1).then(Cosine(0.5, 3))


def test_the_curves_are_the_rates_of_every_step():
    figure = plots.schedule(DECAY, WARM, epochs=4, steps_per_epoch=312)
    times = np.arange(4 * 312 + 1) / 312
    for line, schedule in zip(figure.axes[0].lines, (DECAY, WARM), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), times)
        np.testing.assert_array_equal(line.get_ydata(), [schedule(t) for t in times])


def test_a_jump_is_drawn_upright_at_its_milestone():
    line = plots.schedule(DECAY, epochs=4, steps_per_epoch=10).axes[0].lines[0]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_ydata()[19:21].tolist() == [DECAY(1.9), DECAY(2)]


def test_the_axes_say_what_they_show():
    figure = plots.schedule(DECAY, epochs=4)
    assert figure.axes[0].get_xlabel() == "epoch"
    assert figure.axes[0].get_ylabel() == "learning rate"
    assert figure.axes[0].get_xlim() == (0, 4)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_labels_are_the_reprs_unless_given():
    def halving(t: float) -> float:
        return 0.5**t

    assert texts(plots.schedule(DECAY, 0.1, halving, epochs=4)) == [
        "Steps(0.5, (2, 3))",
        "Constant(0.1)",
        "halving",
    ]
    assert texts(plots.schedule(DECAY, 0.1, epochs=4, labels=["decay", "large"])) == [
        "decay",
        "large",
    ]


def test_a_long_label_leaves_the_curves_their_room():
    figure = plots.schedule(sum(DECAY + WARM for _ in range(8)), epochs=4)
    figure.draw_without_rendering()
    assert texts(figure)[0].count("\n") > 2
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x1 <= figure.bbox.x1
    assert legend.y1 <= figure.bbox.y1
    assert figure.axes[0].get_window_extent().height > figure.bbox.height / 4


def test_curves_that_coincide_all_show():
    lines = plots.schedule(*[Constant(0.1)] * 9, epochs=4).axes[0].lines
    widths = [line.get_linewidth() for line in lines]
    assert widths == sorted(set(widths), reverse=True)
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 9


@pytest.mark.filterwarnings("error")
def test_a_logarithmic_axis_leaves_out_rates_of_0():
    figure = plots.schedule(WARM, epochs=4, log=True)
    figure.draw_without_rendering()
    assert figure.axes[0].get_yscale() == "log"
    assert 0 < figure.axes[0].get_ylim()[0] < 0.5 < figure.axes[0].get_ylim()[1]


@pytest.mark.filterwarnings("error")
def test_a_rate_of_0_throughout_can_be_drawn():
    plots.schedule(0, epochs=4).draw_without_rendering()


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")]
)
def test_the_figure_is_saved_and_nothing_beside_it(tmp_path, suffix, magic):
    path = tmp_path / f"rates{suffix}"
    plots.schedule(DECAY, epochs=4, path=path)
    assert path.read_bytes().startswith(magic)
    assert [*tmp_path.iterdir()] == [path]


def test_a_figure_that_cannot_be_saved_leaves_the_old_file(tmp_path, monkeypatch):
    def fill_the_disk(figure, file, format):
        file.write(b"half a picture")
        raise OSError("no space left")

    path = tmp_path / "rates.png"
    path.write_text("old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        plots.schedule(DECAY, epochs=4, path=path)
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("rates.doc", ValueError, r"rates.doc names no picture; let it end in .png, .pdf or .svg"),
        ("rates", ValueError, "rates names no picture"),
        ("missing/rates.png", FileNotFoundError, "there is no folder .*missing; make it first"),
    ],
)
def test_a_path_that_no_picture_can_have_is_refused(tmp_path, name, error, message):
    with pytest.raises(error, match=message):
        plots.schedule(DECAY, epochs=4, path=tmp_path / name)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("schedules", "options", "message"),
    [
        ([], {}, "nothing to draw; pass one schedule or more"),
        ([DECAY], {"epochs": 0}, r"epochs \(0\) and steps_per_epoch \(100\) must be finite and"),
        ([DECAY], {"epochs": float("nan")}, r"epochs \(nan\)"),
        ([DECAY], {"steps_per_epoch": 0}, r"steps_per_epoch \(0\)"),
        ([DECAY], {"labels": ["a", "b"]}, "2 labels for 1 schedules"),
        ([lambda t: inf * (t >= 2)], {"labels": ["mine"]}, "mine is nan at epoch 0; mend it there"),
        ([lambda t: inf if t >= 2 else 1], {}, "<lambda> is inf at epoch 2; mend it there"),
        ([0], {"log": True}, "every rate is 0, which log=True cannot show"),
    ],
)
def test_what_cannot_be_drawn_is_refused(schedules, options, message):
    with pytest.raises(ValueError, match=message):
        plots.schedule(*schedules, **{"epochs": 4} | options)


def test_drawing_changes_nothing_global():
    before = dict(mpl.rcParams)
    plots.schedule(DECAY, epochs=4)
    assert dict(mpl.rcParams) == before


def test_neither_import_loads_matplotlib_nor_drawing_loads_pyplot():
    code = (
        "import sys; from minidecay import plots; assert 'matplotlib' not in sys.modules;"
        "plots.schedule(0.1, epochs=1); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
