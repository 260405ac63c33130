"""Data sets: constructed, published and your own; noisy labels, transforms, shuffled batches."""

from typing import TYPE_CHECKING

from minidecay import hints
from minidecay.data.archives.cifar import CIFAR10_CLASSES, cifar10
from minidecay.data.archives.mnist import mnist
from minidecay.data.batching import batches
from minidecay.data.noise import label_noise, pairwise_noise, symmetric_noise
from minidecay.data.patterns import PatternSet, PatternSplit, estimate_complexity
from minidecay.data.scikit import digits
from minidecay.data.split import Split, from_arrays
from minidecay.data.splitting import TrainTest, train_test_split
from minidecay.data.transforms import (
    Compose,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    channel_statistics,
)

__all__ = [
    "CIFAR10_CLASSES",
    "Compose",
    "Normalize",
    "PatternSet",
    "PatternSplit",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Split",
    "TrainTest",
    "batches",
    "channel_statistics",
    "cifar10",
    "digits",
    "estimate_complexity",
    "from_arrays",
    "label_noise",
    "mnist",
    "pairwise_noise",
    "symmetric_noise",
    "train_test_split",
]


if not TYPE_CHECKING:  # which knows what is here

    def __getattr__(name):
        raise hints.missing(f"module {__name__!r}", name, hints.DATA)
