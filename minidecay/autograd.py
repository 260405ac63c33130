"""The engine: tensors, and `apply`, which runs an operation on them and records it.

How `backward` walks through what is recorded stands in `graph.py`, what `x + y` means in
`operators.py`, and `x.sum()` in `methods.py`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minidecay import hints, recording
from minidecay.devices import Device
from minidecay.devices import device as find_device
from minidecay.devices.protocol import Array
from minidecay.graph import Node, Version, is_recording, no_grad, walk
from minidecay.methods import Methods
from minidecay.operators import TensorLike, plain_index
from minidecay.ops.base import Op, shape_of
from minidecay.printing import printed
from minidecay.values import agree, beside, check_operands, comparable, real_array

__all__ = ["Tensor", "TensorLike", "apply", "from_numpy", "no_grad", "tensor"]


def apply(op: Op, *operands: "Tensor | np.ndarray | int | float | None") -> "Tensor":
    """The output of `op` on tensors, arrays, numbers and left-out inputs, recorded if need be.

    Raises:
        ValueError: the operands lie on two devices, or their shapes do not fit.
        TypeError: one is of another kind, or their dtypes differ or do not suit the operation.
    """
    tensors = [x for x in operands if isinstance(x, Tensor)]
    if len(tensors) < len(operands) or not tensors:
        operands, tensors = _adopt(op, operands)
    device = agree(op, tensors)
    if (record := recording.current()) is not None:
        record.used(tensors)
    arrays = [x.data if isinstance(x, Tensor) else x for x in operands]
    needs = [isinstance(x, Tensor) and x._requires_grad for x in operands]
    op.device, op.needs = device, needs
    op.check(*arrays)
    y = op.forward(*arrays)
    out = Tensor(y if y.shape else device.reshape(y, ()), device)
    if op.is_view:
        out._version = tensors[0]._version
    if True in needs and is_recording() and y.dtype.kind == "f":
        saved = {id(value) for value in op.saved}
        read = [t._version for t in (*tensors, out) if id(t.data) in saved]
        targets = [
            (x._node or x) if isinstance(x, Tensor) and x._requires_grad else shape_of(x)
            for x in operands
        ]
        out._node, out._requires_grad = Node(op, out.shape, targets, read), True
    return out


class Tensor(Methods):
    """An array on a device, and how it came to be. Make one with `minidecay.tensor`.

    Attributes:
        data: the device's array. Writing into it directly is not noticed; write through the tensor.
        grad: the gradient of a leaf, a Tensor, or None; it adds up over calls of `backward`.
        device: where it lives.

    >>> x = md.tensor([1.0, 2.0], requires_grad=True)
    >>> (x**3).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    __slots__ = ("_grad_home", "_node", "_requires_grad", "_version", "data", "device", "grad")

    def __init__(self, data: Array, device: Device, requires_grad: bool = False) -> None:
        self.data = data
        self.device = device
        self.grad: Tensor | None = None
        self._requires_grad = requires_grad
        self._node: Node | None = None
        self._version = Version()
        self._grad_home: Array | None = None  # where an optimiser wants the gradient written

    # -- what it is ------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return tuple(self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements, as NumPy names it."""
        dtype: np.dtype[Any] = self.data.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return int(self.data.ndim)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.data.size)

    @property
    def is_leaf(self) -> bool:
        """Was it made by hand, and not by an operation that was recorded?"""
        return self._node is None

    @property
    def requires_grad(self) -> bool:
        """Will `backward` reach it?"""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._node is not None:
            raise RuntimeError("requires_grad: only a leaf can be switched; use detach()")
        if value and self.dtype.kind != "f":
            raise TypeError(f"requires_grad: {self.dtype} has no gradient; use astype('float32')")
        self._requires_grad = bool(value)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len: a tensor of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> "Iterator[Tensor]":
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return printed(self)

    # -- getting values out, and moving ----------------------------------------------------------
    def numpy(self) -> np.ndarray:
        """The values as a NumPy array: on `cpu` a read-only view, so copy it before you write."""
        view = self.device.to_numpy(self.data).view()
        view.flags.writeable = False
        return view

    def item(self) -> float | int | bool:
        """The one value as a Python number. Raises ValueError where there are more, or none."""
        if self.size != 1:
            raise ValueError(
                f"item: shape {self.shape} holds {self.size} values, not one; reduce or index it"
            )
        value: float | int | bool = self.device.to_numpy(self.data).item()
        return value

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self._requires_grad:
            raise BufferError("dlpack: no gradient could follow; pass x.detach()")
        if any(stride < 0 for stride in self.data.strides):
            raise BufferError("dlpack: a reversed view has no place in it; pass tensor(x), a copy")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()

    def detach(self) -> "Tensor":
        """The same values, sharing memory, with no history and no gradient."""
        out = Tensor(self.data, self.device)
        out._version = self._version
        return out

    def to(self, device: str | Device) -> "Tensor":
        """This tensor where it already lies on `device`, else a leaf that is a copy of it there."""
        there = find_device(device)
        if there is self.device:
            return self
        if self._node is not None:
            raise RuntimeError("to: move leaves before computing with them, or detach() first")
        return Tensor(there.from_numpy(self.numpy()), there, self._requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if self._node is not None:
            raise RuntimeError("deepcopy: only leaves can be copied; detach() first")
        out = type(self).__new__(type(self))
        Tensor.__init__(out, self.device.copy(self.data), self.device, self._requires_grad)
        return out

    # -- gradients -------------------------------------------------------------------------------
    def backward(
        self, gradient: "Tensor | np.ndarray | None" = None, retain_graph: bool = False
    ) -> None:
        """Add to every reachable leaf's `grad` the derivative of this tensor by that leaf.

        Args:
            gradient: the derivative of the final loss by this tensor, of this tensor's shape;
                may be left out where this tensor is one value, and is then 1.
            retain_graph: keep the graph for another call.

        Raises:
            RuntimeError: nothing here requires a gradient, the graph is spent, a value that must
                be read was overwritten, or `gradient` is missing or of another shape.
        """
        if not self._requires_grad:
            raise RuntimeError("backward: nothing here requires a gradient; set requires_grad=True")
        if gradient is None:
            if self.size != 1:
                raise RuntimeError(
                    f"backward: shape {self.shape} is not one value; reduce it (loss.sum()), "
                    "or pass the gradient of the final loss by it"
                )
            gy = self.device.ones(self.shape, self.dtype)
        else:
            gy = self._like_me("backward", gradient)
        if self._node is None:
            return self.accumulate(gy)
        walk(self._node, gy, self.device.add, retain_graph)

    @property
    def home(self) -> Array | None:
        """Where an optimiser wants the gradient written, while there is none yet."""
        return self._grad_home if self.grad is None else None

    def accumulate(self, g: Array) -> None:
        """Add g to the gradient."""
        if (record := recording.current()) is not None:
            record.accumulates(self)
        if self.grad is not None:
            g = self.device.add(self.grad.data, g)
        home = self._grad_home
        if home is None:
            home = self.device.copy(g)
        elif g is not home:
            self.device.copy_into(home, g)
        if self.grad is None or self.grad.data is not home:
            self.grad = Tensor(home, self.device)
        if record is not None:
            record.accumulated(self)

    def _like_me(self, name: str, value: "Tensor | np.ndarray") -> Array:
        given = value.data if isinstance(value, Tensor) else self.device.from_numpy(value)
        if given.shape != self.data.shape:
            raise RuntimeError(f"{name}: shape {given.shape} must be {self.shape}")
        return self.device.astype(given, self.dtype)

    # -- writing in place ------------------------------------------------------------------------
    def __setitem__(self, index: Any, value: TensorLike) -> None:
        """Write into the memory of a tensor that no gradient flows through."""
        wanted = self._requires_grad or (isinstance(value, Tensor) and value._requires_grad)
        if is_recording() and wanted:
            raise RuntimeError(
                "writing in place: the gradient could not follow; compute a new tensor "
                "(x = x + y, where(...)), or write under no_grad()"
            )
        if (record := recording.current()) is not None:
            record.wrote(self)
        data = beside("writing in place", self, value)
        try:
            self.device.setitem(self.data, plain_index(index), data)
        except ValueError as error:
            raise ValueError(f"writing in place into {self.shape}: {error}") from error
        self._version.count += 1

    if not TYPE_CHECKING:  # which knows what is here

        def __getattr__(self, name):
            raise hints.missing("'Tensor' object", name, hints.TENSOR)

    def _apply(self, op: Op, *operands: Any) -> "Tensor":
        return apply(op, *operands)

    def _compare(self, primitive: Callable[[Array, Any], Array], other: TensorLike) -> "Tensor":
        if (data := comparable(self, other)) is NotImplemented:
            return NotImplemented  # type: ignore[no-any-return]
        if isinstance(data, np.ndarray) and not isinstance(other, Tensor):
            data = self.device.asarray(data)
        result = primitive(self.data, data)
        return Tensor(self.device.reshape(result, result.shape), self.device)


def tensor(
    array: Any, requires_grad: bool = False, device: str | Device = "cpu", dtype: Any = None
) -> Tensor:
    """A tensor with a copy of `array`: an array, a Python number, or nested lists of numbers.

    Python numbers become float32; an array, or what has `__array__` (a tensor of torch, a column of
    a table), keeps its dtype unless `dtype` says otherwise.

    Raises:
        TypeError: the values are no real numbers, or masked, or a gradient is asked of integers.
        ValueError: nested lists have ragged lengths, or no device has that name.

    >>> tensor([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if isinstance(array, Tensor):
        array = array.numpy()
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise ValueError("tensor: nested lists of different lengths; make them equal") from error
    values = real_array("tensor", array if isinstance(array, np.ndarray) else values)
    if dtype is None and not hasattr(array, "__array__") and values.dtype != bool:
        dtype = np.float32
    if dtype is not None:
        values = real_array("tensor", values.astype(dtype))
    where = find_device(device)
    out = Tensor(where.from_numpy(values), where)
    if requires_grad:
        out.requires_grad = True
    return out


def from_numpy(array: np.ndarray, device: str | Device = "cpu") -> Tensor:
    """A tensor that shares the memory of `array` where it can (on `cpu`), else a copy of it.

    Writing into the array later is not noticed; `tensor` makes a copy that is safe from it.

    Raises:
        TypeError: `array` is no NumPy array, or holds no real numbers, or masked ones.

    >>> array = np.zeros(2)
    >>> np.shares_memory(from_numpy(array).numpy(), array)
    True
    """
    where = find_device(device)
    return Tensor(where.asarray(real_array("from_numpy", array)), where)


def _adopt(op: Op, operands: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Tensor]]:
    """Operands with NumPy's arrays made tensors; Python numbers and left-out inputs stay."""
    device = next((x.device for x in operands if isinstance(x, Tensor)), find_device("cpu"))
    adopted = tuple(
        Tensor(device.from_numpy(real_array(op.name, np.asanyarray(x))), device)
        if isinstance(x, np.ndarray | np.generic)
        else x
        for x in operands
    )
    check_operands(op, adopted)
    return adopted, [x for x in adopted if isinstance(x, Tensor)]
