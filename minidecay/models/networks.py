"""The two plain networks: fully connected, and convolutional."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from minidecay import nn
from minidecay.nn.checks import positive


def mlp(
    *widths: int, batch_norm: bool = False, rng: np.random.Generator | None = None
) -> nn.Sequential:
    """Linear layers of the given widths with ReLUs between, for inputs of any shape (N, ...).

    Args:
        widths: inputs, hidden sizes, outputs: `mlp(192, 256, 256, 10)`.
        batch_norm: normalise before each ReLU.
        rng: where the weights are drawn from (Kaiming normal); biases are zero.

    Raises:
        ValueError: fewer than two widths, or one that is no positive integer.
        TypeError: `rng` is no generator.

    >>> mlp(4, 8, 3)
    Sequential(
      (0): Flatten()
      (1): Linear(4, 8)
      (2): ReLU()
      (3): Linear(8, 3)
    )
    """
    if len(widths) < 2:
        raise ValueError(f"mlp: widths {widths} must name inputs and outputs, as in mlp(4, 8, 3)")
    for width in widths:
        positive("mlp", width=width)
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths[:-1]):
        layers.append(nn.Linear(inputs, outputs, rng=rng))
        if batch_norm:
            layers.append(nn.BatchNorm1d(outputs))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1], rng=rng))


def small_cnn(
    channels: int = 3,
    size: int = 8,
    widths: Sequence[int] = (16, 32),
    hidden: int | None = 128,
    classes: int = 10,
    rng: np.random.Generator | None = None,
) -> nn.Sequential:
    """3x3 convolutions with batch norm, ReLU and a 2x2 max-pool each, then linear layers.

    Images (N, size, size, channels) become logits (N, classes).

    Args:
        channels, size: of the images.
        widths: the channels of each convolution; size must survive a halving for each.
        hidden: the width of a fully connected layer (with batch norm) before the last, or None.
        classes: the number of logits.
        rng: where the weights are drawn from (Kaiming normal).

    Raises:
        ValueError: there are more halvings than `size` can take, or a size is no positive integer.
        TypeError: `rng` is no generator.

    >>> import minidecay as md
    >>> small_cnn(size=8)(md.tensor(np.zeros((5, 8, 8, 3), np.float32))).shape
    (5, 10)
    """
    positive("small_cnn", channels=channels, size=size, classes=classes)
    if hidden is not None:
        positive("small_cnn", hidden=hidden)
    for width in widths:
        positive("small_cnn", width=width)
    if size >> len(widths) < 1:
        raise ValueError(
            f"small_cnn: size={size} cannot be halved {len(widths)} times; drop widths"
        )
    layers: list[nn.Module] = []
    for width in widths:
        convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False, rng=rng)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels, size = width, size // 2
    layers.append(nn.Flatten())
    features = channels * size * size
    if hidden is not None:
        layers.append(nn.Linear(features, hidden, bias=False, rng=rng))
        layers += [nn.BatchNorm1d(hidden), nn.ReLU()]
        features = hidden
    return nn.Sequential(*layers, nn.Linear(features, classes, rng=rng))
