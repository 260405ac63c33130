"""Looking in: a loss's graph as a picture, a model as a table, a step by what takes its time."""

from minidecay.look.drawing import draw
from minidecay.look.profiling import profile
from minidecay.look.summarizing import summary

__all__ = ["draw", "profile", "summary"]
