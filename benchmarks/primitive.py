"""What a primitive is: one call of a device, on given shapes, and the same call in torch.

`ours(device, **arrays)` and `theirs(torch, **tensors)` set a call up, outputs preallocated where
the library takes them, and return a function that does it once and returns the outputs. What they
prepare beside is not timed. Here are those of the two ladders; `fused.py` has the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import minidecay as md
from benchmarks.case import Case, Shape
from minidecay.cuda import names
from minidecay.devices import Device
from minidecay.devices import device as find_device

Call = Callable[[], Sequence[Any]]
Family = Literal["matmul", "conv2d", "fused"]

MATMULS, CONVOLUTIONS = (
    tuple(name.partition("/")[2] for name in names() if name.startswith(f"{ladder}/"))
    for ladder in ("matmul", "conv2d")
)


@dataclass(frozen=True)
class Primitive:
    """One call of a device on normal numbers.

    Attributes:
        name: of the case: "matmul-1024x1024x1024".
        family: whose table it stands in; a ladder's is timed by each of `rungs`.
        inputs: what is drawn, by name: a shape of floats, or (N,) labels of that many classes.
            A name that begins with "w" and has four axes is a convolution's weights.
        outputs: the names of what a call returns, likewise.
        ours, theirs: as above. A call of theirs may return fewer outputs than ours.
        function: theirs as one function of torch and the tensors, which torch.compile can take.
        flops: of one call, a multiplication and an addition being two.
        rungs: of the ladder `family`; none where there is one kernel only.
        in_place: whether the inputs are written, so that the two must not share them.
        exact: the outputs in float64, of float64 inputs; by default the device `cpu`'s.
        nbytes: that must be moved; by default those of inputs and outputs, each once.
    """

    name: str
    family: Family
    inputs: Mapping[str, "Shape | Labels"]
    outputs: Sequence[str]
    ours: Callable[..., Call]
    theirs: Callable[..., Call]
    flops: int
    rungs: Sequence[str] = ()
    function: Callable[..., Any] | None = None
    in_place: bool = False
    exact: Callable[..., Sequence[np.ndarray]] | None = None
    nbytes: int | None = None

    def drawn(self) -> dict[str, np.ndarray]:
        """The inputs, float32 and int64, the same at every call."""
        rng = md.random.stream(0, self.name)
        return {
            name: rng.integers(what.classes, size=what.count)
            if isinstance(what, Labels)
            else rng.standard_normal(what, np.float32)
            for name, what in self.inputs.items()
        }

    def reference(self, drawn: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """The outputs in float64."""
        wide = {k: x.astype(np.float64) if x.dtype == np.float32 else x for k, x in drawn.items()}
        if self.exact:
            return self.exact(**wide)
        return self.ours(find_device("cpu"), **{k: x.copy() for k, x in wide.items()})()

    def case(self) -> Case:
        """The same on a CPU, for `benchmarks.cpu`."""

        def theirs() -> Call:
            from benchmarks import torch_side

            return torch_side.primitive(self, self.drawn())

        def ours() -> Call:
            return self.ours(find_device("cpu"), **self.drawn())

        return Case(self.name, "primitive", ours, theirs)


@dataclass(frozen=True)
class Labels:
    """(count,) class indices."""

    count: int
    classes: int


def matmul(
    m: int, n: int, k: int, kind: str = "nn", rungs: Sequence[str] = MATMULS, batch: int = 0
) -> Primitive:
    """(m, k) @ (k, n); `kind` says which is stored transposed: "nn", "nt", "tn" or "tt".

    Many small ones (`batch` of them) have a kernel of their own, whatever the rung.
    """
    left, right = (letter == "t" for letter in kind)
    stacked = (batch,) if batch else ()

    def ours(device: Device, a: Any, b: Any) -> Call:
        out = device.zeros((*stacked, m, n), a.dtype)
        options = {"transpose_a": left, "transpose_b": right, "out": out}
        return lambda: (device.matmul(a, b, **options),)

    def theirs(torch: Any, a: Any, b: Any) -> Call:
        a, b = (a.mT if left else a), (b.mT if right else b)
        out = torch.matmul(a, b)
        return lambda: (torch.matmul(a, b, out=out),)

    name = "x".join(map(str, (*stacked, m, n, k)))
    return Primitive(
        f"matmul-{name}" + f"-{kind}" * (kind != "nn"),
        "matmul" if rungs else "fused",
        {
            "a": (*stacked, *((k, m) if left else (m, k))),
            "b": (*stacked, *((n, k) if right else (k, n))),
        },
        ("y",),
        ours,
        theirs,
        2 * m * n * k * max(1, batch),
        rungs,
    )


def convolution(
    output: Literal["y", "gx", "gw"],
    images: tuple[int, int, int, int],
    filters: int,
    size: int = 3,
    stride: int = 1,
    rungs: Sequence[str] = CONVOLUTIONS,
) -> Primitive:
    """A square convolution, padded by half its size, or one of its two gradients.

    Args:
        output: y, or the gradient of images or weights.
        images: (N, H, W, C).
        filters, size, stride: of the weights (size, size, C, filters).
    """
    n, height, width, channels = images
    padding = size // 2
    out = [(side + 2 * padding - size) // stride + 1 for side in (height, width)]
    x, w, gy = images, (size, size, channels, filters), (n, *out, filters)
    window: dict[str, Any] = {"stride": (stride, stride), "padding": (padding, padding)}

    def ours(device: Device, **given: Any) -> Call:
        if output == "y":
            return lambda: (device.conv2d(given["x"], given["w"], **window),)
        if output == "gx":
            return lambda: (device.conv2d_input_grad(given["gy"], given["w"], x, **window),)
        return lambda: (device.conv2d_weight_grad(given["gy"], given["x"], w, **window),)

    def theirs(torch: Any, **given: Any) -> Call:
        if output == "y":
            return lambda: (torch.conv2d(given["x"], given["w"], None, stride, padding),)
        # Of what is not asked for, convolution_backward reads the shape alone.
        nchw, oihw = (n, channels, height, width), (filters, channels, size, size)
        like = {"memory_format": torch.channels_last, "device": given["gy"].device}
        images = given.get("x", torch.empty(nchw, **like))
        weights = given.get("w", torch.empty(oihw, **like))
        backward = torch.ops.aten.convolution_backward
        rest = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
        wanted = [output == "gx", output == "gw", False]

        def call() -> Sequence[Any]:
            gradients = backward(given["gy"], images, weights, None, *rest, wanted)
            return (gradients[wanted.index(True)],)

        return call

    inputs: dict[str, dict[str, Shape]] = {
        "y": {"x": x, "w": w},
        "gx": {"gy": gy, "w": w},
        "gw": {"gy": gy, "x": x},
    }
    of = "x".join(map(str, images))
    return Primitive(
        f"conv2d-{output}-{of}-{filters}-{size}x{size}" + f"-s{stride}" * (stride > 1),
        "conv2d",
        inputs[output],
        ("w" if output == "gw" else "y",),
        ours,
        theirs,
        2 * n * out[0] * out[1] * filters * channels * size * size,
        rungs,
    )
