"""Replaying: each primitive again, with the same operands, into the memory of its first result."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from time import perf_counter
from typing import Any

import numpy as np

from minidecay.autograd import Tensor
from minidecay.plan.fusing import fused
from minidecay.recording import Call, Recording

IN_PLACE = ("copy_into", "setitem", "add_at")  # what they write is their first argument
CONSTANT = ("zeros", "ones", "arange")


@dataclass
class Unit:
    """What a plan runs at once: a primitive, or a method of the step such as the optimiser's.

    Attributes:
        call: the primitive as it was recorded, or the method.
        run: what runs it again, into the memory of its first result.
        seconds: what it took in each run that was timed.
    """

    call: Call | Callable[[], Any]
    run: Callable[[], Any]
    seconds: list[float] = field(default_factory=list)


class Plan:
    """A recorded step as a flat list of calls that write into memory they own.

    Args:
        recording: of a step, without a problem.
        inputs: the arrays that the step was given; each run writes its own into them.
        result: what the step returned, tensors over the memory that a run writes.

    >>> w = md.tensor([[2.0], [1.0]], requires_grad=True)
    >>> step = md.capture(lambda x: md.relu(md.from_numpy(x) @ w))
    >>> step(np.ones((1, 2), np.float32)).item()
    3.0
    >>> ((plan,),) = step.plans.values()
    >>> [call.name for call in plan.calls if call.name in ("matmul", "relu")]  # they were joined
    ['matmul']
    """

    def __init__(self, recording: Recording, inputs: Sequence[np.ndarray], result: Any) -> None:
        self.recording, self.inputs, self.result = recording, list(inputs), result
        self.calls = fused(recording.calls, [each.data for each in tensors(result)])
        primitives = [call for call in self.calls if isinstance(call, Call)]
        written = {id(call.args[0]) for call in primitives if call.name in IN_PLACE}
        again = [(call, _again(call, written)) for call in self.calls]
        self.units = [Unit(call, run) for call, run in again if run is not None]
        self.steps = [unit.run for unit in self.units]

    def fits(self) -> bool:
        """Is everything as it was recorded: modules in their mode, tensors in their place?"""
        modes = self.recording.modes.values()
        return all(module.training is mode for module, mode in modes) and self.in_place()

    def in_place(self) -> bool:
        """Are the tensors that the step read where they were?"""
        return all(tensor.data is data for tensor, data in self.recording.tensors)

    def run(self, values: Sequence[np.ndarray]) -> None:
        """Run the step on new inputs, of the shapes and dtypes of the first."""
        for memory, value in zip(self.inputs, values, strict=True):
            np.copyto(memory, value)
        for step in self.steps:
            step()

    def run_timed(self, values: Sequence[np.ndarray]) -> None:
        """The same with a clock at each unit."""
        for memory, value in zip(self.inputs, values, strict=True):
            np.copyto(memory, value)
        for unit in self.units:
            began = perf_counter()
            unit.run()
            unit.seconds.append(perf_counter() - began)


def _again(call: Call | Callable[[], Any], written: set[int]) -> Callable[[], Any] | None:
    """What runs a call again; None for a constant, and for a view, which shows what it looks at."""
    if not isinstance(call, Call):
        return call
    if call.name in CONSTANT and id(call.result) not in written:
        return None
    again = partial(call.function, *call.args, **call.kwargs)
    if call.name in IN_PLACE or call.kwargs.get("out") is not None:
        return again
    operands = [x for x in (*call.args, *call.kwargs.values()) if isinstance(x, np.ndarray)]
    single = isinstance(call.result, np.ndarray)
    if single and any(np.may_share_memory(call.result, x) for x in operands):
        return None
    if _takes_out(call.function):
        return partial(again, out=call.result)
    return partial(_copied, again, (call.result,) if single else call.result, single)


def tensors(result: Any) -> Iterator[Tensor]:
    """The tensors in what a step returns, however they are nested."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, tuple | list | dict):
        for each in result.values() if isinstance(result, dict) else result:
            yield from tensors(each)


@cache
def _takes_out(function: Callable[..., Any]) -> bool:
    """Does it write its result where `out` says, as NumPy's functions do?"""
    if isinstance(function, np.ufunc):
        return True
    try:
        return "out" in inspect.signature(function).parameters
    except ValueError:  # some of NumPy's do not tell
        return False


def _copied(again: Callable[[], Any], memories: Sequence[np.ndarray], single: bool) -> None:
    results = again()
    for memory, value in zip(memories, (results,) if single else results, strict=True):
        np.copyto(memory, value)
