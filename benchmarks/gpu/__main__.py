"""Test every kernel on this machine's GPU, then measure it against torch, and write it all down.

Writes gpu-<card>.json (as it goes), table.txt, table.md, roofline.png, clocks.csv, and what tests
and timing printed. Needs Python with CuPy and pytest; torch to be measured against.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu import report as reporting
from benchmarks.gpu import supervise
from benchmarks.gpu.cards import clocks_logged, clocks_seen, describe_card
from benchmarks.gpu.options import parser
from benchmarks.gpu.roofline import picture
from minidecay.files import plain, write_json
from minidecay.training import environment

FOR_TESTS = 0.45  # of the time, at most
FOR_THE_END = 10.0  # seconds: tables and the picture
PATIENCE = 150.0  # seconds for an item, torch.compile's among them
SCHEMA = 1


def main(argv: Sequence[str] | None = None) -> int:
    """0, or 1 where a test or a case failed; where there is nothing to run on, it says so and 0."""
    p = parser(__doc__)
    options = p.parse_args(argv)
    if missing := what_is_missing(tests=not options.no_tests):
        print("benchmarks.gpu: nothing to measure on here\n" + "\n".join(missing))
        return 0
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        command = Command(options)
    except OSError as error:
        p.error(f"--out {options.out}: {error.strerror}; choose a folder that can be written")
    try:
        return command.run()
    except KeyboardInterrupt:
        print(f"{p.prog}: interrupted; {command.path} has what was measured", file=sys.stderr)
        return 130


def what_is_missing(tests: bool) -> list[str]:
    """Why nothing can be measured here, a line each; none where it can."""
    anywhere = "What runs anywhere: minidecay kernels check, python -m benchmarks.cpu"
    try:
        import cupy
    except ImportError as error:
        mend = "pip install 'minidecay[cuda12]' or 'minidecay[cuda13]', whichever the driver has"
        return [f"CuPy is not installed ({error}): {mend}", anywhere]
    if not cupy.is_available():
        return ["CuPy finds no GPU, or no driver for it (nvidia-smi shows both)", anywhere]
    if tests and find_spec("pytest") is None:
        mend = "pip install pytest, or --no-tests"
        return [f"pytest is not installed, which tests the kernels first: {mend}"]
    return []


class Command:
    """The run of one command: what it has found so far is in `report`, and in the JSON."""

    def __init__(self, options: argparse.Namespace) -> None:
        import cupy

        self.out, self.options = options.out, options
        self.deadline = time.monotonic() + 60 * options.minutes - FOR_THE_END
        card = describe_card(cupy)
        self.path = self.out / f"gpu-{slug(card['name'])}.json"
        about = environment()
        if about["commit"] is None and options.commit:
            about |= {"commit": options.commit, "dirty": None}
        self.report: dict[str, Any] = {
            "schema": SCHEMA,
            "complete": False,
            "scale": options.scale,
            "minutes": options.minutes,
            "rounds": options.rounds,
            "environment": about,
            "card": card,
            "torch": {},
            "clocks": None,
            "ceilings": {"fp32_flops": card["fp32_flops"], "bytes_per_second": None},
            "tests": None,
            "kernels": {},
            "results": [],
            "left_out": {},
        }
        self.write()

    def run(self) -> int:
        """Tests, timing, tables, picture."""
        print("\n".join(reporting.head(self.report)), flush=True)
        clocks = self.out / "clocks.csv"
        with tempfile.TemporaryDirectory() as folder, clocks_logged(clocks):
            if not self.options.no_tests:
                self.test(Path(folder))
            self.time(Path(folder))
        self.report |= {"clocks": clocks_seen(clocks), "complete": True}
        self.write()
        text = reporting.text(self.report)
        (self.out / "table.txt").write_text(text)
        (self.out / "table.md").write_text(reporting.markdown(self.report))
        title = f"{self.report['card']['name']}, {self.report['environment']['date'][:10]}"
        timed = [each for each in self.report["results"] if "family" in each]
        picture(self.out / "roofline.png", timed, self.report["ceilings"], title)
        print(text)
        return 1 if self.failed() else 0

    def test(self, folder: Path) -> None:
        """The tests marked gpu."""
        from benchmarks.gpu import testing  # needs pytest

        seconds = FOR_TESTS * (self.deadline - time.monotonic())
        output = self.out / "tests.log"
        output.unlink(missing_ok=True)
        bar = Bar("tests")
        (folder / "tests").mkdir()
        # Those outside of tests/gpu need hypothesis.
        everywhere = ["tests" if find_spec("hypothesis") else "tests/gpu"]
        paths = self.options.tests or everywhere
        done = testing.run_tests(paths, folder / "tests", output, seconds, bar.hear)
        bar.close()
        self.report |= {"tests": testing.summary(done), "kernels": testing.kernels(done)}
        # THE ONE PLACE where minidecay/cuda/hardware.py, the record of which kernels a card has
        # run, is to be told: self.report["kernels"] is a file's name -> right on all its cases?
        # Not of the stand-in for CuPy, whose name says so.
        self.write()

    def time(self, folder: Path) -> None:
        """What the plan says, as far as the time goes."""
        output = self.out / "timing.log"
        output.unlink(missing_ok=True)
        seconds = max(0.0, self.deadline - time.monotonic())
        worker = [sys.executable, "-m", "benchmarks.gpu.worker", self.options.scale]
        bar = Bar("timing")

        def seen(event: Mapping[str, Any]) -> None:
            bar.hear(event)
            self.hear(event)

        (folder / "timing").mkdir()
        done = supervise.work_through(
            [*worker, str(self.options.rounds), str(time.time() + seconds)],
            folder / "timing",
            output,
            deadline=self.deadline + FOR_THE_END,
            patience=PATIENCE,
            seen=seen,
        )
        bar.close()
        for name, why in done.broken.items():
            self.report["results"].append({"name": name, "failed": {"minidecay": why}})
        self.report["left_out"] |= dict.fromkeys(done.unfinished, "no time left")
        if done.trouble and done.trouble != supervise.OUT_OF_TIME:
            self.report["left_out"]["timing"] = f"{done.trouble}; see {output.name}"
        self.write()

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take up what the worker found, and write it down at once."""
        if event["event"] == "torch":
            self.report["torch"] = {k: v for k, v in event.items() if k != "event"}
        if event["event"] == "done":
            result = {"name": event["name"], **event["result"]}
            if why := result.get("left_out"):
                self.report["left_out"][event["name"]] = why
            elif "bytes_per_second" in result:
                self.report["ceilings"]["bytes_per_second"] = result["bytes_per_second"]
                self.report["ceilings"]["copy"] = result
            else:
                self.report["results"].append(result)
            self.write()

    def failed(self) -> bool:
        """Did a test or a case fail? What there was no time for did not."""
        tests, results = self.report["tests"], self.report["results"]
        return (
            (tests is not None and bool(tests["failed"]))
            or (tests is not None and tests["trouble"] not in ("", supervise.OUT_OF_TIME))
            or "timing" in self.report["left_out"]
            or any(not each.get("agrees", True) or each.get("failed") for each in results)
        )

    def write(self) -> None:
        """The JSON as it stands, aside and renamed."""
        write_json(self.path, plain(self.report, "report", non_finite="null"))


class Bar:
    """How far a child is, where standard error is a terminal; else a line now and then."""

    def __init__(self, label: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=label, unit="item", disable=None, leave=False)
        self._label, self._done = label, 0

    def hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "plan":
            self._bar.total = len(event["names"])
        if event["event"] == "done":
            self._done += 1
            self._bar.update()

    def close(self) -> None:
        self._bar.close()
        print(f"{self._label}: {self._done} of {self._bar.total or 0} done", flush=True)


def slug(card: str) -> str:
    """A card's name for a file: "NVIDIA H100 80GB HBM3" is "h100-80gb-hbm3".

    >>> slug("NVIDIA GeForce RTX 4090")
    'geforce-rtx-4090'
    """
    return re.sub(r"[^a-z0-9]+", "-", card.lower().removeprefix("nvidia")).strip("-")


if __name__ == "__main__":
    sys.exit(main())
