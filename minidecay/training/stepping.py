"""One step of training: from a batch to its loss, recorded once and replayed where it can be."""

import numpy as np

from minidecay import functions as F
from minidecay.autograd import Tensor, from_numpy
from minidecay.nn import Module
from minidecay.optim import Optimizer, clip_grad_norm_
from minidecay.plan import capture
from minidecay.recording import replayed


class Step:
    """Forward, loss, backward and optimiser on a batch (images, labels); returns the loss in nats.

    Args:
        max_grad_norm: the norm to which gradients are clipped, or None.
    """

    def __init__(self, model: Module, optimizer: Optimizer, max_grad_norm: float | None) -> None:
        self.model, self.optimizer, self.max_grad_norm = model, optimizer, max_grad_norm
        self._before = 0.0  # the norm of the gradients before they were clipped
        self._captured = capture(self._run)

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> float:
        return float(self._captured(images, labels).item())

    def _run(self, images: np.ndarray, labels: np.ndarray) -> Tensor:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(from_numpy(images, self.model.device)), labels)
        loss.backward()
        if self.max_grad_norm is not None:
            self._clip(self.max_grad_norm)
        self.optimizer.step()
        return loss

    @replayed
    def _clip(self, most: float) -> None:
        self._before = clip_grad_norm_(self.optimizer.params, most)

    def grad_norm(self) -> float:
        """The norm of the last step's gradients, before any clipping."""
        return self.optimizer.grad_norm() if self.max_grad_norm is None else self._before
