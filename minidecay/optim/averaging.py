"""Averages of the weights that training goes through, and batch norm's statistics for them."""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from minidecay.autograd import Tensor, from_numpy, no_grad, tensor
from minidecay.nn import BatchNorm1d, BatchNorm2d, Module, Parameter
from minidecay.nn.module import check_module
from minidecay.optim.values import is_number

__all__ = ["AveragedModel", "update_bn"]


class AveragedModel(Module):
    """A copy of a model whose weights are an average over training: SWA, or EMA with a `decay`.

        SWA: w' += (w - w') / (n + 1)          the mean of all, of which there were n before
        EMA: w' += (1 - decay) (w - w')        recent ones count more

    Stochastic weight averaging (Izmailov et al. 2018) averages once an epoch, late in training and
    at a rate that stays large; an exponential moving average (Polyak and Juditsky 1992) after every
    step. As torch.optim.swa_utils.AveragedModel; the first update copies the weights.

    The model's buffers, batch norm's statistics among them, are copied at each update, and do not
    fit the averaged weights: call `update_bn` before you evaluate, or average them too
    (`use_buffers`).

    Args:
        model: what is trained. It is copied, and stays as it is.
        decay: from 0 to below 1; None for the mean of all.
        use_buffers: average the buffers too, those of floats.
        start: `training.fit` begins to average after so many epochs.

    Attributes:
        module: the averaged model.
        n_averaged: how many updates there were, a tensor, so that it is saved with the rest.

    Raises:
        ValueError, TypeError: `decay` is no number in its range, or `model` no Module.

    >>> import minidecay as md
    >>> model = md.nn.Linear(1, 1, bias=False)
    >>> average = AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     model.load_state_dict({"weight": np.full((1, 1), value, np.float32)})
    ...     average.update_parameters(model)
    >>> average(md.tensor([[1.0]])).item()
    3.0
    """

    def __init__(
        self,
        model: Module,
        decay: float | None = None,
        use_buffers: bool = False,
        start: float = 0.0,
    ) -> None:
        check_module("AveragedModel: model", model)
        if decay is not None and not (is_number(decay) and 0 <= decay < 1):
            kind = ValueError if is_number(decay) else TypeError
            raise kind(f"AveragedModel: decay must be a number from 0 to below 1, got {decay!r}")
        self.module = copy.deepcopy(model)
        self.decay, self.use_buffers, self.start = decay, use_buffers, start
        self.n_averaged = tensor(np.array(0, np.int64), device=model.device)

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)

    def update_parameters(self, model: Module) -> None:
        """Take the weights of `model`, of the same shape as the first, into the average.

        ValueError where its tensors have other names or shapes.
        """
        check_module("AveragedModel: model", model)
        mine, theirs = dict(self.module.named_tensors()), dict(model.named_tensors())
        if {k: v.shape for k, v in mine.items()} != {k: v.shape for k, v in theirs.items()}:
            raise ValueError("AveragedModel: update_parameters wants a model of the same shape")
        n = int(self.n_averaged)
        share = 1 / (n + 1) if self.decay is None or n == 0 else 1 - self.decay
        with no_grad():
            for name, average in mine.items():
                new = theirs[name]
                averaged = isinstance(average, Parameter) or self.use_buffers
                if averaged and n > 0 and average.dtype.kind == "f":
                    average[...] = average + (new - average) * share
                else:
                    average[...] = new
            self.n_averaged[...] = n + 1

    def describe(self) -> str:
        return f"decay={self.decay}, use_buffers={self.use_buffers}"


def update_bn(batches: Iterable[Any], model: Module) -> None:
    """Give batch norm the statistics of `batches` under the weights as they are now.

    One pass in training mode, with no gradient: running mean and variance become the means over the
    batches. Needed before evaluating weights that no step went through: averaged ones, and those of
    `SGDScheduleFree`. As torch.optim.swa_utils.update_bn; nothing happens without batch norm.

    Args:
        batches: arrays or tensors, or tuples that begin with one, as `data.batches` yields them.
        model: its mode is kept, and so is the momentum of its layers.

    Raises:
        ValueError: there is no batch.
        TypeError: `model` is no Module.

    >>> import minidecay as md
    >>> model = md.nn.Sequential(md.nn.BatchNorm1d(1))
    >>> x = np.array([[1.0], [3.0]], np.float32)
    >>> update_bn([x, x + 4], model)
    >>> model[0].running_mean, model[0].running_var
    (tensor([4.]), tensor([2.]))
    """
    check_module("update_bn: model", model)
    layers = [each for each in model.modules() if isinstance(each, BatchNorm1d | BatchNorm2d)]
    if not layers:
        return
    momenta, modes = [each.momentum for each in layers], [(m, m.training) for m in model.modules()]
    model.train()
    count = 0
    try:
        with no_grad():
            for layer in layers:  # nothing of what was there before stays, not a rounding error
                layer.running_mean[...], layer.running_var[...] = 0.0, 1.0
            for count, batch in enumerate(batches, start=1):
                for layer in layers:
                    layer.momentum = 1 / count  # the mean of all batches so far
                x = batch[0] if isinstance(batch, tuple | list) else batch
                model(x if isinstance(x, Tensor) else from_numpy(x, model.device))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, training in modes:
            module.training = training
    if count == 0:
        raise ValueError("update_bn: there is no batch; give one or more")
