from minidecay.devices.protocol import Array, Pair
from minidecay.ops.base import Gradients, Op, pair


class Conv2d(Op):
    """y[n,i,j,o] = sum over a, b, c of x[n, i s + a - p, j s + b - p, c] w[a,b,c,o] + bias[o]"""

    takes_none = True  # the bias

    def __init__(self, stride: int | Pair = 1, padding: int | Pair = 0) -> None:
        self.stride = pair(self, stride, "stride", least=1)
        self.padding = pair(self, padding, "padding", least=0)

    def check(self, x: Array, w: Array, bias: Array | None = None) -> None:
        if x.ndim != 4 or w.ndim != 4:
            self.fail(f"x {x.shape} must be (N, H, W, C) and w {w.shape} (kh, kw, C_in, C_out)")
        if x.shape[3] != w.shape[2]:
            self.fail(f"x {x.shape} has {x.shape[3]} channels, w {w.shape} expects {w.shape[2]}")
        if 0 in w.shape:
            self.fail(f"w {w.shape} is empty; give every axis a size of at least 1")
        if bias is not None and bias.shape != w.shape[3:]:
            self.fail(f"bias {bias.shape} must have shape {w.shape[3:]} for w {w.shape}")
        for axis, side in enumerate(("height", "width")):
            padded = x.shape[1 + axis] + 2 * self.padding[axis]
            if padded < w.shape[axis]:
                self.fail(
                    f"x {x.shape} padded by {self.padding} has {side} {padded}, less than the "
                    f"kernel's {w.shape[axis]} in w {w.shape}; pad more"
                )

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        self.has_bias = bias is not None
        self.save(x, w)
        return self.device.conv2d(x, w, stride=self.stride, padding=self.padding, bias=bias)

    def backward(self, gy: Array) -> Gradients:
        device, (x, w) = self.device, self.saved
        stride, padding = self.stride, self.padding
        gx = gw = gb = None
        if self.needs[0]:
            gx = device.conv2d_input_grad(gy, w, x.shape, stride=stride, padding=padding)
        if self.needs[1]:
            gw = device.conv2d_weight_grad(gy, x, w.shape, stride=stride, padding=padding)
        if self.has_bias:
            gb = device.sum(gy, (0, 1, 2))
        return gx, gw, gb
