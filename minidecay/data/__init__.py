"""Data sets: the constructed PatternSet, splits with named subsets, shuffled batches."""

from .batches import batches
from .patterns import PatternSet, PatternSplit, estimate_complexity
from .split import Split

__all__ = ["PatternSet", "PatternSplit", "Split", "batches", "estimate_complexity"]
