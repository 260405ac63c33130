import numpy as np
import pytest

from minidecay import plots
from minidecay.optim.schedules import Cosine, Ramp, Steps
from minidecay.optim.schedules.preview import EPOCHS, EXAMPLES

SHOWN = [Steps(0.5, (2, 3)), Cosine(0.5, 4), Ramp(0, 0.5, 4)]


def test_each_panel_has_the_rates_of_its_schedule_under_its_name():
    figure = plots.schedules(SHOWN, epochs=4, columns=2)
    times = np.arange(400) / 100
    for axes, schedule in zip(figure.axes, SHOWN, strict=False):
        (line,) = axes.lines
        np.testing.assert_array_equal(line.get_xdata(), times)
        np.testing.assert_array_equal(line.get_ydata(), [schedule(t) for t in times])
        assert axes.get_title(loc="left") == repr(schedule)
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]


def test_titles_and_panels_do_not_lie_on_each_other():
    figure = plots.schedules([*EXAMPLES], epochs=EPOCHS)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes if axes.axison]
    assert len(boxes) == len(EXAMPLES)
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    for i, box in enumerate(boxes):
        # A column's titles end before the next one's; ticks may touch.
        assert not any(box.padded(-4).overlaps(other.padded(-4)) for other in boxes[i + 1 :])


def test_the_figure_is_saved_and_nothing_beside_it(tmp_path):
    path = tmp_path / "all.png"
    plots.schedules(SHOWN, epochs=4, path=path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [*tmp_path.iterdir()] == [path]


def test_what_cannot_be_drawn_is_refused():
    for shown, epochs in (([], 4), (SHOWN, 0)):
        with pytest.raises(
            ValueError, match=r"plots.schedules: nothing to draw; pass schedules, a"
        ):
            plots.schedules(shown, epochs=epochs)
