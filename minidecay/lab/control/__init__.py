"""The parts of `complexity_or_frequency`: its data sets, what it measures, and what it shows."""
