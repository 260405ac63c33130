"""What Python and the emulator's C++ hand each other, as runtime.h and counter.cpp lay it out."""

import ctypes

__all__ = ["RawArray", "RawCount", "RawFinding", "RawLaunch"]


class RawFinding(ctypes.Structure):
    """`Finding` of runtime.h."""

    _fields_ = [
        ("kind", ctypes.c_char * 64),
        ("detail", ctypes.c_char * 160),
        ("offset", ctypes.c_uint64),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_int),
        ("block", ctypes.c_uint * 3),
        ("thread", ctypes.c_uint * 3),
    ]


class RawArray(ctypes.Structure):
    """`Array` of runtime.h."""

    _fields_ = [
        ("start", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("constant", ctypes.c_uint),
    ]


class RawLaunch(ctypes.Structure):
    """`Launch` of runtime.h."""

    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("os_threads", ctypes.c_uint),
        ("arrays", ctypes.c_uint),
        ("array", ctypes.POINTER(RawArray)),
        ("kernel", ctypes.c_void_p),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("most_steps", ctypes.c_uint64),
        ("stacks", ctypes.c_void_p),
    ]


class RawCount(ctypes.Structure):
    """`Count` of counter.cpp."""

    _fields_ = [
        ("offset", ctypes.c_uint64),
        ("memory", ctypes.c_int),
        ("write", ctypes.c_uint),
        ("requests", ctypes.c_uint64),
        ("taken", ctypes.c_uint64),
        ("ideal", ctypes.c_uint64),
    ]
