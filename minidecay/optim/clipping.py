"""Gradient clipping, between `backward` and `step`.

The names are those of torch.nn.utils, the underscore included: the gradients are changed in place.
"""

import math
from collections.abc import Iterable
from typing import Any

from minidecay.autograd import Tensor
from minidecay.optim.values import number
from minidecay.recording import replayed

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients together so that their norm is at most `max_norm`; returns what it was.

    g *= min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013,
    algorithm 1). `training.fit` does it where it is given `max_grad_norm`. In a captured step it is
    done at each replay; what it returned stays that of the first run.

    Args:
        parameters: tensors, such as `model.parameters()`; those without a gradient count as 0.
        max_norm: at least 0.
        norm_type: p of the p-norm over all elements, above 0; math.inf takes the largest.
        error_if_nonfinite: raise where the norm is not finite, which else makes all gradients NaN.

    Raises:
        ValueError: a number is out of range, or the norm is not finite and that is an error.
        TypeError: a number is none, or a parameter no tensor.

    >>> import minidecay as md
    >>> w = md.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0)
    5.0
    >>> w.grad.numpy().round(4)
    array([0.6, 0.8], dtype=float32)
    """
    most = number("clip_grad_norm_: max_norm", max_norm)
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_: norm_type must be above 0, got {norm_type!r}")
    return _clip_norm(_listed("clip_grad_norm_", parameters), most, norm_type, error_if_nonfinite)


@replayed
def _clip_norm(parameters: list[Tensor], most: float, p: float, strict: bool) -> float:
    gradients = _gradients(parameters)
    norm = _norm([_one_norm(g, p) for g in gradients], p)
    if strict and not math.isfinite(norm):
        raise ValueError(f"clip_grad_norm_: the norm is {norm}, not finite; lower the rate")
    scale = most / (norm + 1e-6)
    if not scale >= 1:
        for g in gradients:
            g.device.copy_into(g.data, g.device.mul(g.data, scale))
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut every element of every gradient to between -clip_value and clip_value.

    As torch.nn.utils.clip_grad_value_. `parameters` as for `clip_grad_norm_`; ValueError where
    clip_value is not finite and at least 0.

    >>> import minidecay as md
    >>> w = md.tensor([-3.0, 0.5], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([-1. ,  0.5])
    """
    most = number("clip_grad_value_: clip_value", clip_value)
    for g in _gradients(_listed("clip_grad_value_", parameters)):
        device = g.device
        below = device.neg(device.maximum(device.neg(g.data), -most))  # the lesser of g and most
        device.copy_into(g.data, device.maximum(below, -most))


def _listed(where: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    one = isinstance(parameters, Tensor) or not isinstance(parameters, Iterable)
    listed: list[Any] = [parameters] if one else list(parameters)
    if strange := [type(p).__name__ for p in listed if not isinstance(p, Tensor)]:
        raise TypeError(f"{where}: a {strange[0]} is no tensor; pass model.parameters()")
    return listed


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def _one_norm(g: Tensor, p: float) -> float:
    device, x = g.device, g.data
    if g.size == 0:
        return 0.0
    if p == 2:
        return device.norm(x)
    size = device.abs(x)
    if p == math.inf:
        return float(device.to_numpy(device.max(size)).item())
    total = device.to_numpy(device.sum(device.pow(size, p))).item()
    return float(total ** (1 / p))


def _norm(norms: list[float], p: float) -> float:
    """The norm of them all, from that of each."""
    if p == 2:
        return math.hypot(*norms)
    if p == math.inf:
        return max(norms, default=0.0)
    return float(sum(each**p for each in norms) ** (1 / p))
