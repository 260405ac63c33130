"""Looking in: a loss's graph as a picture, a model as a table, a step by what takes its time.

`profile` is for a step as it stands, `explain` for one that is captured.
"""

from minidecay.look.drawing import draw
from minidecay.look.explaining import explain
from minidecay.look.profiling import profile
from minidecay.look.summarizing import summary

__all__ = ["draw", "explain", "profile", "summary"]
