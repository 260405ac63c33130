"""The optimiser's step."""

import numpy as np

CHUNK = 65_536  # floats: few calls, and a chunk of each array still stays in a cache


def sgd_step(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
) -> None:
    """One SGD step in place on flat arrays of one length, as torch.optim.SGD defines it.

    g' = g + wd w;  v = m v + g';  w -= lr v, or with nesterov w -= lr (g' + m v). g is kept.
    """
    scratch = np.empty(min(CHUNK, w.size), w.dtype)
    for start in range(0, w.size, CHUNK):
        part = slice(start, start + CHUNK)
        wc, gc, vc = w[part], g[part], v[part]
        step = np.multiply(wc, weight_decay, out=scratch[: wc.size])
        step += gc
        vc *= momentum
        vc += step
        if nesterov:
            step += momentum * vc
            step *= lr
        else:
            np.multiply(vc, lr, out=step)
        wc -= step
