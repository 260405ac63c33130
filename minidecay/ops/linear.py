from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, Op


class Linear(Op):
    """y = x @ w + bias;  gx = gy @ w^T;  gw = x^T @ gy;  gbias = gy summed over the examples"""

    takes_none = True  # the bias

    def check(self, x: Array, w: Array, bias: Array | None = None) -> None:
        if w.ndim != 2:
            self.fail(f"w {w.shape} must have two axes, (inputs, outputs)")
        if x.ndim == 0 or x.shape[-1] != w.shape[0]:
            inputs = x.shape[-1] if x.ndim else "no"
            self.fail(
                f"x {x.shape} has {inputs} features, w {w.shape} expects {w.shape[0]}; "
                "flatten x, or use another width"
            )
        if bias is not None and bias.shape != w.shape[1:]:
            self.fail(f"bias {bias.shape} must have shape {w.shape[1:]} for w {w.shape}")

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        self.x_shape, self.has_bias = x.shape, bias is not None
        self.save(x, w)
        if x.ndim == 2:
            return self.device.matmul(x, w, bias=bias)
        rows = self.device.reshape(x, (-1, x.shape[-1]))
        y = self.device.matmul(rows, w, bias=bias)
        return self.device.reshape(y, (*x.shape[:-1], w.shape[1]))

    def backward(self, gy: Array) -> Gradients:
        device, (x, w) = self.device, self.saved
        rows = device.reshape(gy, (-1, w.shape[1]))
        gx = gw = gb = None
        if self.needs[0]:
            gx = device.reshape(device.matmul(rows, w, transpose_b=True), self.x_shape)
        if self.needs[1]:
            columns = device.reshape(x, (-1, w.shape[0]))
            gw = device.matmul(columns, rows, transpose_a=True, out=self.homes[1])
        if self.has_bias:
            gb = device.sum(rows, 0)
        return gx, gw, gb
