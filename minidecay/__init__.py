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

from minidecay import functions
from minidecay.autograd import Tensor, from_numpy, no_grad, tensor
from minidecay.devices.ladders import use_kernels
from minidecay.functions import *  # noqa: F403
from minidecay.plan import capture
from minidecay.testing import gradcheck

if TYPE_CHECKING:
    from minidecay import data, models, nn, optim, plots, random, training

# Loaded when first looked at, to be quick at the start.
_LAZY = ("data", "models", "nn", "optim", "plots", "random", "training")

__all__ = [
    "Tensor",
    "capture",
    "data",
    "from_numpy",
    "gradcheck",
    "models",
    "nn",
    "no_grad",
    "optim",
    "plots",
    "random",
    "tensor",
    "training",
    "use_kernels",
    *functions.__all__,
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"minidecay.{name}")
    raise AttributeError(f"module 'minidecay' has no attribute {name!r}")
