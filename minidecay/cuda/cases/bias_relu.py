"""y = relu(x + bias) over (rows, channels), and its gradients, the bias's in parts; in float64."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten

__all__ = ["cases"]

# (rows, channels, parts): around 32 channels and 8 rows; ragged parts, and more parts than rows.
_SIZES = [(1, 1, 1), (9, 33, 1), (16, 32, 2), (70, 5, 3), (3, 31, 5)]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Both kernels on all sizes, with the activation and without."""
    for rows, channels, parts in _SIZES:
        for relu in (0, 1):
            defines: dict[str, int | str] = {"RELU": relu}
            x, gy = rng.standard_normal((2, rows, channels), dtype=np.float32)
            bias = rng.standard_normal(channels, dtype=np.float32)
            y = x.astype(np.float64) + bias
            y = np.maximum(y, 0) if relu else y
            label = f"{rows}x{channels}"
            arguments = (x, bias, unwritten(rows, channels), rows, channels)
            yield Case("bias_relu", label, arguments, {"y": y}, defines)
            gx = gy * (y > 0) if relu else gy.astype(np.float64)
            sums = np.stack([gx[share].sum(axis=0) for share in shares(rows, parts)])
            outputs = (unwritten(rows, channels), unwritten(parts, channels))
            yield Case(
                "bias_relu_grad",
                f"{label} in {parts}",
                (gy, y.astype(np.float32), *outputs, rows, channels, parts),
                {"gx": gx, "part_gbias": sums},
                defines,
            )
