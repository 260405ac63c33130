"""Sketches of schedules, and the command that lists them all."""

import io
import sys

import pytest
from drawn_schedules import any_schedule
from hypothesis import given
from hypothesis import strategies as st

from minidecay.cli import main
from minidecay.optim.schedules import COOLDOWNS, WSD, Constant, Ramp, Schedule, Steps
from minidecay.optim.schedules.preview import BLOCKS, EPOCHS, EXAMPLES, PLAIN, listing, sketch


def test_a_step_down_is_a_step_down():
    assert sketch(Steps(0.8, (4,), gamma=0.5), 8, width=8, height=2) == [
        "████    ",
        "████████",
    ]


def test_eighths_are_told_apart():
    assert sketch(Ramp(0, 1, 8), 8, width=8, height=1) == ["▁▂▃▄▅▆▇█"]
    assert sketch(Ramp(0, 1, 8), 8, width=8, height=1, plain=True) == [".,-~+*#@"]


def test_a_rate_is_seen_and_no_rate_is_not():
    assert sketch(Steps(1, (1, 2), gamma=1e-9), 3, width=3, height=1) == ["█▁▁"]
    assert sketch(Constant(0), 3, width=3, height=2) == ["   ", "   "]


@given(any_schedule, st.integers(1, 40), st.integers(1, 4))
def test_a_sketch_fills_its_room_and_its_columns_stand_on_the_ground(schedule, width, height):
    lines = sketch(schedule, EPOCHS, width, height)
    assert [len(line) for line in lines] == [width] * height
    for column in zip(*lines, strict=True):
        levels = [BLOCKS.index(each) for each in column]
        assert levels == sorted(levels)
        assert sum(level not in (0, 8) for level in levels) <= 1


def test_every_kind_and_every_cooldown_has_an_example():
    kinds = {kind for kind in Schedule.__subclasses__() if kind.__module__.startswith("minidecay")}
    assert {type(each) for each in EXAMPLES} == kinds
    shapes = {each.shape for each in EXAMPLES if isinstance(each, WSD)}
    assert shapes == {*COOLDOWNS}
    assert all(EXAMPLES.values())


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_listing_keeps_to_its_columns(columns):
    text = listing(columns)
    assert all(len(line) <= max(columns, 59) for line in text.splitlines())
    for schedule in EXAMPLES:
        assert repr(schedule).partition("(")[0] in text


def test_the_command_lists_them(capsys):
    assert main(["schedules"]) == 0
    told = capsys.readouterr().out
    assert "Steps(0.1, (10, 20), gamma=0.5)" in told and "AutoDecay and Plateau" in told
    assert "█" in told


def test_a_terminal_without_blocks_gets_plain_characters(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["schedules"]) == 0
    stream.flush()
    told = stream.buffer.getvalue().decode("ascii")
    assert PLAIN[-1] * 32 in told


def test_the_command_draws_them(tmp_path, capsys):
    path = tmp_path / "schedules.svg"
    assert main(["schedules", "--plot", str(path)]) == 0
    assert capsys.readouterr().out == f"drawn: {path}\n"
    assert path.read_text().count("<svg") == 1


@pytest.mark.parametrize("name", ["schedules.doc", "nowhere/schedules.png"])
def test_a_path_that_cannot_be_drawn_is_told_and_ends_with_2(tmp_path, capsys, name):
    with pytest.raises(SystemExit) as ended:
        main(["schedules", "--plot", str(tmp_path / name)])
    assert ended.value.code == 2
    assert "cannot be drawn" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
