"""y = relu(x + bias) over (rows, channels), and its gradients, the bias's in parts; in float64."""

from collections.abc import Iterator

import numpy as np

from minidecay.cuda.cases.case import Case, shares, unwritten

__all__ = ["cases"]

# (rows, channels, parts, columns of a block): around a block's columns and its rows; ragged parts,
# and more parts than rows.
_SIZES = [
    *((1, 1, 1, 32), (9, 33, 1, 32), (16, 32, 2, 32), (70, 5, 3, 32), (3, 31, 5, 32)),
    (150, 3, 2, 4),
]


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Both kernels on all sizes, with the activation, which a NaN passes, and without."""
    for rows, channels, parts, columns in _SIZES:
        for relu in (0, 1):
            defines: dict[str, int | str] = {"RELU": relu}
            x, gy = rng.standard_normal((2, rows, channels), dtype=np.float32)
            bias = rng.standard_normal(channels, dtype=np.float32)
            x[rows // 2, channels // 2] = np.nan
            y = x.astype(np.float64) + bias
            y = np.maximum(y, 0) if relu else y
            label = f"{rows}x{channels}"
            arguments = (x, bias, unwritten(rows, channels), rows, channels)
            yield Case("bias_relu", label, arguments, {"y": y}, defines)
            gx = np.where(y <= 0, 0, gy) if relu else gy.astype(np.float64)
            sums = np.stack([gx[share].sum(axis=0) for share in shares(rows, parts)])
            outputs = (unwritten(rows, channels), unwritten(parts, channels))
            yield Case(
                "bias_relu_grad",
                f"{label} in {parts}, {columns} columns a block",
                (gy, y.astype(np.float32), *outputs, rows, channels, parts),
                {"gx": gx, "part_gbias": sums},
                defines if columns == 32 else {**defines, "COLUMNS": columns},
            )
