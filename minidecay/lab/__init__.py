"""The laboratory: the paper's claims as programs that can fail, an experiment a file."""

from importlib import import_module
from types import ModuleType

EXPERIMENTS = {
    "noisy-memorization": "a large rate resists noise, its decay learns complex patterns",
}


def load(name: str) -> ModuleType:
    """The module of an experiment; its `main(argv, prog)` runs it and returns the exit code.

    >>> load("noisy-memorization").EXPERIMENT.name
    'noisy-memorization'
    """
    return import_module(f"minidecay.lab.{name.replace('-', '_')}")
