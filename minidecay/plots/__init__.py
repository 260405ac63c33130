"""Pictures: each function returns the figure it draws and leaves matplotlib's globals alone."""

from minidecay.plots.curves import schedule
from minidecay.plots.learning import subset_accuracy

__all__ = ["schedule", "subset_accuracy"]
