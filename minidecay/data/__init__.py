"""Data sets: the constructed PatternSet, splits with named subsets, shuffled batches."""

from minidecay.data.batching import batches
from minidecay.data.patterns import PatternSet, PatternSplit, estimate_complexity
from minidecay.data.split import Split

__all__ = ["PatternSet", "PatternSplit", "Split", "batches", "estimate_complexity"]
