"""The experiment in miniature, as a command too: what tests interrupt, kill and resume."""

import dataclasses
import sys
from pathlib import Path

from minidecay.lab.machinery import arms, command
from minidecay.lab.machinery.arms import Trained
from minidecay.lab.noisy_memorization import EXPERIMENT, NoisySettings

SCALES = {
    "smoke": {},
    "demo": {"n_train": 2000, "stages": (8, 4, 4), "epochs": 16},  # long enough to be killed in
    "lab": {"large": 1e30},  # diverges
}


def settings(scale="smoke", model="mlp", device="cpu"):
    sizes = {"n_train": 400, "n_test": 100, "size": 4, "width": 8, "batch_size": 40}
    short = {"stages": (2, 1, 1), "epochs": 4, "small": (0.01, 0.03)}
    return NoisySettings(scale=scale, model=model, device=device, **sizes | short | SCALES[scale])


def trained(settings, arms):
    """One seed with these records of its arms, as if they had been trained."""
    return Trained(settings, 100, arms, Path("nowhere"))


TINY = dataclasses.replace(EXPERIMENT, settings=settings)


def one_after_the_other(function, tasks, workers, **_):
    """`run_tasks` without processes."""
    return [function(*task) for task in tasks]


def without_processes(argv, experiment=TINY):
    """The command, in this process alone."""
    command.run_tasks = arms.run_tasks = one_after_the_other
    return command.main(experiment, argv, "tiny")


if __name__ == "__main__":
    sys.exit(command.main(TINY, None, "tiny"))
