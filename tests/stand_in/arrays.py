"""CuPy's arrays and functions, over NumPy's, as far as the project uses them.

An array here is none of NumPy's: what NumPy is handed it refuses, as CuPy does, so that a line that
works by mistake on the host's arrays is found out.
"""

import numpy as np

from stand_in import stream
from stand_in.memory import Memory


class ndarray:  # noqa: N801 (CuPy's name)
    __module__ = "cupy"
    __array_ufunc__ = None  # NumPy's operators leave the work to this class's

    def __init__(self, host, memory=None):
        self.host = host
        self.memory = memory or Memory(host.nbytes)

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    nbytes = property(lambda self: self.host.nbytes)
    strides = property(lambda self: self.host.strides)
    flags = property(lambda self: self.host.flags)
    T = property(lambda self: self.transpose())

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __len__(self):
        return len(self.host)

    def __bool__(self):
        return bool(self.get())

    def __float__(self):
        return float(self.get())

    def __int__(self):
        return int(self.get())

    def __getitem__(self, index):
        return self._view(self.host[_host(index)])

    def __setitem__(self, index, value):
        if isinstance(value, np.ndarray) and value.shape:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        stream.do(lambda: self.host.__setitem__(_host(index), _host(value)))

    def get(self):
        stream.synchronize()
        return self.host.copy()

    def item(self):
        return self.get().item()

    def set(self, host):
        if not isinstance(host, np.ndarray) or (host.dtype, host.shape) != (self.dtype, self.shape):
            raise TypeError("set takes an array of NumPy's of the same dtype and shape")
        stream.copied_from_host()
        self.host[...] = host

    def __dlpack__(self, **options):
        return self.host.__dlpack__()

    def __dlpack_device__(self):
        return self.host.__dlpack_device__()  # the host's, so that torch without CUDA takes it

    def _view(self, host):
        """An array in this one's memory, where NumPy made none of its own."""
        shared = host.size and np.may_share_memory(host, self.host)
        return ndarray(np.asarray(host), self.memory if shared else None)

    def reshape(self, *shape):
        return self._view(self.host.reshape(*shape))

    def transpose(self, *axes):
        return self._view(self.host.transpose(*axes))

    def swapaxes(self, one, other):
        return self._view(self.host.swapaxes(one, other))

    def view(self, dtype):
        return self._view(self.host.view(dtype))

    def astype(self, dtype):
        return _computed(lambda: self.host.astype(dtype))


def _operator(name):
    def method(self, *others):
        others = tuple(map(_host, others))
        if name.startswith("__i"):
            stream.do(lambda: getattr(self.host, name)(*others))
            return self
        return _computed(lambda: np.asarray(getattr(self.host, name)(*others)))

    return method


for each in ("add", "sub", "mul", "truediv", "iadd", "lt", "gt", "eq", "ne", "neg"):
    setattr(ndarray, f"__{each}__", _operator(f"__{each}__"))


def _host(value):
    if isinstance(value, ndarray):
        return value.host
    if isinstance(value, tuple | list):
        return type(value)(map(_host, value))
    return value


def _computed(function):
    """A new array with what `function` gives, now and whenever a captured graph is replayed."""
    made = ndarray(np.array(function()))
    stream.do(lambda: np.copyto(made.host, function()))
    return made


def _of_arrays(name):
    """NumPy's function of that name on arrays of the device; those of the host it refuses."""
    function = getattr(np, name)

    def called(*arguments, **options):
        _refuse_hosts(name, (*arguments, *options.values()))
        given = tuple(map(_host, arguments))
        if (out := options.pop("out", None)) is not None:
            stream.do(lambda: function(*given, out=out.host, **options))
            return out
        return _computed(lambda: np.asarray(function(*given, **options)))

    return called


def _refuse_hosts(name, values):
    for value in values:
        if isinstance(value, np.ndarray):
            raise TypeError(f"Unsupported type {type(value)} in cupy.{name}")
        if isinstance(value, tuple | list):
            _refuse_hosts(name, value)


def _made(name):
    return lambda *arguments, **options: ndarray(getattr(np, name)(*arguments, **options))


def array(obj, dtype=None, copy=True, order="K"):
    if isinstance(obj, ndarray):
        return _computed(lambda: np.array(obj.host, dtype, order=order))
    stream.copied_from_host()
    return ndarray(np.array(obj, dtype, order=order))


def asarray(a, dtype=None, order=None):
    if not isinstance(a, ndarray):
        return array(a, dtype, order=order or "K")
    host = np.asarray(a.host, dtype, order)
    return a if host is a.host else _computed(lambda: np.asarray(a.host, dtype, order))


def copyto(dst, src):
    _refuse_hosts("copyto", (dst, src))
    stream.do(lambda: np.copyto(dst.host, _host(src)))


def transpose(a, axes=None):
    return a.transpose(axes)


def broadcast_to(array, shape):
    return array._view(np.broadcast_to(array.host, shape))


_CREATION = ("empty", "zeros", "ones", "full")
_COMPUTING = (
    *("add", "subtract", "multiply", "divide", "power", "maximum", "negative", "absolute"),
    *("exp", "log", "sqrt", "sign", "tanh", "where", "sum", "max", "matmul", "concatenate"),
    *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
)
FUNCTIONS = {
    **{name: _made(name) for name in _CREATION},
    **{name: _of_arrays(name) for name in _COMPUTING},
    **{each.__name__: each for each in (array, asarray, copyto, transpose, broadcast_to)},
}
