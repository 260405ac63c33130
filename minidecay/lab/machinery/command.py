"""The commands of the laboratory: options, training, verdicts, results.json, a picture."""

import argparse
import dataclasses
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minidecay.autograd import tensor
from minidecay.console import TERMINATED, Terminated, tolerant
from minidecay.devices import DEVICES
from minidecay.files import read_json, write_json
from minidecay.lab.machinery.arms import (
    Settings,
    Trained,
    brief,
    epochs_to_train,
    plan,
    seconds_to_train,
    train_arms,
)
from minidecay.lab.machinery.claims import describe, describe_verdicts
from minidecay.lab.machinery.experiment import Experiment
from minidecay.lab.machinery.workers import WorkerDied, cores, run_tasks
from minidecay.training import Diverged, RunFolder, RunFolderError, environment
from minidecay.training.run_folder import CONFIG

SCALES = ("smoke", "demo", "lab", "paper")
MOST_SEEDS, LARGEST_SEED = 10_000, 2**63 - 1  # more is a slip of the hand
RESULTS = "results.json"


@tolerant
def main(experiment: Experiment, argv: Sequence[str] | None, prog: str | None) -> int:
    """The command of one experiment.

    0 where it ran to its verdicts, 1 where it was stopped by an error (or one that decides has a
    claim that fails), 2 for wrong use.
    """
    p = parser(experiment.about, experiment.models, prog)
    options = p.parse_args(argv)
    return perform([experiment], options, p)


@tolerant
def main_of_all(experiments: Sequence[Experiment], argv: Sequence[str], prog: str) -> int:
    """All experiments after each other, each into a folder of its own; the worst exit code.

    One that lacks what it needs is told first, and left out.
    """
    p = parser("Run every experiment, each into a folder of its own.", ("mlp",), prog)
    return perform(experiments, p.parse_args(argv), p)


def perform(
    experiments: Sequence[Experiment], options: argparse.Namespace, p: argparse.ArgumentParser
) -> int:
    """Run them with these options, and say in a line why one did not come to its end."""
    if options.resume and options.out is None:
        p.error("--resume needs --out DIR, the folder to go on in")
    name = experiments[0].name if len(experiments) == 1 else "all"
    out = options.out or Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    try:
        tensor([0.0], device=options.device) + 1.0  # what it lacks (CuPy, a compiler) it says now
    except RuntimeError as error:
        return _told(p, f"error: {error}", 2)
    codes, able = [], []
    for experiment in experiments:
        try:
            if experiment.needs is not None:
                experiment.needs()
            able.append(experiment)
        except ImportError as error:
            codes.append(_told(p, f"error: {experiment.name} needs {error}", 2))
    for experiment in able:
        where = out if len(experiments) == 1 else out / experiment.name
        which = (options.model,) if len(experiment.models) > 1 else ()
        settings = experiment.settings(options.scale, *which, device=options.device)
        try:
            codes.append(
                run(experiment, settings, seeds, where, options.workers or cores(), options.resume)
            )
        except BrokenPipeError:
            raise
        except (RunFolderError, OSError) as error:
            codes.append(_told(p, f"error: {error}", 2))
        except (Diverged, WorkerDied) as error:
            codes.append(_told(p, f"{error}; the records so far are in {where}", 1))
        except KeyboardInterrupt as how:
            again = f"--resume --out {shlex.quote(str(out))}"
            print(file=sys.stderr)
            code = TERMINATED if isinstance(how, Terminated) else 130
            return _told(p, f"interrupted; to go on add {again}", code)
    return max(codes)


def _told(p: argparse.ArgumentParser, what: str, code: int) -> int:
    print(f"{p.prog}: {what}", file=sys.stderr)
    return code


