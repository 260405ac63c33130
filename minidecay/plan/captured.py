"""Capturing: which of its plans a step runs, and when it has to run as it stands."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidecay.autograd import Tensor
from minidecay.devices import device
from minidecay.plan.replay import Plan
from minidecay.recording import Recording

Key = tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]


def capture(step: Callable[..., Any]) -> "Captured":
    """A function that does what `step` does, faster: recorded once, then replayed.

    The first call runs `step` and keeps every primitive it runs: forward, backward, optimiser.
    Later calls run those again on new inputs, into the same memory, without building a graph. The
    numbers are the same, bit for bit; rates, step counts, running statistics and `p.grad` move on
    as they would. There is a plan for each set of input shapes and dtypes, and each mode.

    A step that cannot be replayed runs as it stands, every time: one that reads a value back into
    Python (`item()`, a comparison), or runs on another device than `cpu`. `eager_because` then says
    why. What Python decides without looking at a tensor (a counter, a
    random number of its own) is decided once, at the first call.

    Args:
        step: takes NumPy arrays or tensors; returns tensors (alone, or in a tuple, list or dict) or
            nothing. It clears the gradients itself.

    Raises:
        TypeError: `step` is no function, or an input neither an array nor a tensor.
        RuntimeError: gradients of an earlier step are still there, or a captured step is called
            within another.

    >>> import minidecay as md
    >>> w = md.tensor([3.0], requires_grad=True)
    >>> optimizer = md.optim.SGD([w], lr=0.1)
    >>> @capture
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = ((md.from_numpy(x) * w) ** 2).mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [round(step(np.float32([1, 2])).item(), 3) for _ in range(3)]
    [22.5, 5.625, 1.406]
    """
    return Captured(step)


class Captured:
    """A step and its plans; `capture` makes one.

    Attributes:
        plans: those recorded so far, by the shapes and dtypes of the inputs.
        eager_because: why the step runs as it stands, or None while it can be replayed.

    >>> w = md.tensor([2.0], requires_grad=True)
    >>> step = md.capture(lambda x: float((md.from_numpy(x) * w).sum()))
    >>> step(np.ones(3, np.float32)), step.eager_because
    (6.0, 'it reads a value (item, numpy, a comparison); do that outside of it')
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        if not callable(step):
            raise TypeError(f"capture: step is of type {type(step).__name__}; pass a function")
        self.step = step
        self.plans: dict[Key, list[Plan]] = {}
        self.eager_because: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Captured, (self.step,)  # a copy plans anew: copied plans would write elsewhere

    def __call__(self, *inputs: Tensor | np.ndarray) -> Any:
        return self._take(inputs, Plan.run)

    def timed(self, *inputs: Tensor | np.ndarray) -> Any:
        """The step as a call takes it, with a clock at each unit of its plan, for `md.explain`."""
        return self._take(inputs, Plan.run_timed)

    def _take(
        self,
        inputs: Sequence[Tensor | np.ndarray],
        run: Callable[[Plan, Sequence[np.ndarray]], None],
    ) -> Any:
        if self.eager_because is not None:
            return self.step(*inputs)
        arrays = [_values(i, x) for i, x in enumerate(inputs)]
        key = tuple((x.shape, x.dtype) for x in arrays)
        plan = next((plan for plan in self.plans.get(key, ()) if plan.fits()), None)
        if plan is None:
            return self._record(key, inputs)
        run(plan, arrays)
        return _mapped(_copy, plan.result)

    def _record(self, key: Key, inputs: Sequence[Tensor | np.ndarray]) -> Any:
        """Run the step on copies of the inputs, which its plan writes into from then on."""
        ours = [_copy(x) if isinstance(x, Tensor) else x.copy() for x in inputs]
        memory = [_values(i, x) for i, x in enumerate(ours)]
        with Recording(device("cpu"), memory) as recording:
            result = self.step(*ours)
        self.eager_because = recording.problem or _unfit(result)
        if self.eager_because is not None:
            self.plans.clear()
            return result
        kept = [plan for plan in self.plans.get(key, ()) if plan.in_place()]
        self.plans[key] = [*kept, Plan(recording, memory, _mapped(Tensor.detach, result))]
        return _mapped(_copy, result)


def _values(i: int, x: Any) -> np.ndarray:
    """An input's array."""
    given = x.data if isinstance(x, Tensor) else x
    if not isinstance(given, np.ndarray):
        kind = type(x).__name__
        raise TypeError(f"capture: input {i} is a {kind}; give the step arrays or tensors on cpu")
    return given


def _copy(x: Tensor) -> Tensor:
    return Tensor(x.device.copy(x.data), x.device)


def _mapped(function: Callable[[Tensor], Tensor], result: Any) -> Any:
    """`function` of each tensor in a step's result."""
    if isinstance(result, tuple | list):
        return type(result)(_mapped(function, each) for each in result)
    if isinstance(result, dict):
        return {name: _mapped(function, each) for name, each in result.items()}
    return function(result) if isinstance(result, Tensor) else result


def _unfit(result: Any) -> str | None:
    """What in a step's result a replay could not give again."""
    if isinstance(result, tuple | list | dict):
        held = result.values() if isinstance(result, dict) else result
        return next(filter(None, map(_unfit, held)), None)
    if result is None or isinstance(result, Tensor):
        return None
    return f"it returns a {type(result).__name__}; return tensors, and read them outside of it"
