"""The running statistics of batch normalisation: what they must be, and how training moves them."""

from minidecay.autograd import Tensor
from minidecay.devices.protocol import Array
from minidecay.ops.base import is_number
from minidecay.values import two_devices


def move(
    running: Tensor | None, batch: Array, momentum: float, correction: float | int = 1
) -> None:
    """r += momentum (correction * batch - r), in place, where there is one."""
    if running is None:
        return
    device = running.device
    if correction != 1:  # on a GPU every product is a launch
        batch = device.mul(batch, correction)
    moved = device.mul(device.sub(batch, running.data), momentum)
    running[...] = Tensor(device.add(running.data, moved), device)


def check_constant(mean: object, var: object) -> None:
    """Raise ValueError where one wants a gradient, which none gets."""
    for name, running in (("running_mean", mean), ("running_var", var)):
        if isinstance(running, Tensor) and running.requires_grad:
            raise ValueError(f"batch_norm: {name} gets no gradient; pass {name}.detach()")


def check_movable(mean: object, var: object, y: Tensor, momentum: float) -> None:
    """Raise where training could not move them towards the statistics of a batch like y.

    Raises:
        ValueError: a shape or the device does not fit, one wants a gradient, or `momentum` is no
            number from 0 to 1.
        TypeError: one is no tensor, or of another dtype.
    """
    if not is_number(momentum) or not 0 <= momentum <= 1:
        raise ValueError(f"batch_norm: momentum={momentum!r} must be a number from 0 to 1")
    check_constant(mean, var)
    for name, running in (("running_mean", mean), ("running_var", var)):
        if running is None:
            continue
        if not isinstance(running, Tensor):
            kind = type(running).__name__
            raise TypeError(
                f"batch_norm: {name} is of type {kind}; training moves it, so make it a tensor(...)"
            )
        if running.device is not y.device:
            raise two_devices("batch_norm", y, running)
        if running.shape != y.shape[-1:]:
            raise ValueError(
                f"batch_norm: {name} {running.shape} must be {y.shape[-1:]}, a number for each "
                f"channel (the last axis) of x {y.shape}"
            )
        if running.dtype != y.dtype:
            raise TypeError(
                f"batch_norm: {name} is {running.dtype} and x {y.dtype}; use astype on one of them"
            )
