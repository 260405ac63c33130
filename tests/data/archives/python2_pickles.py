"""A writer of pickles as Python 2 wrote them: what no Python 3 can write any more."""

import pickle
from struct import pack

import numpy as np

GLOBALS = {
    "reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n",
    "ndarray": b"cnumpy\nndarray\n",
    "dtype": b"cnumpy\ndtype\n",
}


class Writer:
    """Opcodes of protocol 1 or 2, in the order in which cPickle wrote them.

    cPickle put fewer values into the memo, and numbered them otherwise.
    """

    def __init__(self, protocol=2):
        self.protocol, self.memos = protocol, 0

    def put(self):
        self.memos += 1
        return b"q" + pack("B", self.memos) if self.memos < 256 else b"r" + pack("<I", self.memos)

    def text(self, value):
        value = value.encode("latin-1")
        head = b"U" + pack("B", len(value)) if len(value) < 256 else b"T" + pack("<i", len(value))
        return head + value + self.put()

    def integer(self, value):
        if 0 <= value < 256:
            return b"K" + pack("B", value)
        if 0 <= value < 1 << 16:
            return b"M" + pack("<H", value)
        if -(1 << 31) <= value < 1 << 31:
            return b"J" + pack("<i", value)
        if self.protocol == 1:
            return b"L%dL\n" % value
        encoded = pickle.encode_long(value)
        return b"\x8a" + pack("B", len(encoded)) + encoded

    def tuple(self, parts):
        if self.protocol == 2 and 1 <= len(parts) <= 3:
            return b"".join(parts) + b"\x85\x86\x87"[len(parts) - 1 : len(parts)] + self.put()
        return b"(" + b"".join(parts) + b"t" + self.put() if parts else b")"

    def array(self, value):
        empty = self.tuple([self.integer(0)])
        start = self.tuple([GLOBALS["ndarray"], empty, self.text("b")])
        dtype = self.tuple([self.text("u1"), self.integer(0), self.integer(1)])
        minus = self.integer(-1)
        state = [self.integer(3), self.text("|"), b"N", b"N", b"N", minus, minus, self.integer(0)]
        is_fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        parts = [
            self.integer(1),
            self.tuple([self.integer(n) for n in value.shape]),
            GLOBALS["dtype"] + dtype + b"R" + self.tuple(state) + b"b",
            self.value(bool(is_fortran)),
            self.text(value.tobytes("A").decode("latin-1")),
        ]
        return GLOBALS["reconstruct"] + start + b"R" + self.put() + self.tuple(parts) + b"b"

    def value(self, value):
        match value:
            case None:
                return b"N"
            case bool():
                return ((b"I00\n", b"I01\n") if self.protocol == 1 else (b"\x89", b"\x88"))[value]
            case int():
                return self.integer(value)
            case str():
                return self.text(value)
            case np.ndarray():
                return self.array(value)
            case tuple():
                return self.tuple([self.value(item) for item in value])
            case list():
                items = b"".join(self.value(item) for item in value)
                return (
                    b"]" + self.put() + (b"(" + items + b"e" if len(value) != 1 else items + b"a")
                )
            case dict():
                items = b"".join(self.text(k) + self.value(v) for k, v in value.items())
                return (
                    b"}" + self.put() + (b"(" + items + b"u" if len(value) != 1 else items + b"s")
                )
        raise TypeError(type(value))


def dumps(value, protocol=2):
    """`value` as Python 2's cPickle.dumps(value, protocol) wrote it."""
    return (b"\x80\x02" if protocol == 2 else b"") + Writer(protocol).value(value) + b"."
