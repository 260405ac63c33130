"""What a model makes of a data set, example by example and subset by subset."""

from dataclasses import dataclass

import numpy as np

from minidecay import functions as F
from minidecay.autograd import from_numpy, no_grad
from minidecay.data import Split
from minidecay.data.split import check_integer, check_split
from minidecay.data.transforms import Transform
from minidecay.nn import Module
from minidecay.nn.module import check_module


@dataclass(frozen=True)
class Evaluation:
    """One number for each of n examples, and their means over subsets.

    Attributes:
        predictions: (n,) integers, the class with the largest logit.
        losses: (n,) float32, cross entropy in nats.
        margins: (n,) float32, the label's logit less the largest other one; positive is right.
        split: what was evaluated.

    >>> split = Split(np.zeros((4, 2)), np.array([0, 1, 1, 0]), {"first": np.arange(4) < 1})
    >>> right = np.array([0, 1, 0, 0])
    >>> Evaluation(right, np.zeros(4), np.ones(4), split).accuracy()
    {'first': 1.0, 'all': 0.75}
    """

    predictions: np.ndarray
    losses: np.ndarray
    margins: np.ndarray
    split: Split

    def accuracy(self) -> dict[str, float]:
        """The share of right predictions: of each subset, and of all."""
        return self._means(self.predictions == self.split.labels)

    def loss(self) -> dict[str, float]:
        """The mean loss: of each subset, and of all."""
        return self._means(self.losses)

    def _means(self, values: np.ndarray) -> dict[str, float]:
        subsets = {name: values[mask] for name, mask in self.split.subsets.items()}
        return {k: float(v.mean(dtype=np.float64)) for k, v in {**subsets, "all": values}.items()}


def evaluate(
    model: Module, split: Split, batch_size: int = 500, transform: Transform | None = None
) -> Evaluation:
    """Run `model` in evaluation mode over all of `split`; each of its modules keeps its own mode.

    Running statistics are used, dropout is off, and `transform` gets no generator, so that nothing
    in it is random: the result does not depend on `batch_size` beyond rounding. ValueError where
    that is less than 1, TypeError for anything but a Module and a Split.

    >>> split = md.data.from_arrays(np.eye(3), np.array([0, 1, 1]))
    >>> model = md.nn.Linear(3, 2, bias=False)
    >>> model.load_state_dict({"weight": np.float32([[2, 0], [0, 2], [2, 0]])})
    >>> evaluate(model, split).predictions
    array([0, 1, 0])
    """
    check_module("evaluate: model", model)
    check_split("evaluate: split", split)
    batch_size = check_integer("evaluate: batch_size", batch_size, 1)
    modes, device = [(module, module.training) for module in model.modules()], model.device
    losses, logits = [], []
    model.eval()
    try:
        with no_grad():
            for start in range(0, len(split), batch_size):
                part = slice(start, start + batch_size)
                images = split.images[part]
                if transform is not None:
                    images = transform(images, None)
                out = model(from_numpy(images, device))
                losses.append(F.cross_entropy(out, split.labels[part], reduction="none").numpy())
                logits.append(out.numpy())
    finally:
        for module, training in modes:
            module.training = training
    scores = np.concatenate(logits)
    return Evaluation(
        scores.argmax(axis=1), np.concatenate(losses), _margins(scores, split.labels), split
    )


def _margins(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows = np.arange(len(labels))
    own = logits[rows, labels]
    others = logits.copy()
    others[rows, labels] = -np.inf
    return np.asarray(own - others.max(axis=1))
