"""Fusing: a ReLU joins the primitive before it, and its gradient the one after.

    y = batch_norm(x, ...);    z = relu(y)                   ->  z = batch_norm(x, ..., activation)
    g = relu_grad(gz, z);      gx = batch_norm_grad(g, ...)  ->  gx = batch_norm_grad(gz, ..., z)

and likewise matmul and conv2d with the ReLU after them.

Only where nothing else reads what lies between. The arithmetic stays the same; what goes is a pass
over memory in which one whole array is written and read again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minidecay.recording import Call, arrays, owner

Calls = list[Call | Callable[[], Any]]
WITH_ACTIVATION = ("matmul", "conv2d", "batch_norm")


def fused(calls: Sequence[Call | Callable[[], Any]], results: Sequence[np.ndarray]) -> Calls:
    """The calls, fewer of them; `results` are arrays that are read from outside."""
    primitives = {i: call for i, call in enumerate(calls) if isinstance(call, Call)}
    readers = Counter(id(owner(array)) for array in results)
    made_by: dict[int, int] = {}  # by the memory that a call gave: which one
    for i, call in primitives.items():
        readers.update({id(owner(array)) for array in arrays((call.args, call.kwargs))})
        made_by |= {id(array): i for array in arrays(call.result)}

    def source(array: Any) -> int | None:
        """The call whose result `array` is, where this is its one reader."""
        return made_by.get(id(array)) if readers[id(owner(array))] == 1 else None

    after: dict[int, Call | None] = {}  # what stands in the place of a call; None is nothing
    for i, call in primitives.items():
        if call.name == "relu" and (j := source(call.args[0])) is not None:
            before = after.get(j, primitives[j])
            if before is not None and _takes_activation(before):
                after[j], after[i] = _activated(before, call.result), None
        if call.name == "batch_norm_grad" and (j := source(call.args[0])) is not None:
            before = primitives[j]
            if before.name == "relu_grad":
                gz, z = before.args
                kwargs = call.kwargs | {"activated": z}
                after[j], after[i] = None, replace(call, args=(gz, *call.args[1:]), kwargs=kwargs)
    standing = ((i, after.get(i, call)) for i, call in enumerate(calls))
    return [call for _, call in standing if call is not None]


def _takes_activation(call: Call) -> bool:
    free = call.kwargs.get("activation") is None and call.kwargs.get("out") is None
    return call.name in WITH_ACTIVATION and free


def _activated(call: Call, z: np.ndarray) -> Call:
    """The call with a ReLU at its end, giving z."""
    result = (z, *call.result[1:]) if isinstance(call.result, tuple) else z
    return replace(call, kwargs=call.kwargs | {"activation": "relu"}, result=result)
