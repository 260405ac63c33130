"""Pictures: each function returns the figure it draws and leaves matplotlib's globals alone."""

from minidecay.plots.curves import schedule
from minidecay.plots.dosing import Intervals, Lines, dose_panels
from minidecay.plots.examples import example_margins
from minidecay.plots.learning import subset_accuracy
from minidecay.plots.probes import Transfer, transfer
from minidecay.plots.schedule_panels import schedules
from minidecay.plots.trajectories import Panel, Trajectory, panels

__all__ = [
    "Intervals",
    "Lines",
    "Panel",
    "Trajectory",
    "Transfer",
    "dose_panels",
    "example_margins",
    "panels",
    "schedule",
    "schedules",
    "subset_accuracy",
    "transfer",
]
