"""minidecay: a deep-learning framework to look into, and why learning-rate decay works.

>>> import minidecay as md
>>> x = md.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

__version__ = "0.1.0"

from minidecay import data, functions, models, nn, optim, plots, random, testing, training
from minidecay.autograd import Tensor, no_grad, tensor
from minidecay.functions import *  # noqa: F403
from minidecay.testing import gradcheck

__all__ = [
    "Tensor",
    "data",
    "gradcheck",
    "models",
    "nn",
    "no_grad",
    "optim",
    "plots",
    "random",
    "tensor",
    "training",
    *functions.__all__,
]
