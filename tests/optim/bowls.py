"""Tensors to descend with: ours, and torch's twins of them."""

import numpy as np

import minidecay as md

SHAPES = [(3, 4), (4,), (), (2, 1, 3)]


def drawn(shapes=SHAPES, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def leaves(arrays, device="cpu"):
    return [md.tensor(array, requires_grad=True, device=device) for array in arrays]


def twins(torch, arrays):
    return [torch.tensor(array, requires_grad=True) for array in arrays]


def descend(params, scales):
    """Backward through a bowl of another shape at each step."""
    for p, scale in zip(params, scales, strict=True):
        ((p * scale - 1) ** 2).sum().backward()


def by_hand(p, array):
    p.grad = None if array is None else md.tensor(array, device=p.device)


def by_torch_hand(torch, p, array):
    p.grad = None if array is None else torch.tensor(array)


def slopes(params, seed):
    """The gradients of those bowls, where each tensor stands: NumPy's, of its dtype."""
    at = [np.asarray(p.detach().numpy()) for p in params]
    scales = drawn([x.shape for x in at], at[0].dtype, seed)
    return [2 * scale * (x * scale - 1) for x, scale in zip(at, scales, strict=True)]


def assert_close(ours, theirs, tolerance):
    for mine, other in zip(ours, theirs, strict=True):
        other = other.detach().numpy()
        np.testing.assert_allclose(mine.numpy(), other, rtol=tolerance, atol=tolerance)
