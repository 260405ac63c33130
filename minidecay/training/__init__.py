"""The loop, the record of a run, and how an interrupted one goes on."""

from minidecay.training.evaluation import Evaluation, evaluate
from minidecay.training.fitting import Diverged, fit
from minidecay.training.provenance import environment
from minidecay.training.run_folder import RunFolder, RunFolderError

__all__ = [
    "Diverged",
    "Evaluation",
    "RunFolder",
    "RunFolderError",
    "environment",
    "evaluate",
    "fit",
]
