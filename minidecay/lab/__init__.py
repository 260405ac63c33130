"""The laboratory: the paper's claims as programs that can fail.

Each file in this folder is an experiment, and `machinery/` is what they share. To add one, add a
file that ends in `EXPERIMENT = Experiment.of(__name__, ...)`. One that a file does not hold has a
folder for its parts: `control/` is of `complexity_or_frequency`.
"""

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minidecay.lab.machinery.experiment import Experiment

EXPERIMENTS = tuple(
    file.name.replace("_", "-") for file in pkgutil.iter_modules(__path__) if not file.ispkg
)


def load(name: str) -> "Experiment":
    """The experiment of that name, one of EXPERIMENTS.

    >>> load("noisy-memorization").about
    'a large rate resists noise, its decay learns complex patterns'
    """
    module = import_module(f"minidecay.lab.{name.replace('-', '_')}")
    experiment: Experiment = module.EXPERIMENT
    return experiment
