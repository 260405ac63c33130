from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op
from minidecay.recording import replayed


class Embedding(Op):
    """y[...] = w[indices[...]], a row of w (rows, features) for each index; gradients add up"""

    def __init__(self, indices: Array) -> None:
        self.indices = indices

    def check(self, w: Array) -> None:
        if w.ndim != 2:
            self.fail(f"w {w.shape} must have two axes, (rows, features)")
        if self.indices.dtype.kind not in "iu":
            self.fail(f"indices are {self.indices.dtype}; give rows as integers")
        self.check_range(len(w))

    @replayed  # the indices of every batch are looked at
    def check_range(self, rows: int) -> None:
        if self.indices.size == 0:
            return
        lowest, highest = int(self.indices.min()), int(self.indices.max())
        if lowest < 0 or highest >= rows:
            self.fail(f"indices run from {lowest} to {highest}, outside of 0 to {rows - 1}")

    def forward(self, w: Array) -> Array:
        indices = self.device.asarray(self.indices)
        self.w_shape = w.shape
        self.save(indices)
        return self.device.getitem(w, indices)

    def backward(self, gy: Array) -> Gradients:
        (indices,), gw = self.saved, self.device.zeros(self.w_shape, gy.dtype)
        self.device.add_at(gw, indices, gy)  # one after the other: the same at every run
        return (gw,)
