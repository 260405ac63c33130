"""What tensors are made from and stand beside: plain real numbers, or refused in a line."""

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from minidecay.devices import Device
from minidecay.operators import Operators
from minidecay.ops.base import Op

if TYPE_CHECKING:
    from minidecay.autograd import Tensor


def real_array(name: str, array: Any) -> np.ndarray:
    """`array` as a plain array of real numbers in this machine's byte order; `name` opens errors.

    Raises:
        TypeError: it is no array, or holds something else, or values that are masked.
    """
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        raise TypeError(f"{name}: {kind} is no array of real numbers; use tensor(...)")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: {array.dtype} values are no real numbers; give an array of them")
    if type(array) is not np.ndarray:
        if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
            raise TypeError(f"{name}: values are masked; fill them first, as in array.filled(0)")
        array = np.asarray(array)
    plain: np.ndarray = array
    return plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("="))


def beside(name: str, tensor: "Tensor", value: Any) -> Any:
    """The array or number of what stands beside `tensor` without being recorded.

    Raises:
        ValueError: it is a tensor of another device.
        TypeError: it is no tensor, array or number, nor a list of numbers.
    """
    if is_tensor(value):
        if value.device is not tensor.device:
            raise two_devices(name, tensor, value)
        return value.data
    if isinstance(value, Real):
        return value
    return real_array(name, value if isinstance(value, np.ndarray) else np.asarray(value))


def companion(name: str, value: Any, *operands: Any) -> Any:
    """The array of what `operands` are looked up or chosen by: labels, indices, a condition.

    Raises:
        ValueError: it is a tensor of another device than one of them, or a ragged list.
        TypeError: it holds no real numbers, or masked ones.
    """
    if is_tensor(value):
        for each in operands:
            if is_tensor(each) and each.device is not value.device:
                raise two_devices(name, each, value)
        return value.data
    try:
        array = np.asanyarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: nested lists of different lengths; make them equal") from error
    return real_array(name, array)


def comparable(tensor: "Tensor", value: Any) -> Any:
    """What `beside` gives, of a shape that broadcasts; NotImplemented for what has no numbers.

    Raises:
        ValueError: the shapes do not broadcast, or it is a tensor of another device.
    """
    if not (is_tensor(value) or isinstance(value, np.ndarray | np.generic | Real | list | tuple)):
        return NotImplemented  # as Python compares strangers: unequal, and in no order
    data = beside("comparison", tensor, value)
    try:
        np.broadcast_shapes(tensor.shape, np.shape(data))
    except ValueError:
        raise ValueError(
            f"comparison: shapes {tensor.shape} and {np.shape(data)} do not broadcast; make their "
            "sizes equal or 1 (reshape)"
        ) from None
    return data


def check_operands(op: Op, operands: Sequence[Any]) -> None:
    """Raise TypeError where one is no tensor, nor a number or left out where `op` allows for it."""
    for i, x in enumerate(operands):
        number, none = op.takes_numbers and isinstance(x, int | float), op.takes_none and x is None
        if not (is_tensor(x) or number or none):
            kind = f"{type(x).__module__}.{type(x).__qualname__}".removeprefix("builtins.")
            wanted = (
                "a tensor, an array or a number" if op.takes_numbers else "a tensor or an array"
            )
            raise TypeError(
                f"{op.name}: operand {i} is of type {kind}; give {wanted} (tensor(...) makes one)"
            )
    dtype = next((x.dtype for x in operands if is_tensor(x)), None)
    if dtype is None:
        raise TypeError(f"{op.name}: operands {operands} hold no tensor; make one with tensor(...)")
    if dtype.kind != "f" and any(isinstance(x, float) for x in operands):
        raise TypeError(f"{op.name}: {dtype} values beside a float; use astype('float32')")


def agree(op: Op, tensors: "Sequence[Tensor]") -> Device:
    """The device of all the tensors, which also share a dtype that the operation takes.

    Raises:
        ValueError: they are on two devices.
        TypeError: they are of two dtypes, or of integers where the operation wants floats.
    """
    device, dtype = tensors[0].device, tensors[0].data.dtype
    for x in tensors:
        if x.device is not device:
            raise two_devices(op.name, tensors[0], x)
        if x.data.dtype != dtype:
            raise TypeError(
                f"{op.name}: dtypes {dtype} and {x.data.dtype} differ; use astype on one of them"
            )
    if dtype.kind != "f" and not op.takes_integers:
        raise TypeError(f"{op.name}: {dtype} values, but floats are needed; use astype('float32')")
    return device


def is_tensor(value: Any) -> bool:
    """Is it a Tensor? (`autograd`, which has that class, imports this file.)"""
    return isinstance(value, Operators)


def two_devices(name: str, a: "Tensor", b: "Tensor") -> ValueError:
    """The error for tensors of two devices."""
    return ValueError(
        f"{name}: one tensor is on {a.device.name}, another on {b.device.name}; "
        "move one with .to(device)"
    )
