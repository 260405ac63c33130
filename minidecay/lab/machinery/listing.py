"""What there is to run, and how long it takes here: `minidecay list`."""

from collections.abc import Sequence

from minidecay.lab.machinery.arms import plan, seconds_to_train
from minidecay.lab.machinery.command import SCALES, duration
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.workers import cores, run_tasks
from minidecay.tables import table

SEEDS = range(3)  # the default of every experiment


def table_of(experiments: Sequence[Experiment]) -> str:
    """A line each: what it is about, where in the paper, its time at each scale."""
    (seconds,) = run_tasks(times, [([e.name for e in experiments],)], 1)
    rows = [
        [e.name, e.about, e.paper, *map(duration, each)]
        for e, each in zip(experiments, seconds, strict=True)
    ]
    text = table(["experiment", "what it asks", "in the paper", *SCALES], rows, left=3)
    workers = f"{cores()} core{'s' * (cores() > 1)}"
    return (
        f"{text}\n\nTimes are estimates of training three seeds on the {workers} of this machine; "
        "what\nis measured besides (curvature, averages, probes) comes on top."
    )


def times(names: Sequence[str]) -> list[list[float]]:
    """Seconds of each experiment at each scale, by a few steps of each kind of network."""
    from minidecay import lab

    known: dict[object, float] = {}
    rows = []
    for name in names:
        experiment = lab.load(name)
        every = [experiment.settings(scale) for scale in SCALES]
        rows.append(
            [seconds_to_train(s, SEEDS, known) / min(cores(), len(plan(s, SEEDS))) for s in every]
        )
    return rows
