from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Embedding(Op):
    """y[...] = w[indices[...]], a row of w (rows, features) for each index; gradients add up"""

    def __init__(self, indices: Array) -> None:
        self.indices = indices

    def check(self, w: Array) -> None:
        indices = self.indices
        if w.ndim != 2:
            self.fail(f"w {w.shape} must have two axes, (rows, features)")
        if indices.dtype.kind not in "iu":
            self.fail(f"indices are {indices.dtype}; give rows as integers")
        if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < len(w):
            self.fail(
                f"indices run from {int(indices.min())} to {int(indices.max())}, "
                f"outside of 0 to {len(w) - 1}"
            )

    def forward(self, w: Array) -> Array:
        self.w_shape = w.shape
        self.save(self.indices)
        return self.device.getitem(w, self.device.asarray(self.indices))

    def backward(self, gy: Array) -> Gradients:
        gw = self.device.zeros(self.w_shape, gy.dtype)
        self.device.add_at(gw, self.indices, gy)  # one after the other: the same at every run
        return (gw,)
