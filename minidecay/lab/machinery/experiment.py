"""Experiment: what the file of one gives, and the command runs."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from minidecay.lab.machinery.arms import Settings, Trained
from minidecay.lab.machinery.claims import Claim


@dataclass(frozen=True)
class Experiment:
    """An experiment, as its file gives it.

    Attributes:
        name: what the command calls it, its file's with hyphens.
        about: a line for `minidecay list`.
        paper: which part of the paper it is about, in a few words.
        settings: of a scale and a device, and of a model where `models` has several.
        claims: committed before any seed that counts has run.
        measure: what claims and summary speak of, from one seed's training.
        summary: a table of the seeds' measures, under `measures`, what they are.
        figure: the picture, drawn into the path.
        models: what `--model` may be; the first by default.
        needs: called before any training; ImportError, in one line, where an extra is missing.
        decides: must each claim hold for every seed, else the exit code is 1? By default a verdict
            is over seeds, and the command has done its work whatever it is.
    """

    name: str
    about: str
    paper: str
    settings: Callable[..., Settings]
    claims: Callable[[Any], Sequence[Claim[Any]]]
    measure: Callable[[Trained], Any]
    summary: Callable[[Mapping[int, Any], Any], str]
    figure: Callable[[Mapping[int, Trained], Any, Path], None]
    models: tuple[str, ...] = ("mlp",)
    measures: str = "Accuracy"
    needs: Callable[[], object] | None = None
    decides: bool = False

    @classmethod
    def of(cls, module: str, *, about: str, paper: str, **options: Any) -> Self:
        """The experiment of the file that calls this with its `__name__`.

        Its name is the file's, and what it does are the file's `settings`, `claims`, `Seed` (the
        measure), `summary` and `figure`.
        """
        file = sys.modules[module]
        return cls(
            name=Path(str(file.__file__)).stem.replace("_", "-"),
            about=about,
            paper=paper,
            settings=file.settings,
            claims=file.claims,
            measure=file.Seed,
            summary=file.summary,
            figure=file.figure,
            **options,
        )
