"""How a tensor prints: as torch's, its values to four digits and what is not as usual with them."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from minidecay.autograd import Tensor

USUAL = (np.float32, np.int64, np.bool_)  # dtypes that go without saying


def printed(x: "Tensor") -> str:
    """`tensor([1.5, 2.0], dtype=float64, requires_grad=True)`."""
    values = np.array2string(x.numpy(), separator=", ", prefix="tensor(", precision=4)
    parts = [values]
    if x.dtype not in USUAL:
        parts.append(f"dtype={x.dtype}")
    if x.device.name != "cpu":
        parts.append(f"device={x.device.name!r}")
    if x._node is not None and x._node.op is not None:
        parts.append(f"op={x._node.op.name}")
    elif x.requires_grad:
        parts.append("requires_grad=True")
    return f"tensor({', '.join(parts)})"
