"""Tools that hold the framework to account; they serve its users' own operations as well."""

from collections.abc import Callable

import numpy as np

from minidecay.autograd import Tensor, no_grad


def gradcheck(
    function: Callable[..., Tensor],
    *inputs: Tensor,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-4,
    seed: int = 0,
) -> bool:
    """Compare `backward` with central differences, (f(x + eps) - f(x - eps)) / (2 eps).

    Every element of every input that requires a gradient is moved. An output of more than one
    value is weighed with random numbers first, so that no two errors cancel.

    Args:
        function: takes `inputs`, gives a Tensor; smooth near them, and the same at each call.
        inputs: float64 tensors on `cpu`; at least one requires a gradient.
        eps, atol, rtol: the step, and what |analytic - numeric| <= atol + rtol |numeric| allows.
        seed: of the weights.

    Raises:
        AssertionError: the gradients differ; says where and by how much.
        TypeError: an input is not float64.
        ValueError: no input requires a gradient.

    >>> import numpy as np, minidecay as md
    >>> md.gradcheck(md.exp, md.tensor(np.array([0.0, 1.0]), requires_grad=True))
    True
    """
    if any(x.dtype != np.float64 for x in inputs):
        raise TypeError(f"gradcheck: dtypes {[str(x.dtype) for x in inputs]} must all be float64")
    checked = [(i, x) for i, x in enumerate(inputs) if x.requires_grad]
    if not checked:
        raise ValueError("gradcheck: no input requires a gradient; set requires_grad=True")
    for _, x in checked:
        x.grad = None
    output = function(*inputs)
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, output.shape)
    output.backward(weights)

    def value() -> float:
        with no_grad():
            return float((function(*inputs).numpy() * weights).sum())

    for i, x in checked:
        analytic = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
        if analytic.shape != x.shape:
            raise AssertionError(f"gradcheck: input {i} {x.shape} has a gradient {analytic.shape}")
        for where in np.ndindex(x.shape):
            before = x.numpy()[where].item()
            with no_grad():
                x[where] = before + eps
                above = value()
                x[where] = before - eps
                below = value()
                x[where] = before
            numeric = (above - below) / (2 * eps)
            if not abs(analytic[where] - numeric) <= atol + rtol * abs(numeric):
                raise AssertionError(
                    f"gradcheck: input {i} at {where}: backward gives {analytic[where]:.6g}, "
                    f"differences give {numeric:.6g}"
                )
    return True
