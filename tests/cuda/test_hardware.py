"""The record of what a GPU has run: it holds for the very text that ran, and for no other."""

import re

import pytest

from minidecay.cuda import hardware, source
from minidecay.cuda.hardware import Run, record, runs, verified_on

DAY = "2026-11-25T10:00:00+00:00"


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A folder of kernels of its own, with an include, and with no record yet."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "two.cuh").write_text("#define TWO 2\n")
    (tmp_path / "toy").mkdir()
    for name in ("01_one", "02_two"):
        (tmp_path / "toy" / f"{name}.cu").write_text(
            '#include "common/two.cuh"\n//! grid 1\n//! block 1\n'
            f'extern "C" __global__ void k(float* x) {{ x[0] = TWO; }}  // {name}\n'
        )
    monkeypatch.setattr(source, "folder", lambda: tmp_path)
    (tmp_path / "hardware.toml").write_text("")
    return tmp_path


def test_the_record_is_read_and_speaks_of_kernels_there_are():
    recorded = hardware._read(source.folder() / "hardware.toml")
    assert recorded.keys() <= set(source.names())
    for name in source.names():
        assert verified_on(name)


def test_the_record_says_itself_what_it_is():
    assert (source.folder() / "hardware.toml").read_text().startswith(hardware._HEADER)


def test_what_is_recorded_is_read_again(kernels):
    assert runs("toy/01_one") == []
    assert verified_on("toy/01_one") == "unverified"
    written = record('A "fine" card, 80 °C', ["toy/01_one"], date=DAY, commit="abc")
    assert written == kernels / "hardware.toml"
    (run,) = runs("toy/01_one")
    assert run == Run('A "fine" card, 80 °C', DAY, "abc", run.text)
    assert re.fullmatch("[0-9a-f]{16}", run.text)
    assert verified_on("toy/01_one") == 'A "fine" card, 80 °C'
    assert verified_on("toy/02_two") == "unverified"
    assert [path.name for path in kernels.iterdir() if "hardware" in path.name] == ["hardware.toml"]


@pytest.mark.parametrize("edited", ["toy/01_one.cu", "common/two.cuh"])
def test_a_kernel_that_is_edited_is_unverified_again(kernels, edited):
    record("A", ["toy/01_one"], date=DAY, commit="abc")
    path = kernels / edited
    before = path.read_text()
    path.write_text(before.replace("2", "3") + "// one more line\n")
    assert verified_on("toy/01_one") == "unverified"
    path.write_text(before)
    assert verified_on("toy/01_one") == "A"


def test_cards_stand_side_by_side_and_a_card_once(kernels):
    record("A", ["toy/01_one", "toy/02_two"], date=DAY, commit="abc")
    record("B", ["toy/01_one"], date=DAY, commit="abc")
    record("A", ["toy/01_one"], date=DAY, commit="def")
    assert [(run.card, run.commit) for run in runs("toy/01_one")] == [("B", "abc"), ("A", "def")]
    assert verified_on("toy/01_one") == "B, A"
    assert verified_on("toy/02_two") == "A"


def test_what_no_longer_holds_leaves_when_its_kernel_runs_again(kernels):
    record("A", ["toy/01_one"], date=DAY, commit="abc")
    (kernels / "common" / "two.cuh").write_text("#define TWO 4\n")
    record("B", ["toy/01_one"], date=DAY, commit="def")
    assert (kernels / "hardware.toml").read_text().count("[[toy.01_one]]") == 1


def test_a_record_elsewhere_begins_with_what_the_kernels_have(kernels, tmp_path):
    record("A", ["toy/01_one"], date=DAY, commit="abc")
    before = (kernels / "hardware.toml").read_text()
    out = tmp_path / "out.toml"
    record("B", ["toy/01_one"], date=DAY, commit="abc", path=out)
    record("B", ["toy/02_two"], date=DAY, commit="abc", path=out)
    assert [run.card for run in runs("toy/01_one", out)] == ["A", "B"]
    assert [run.card for run in runs("toy/02_two", out)] == ["B"]
    assert (kernels / "hardware.toml").read_text() == before


def test_a_kernel_that_is_not_there_is_not_recorded(kernels):
    before = (kernels / "hardware.toml").read_text()
    with pytest.raises(ValueError, match="no kernel 'toy/03_three'; there are toy/01_one"):
        record("A", ["toy/01_one", "toy/03_three"], date=DAY, commit="abc")
    assert (kernels / "hardware.toml").read_text() == before


@pytest.mark.parametrize(
    "text", ["[toy", "toy = 3\n", "[toy]\n01_one = 3\n", '[[toy.01_one]]\ncard = "A"\n']
)
def test_a_record_that_cannot_be_read_is_told(kernels, text):
    (kernels / "hardware.toml").write_text(text)
    with pytest.raises(ValueError, match=r"hardware\.toml cannot be read: "):
        runs("toy/01_one")
