"""Optimisers, and the schedules that tell them how fast to go."""

from typing import TYPE_CHECKING

from minidecay import hints
from minidecay.optim import schedules
from minidecay.optim.adagrad import Adadelta, Adagrad
from minidecay.optim.adam import Adam, AdamW
from minidecay.optim.averaging import AveragedModel, update_bn
from minidecay.optim.clipping import clip_grad_norm_, clip_grad_value_
from minidecay.optim.controllers import AutoDecay, Controller, Plateau
from minidecay.optim.optimizer import Optimizer
from minidecay.optim.rmsprop import RMSprop
from minidecay.optim.schedule_free import SGDScheduleFree
from minidecay.optim.schedules import (
    WSD,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseSqrt,
    InverseTime,
    OneCycle,
    Polynomial,
    Ramp,
    Schedule,
    Steps,
    Triangular,
)
from minidecay.optim.sgd import SGD, SGDW

__all__ = [
    "SGD",
    "SGDW",
    "WSD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "AutoDecay",
    "AveragedModel",
    "Constant",
    "Controller",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "InverseSqrt",
    "InverseTime",
    "OneCycle",
    "Optimizer",
    "Plateau",
    "Polynomial",
    "RMSprop",
    "Ramp",
    "SGDScheduleFree",
    "Schedule",
    "Steps",
    "Triangular",
    "clip_grad_norm_",
    "clip_grad_value_",
    "schedules",
    "update_bn",
]


if not TYPE_CHECKING:  # which knows what is here

    def __getattr__(name):
        raise hints.missing(f"module {__name__!r}", name, hints.OPTIM)