def run(
    experiment: Experiment,
    settings: Settings,
    seeds: Sequence[int],
    out: Path,
    workers: int,
    resume: bool = False,
) -> int:
    """Train what is missing in `out`, then judge, write, draw and tell."""
    began = time.perf_counter()
    config = {"experiment": experiment.name, **dataclasses.asdict(settings), "seeds": list(seeds)}
    records, picture = out / RESULTS, out / f"{experiment.name}.png"
    with RunFolder(out, config, resume) as folder:
        if not folder.finished:
            workers = min(workers, len(plan(settings, seeds)))
            (seconds,) = run_tasks(seconds_to_train, [(settings, seeds)], 1)
            print(
                f"{experiment.name} at scale {settings.scale}: {epochs_to_train(settings, seeds)} "
                f"epochs, about {duration(seconds / min(workers, cores()))} of training on "
                f"{workers} worker{'s' * (workers > 1)}, into {out}",
                flush=True,
            )
        runs = train_arms(settings, seeds, out, workers, experiment.name)
        measured = {seed: experiment.measure(trained) for seed, trained in runs.items()}
        judged = [claim.judge(measured) for claim in experiment.claims(settings)]
        if not folder.finished:  # its records and their provenance stay as they were made
            write_json(records, results(config, runs, judged, provenance(out)))
            experiment.figure(runs, settings, picture)
            folder.finish({"seconds": time.perf_counter() - began})
        else:  # what was removed since is made again
            if not records.exists():
                write_json(records, results(config, runs, judged, provenance(out)))
            if not picture.exists():
                experiment.figure(runs, settings, picture)
    several = f", mean ± standard deviation; seeds {seeds[0]} to {seeds[-1]}"
    of = several if len(seeds) > 1 else f" of seed {seeds[0]}"
    print(f"\n{experiment.measures}{of}\n")
    print(experiment.summary(measured, settings))
    tell = tell_decision if experiment.decides else tell_verdicts
    last, code = tell(judged)
    print(f"\npicture  {picture}\nrecords  {records}")
    print(f"verdict  {last}")
    print(f"took     {duration(time.perf_counter() - began)}")
    return code


def tell_decision(judged: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Print claims that must hold for every seed; what that comes to, and the exit code."""
    decisive = [claim for claim in judged if not claim["finding"]]
    findings = [claim for claim in judged if claim["finding"]]
    failed = [claim["name"] for claim in decisive if not claim["passed"]]
    names = f"{decisive[0]['name']} to {decisive[-1]['name']}"
    print(f"\nClaims; each must hold for every seed\n\n{describe(decisive)}")
    print(f"\nFindings; how far the paper's reading does not go here\n\n{describe(findings)}")
    return ("failed: " + ", ".join(failed) if failed else f"{names} hold"), 1 if failed else 0


def tell_verdicts(judged: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Print claims that the mean over seeds decides; what that comes to, and the exit code."""
    print(f"\nClaims; mean over seeds [95 % interval]\n\n{describe_verdicts(judged)}")
    if all(len(claim["seeds"]) == 1 for claim in judged):
        return "undecided, as any from a single seed is; take --seeds 2 or more", 0
    said = []
    for verdict in ("holds", "fails", "undecided"):
        names = [claim["name"] for claim in judged if claim["verdict"] == verdict]
        verb = {"holds": "hold", "fails": "fail"}.get(verdict, verdict)
        said += [f"{', '.join(names)} {verdict if len(names) == 1 else verb}"] if names else []
    return "; ".join(said), 0


def provenance(folder: Path) -> dict[str, Any]:
    """This environment; "begun" is the commit at which the run began, where that was another."""
    born = read_json(folder / CONFIG).get("environment", {}).get("commit")
    now = environment()
    return now if born == now["commit"] else now | {"begun": born}


def results(
    config: Mapping[str, Any],
    runs: Mapping[int, Trained],
    judged: Sequence[Mapping[str, Any]],
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """What results.json holds: configuration, environment, every epoch of every arm, the claims."""
    names = next(iter(runs.values()))  # the first seed has every arm
    return {
        "config": dict(config),
        "environment": dict(made),
        "arms": {
            name: {
                str(seed): [brief(record) for record in arms[name]]
                for seed, arms in runs.items()
                if name in arms
            }
            for name in names
        },
        "claims": list(judged),
    }


def parser(about: str, models: Sequence[str], prog: str | None) -> argparse.ArgumentParser:
    """The options of every experiment."""
    p = argparse.ArgumentParser(prog=prog, description=about)
    p.add_argument("--scale", choices=SCALES, default="demo", help="how large (default: demo)")
    if len(models) > 1:
        p.add_argument("--model", choices=models, default=models[0], help=f"(default: {models[0]})")
    else:
        p.set_defaults(model=models[0])
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
