"""minidecay: a deep-learning framework to look into, and why learning-rate decay works.

>>> import minidecay as md
>>> x = md.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minidecay import functions, hints
from minidecay.autograd import Tensor, from_numpy, no_grad, tensor
from minidecay.devices.ladders import use_kernels
from minidecay.functions import *  # noqa: F403
from minidecay.plan import capture
from minidecay.testing import gradcheck

if TYPE_CHECKING:
    from minidecay import data, exchange, look, models, nn, optim, plots, random, training
    from minidecay.exchange import from_dlpack, from_torch, load, save, to_torch
    from minidecay.look import draw, explain, profile, summary

# Loaded when first looked at, to be quick at the start.
_LAZY = ("data", "exchange", "look", "models", "nn", "optim", "plots", "random", "training")
_LAZY_NAMES = {
    **dict.fromkeys(("from_dlpack", "from_torch", "load", "save", "to_torch"), "exchange"),
    **dict.fromkeys(("draw", "explain", "profile", "summary"), "look"),
}

__all__ = [
    "Tensor",
    "capture",
    "data",
    "draw",
    "exchange",
    "explain",
    "from_dlpack",
    "from_numpy",
    "from_torch",
    "gradcheck",
    "load",
    "look",
    "models",
    "nn",
    "no_grad",
    "optim",
    "plots",
    "profile",
    "random",
    "save",
    "summary",
    "tensor",
    "to_torch",
    "training",
    "use_kernels",
    *functions.__all__,
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"minidecay.{name}")
    if name in _LAZY_NAMES:
        return getattr(import_module(f"minidecay.{_LAZY_NAMES[name]}"), name)
    raise hints.missing("module 'minidecay'", name, hints.PACKAGE)
