"""The `cpu` device: NumPy, plainly. This class is the table of who does what."""

from typing import Any, cast

import numpy as np

from minidecay.devices import device as find_device
from minidecay.devices.cpu import (
    arrays,
    convolution,
    dropout,
    elementwise,
    losses,
    matrix,
    normalization,
    pooling,
    reductions,
    update,
)
from minidecay.devices.protocol import Device


class Cpu:
    """NumPy arrays in, NumPy arrays out; `minidecay.devices.protocol` says what each one does."""

    name = "cpu"

    def __repr__(self) -> str:
        return "cpu"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return find_device, ("cpu",)  # a copy from another process is this very device

    from_numpy = staticmethod(arrays.copy)
    asarray = staticmethod(np.asarray)
    to_numpy = staticmethod(np.asarray)
    zeros = staticmethod(np.zeros)
    ones = staticmethod(np.ones)
    arange = staticmethod(arrays.arange)
    copy = staticmethod(arrays.copy)
    copy_into = staticmethod(np.copyto)
    astype = staticmethod(arrays.astype)

    reshape = staticmethod(arrays.reshape)
    transpose = staticmethod(np.transpose)
    broadcast_to = staticmethod(np.broadcast_to)
    concatenate = staticmethod(np.concatenate)
    getitem = staticmethod(arrays.getitem)
    setitem = staticmethod(arrays.setitem)
    add_at = staticmethod(arrays.add_at)

    add = staticmethod(np.add)
    sub = staticmethod(np.subtract)
    mul = staticmethod(np.multiply)
    div = staticmethod(np.divide)
    pow = staticmethod(np.power)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    neg = staticmethod(np.negative)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    sqrt = staticmethod(np.sqrt)
    abs = staticmethod(np.absolute)
    sign = staticmethod(np.sign)
    tanh = staticmethod(np.tanh)
    erf = staticmethod(elementwise.erf)
    sigmoid = staticmethod(elementwise.sigmoid)
    relu = staticmethod(elementwise.relu)
    relu_grad = staticmethod(elementwise.relu_grad)
    where = staticmethod(np.where)
    greater = staticmethod(np.greater)
    greater_equal = staticmethod(np.greater_equal)
    less = staticmethod(np.less)
    less_equal = staticmethod(np.less_equal)
    equal = staticmethod(np.equal)
    not_equal = staticmethod(np.not_equal)

    sum = staticmethod(reductions.sum)
    max = staticmethod(reductions.max)
    norm = staticmethod(reductions.norm)

    matmul = staticmethod(matrix.matmul)
    conv2d = staticmethod(convolution.conv2d)
    conv2d_input_grad = staticmethod(convolution.conv2d_input_grad)
    conv2d_weight_grad = staticmethod(convolution.conv2d_weight_grad)

    max_pool2d = staticmethod(pooling.max_pool2d)
    max_pool2d_grad = staticmethod(pooling.max_pool2d_grad)
    avg_pool2d = staticmethod(pooling.avg_pool2d)
    avg_pool2d_grad = staticmethod(pooling.avg_pool2d_grad)

    batch_norm = staticmethod(normalization.batch_norm)
    batch_norm_grad = staticmethod(normalization.batch_norm_grad)
    batch_norm_inference = staticmethod(normalization.batch_norm_inference)
    dropout = staticmethod(dropout.dropout)

    log_softmax = staticmethod(losses.log_softmax)
    log_softmax_grad = staticmethod(losses.log_softmax_grad)
    softmax_cross_entropy = staticmethod(losses.softmax_cross_entropy)
    softmax_cross_entropy_grad = staticmethod(losses.softmax_cross_entropy_grad)

    sgd_step = staticmethod(update.sgd_step)
    adam_step = staticmethod(update.adam_step)
    rmsprop_step = staticmethod(update.rmsprop_step)
    schedule_free_step = staticmethod(update.schedule_free_step)


# A cast, since mypy does not see through NumPy's overloads; the tests hold it to the protocol.
DEVICE = cast(Device, Cpu())
