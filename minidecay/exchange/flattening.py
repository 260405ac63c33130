"""Where a model flattens images, and which modules take what comes out.

Images lie here as (height, width, channels) and in torch as (channels, height, width): behind a
`Flatten` features come in another order, and so do the weights that multiply them.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from minidecay.autograd import Tensor, no_grad, tensor
from minidecay.devices.protocol import Shape
from minidecay.nn import Flatten, Linear, Module


def named_modules(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """The module and all inside it, with what their tensors' names begin with."""
    yield prefix, module
    for name, child in module.children():
        yield from named_modules(child, f"{prefix}{name}.")


def flattened(where: str, model: Module, input_shape: Shape | None) -> dict[int, Shape]:
    """Which modules, by id, take flattened images, and the (height, width, channels) of those."""
    flattens = [name for name, m in named_modules(model) if isinstance(m, Flatten)]
    if not flattens:
        return {}
    if input_shape is None:
        raise ValueError(
            f"{where}: the Flatten {flattens[0].removesuffix('.')!r} orders images otherwise than "
            "torch's; pass input_shape, (height, width, channels) or (features,) of one example"
        )
    trace = _Trace()
    dtype = next((p.dtype for p in model.parameters()), np.float32)
    example = tensor(np.zeros((1, *input_shape), dtype), device=model.device)
    with no_grad(), trace.watching(model):
        try:
            model(example)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{where}: input_shape {tuple(input_shape)} does not fit the model ({error})"
            ) from error
    if trace.waiting:
        raise ValueError(
            f"{where}: images {next(iter(trace.waiting.values()))} are flattened and then go into "
            "no Linear, as far as modules show; make what lies between a module, such as ReLU()"
        )
    return trace.modules


class _Trace:
    """Follows what comes out of each `Flatten`, through modules that keep its shape, to a Linear.

    modules: by id, those that take flattened images, and the images' shape.
    waiting: by the id of what a Flatten gave, the shape of images that reached no Linear yet.
    """

    def __init__(self) -> None:
        self.modules: dict[int, Shape] = {}
        self.waiting: dict[int, Shape] = {}
        self._sources: dict[int, tuple[int, Shape]] = {}  # a tensor -> where it was flattened, how
        self._kept: list[Tensor] = []  # so that no id is given twice

    def saw(self, module: Module, x: Tensor, y: Tensor) -> None:
        self._kept += (x, y)
        source = self._sources.get(id(x))
        if isinstance(module, Flatten) and x.ndim == 4:
            source = id(y), x.shape[1:]
            self.waiting[id(y)] = x.shape[1:]
        elif source is not None:
            self.modules[id(module)] = source[1]
        if source is not None and isinstance(module, Linear):
            self.waiting.pop(source[0], None)
        elif source is not None and y.shape[1:] == (math.prod(source[1]),):
            self._sources[id(y)] = source

    @contextmanager
    def watching(self, model: Module) -> Iterator[None]:
        """Have every module without children report its calls, all of them in evaluation mode."""
        modules = {id(module): module for module in model.modules()}.values()
        modes = [(module, module.training) for module in modules]
        leaves = [module for module in modules if not any(module.children())]
        model.eval()
        try:
            for module in leaves:
                vars(module)["forward"] = self._reporting(module)
            yield
        finally:
            for module in leaves:
                vars(module).pop("forward", None)
            for module, training in modes:
                module.training = training

    def _reporting(self, module: Module) -> Callable[[Tensor], Tensor]:
        forward = module.forward

        def reporting(x: Tensor) -> Tensor:
            y = forward(x)
            self.saw(module, x, y)
            return y

        return reporting
