"""Layers: what a torch user expects, by the names a torch user expects.

Images are NHWC; weights are (inputs, outputs) and (kh, kw, C_in, C_out). A size that a layer cannot
have is a ValueError where the layer is made; an input that does not fit it, where it is called:
ValueError for its shape, TypeError for its dtype.
"""

from typing import TYPE_CHECKING

from minidecay import hints
from minidecay.nn import init
from minidecay.nn.activations import (
    ELU,
    GELU,
    SELU,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from minidecay.nn.containers import ModuleDict, ModuleList, Sequential
from minidecay.nn.layers import Conv2d, ConvTranspose2d, Dropout, Embedding, Flatten, Linear
from minidecay.nn.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    MarginRankingLoss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
)
from minidecay.nn.module import Module, Parameter
from minidecay.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from minidecay.nn.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAvgPool2d",
    "Hardtanh",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "init",
]  # fmt: skip


if not TYPE_CHECKING:  # which knows what is here

    def __getattr__(name):
        raise hints.missing(f"module {__name__!r}", name, hints.NN)
