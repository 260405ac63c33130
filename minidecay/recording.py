"""Recording: every primitive that runs while a step is captured, in order (`plan/` replays them).

While a `Recording` is entered its device's primitives are wrapped, so that each call is kept with
its arguments and its result. Nothing else changes: the step computes what it always does.

What a primitive reads must be memory that a replay finds again: an input of the step, a tensor from
outside of it, or the result of an earlier call. Where a step reads a value back into Python, or
brings arrays of its own, the recording has a `problem` and cannot be replayed.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from minidecay.devices.protocol import Array, Device

if TYPE_CHECKING:
    from minidecay.autograd import Tensor

P = ParamSpec("P")
R = TypeVar("R")

PRIMITIVES = tuple(
    name for name, value in vars(Device).items() if callable(value) and name[0] != "_"
)


class _State(threading.local):
    recording: "Recording | None" = None


_state = _State()
_wrapping = threading.Lock()  # threads share a device: one at a time may wrap its primitives


def current() -> "Recording | None":
    """The recording that is under way in this thread, if there is one."""
    return _state.recording


def replayed(method: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method that a replay calls again as a whole, such as an optimiser's step.

    What it gives to the step it writes into arrays that it is passed.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        recording = _state.recording
        if recording is None:
            return method(*args, **kwargs)
        recording.calls.append(partial(method, *args, **kwargs))
        for array in arrays((args, kwargs)):
            recording._knows(array)  # it may be written into, and is again at each replay
        _state.recording = None
        try:
            return method(*args, **kwargs)
        finally:
            _state.recording = recording

    return call


@dataclass(frozen=True)
class Call:
    """A primitive that ran: its name, the function, what it was given and what it gave."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


class Recording:
    """What ran on `device` between entering and leaving.

    Args:
        device: whose primitives are kept.
        inputs: the arrays that the step is given, which a replay writes anew.

    Attributes:
        calls: primitives, and methods to call again, in order.
        problem: why it cannot be replayed, or None.
        tensors: the leaves that were read, with the memory each of them had.
        modes: the modules that ran, and whether they were in training.
    """

    def __init__(self, device: Device, inputs: Sequence[Array]) -> None:
        self.device = device
        self.calls: list[Call | Callable[[], Any]] = []
        self.problem: str | None = None
        self.tensors: list[tuple[Any, Array]] = []
        self.modes: dict[int, tuple[Any, bool]] = {}
        self._with_gradient: set[int] = set()
        self._known: dict[int, Array] = {}  # memory, by the id of the array that owns it
        for array in inputs:
            self._knows(array)

    def __enter__(self) -> "Recording":
        if _state.recording is not None:
            raise RuntimeError("capture: a captured step calls another; capture the outer one")
        _wrapping.acquire()
        for name in PRIMITIVES:
            setattr(self.device, name, self._watched(name, getattr(self.device, name)))
        _state.recording = self
        return self

    def __exit__(self, *exception: object) -> None:
        _state.recording = None
        for name in PRIMITIVES:
            delattr(self.device, name)
        _wrapping.release()

    # -- what the engine tells -------------------------------------------------------------------
    def used(self, tensors: "Sequence[Tensor]") -> None:
        """An operation reads these."""
        for tensor in tensors:
            if tensor.device is not self.device:
                self._cannot(f"it runs on {tensor.device.name}; plans are for {self.device.name}")
            if tensor.is_leaf:
                self.tensors.append((tensor, tensor.data))
                self._knows(tensor.data)
                if tensor.home is not None:
                    self._knows(tensor.home)

    def wrote(self, tensor: "Tensor") -> None:
        """A tensor is about to be written in place."""
        self._knows(tensor.data)
        self.calls.append(partial(_one_more_write, tensor))

    def ran(self, module: Any) -> None:
        """A module ran, in training or in evaluation mode."""
        self.modes.setdefault(id(module), (module, module.training))
        for value in vars(module).values():
            if hasattr(value, "is_leaf"):  # a tensor, such as running statistics
                self.used([value])

    def accumulates(self, leaf: "Tensor") -> None:
        """A leaf is about to get a gradient; the step's first one must not find another there."""
        if id(leaf) in self._with_gradient:
            return
        self._with_gradient.add(id(leaf))
        if leaf.grad is not None:
            self._cannot("gradients of an earlier step are still there; call zero_grad() in it")
        self.calls.append(partial(_must_be_clear, leaf))

    def accumulated(self, leaf: "Tensor") -> None:
        """A leaf has its gradient."""
        self.calls.append(partial(setattr, leaf, "grad", leaf.grad))

    # -- the primitives --------------------------------------------------------------------------
    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if _state.recording is not self:
                return result
            for array in arrays((args, kwargs)):
                if id(owner(array)) not in self._known:
                    self._cannot(f"{name} is given an array that is no input of the step")
            if name == "to_numpy" or isinstance(result, float):
                self._cannot("it reads a value (item, numpy, a comparison); do that outside of it")
            if name == "dropout" and not isinstance(args[3], np.ndarray):
                self._cannot("it counts dropout masks by a number of its own; use nn.Dropout")
            if isinstance(result, np.generic):
                result = np.asarray(result)  # one of NumPy's scalars has no memory to write again
            for array in arrays(result):
                self._knows(array)
            self.calls.append(Call(name, function, args, kwargs, result))
            return result

        return call

    def _knows(self, array: Array) -> None:
        memory = owner(array)
        self._known[id(memory)] = memory

    def _cannot(self, why: str) -> None:
        self.problem = self.problem or why


def arrays(value: Any) -> Iterator[Array]:
    """The arrays in arguments and results, however they are nested."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from arrays(each)
    elif isinstance(value, dict):
        yield from arrays(list(value.values()))


def owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _one_more_write(tensor: "Tensor") -> None:
    tensor._version.count += 1


def _must_be_clear(leaf: "Tensor") -> None:
    if leaf.grad is not None:
        raise RuntimeError(
            "capture: gradients of an earlier step are still there; call zero_grad() in the step"
        )
