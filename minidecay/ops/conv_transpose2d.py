from minidecay.devices.protocol import Array, Pair, Shape
from minidecay.ops.base import Gradients, Op, pair


class ConvTranspose2d(Op):
    """y[n,i s + a - p,j s + b - p,o] = sum of x[n,i,j,c] w[a,b,c,o], + bias[o]

    The transpose of a convolution of y: its input's gradient is this forward. Dumoulin and Visin
    2016, section 4.
    """

    takes_none = True  # the bias

    def __init__(
        self, stride: int | Pair = 1, padding: int | Pair = 0, output_padding: int | Pair = 0
    ) -> None:
        self.stride = pair(self, stride, "stride", least=1)
        self.padding = pair(self, padding, "padding", least=0)
        self.output_padding = pair(self, output_padding, "output_padding", least=0)
        if any(more >= s for more, s in zip(self.output_padding, self.stride, strict=True)):
            self.fail(f"output_padding={output_padding!r} must be below stride={stride!r}")

    def check(self, x: Array, w: Array, bias: Array | None = None) -> None:
        if x.ndim != 4 or w.ndim != 4:
            self.fail(f"x {x.shape} must be (N, H, W, C) and w {w.shape} (kh, kw, C_in, C_out)")
        if x.shape[3] != w.shape[2]:
            self.fail(f"x {x.shape} has {x.shape[3]} channels, w {w.shape} expects {w.shape[2]}")
        if 0 in w.shape or 0 in x.shape[1:3]:
            self.fail(f"x {x.shape} or w {w.shape} is empty; give sizes of at least 1")
        if bias is not None and bias.shape != w.shape[3:]:
            self.fail(f"bias {bias.shape} must have shape {w.shape[3:]} for w {w.shape}")
        if min(self._size(x, w)) < 1:
            self.fail(f"x {x.shape} and w {w.shape} give {self._size(x, w)} pixels; pad less")

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        device, shape = self.device, (len(x), *self._size(x, w), w.shape[3])
        self.has_bias = bias is not None
        turned = device.transpose(w, (0, 1, 3, 2))  # of the convolution from y to x
        self.save(x, turned)
        y = device.conv2d_input_grad(x, turned, shape, stride=self.stride, padding=self.padding)
        return device.add(y, bias) if self.has_bias else y

    def backward(self, gy: Array) -> Gradients:
        device, (x, turned) = self.device, self.saved
        stride, padding = self.stride, self.padding
        gx = gw = gb = None
        if self.needs[0]:
            gx = device.conv2d(gy, turned, stride=stride, padding=padding)
        if self.needs[1]:
            gw = device.conv2d_weight_grad(x, gy, turned.shape, stride=stride, padding=padding)
            gw = device.transpose(gw, (0, 1, 3, 2))
        if self.has_bias:
            gb = device.sum(gy, (0, 1, 2))
        return gx, gw, gb

    def _size(self, x: Array, w: Array) -> Shape:
        """The output's height and width."""
        return tuple(
            (x.shape[1 + axis] - 1) * self.stride[axis]
            - 2 * self.padding[axis]
            + w.shape[axis]
            + self.output_padding[axis]
            for axis in (0, 1)
        )
