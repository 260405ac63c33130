"""What every experiment's command does: options, training, verdicts, results.json, a picture."""

import argparse
import dataclasses
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidecay.autograd import tensor
from minidecay.console import TERMINATED, Terminated, tolerant
from minidecay.devices import DEVICES
from minidecay.files import write_json
from minidecay.lab.arms import (
    Arms,
    Settings,
    brief,
    epochs_to_train,
    plan,
    seconds_an_epoch,
    train_arms,
)
from minidecay.lab.claims import Claim, describe
from minidecay.lab.workers import WorkerDied, cores, run_tasks
from minidecay.training import Diverged, RunFolder, RunFolderError, environment

SCALES = ("smoke", "demo", "lab", "paper")
MOST_SEEDS, LARGEST_SEED = 10_000, 2**63 - 1  # more is a slip of the hand
MODELS = ("mlp", "cnn", "wrn")


@dataclass(frozen=True)
class Experiment:
    """An experiment, as its file gives it: settings, claims, a table and a picture."""

    name: str
    about: str
    settings: Callable[[str, str, str], Settings]  # scale, model, device
    claims: Callable[[Settings], Sequence[Claim[Any]]]
    measure: Callable[[Arms, Settings], Any]  # one seed's arms, as the claims want to see them
    summary: Callable[[Mapping[int, Any], Settings], str]
    figure: Callable[[Mapping[int, Arms], Settings, Path], None]


@tolerant
def main(experiment: Experiment, argv: Sequence[str] | None, prog: str | None) -> int:
    """Run the experiment: 0 where all its claims hold, 1 where one fails, 2 for wrong use."""
    p = parser(experiment, prog)
    options = p.parse_args(argv)
    if options.resume and options.out is None:
        p.error("--resume needs --out DIR, the folder to go on in")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    out = options.out or Path("runs") / f"{experiment.name}-{stamp}"
    settings = experiment.settings(options.scale, options.model, options.device)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    try:
        tensor([0.0], device=options.device) + 1.0  # what it lacks (CuPy, a compiler) it says now
    except RuntimeError as error:
        print(f"{p.prog}: error: {error}", file=sys.stderr)
        return 2
    try:
        return run(experiment, settings, seeds, out, options.workers or cores(), options.resume)
    except BrokenPipeError:
        raise
    except (RunFolderError, OSError) as error:
        print(f"{p.prog}: error: {error}", file=sys.stderr)
        return 2
    except (Diverged, WorkerDied) as error:
        print(f"{p.prog}: {error}; the records so far are in {out}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as how:
        again = f"--resume --out {shlex.quote(str(out))}"
        print(f"\n{p.prog}: interrupted; to go on add {again}", file=sys.stderr)
        return TERMINATED if isinstance(how, Terminated) else 130


def run(
    experiment: Experiment,
    settings: Settings,
    seeds: Sequence[int],
    out: Path,
    workers: int,
    resume: bool = False,
) -> int:
    """Train what is missing in `out`, then judge, write, draw and tell; 0 where all claims hold."""
    began = time.perf_counter()
    config = {"experiment": experiment.name, **dataclasses.asdict(settings), "seeds": list(seeds)}
    records, picture = out / "results.json", out / f"{experiment.name}.png"
    with RunFolder(out, config, resume) as folder:
        if not folder.finished:
            epochs = epochs_to_train(settings, seeds)
            workers = min(workers, len(plan(settings, seeds)))
            (each,) = run_tasks(seconds_an_epoch, [(settings,)], 1)
            seconds = epochs * each / min(workers, cores())
            print(
                f"{experiment.name} at scale {settings.scale}: {epochs} epochs, about "
                f"{duration(seconds)} on {workers} worker{'s' * (workers > 1)}, into {out}",
                flush=True,
            )
        runs = train_arms(settings, seeds, out, workers, experiment.name)
        measured = {seed: experiment.measure(arms, settings) for seed, arms in runs.items()}
        verdicts = [claim.judge(measured) for claim in experiment.claims(settings)]
        if not folder.finished:  # its records and their provenance stay as they were made
            write_json(records, results(config, runs, verdicts))
            experiment.figure(runs, settings, picture)
            folder.finish({"seconds": time.perf_counter() - began})
        elif not picture.exists():
            experiment.figure(runs, settings, picture)
    decisive = [verdict for verdict in verdicts if not verdict["finding"]]
    findings = [verdict for verdict in verdicts if verdict["finding"]]
    failed = [verdict["name"] for verdict in decisive if not verdict["passed"]]
    names = f"{decisive[0]['name']} to {decisive[-1]['name']}"
    several = f", mean ± standard deviation; seeds {seeds[0]} to {seeds[-1]}"
    print(f"\nAccuracy{several if len(seeds) > 1 else f' of seed {seeds[0]}'}\n")
    print(experiment.summary(measured, settings))
    print(f"\nClaims; each must hold for every seed\n\n{describe(decisive)}")
    print(f"\nFindings; how far the paper's reading does not go here\n\n{describe(findings)}")
    print(f"\npicture  {picture}\nrecords  {records}")
    print("verdict  " + ("failed: " + ", ".join(failed) if failed else f"{names} hold"))
    print(f"took     {duration(time.perf_counter() - began)}")
    return 1 if failed else 0


def results(
    config: Mapping[str, Any], runs: Mapping[int, Arms], verdicts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What results.json holds: configuration, environment, every epoch of every arm, the claims."""
    names = next(iter(runs.values()))  # the first seed has every arm
    return {
        "config": dict(config),
        "environment": environment(),
        "arms": {
            name: {
                str(seed): [brief(record) for record in arms[name]]
                for seed, arms in runs.items()
                if name in arms
            }
            for name in names
        },
        "claims": list(verdicts),
    }


def parser(experiment: Experiment, prog: str | None) -> argparse.ArgumentParser:
    """The options of every experiment."""
    p = argparse.ArgumentParser(prog=prog, description=experiment.about)
    p.add_argument("--scale", choices=SCALES, default="demo", help="how large (default: demo)")
    p.add_argument("--model", choices=MODELS, default="mlp", help="(default: mlp)")
    p.add_argument("--device", choices=DEVICES, default="cpu", help="(default: cpu)")
    p.add_argument("--seeds", type=_seeds, default=3, metavar="N", help="how many (default: 3)")
    p.add_argument("--first-seed", type=_seed, default=0, metavar="K", help="(default: 0)")
    p.add_argument("--workers", type=_workers, metavar="N", help="processes (default: the cores)")
    p.add_argument("--out", type=_folder, metavar="DIR", help="(default: a new folder in runs/)")
    p.add_argument("--resume", action="store_true", help="go on in DIR where it was interrupted")
    return p


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(48.2), duration(700), duration(7500)
    ('48 s', '12 min', '2 h 05 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _seeds(text: str) -> int:
    return _whole(text, least=1, most=MOST_SEEDS)


def _seed(text: str) -> int:
    return _whole(text, least=0, most=LARGEST_SEED)


def _workers(text: str) -> int:
    return _whole(text, least=1, most=LARGEST_SEED)


def _whole(text: str, least: int, most: int) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least {least}")
    if len(text) > len(str(most)) or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text[:25]!r} must be a whole number of at most {most}")
    if int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least {least}")
    return int(text)


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'' names no folder; give one, such as runs/first")
    return Path(text)
