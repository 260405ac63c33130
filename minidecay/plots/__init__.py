"""Pictures: each function returns the figure it draws and leaves matplotlib's globals alone."""

from minidecay.plots.curves import schedule
from minidecay.plots.learning import subset_accuracy
from minidecay.plots.probes import Transfer, transfer
from minidecay.plots.schedule_panels import schedules

__all__ = ["Transfer", "schedule", "schedules", "subset_accuracy", "transfer"]
