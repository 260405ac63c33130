"""The process that times: one item after the other, each checked against float64 first.

`python -m benchmarks.gpu.worker SCALE ROUNDS UNTIL`; `__main__.py` starts it. What it finds goes
to the log of `supervise.py`, an event each; it ends early with exit code 3 where an item has left
the GPU's context unusable, and with 0 where the time is up.
"""

import gc
import sys
import time
import traceback
from contextlib import suppress
from typing import Any

import minidecay as md
from benchmarks.gpu import supervise
from benchmarks.gpu.cards import copy_bandwidth, torch_on_gpu
from benchmarks.gpu.plan import Item, plan
from benchmarks.gpu.primitives import PrimitiveTimer
from benchmarks.gpu.steps import compiled_step, step
from benchmarks.gpu.timing import Stopwatch
from minidecay.devices import device as find_device

LOST = 3  # exit code


def main(scale: str, rounds: int, until: float) -> int:
    """Work through the plan, as far as the time goes: `until`, as time.time() counts."""
    skipped = supervise.skipped()
    items = plan(scale)
    supervise.report("plan", names=[item.name for item in items])
    device: Any = find_device("cuda")
    torch, told = torch_on_gpu()
    supervise.report("torch", **told)
    watch = Stopwatch(device.xp, torch)
    timers = Timers(device, torch, watch, rounds)
    with watch.on_stream():
        for item in items:
            if item.name in skipped or time.time() + item.seconds > until:
                continue
            supervise.report("start", name=item.name)
            began = time.monotonic()
            try:
                result = timers.time(item)
            except Exception as error:
                traceback.print_exc()
                result = {"failed": {"minidecay": describe(error)}}
            result["took"] = time.monotonic() - began
            print(f"{item.name}: {result['took']:.1f} s", flush=True)
            supervise.report("done", name=item.name, result=result)
            if not usable(device.xp):
                print(f"the GPU's context is lost after {item.name}")
                return LOST
            timers.tidy()
    return 0


class Timers:
    """How each kind of item is timed.

    Args:
        device: `cuda`.
        torch: the module where it sees a GPU, else None.
        watch: what times.
        rounds: of each item.
    """

    def __init__(self, device: Any, torch: Any, watch: Stopwatch, rounds: int) -> None:
        self.device, self.torch, self.watch, self.rounds = device, torch, watch, rounds
        self.primitives = PrimitiveTimer(device, torch, watch, rounds)

    def time(self, item: Item) -> dict[str, Any]:
        """The result of an item, as the report holds it."""
        both = (self.torch, self.watch, self.rounds)
        if item.kind == "ceiling":
            return copy_bandwidth(self.device.xp, self.watch, self.rounds)
        if item.kind == "compiled" and self.torch is None:
            return {"left_out": "torch is not there, or sees no GPU"}
        if item.case is not None:
            timed = compiled_step if item.kind == "compiled" else step
            return timed(item.case, *both)
        assert item.primitive is not None
        if item.kind == "compiled":
            return self.primitives.compiled(item.primitive)
        if item.rung is None:
            return self.primitives.time(item.primitive)
        with md.use_kernels(**{item.primitive.family: item.rung}):
            return self.primitives.time(item.primitive, item.rung)

    def tidy(self) -> None:
        """Give memory back that the last item left in the pools, where little is free."""
        free, total = self.device.xp.cuda.Device().mem_info
        if free < total // 4:
            self.primitives.forget()
            gc.collect()
            self.device.xp.get_default_memory_pool().free_all_blocks()
            if self.torch:
                self.torch.cuda.empty_cache()


def usable(cupy: Any) -> bool:
    """Is the GPU's context still good? After an illegal access everything fails, for ever."""
    try:
        cupy.cuda.Device().synchronize()
    except Exception:
        return False
    return True


def describe(error: BaseException) -> str:
    """An error in one line."""
    first = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first[0]}"[:300]


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the parent had it too, and says so
        sys.exit(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
