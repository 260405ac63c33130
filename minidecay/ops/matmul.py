from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op, broadcast_shape


class Matmul(Op):
    """y = a @ b, batched over leading axes;  ga = gy @ b^T;  gb = a^T @ gy

    A vector counts as a row on the left and as a column on the right, as in NumPy.
    """

    def check(self, a: Array, b: Array) -> None:
        if a.ndim == 0 or b.ndim == 0:
            self.fail(f"shapes {a.shape} and {b.shape}: a single number has no rows; use *")
        rows = b.shape[-2] if b.ndim > 1 else b.shape[0]
        if a.shape[-1] != rows:
            self.fail(
                f"shapes {a.shape} and {b.shape}: the last axis of the first ({a.shape[-1]}) must "
                f"equal the last but one of the second ({rows}); transpose one?"
            )
        try:
            broadcast_shape(self, *(self.device.zeros(x.shape[:-2], bool) for x in (a, b)))
        except ValueError:
            self.fail(f"shapes {a.shape} and {b.shape}: the batch axes do not broadcast")

    def forward(self, a: Array, b: Array) -> Array:
        reshape = self.device.reshape
        self.shapes = a.shape, b.shape
        a = reshape(a, (1, -1)) if a.ndim == 1 else a
        b = reshape(b, (-1, 1)) if b.ndim == 1 else b
        self.save(a, b)
        y = self.device.matmul(a, b)
        self.matrix_shape = y.shape
        a_shape, b_shape = self.shapes
        shape = (
            y.shape[:-2] + y.shape[-2:-1] * (len(a_shape) > 1) + y.shape[-1:] * (len(b_shape) > 1)
        )
        return y if shape == y.shape else reshape(y, shape)

    def backward(self, gy: Array) -> Gradients:
        (a, b), (a_shape, b_shape) = self.saved, self.shapes
        gy = self.device.reshape(gy, self.matrix_shape)
        ga = gb = None
        if self.needs[0]:
            ga = self.sum_to(self.device.matmul(gy, b, transpose_b=True), a.shape)
            ga = self.device.reshape(ga, a_shape)
        if self.needs[1]:
            gb = self.sum_to(self.device.matmul(a, gy, transpose_a=True), b.shape)
            gb = self.device.reshape(gb, b_shape)
        return ga, gb
