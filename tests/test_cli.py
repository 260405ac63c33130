"""The command `minidecay`: which word leads where, and how it ends."""

import subprocess
import sys

import pytest

from minidecay import __version__, doctor, lab
from minidecay.cli import main
from minidecay.lab.machinery import arms, command, listing


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


def test_list_gives_every_experiment_a_line_with_its_place_in_the_paper_and_its_times(
    capsys, monkeypatch
):
    monkeypatch.setattr(listing, "run_tasks", lambda function, tasks, _: [function(*tasks[0])])
    monkeypatch.setattr(arms, "seconds_an_epoch", lambda settings: 2.0)
    monkeypatch.setattr(listing, "cores", lambda: 2)
    assert main(["list"]) == 0
    header, _, *lines, empty, note, rest = capsys.readouterr().out.splitlines()
    assert header.split()[-4:] == ["smoke", "demo", "lab", "paper"]
    assert [line.split()[0] for line in lines] == list(lab.EXPERIMENTS)
    (line,) = (line for line in lines if line.startswith("noisy-memorization"))
    experiment = lab.load("noisy-memorization")
    assert experiment.about in line and experiment.paper in line
    # Of one seed 18 + 8 + 18 epochs, two rates more on the first: 168 of 2 s on two cores.
    assert line.split()[-8:-4] == ["3", "min", "3", "min"]
    told = "Times are estimates of training three seeds on the 2 cores of this machine; what"
    assert (empty, note.removeprefix(told)) == ("", "")
    assert rest == "is measured besides (curvature, averages, probes) comes on top."


def test_every_experiment_is_called_what_its_file_is_and_says_what_it_is_about():
    assert "noisy-memorization" in lab.EXPERIMENTS and "machinery" not in lab.EXPERIMENTS
    for name in lab.EXPERIMENTS:
        experiment = lab.load(name)
        assert experiment.name == name
        assert 20 <= len(experiment.about) <= 75 and 5 <= len(experiment.paper) <= 60
        assert not experiment.about.endswith(".")


@pytest.mark.parametrize(
    "options", [[], ["--scale", "smoke", "--seeds", "2"], ["--help"], ["--version"]]
)
def test_run_hands_every_option_to_the_experiment(options, monkeypatch):
    def ran(experiment, argv, prog):
        assert (experiment, argv, prog) == (
            lab.load("decay-stages"),
            options,
            "minidecay run decay-stages",
        )
        return 7

    monkeypatch.setattr(command, "main", ran)
    assert main(["run", "decay-stages", *options]) == 7


def test_run_all_hands_every_option_to_all_of_them(monkeypatch):
    def ran(experiments, argv, prog):
        assert [experiment.name for experiment in experiments] == list(lab.EXPERIMENTS)
        assert (argv, prog) == (["--scale", "smoke"], "minidecay run all")
        return 0

    monkeypatch.setattr(command, "main_of_all", ran)
    assert main(["run", "all", "--scale", "smoke"]) == 0


def test_an_unknown_experiment_is_refused_with_the_known_ones(capsys):
    said = " ".join(refused(capsys, "run", "quiet-memorization", "--scale", "smoke").split())
    assert "'quiet-memorization'" in said
    assert f"choose from {', '.join(lab.EXPERIMENTS)}, all" in said


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
