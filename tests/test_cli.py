"""The command `minidecay`: which word leads where, and how it ends."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from minidecay import __version__, doctor, lab
from minidecay.cli import main


def refused(capsys, *argv):
    """What a command line that is wrong use says, having ended with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_no_command_prints_the_help_and_is_wrong_use(capsys):
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(command in said.err for command in ("doctor", "list", "run"))


def test_help_is_no_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "usage: minidecay" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    said = refused(capsys, "cure")
    assert all(command in said for command in ("cure", "doctor", "list", "run"))


def test_list_gives_every_experiment_a_line(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "noisy-memorization" in lab.EXPERIMENTS
    assert dict(line.split(maxsplit=1) for line in lines) == lab.EXPERIMENTS


def test_every_experiment_that_is_listed_has_a_command():
    assert all(callable(lab.load(name).main) for name in lab.EXPERIMENTS)


@pytest.mark.parametrize(
    "options", [[], ["--scale", "smoke", "--seeds", "2"], ["--help"], ["--version"]]
)
def test_run_hands_every_option_to_the_experiment(options, monkeypatch):
    def experiment(argv, prog):
        assert argv == options
        assert prog == "minidecay run echo"
        return 7

    monkeypatch.setitem(lab.EXPERIMENTS, "echo", "says what it was told")
    monkeypatch.setattr(lab, "load", lambda name: SimpleNamespace(main=experiment))
    assert main(["run", "echo", *options]) == 7


def test_an_unknown_experiment_is_refused_with_the_known_ones(capsys):
    said = refused(capsys, "run", "quiet-memorization", "--scale", "smoke")
    assert "'quiet-memorization'" in said
    assert "choose from noisy-memorization" in said


def test_run_without_a_name_is_refused(capsys):
    assert "NAME" in refused(capsys, "run")


@pytest.mark.parametrize("code", [0, 1])
def test_doctor_ends_as_the_doctor_says(code, monkeypatch):
    monkeypatch.setattr(doctor, "main", lambda: code)
    assert main(["doctor"]) == code


def test_python_m_is_the_same_command():
    command = [sys.executable, "-m", "minidecay"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"minidecay {__version__}\n"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
