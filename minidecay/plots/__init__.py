"""Pictures: each function returns the figure it draws and leaves matplotlib's globals alone."""

from minidecay.plots.curves import schedule
from minidecay.plots.dosing import Intervals, Lines, dose_panels
from minidecay.plots.learning import subset_accuracy
from minidecay.plots.schedule_panels import schedules

__all__ = ["Intervals", "Lines", "dose_panels", "schedule", "schedules", "subset_accuracy"]
