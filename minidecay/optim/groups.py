"""Groups of parameters, each with settings of its own, as torch has them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from minidecay.autograd import Tensor

__all__ = ["Group", "Params", "grouped"]

Params: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]
Group: TypeAlias = dict[str, Any]  # "params", a list of tensors, and every setting by name


def grouped(kind: str, params: Params, settings: Mapping[str, Any]) -> list[Group]:
    """The groups that an optimiser was given: one, where it was given tensors.

    Args:
        kind: the optimiser's name, for errors.
        params: tensors, or dicts with "params" and those settings that differ.
        settings: what holds where a group says nothing else.

    Raises:
        ValueError: there are no parameters, one comes twice or does not require a gradient, they
            are of two dtypes or devices, or a group has a setting that is unknown.
        TypeError: a parameter is no tensor, a group no dict, or `params` nothing to go through.
    """
    if isinstance(params, Tensor):
        raise TypeError(f"{kind}: params is one tensor; put it into a list, [w]")
    try:
        given: list[Any] = list(params)
    except TypeError:
        what = type(params).__name__
        raise TypeError(f"{kind}: params is a {what}; pass model.parameters()") from None
    if not given:
        raise ValueError(f"{kind}: there are no parameters; pass model.parameters()")
    if not any(isinstance(each, Mapping) for each in given):
        given = [{"params": given}]
    groups = [_group(kind, i, each, settings) for i, each in enumerate(given)]
    _check(kind, [p for group in groups for p in group["params"]])
    return groups


def _group(kind: str, index: int, given: Any, settings: Mapping[str, Any]) -> Group:
    if not isinstance(given, Mapping) or "params" not in given:
        what = sorted(given) if isinstance(given, Mapping) else f"a {type(given).__name__}"
        raise TypeError(f'{kind}: group {index} is {what}; give each as {{"params": tensors, ...}}')
    if unknown := given.keys() - settings.keys() - {"params"}:
        raise ValueError(
            f"{kind}: group {index} has no setting {sorted(unknown)[0]!r}; "
            f"there are {', '.join(settings)}"
        )
    held = given["params"]
    tensors = [held] if isinstance(held, Tensor) else list(held)
    if not tensors:
        raise ValueError(f"{kind}: group {index} has no parameters; leave it out")
    return {**settings, **given, "params": tensors}


def _check(kind: str, params: Sequence[Any]) -> None:
    for i, p in enumerate(params):
        if not isinstance(p, Tensor):
            what = type(p).__name__
            raise TypeError(
                f"{kind}: parameter {i} is a {what}, no tensor; pass model.parameters()"
            )
        if not (p.is_leaf and p.requires_grad):
            raise ValueError(
                f"{kind}: parameter {i} {p.shape} is no leaf with requires_grad=True; leave it out"
            )
    if len(set(map(id, params))) < len(params):
        raise ValueError(f"{kind}: a parameter is given twice; name each once")
    kinds = sorted({f"{p.dtype} on {p.device.name}" for p in params})
    if len(kinds) > 1:
        raise ValueError(f"{kind}: parameters are {' and '.join(kinds)}; they must be of one kind")
