"""Plans: a training step recorded once and replayed, without the graph and without allocating.

`captured.py` decides which plan a call runs, `replay.py` makes one out of a recording.
"""

from minidecay.plan.captured import Captured, capture
from minidecay.plan.replay import Plan

__all__ = ["Captured", "Plan", "capture"]
