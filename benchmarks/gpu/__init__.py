"""One command for a machine with a GPU: test everything there, then measure it against torch.

`__main__` is the command, which never touches the GPU itself: a process for the tests
(`testing.py`) and one for the timing (`worker.py`) do, under `supervise.py`, so that a kernel that
breaks the GPU's context, hangs or dies costs one entry and no more. `plan.py` says what is timed in
which order, `timing.py` how; `roofline.py` draws, `report.py` writes.
"""
