"""What the README shows is what a reader gets."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from minidecay import lab
from minidecay.cli import main
from minidecay.lab.machinery import verdicts

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+")


def block(mark: str) -> str:
    """The fenced block that follows the comment <!-- mark -->."""
    found = re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README.md has no block marked {mark}"
    return found[1]


def test_the_twelve_lines_print_what_the_readme_says(capsys):
    code = block("test: code")
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 14
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed, shown = capsys.readouterr().out, block("test: output")
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    # Another BLAS rounds differently, and training enlarges that: the story must be the same.
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.12)


@pytest.mark.skipif(sys.platform != "linux", reason="the emulator is for Linux and WSL")
def test_the_kernel_lines_print_what_the_readme_says(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDECAY_CACHE", str(tmp_path))
    exec(compile(block("test: kernel code"), "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out == block("test: kernel output")


@pytest.mark.skipif(sys.platform != "linux", reason="the emulator is for Linux and WSL")
def test_the_kernel_commands_print_what_the_readme_says(capsys, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    commands = block("test: kernel commands").splitlines()
    shown = re.split(r"^\$ ", block("test: kernel printed"), flags=re.MULTILINE)[1:]
    assert [each.partition("\n")[0] for each in shown] == commands
    for command, part in zip(commands, shown, strict=True):
        main(shlex.split(command)[1:])
        printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        for line in part.splitlines()[1:]:  # "..." stands for what is left out of a line
            pieces = [" ".join(piece.split()) for piece in line.split("...")]
            pattern = re.compile(".*".join(map(re.escape, pieces)))
            assert any(pattern.fullmatch(each) for each in printed), line


def test_the_verdicts_are_those_of_the_runs_that_are_kept(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    kept = Path("examples/laboratory")
    begin, end = "<!-- verdicts -->\n", "\n<!-- end of verdicts -->"
    assert README.partition(begin)[2].partition(end)[0] == verdicts.markdown(kept)
    assert set(verdicts.find(kept)) == set(lab.EXPERIMENTS)


def test_every_path_that_the_readme_names_exists():
    root = Path(__file__).parents[1]
    named = re.findall(r"`((?:minidecay|examples|kernels|benchmarks|tests)/[\w/.]+)`", README)
    named += re.findall(r"\]\(([\w/.]+)\)", README)
    assert named
    missing = [path for path in named if not (root / path).exists()]
    assert not missing
