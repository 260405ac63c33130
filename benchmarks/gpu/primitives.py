"""Primitives against torch: checked against float64, then timed on buffers that both share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from benchmarks.gpu.timing import Side, Stopwatch, Turn, buffers
from benchmarks.primitive import Primitive

Arrays = Mapping[str, Any]
TOLERANCE = 1e-5  # ‖ours - exact‖ / ‖exact‖; float32 is some 1e-7 to 1e-6, TF32 some 3e-4
PRECISIONS = {"torch fp32": "fp32", "torch tf32": "tf32"}
LADDERS = ("matmul", "conv2d")  # what torch can also do in TF32


class PrimitiveTimer:
    """Times primitives, and keeps what the rungs of one have in common.

    Args:
        device: `cuda`.
        torch: the module where it sees a GPU, else None.
        watch: what times, whose stream is the current one.
        rounds: of each.
    """

    def __init__(self, device: Any, torch: Any, watch: Stopwatch, rounds: int) -> None:
        self.device, self.torch, self.watch, self.rounds = device, torch, watch, rounds
        self._kept: Shared | None = None

    def time(self, primitive: Primitive, rung: str | None = None) -> dict[str, Any]:
        """Check and time a primitive, by the rung that is chosen now, and torch's beside it."""
        shared = self._shared(primitive)
        result = shared.about(rung)
        ours = [primitive.ours(self.device, **arrays) for arrays in shared.sets]
        result["error"]["minidecay"] = error = self._error_of_ours(primitive, shared)
        result["agrees"] = bool(error <= TOLERANCE)  # False where it is NaN
        if not result["agrees"]:
            return result
        turns = {"minidecay": self._captured(ours, self.watch.capture_ours, result, "minidecay")}
        kinds = 2 if primitive.family in LADDERS else 1
        for name, precision in list(PRECISIONS.items())[:kinds] if self.torch else ():
            with shared.survives(name, result):
                turns[name] = self._theirs(primitive, shared, result, name, precision)
        return self._compared(turns, result)

    def compiled(self, primitive: Primitive) -> dict[str, Any]:
        """Ours beside torch.compile of the primitive's one function, in float32."""
        from benchmarks.torch_side import precision

        assert primitive.function is not None
        shared = self._shared(primitive)
        result = shared.about(None)
        ours = [primitive.ours(self.device, **arrays) for arrays in shared.sets]
        turns = {"minidecay": self._captured(ours, self.watch.capture_ours, result, "minidecay")}
        function = self.torch.compile(partial(primitive.function, self.torch))
        with shared.survives("torch.compile", result):
            calls = [partial(function, **tensors) for tensors in shared.tensors()]
            within = partial(precision, "fp32")
            capture = self.watch.capture_torchs
            turns["torch.compile"] = self._captured(calls, capture, result, "torch.compile", within)
        return self._compared(turns, result)

    def forget(self) -> None:
        """Let go of the buffers."""
        self._kept = None

    def _shared(self, primitive: Primitive) -> "Shared":
        if self._kept is None or self._kept.primitive is not primitive:
            self._kept = None  # first, so that two never lie side by side
            self._kept = Shared(primitive, self.device)
        return self._kept

    def _error_of_ours(self, primitive: Primitive, shared: "Shared") -> float:
        """On buffers of its own, outputs full of NaN before."""
        with poisoned(self.device):
            fresh = {name: self.device.from_numpy(x) for name, x in shared.drawn.items()}
            outputs = primitive.ours(self.device, **fresh)()
        return shared.error([self.device.to_numpy(y) for y in outputs])

    def _theirs(
        self, primitive: Primitive, shared: "Shared", result: dict[str, Any], name: str, kind: str
    ) -> Turn:
        from benchmarks import torch_side

        with torch_side.precision(kind):
            fresh = {k: self.device.from_numpy(x) for k, x in shared.drawn.items()}
            call = primitive.theirs(self.torch, **torch_side.views(fresh))
            outputs = torch_side.seen_as_ours(primitive, call)()
            result["error"][name] = shared.error([y.cpu().numpy() for y in outputs])
            calls = [primitive.theirs(self.torch, **each) for each in shared.tensors()]
        within = partial(torch_side.precision, kind)
        return self._captured(calls, self.watch.capture_torchs, result, name, within)

    def _captured(
        self,
        calls: Sequence[Callable[[], Any]],
        capture: Callable[..., Any],
        result: dict[str, Any],
        name: str,
        within: Any = nullcontext,
    ) -> Turn:
        """Ready in a graph; where it cannot be captured, as launches, and the report says why."""
        try:
            turn = self.watch.ready(Side(calls, capture, within))
        except Exception as error:
            result["not_captured"][name] = f"{type(error).__name__}: {error}"[:300]
            turn = self.watch.ready(Side(calls, None, within))
        result["method"][name] = turn.method
        return turn

    def _compared(self, turns: Mapping[str, Turn], result: dict[str, Any]) -> dict[str, Any]:
        return {**result, **self.watch.compare(turns, self.rounds)}


class Shared:
    """What the rungs of a primitive have in common: its numbers, the exact outputs, buffers."""

    def __init__(self, primitive: Primitive, device: Any) -> None:
        self.primitive = primitive
        self.drawn = primitive.drawn()
        self.exact = primitive.reference(self.drawn)
        inputs = sum(x.nbytes for x in self.drawn.values())
        # float64 in the reference, four bytes on the card.
        self.nbytes = inputs + sum(4 * y.size for y in self.exact)
        count = buffers(self.nbytes, device.xp.cuda.Device().attributes["L2CacheSize"])
        first = {name: device.from_numpy(x) for name, x in self.drawn.items()}
        copies = [{k: device.copy(x) for k, x in first.items()} for _ in range(count - 1)]
        self.sets = [first, *copies]

    def tensors(self) -> Sequence[Arrays]:
        """The same memory as torch's tensors; copies where both would write into it."""
        from benchmarks import torch_side

        views = [torch_side.views(arrays) for arrays in self.sets]
        if self.primitive.in_place:
            return [{k: x.clone() for k, x in each.items()} for each in views]
        return views

    def about(self, rung: str | None) -> dict[str, Any]:
        """The head of a result."""
        primitive = self.primitive
        return {
            "case": primitive.name,
            "family": primitive.family,
            "rung": rung,
            "flops": primitive.flops,
            "bytes": primitive.nbytes or self.nbytes,
            "buffers": len(self.sets),
            "error": {},
            "method": {},
            "not_captured": {},
            "failed": {},
        }

    def error(self, outputs: Sequence[np.ndarray]) -> float:
        """The largest ‖got - exact‖ / ‖exact‖ of any output; 0 where nothing can be compared."""
        found = [0.0]
        for got, exact in zip(outputs, self.exact, strict=False):
            if got.shape != exact.shape:
                return float("inf")
            size = float(np.linalg.norm(exact)) or 1.0
            found.append(float(np.linalg.norm(got - exact)) / size)
        return float(np.max(found))  # NaN if any is

    @contextmanager
    def survives(self, name: str, result: dict[str, Any]) -> Iterator[None]:
        """What torch cannot do is told, and ours is timed all the same."""
        try:
            yield
        except Exception as error:
            result["failed"][name] = f"{type(error).__name__}: {error}"[:300]


@contextmanager
def poisoned(device: Any) -> Iterator[None]:
    """Within it the arrays that a device makes for its outputs are full of NaN."""

    def empty(shape: tuple[int, ...]) -> Any:
        return device.from_numpy(np.full(shape, np.nan, np.float32))

    device.empty = empty
    try:
        yield
    finally:
        del device.empty
