"""The verdicts of finished runs as one table: `minidecay verdicts`."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minidecay import lab
from minidecay.files import read_json, write_atomic, write_json
from minidecay.lab.machinery.claims import bounds_of, number
from minidecay.lab.machinery.command import RESULTS

Results = Mapping[str, Any]  # of one experiment: its config, its environment, its claims


class NoResults(ValueError):  # noqa: N818 (it is what was found)
    """A folder holds no finished run."""


def find(folder: Path) -> dict[str, Results]:
    """What finished runs in `folder` came to, by experiment.

    `folder` is that of a run, one of several such folders (as `minidecay run all` makes it), or one
    that `keep` wrote into.

    Raises:
        NoResults: there is none, what is there is not of an experiment, or two are of the same.
    """
    return {name: results for name, (_, results) in _found(folder).items()}


def keep(runs: Path, folder: Path) -> list[Path]:
    """Write what `find` finds in `runs` into `folder`, a file an experiment, and its picture."""
    found, written = _found(runs), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, (path, results) in found.items():
        write_json(folder / f"{name}.json", results)
        written.append(folder / f"{name}.json")
        if (drawn := path.with_name(f"{name}.png")).exists():
            with open(drawn, "rb") as source:
                write_atomic(folder / f"{name}.png", lambda file: shutil.copyfileobj(source, file))
            written.append(folder / f"{name}.png")
    return written


def markdown(folder: Path) -> str:
    """What `find` finds in `folder`, in Markdown: a row an experiment, with a link to its picture;
    then, folded, every claim of each."""
    found = _found(folder)
    rows = ["| experiment | what it asks | hold | fail | undecided |", "| --- " * 5 + "|"]
    for name, (path, results) in found.items():
        claims = results["claims"]
        each = [_names(claims, verdict) for verdict in ("holds", "fails", "undecided")]
        drawn = path.with_name(f"{name}.png")
        title = f"[{name}]({drawn.as_posix()})" if drawn.exists() else name
        asks = lab.load(name).about if name in lab.EXPERIMENTS else ""
        rows.append(f"| {title} | {asks} | {' | '.join(each)} |")
    whole = "\n\n".join(_one(name, results) for name, (_, results) in found.items())
    folded = "Every claim: margin, mean over seeds [95 % interval], verdict"
    return "\n".join(rows) + f"\n\n<details><summary>{folded}</summary>\n\n{whole}\n\n</details>"


def _found(folder: Path) -> dict[str, tuple[Path, Results]]:
    """The file and the results of each experiment; see `find`."""
    one, many = [folder / RESULTS], sorted(folder.glob(f"*/{RESULTS}"))
    found: dict[str, tuple[Path, Results]] = {}
    for path in (one if one[0].exists() else many) or sorted(folder.glob("*.json")):
        results = _results(path)
        name = results["config"]["experiment"]
        if name in found:
            raise NoResults(f"{found[name][0]} and {path} are both of {name}; name one's folder")
        found[name] = path, results
    if not found:
        raise NoResults(f"{folder} holds no {RESULTS}; name a folder that `minidecay run` wrote")
    return found


def _results(path: Path) -> Results:
    whole = read_json(path)
    try:
        results = {key: whole[key] for key in ("config", "environment", "claims")}
        _one(results["config"]["experiment"], results)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        raise NoResults(
            f"{path} holds no claims; name a folder that `minidecay run` wrote"
        ) from None
    return results


def _names(claims: Sequence[Mapping[str, Any]], verdict: str) -> str:
    return ", ".join(claim["name"] for claim in claims if claim["verdict"] == verdict)


def _one(name: str, results: Results) -> str:
    config, environment, claims = results["config"], results["environment"], results["claims"]
    seeds, commit = config["seeds"], (environment.get("commit") or "unknown")[:12]
    if "begun" in environment:  # and resumed at another
        commit = f"{(environment['begun'] or 'unknown')[:12]}` to `{commit}"
    edited = ", edited" if environment.get("dirty") else ""
    made = (
        f"**{name}**, {config['scale']} scale, seeds {seeds[0]} to {seeds[-1]}, commit "
        f"`{commit}`{edited}, {environment['date'][:10]}"
    )
    rows = ["| | claim | held to: mean [95 % interval] | verdict |", "| --- | --- | --- | --- |"]
    for claim in claims:
        held = "<br>".join(
            f"{bound}: {number(value, *interval)}" for bound, value, interval in bounds_of(claim)
        )
        emphasis = "*" if claim["finding"] else ""
        verdict = claim["verdict"] if claim["verdict"] == "holds" else f"**{claim['verdict']}**"
        rows.append(
            f"| {claim['name']} | {emphasis}{claim['statement']}{emphasis} | {held} | {verdict} |"
        )
    return made + "\n\n" + "\n".join(rows)
