"""What is asked of a network beside its accuracy; each leaves it as it is."""

import copy
from typing import Any

import numpy as np

from minidecay.autograd import from_numpy, no_grad
from minidecay.data import Split, batches
from minidecay.lab.machinery.arms import Arm, Data
from minidecay.nn import Module, ReLU
from minidecay.optim import SGD, AveragedModel, update_bn
from minidecay.training import evaluate, fit


def averaged(
    network: Module,
    data: Data,
    rate: float,
    batch_size: int,
    rng: np.random.Generator,
    epochs: int = 2,
    steps: int = 200,
) -> dict[str, Any]:
    """What the mean of the weights achieves over some more epochs of SGD at this rate.

    A copy is trained on as the arms are, its velocity zero at first. The mean is exponential, over
    `steps` (Polyak and Juditsky 1992), and has batch norm's statistics taken anew. Returned as in a
    record: accuracies in "train" and "test", losses in "train_loss".
    """
    model = copy.deepcopy(network)
    mean = AveragedModel(model, decay=1 - 1 / steps)
    optimizer = SGD(model.parameters(), rate, Arm.momentum, Arm.weight_decay)
    for _ in fit(
        *(model, optimizer, data.train),
        epochs=epochs,
        batch_size=batch_size,
        rng=rng,
        average=mean,
        progress=False,
    ):
        pass
    update_bn(batches(data.train, batch_size, rng), mean)
    train, test = evaluate(mean, data.train), evaluate(mean, data.test)
    return {"train": train.accuracy(), "train_loss": train.loss(), "test": test.accuracy()}


def silent_units(network: Module, split: Split, least: float = 0.01) -> float:
    """The share of a Sequential network's ReLU units that answer to less than `least` of the split.

    In evaluation mode; a unit answers to an example where its output is above 0.

    >>> from minidecay.nn import Linear, Sequential
    >>> layer = Linear(1, 2, bias=False)
    >>> layer.load_state_dict({"weight": np.float32([[1.0, -1.0]])})
    >>> silent_units(Sequential(layer, ReLU()), Split(np.float32([[1.0]]), np.array([0])))
    0.5
    """
    x, shares = from_numpy(split.images, network.device), []
    with no_grad():
        for _, layer in copy.deepcopy(network).eval().children():
            x = layer(x)
            if isinstance(layer, ReLU):
                shares.append((x.numpy() > 0).reshape(-1, x.shape[-1]).mean(axis=0))
    return float((np.concatenate(shares) < least).mean())
