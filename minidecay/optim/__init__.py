"""Optimisers, and the schedules that tell them how fast to go."""

from minidecay.optim import schedules
from minidecay.optim.schedules import Constant, Cosine, Ramp, Schedule, Steps
from minidecay.optim.sgd import SGD

__all__ = ["SGD", "Constant", "Cosine", "Ramp", "Schedule", "Steps", "schedules"]
