"""What Python 2 pickled, read as data: lists, dicts, tuples, text, integers and uint8 arrays.

Nothing is unpickled. `pickletools` cuts the bytes into opcodes without acting on any, and the few
opcodes that such data needs are carried out here on plain values. Names of classes and functions
are never looked up: the three by which NumPy writes an array are recognised as marks, and any other
is an error, as is every opcode that is not in the list.
"""

import math
import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_OPCODES = 1_000_000  # a batch of 10,000 images has about 60,000

# How NumPy's arrays name their parts in a pickle.
_RECONSTRUCT, _NDARRAY, _DTYPE = (
    "numpy.core.multiarray _reconstruct",
    "numpy ndarray",
    "numpy dtype",
)

_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1")
_VALUES = (*_NUMBERS, "BINSTRING", "SHORT_BINSTRING")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_MARK = object()


class Array:
    """An array of bytes: `values` is uint8, once its state was read."""

    values: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class _Name:
    """The name of a class or function, which stays a name."""

    text: str


_UINT8 = object()  # the one dtype there is here


def read_pickle(content: bytes) -> Any:
    """The value that a pickle of Python 2 holds; its `str` are read as Latin-1, arrays as `Array`.

    It may be of protocol 1 or 2, the binary ones. Raises ValueError, in a line, where the content
    is damaged or holds anything else.
    """
    reader = _Reader()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count == MOST_OPCODES:
                raise ValueError(f"more than {MOST_OPCODES} opcodes")
            reader.take(opcode.name, argument)
        return reader.pop()
    except (IndexError, KeyError) as error:
        raise ValueError("an opcode lacks its operands") from error


class _Reader:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def take(self, name: str, argument: Any) -> None:
        """Carry out one opcode."""
        match name:
            case "PROTO" | "STOP":
                pass
            case _ if name in _VALUES:
                self.stack.append(argument)
            case _ if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            case "MARK":
                self.stack.append(_MARK)
            case "EMPTY_LIST":
                self.stack.append([])
            case "EMPTY_DICT":
                self.stack.append({})
            case "TUPLE":
                self.stack.append(tuple(self.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(tuple(self.pop_many(int(name[-1]))))
            case "APPEND":
                items = [self.pop()]
                _extend(self.stack[-1], items)
            case "APPENDS":
                items = self.pop_to_mark()
                _extend(self.stack[-1], items)
            case "SETITEM":
                items = self.pop_many(2)
                _set_items(self.stack[-1], items)
            case "SETITEMS":
                items = self.pop_to_mark()
                _set_items(self.stack[-1], items)
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "GLOBAL":
                self.stack.append(_name(argument))
            case "REDUCE":
                arguments = self.pop()
                self.stack.append(_reduce(self.pop(), arguments))
            case "BUILD":
                state = self.pop()
                _build(self.stack[-1], state)
            case _:
                raise ValueError(f"the opcode {name} has no place in data")

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("an opcode lacks its operands")
        return value

    def pop_many(self, count: int) -> list[Any]:
        return [self.pop() for _ in range(count)][::-1]

    def pop_to_mark(self) -> list[Any]:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]


def _extend(target: Any, items: list[Any]) -> None:
    if type(target) is not list:
        raise ValueError(f"items are appended to a {type(target).__name__}")
    target.extend(items)


def _set_items(target: Any, items: list[Any]) -> None:
    keys, values = items[::2], items[1::2]
    if type(target) is not dict or len(keys) != len(values):
        raise ValueError(f"items are set in a {type(target).__name__}, or one lacks its value")
    if any(type(key) is not str for key in keys):
        # To hash nested tuples that share their parts could take for ever.
        raise ValueError("a key is no text")
    target.update(zip(keys, values, strict=True))


def _name(name: str) -> _Name:
    if name not in (_RECONSTRUCT, _NDARRAY, _DTYPE):
        raise ValueError(f"it names {name!r}, which has no place in data")
    return _Name(name)


def _reduce(called: Any, arguments: Any) -> Any:
    first = arguments[0] if type(arguments) is tuple and arguments else None
    if called == _Name(_RECONSTRUCT) and first == _Name(_NDARRAY):
        return Array()
    if called == _Name(_DTYPE) and first == "u1":
        return _UINT8
    raise ValueError("it calls something other than NumPy's constructor of uint8 arrays")


def _build(target: Any, state: Any) -> None:
    if target is _UINT8:
        return  # byte order and alignment: a byte has none
    if type(target) is not Array or type(state) is not tuple or len(state) != 5:
        raise ValueError("it sets the state of something that is no array")
    _, shape, dtype, is_fortran, values = state
    if dtype is not _UINT8 or type(shape) is not tuple or type(values) is not str:
        raise ValueError("an array is no uint8 array")
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) != len(values):
        raise ValueError(f"{len(values)} bytes are no uint8 array of the shape that is given")
    flat = np.frombuffer(values.encode("latin-1"), np.uint8)
    target.values = flat.reshape(shape, order="F" if is_fortran else "C")
