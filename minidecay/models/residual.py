"""Wide residual networks, pre-activation. Zagoruyko and Komodakis 2016, arXiv 1605.07146."""

import numpy as np

from minidecay import functions as F
from minidecay import nn
from minidecay.autograd import Tensor
from minidecay.nn.checks import positive

STEM = 16  # channels of the first convolution


class WideBlock(nn.Module):
    """y = shortcut + conv2(dropout(relu(bn2(conv1(relu(bn1(x)))))))

    The shortcut is x; where the channels change it is a 1x1 convolution of relu(bn1(x)) instead.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        dropout: float,
        rng: np.random.Generator | None,
    ) -> None:
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False, rng=rng)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(dropout, rng) if dropout else nn.Identity()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False, rng=rng)
        self.shortcut = (
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng)
            if in_channels != out_channels
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        y = self.dropout(F.relu(self.bn2(self.conv1(active))))
        return self.conv2(y) + (x if self.shortcut is None else self.shortcut(active))


class WideResNet(nn.Module):
    """Three groups of blocks, the second and third at half the size of the one before.

    `wide_resnet` makes one, and says what its numbers are.

    >>> net = WideResNet(10, 1, dropout=0.0, classes=10, channels=3, rng=np.random.default_rng(0))
    >>> net(md.tensor(np.zeros((2, 8, 8, 3), np.float32))).shape
    (2, 10)
    """

    def __init__(
        self,
        depth: int,
        width: int,
        dropout: float,
        classes: int,
        channels: int,
        rng: np.random.Generator | None,
    ) -> None:
        blocks, wide = (depth - 4) // 6, STEM * width

        def group(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            first = WideBlock(inputs, outputs, stride, dropout, rng)
            others = (WideBlock(outputs, outputs, 1, dropout, rng) for _ in range(blocks - 1))
            return nn.Sequential(first, *others)

        self.conv = nn.Conv2d(channels, STEM, 3, padding=1, bias=False, rng=rng)
        self.group1 = group(STEM, wide, stride=1)
        self.group2 = group(wide, 2 * wide, stride=2)
        self.group3 = group(2 * wide, 4 * wide, stride=2)
        self.bn = nn.BatchNorm2d(4 * wide)
        self.linear = nn.Linear(4 * wide, classes, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        x = self.group3(self.group2(self.group1(self.conv(x))))
        return self.linear(F.global_avg_pool2d(F.relu(self.bn(x))))


def wide_resnet(
    depth: int,
    width: int,
    dropout: float = 0.0,
    classes: int = 10,
    channels: int = 3,
    rng: np.random.Generator | None = None,
) -> WideResNet:
    """WRN-depth-width: images (N, H, W, channels) of any size become logits (N, classes).

    A 3x3 convolution to 16 channels, three groups of (depth - 4) / 6 blocks with 16, 32 and 64
    times `width` channels, batch norm and ReLU, the mean over the image, a linear layer. `depth`
    counts convolutions: the first one, two a block, and the shortcut that widens each group.

    All weights are Kaiming normal by their fan-in (the paper's code takes the fan-out); batch norms
    begin at weight 1 and bias 0, the linear bias at 0. No residual branch begins at zero.

    Args:
        depth: 6 n + 4, so 10, 16, 22, 28, 40 ...
        width: how many times as wide as a plain residual network.
        dropout: the probability of dropping between the two convolutions of each block.
        classes, channels: of the logits and of the images.
        rng: where the weights are drawn from, and the masks.

    Raises:
        ValueError: `depth` is not 6 n + 4, a size is no positive integer, or `dropout` no
            probability below 1.
        TypeError: `rng` is no generator.

    >>> model = md.models.wide_resnet(10, 1, classes=5, rng=md.random.stream(0, "init"))
    >>> model(md.tensor(np.zeros((2, 8, 8, 3), np.float32))).shape
    (2, 5)
    >>> sum(p.size for p in model.parameters())
    77525
    """
    positive("wide_resnet", depth=depth, width=width, classes=classes, channels=channels)
    if depth < 10 or depth % 6 != 4:
        raise ValueError(f"wide_resnet: depth={depth} must be 6 n + 4: 10, 16, 22, 28, 40")
    nn.Dropout(dropout)  # refuses what is no probability
    return WideResNet(depth, width, dropout, classes, channels, rng)
