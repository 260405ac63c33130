"""`pytest benchmarks` looks for doctests everywhere but where importing needs torch."""

collect_ignore = ["torch_side.py"]
