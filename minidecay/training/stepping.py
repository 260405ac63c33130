"""One step of training: from a batch to its loss, recorded once and replayed where it may be."""

import numpy as np

from minidecay import functions as F
from minidecay.autograd import Tensor, from_numpy
from minidecay.nn import Module
from minidecay.optim import Optimizer, clip_grad_norm_
from minidecay.plan import capture
from minidecay.recording import replayed


class Step:
    """Forward, loss, backward and optimiser on a batch; returns the loss in nats.

    A batch is (images, labels), or (images, labels, weights) with a weight for each loss.

    Args:
        max_grad_norm: the norm to which gradients are clipped, or None.
        captured: replay the step. By default where all modules are the library's own: what
            another's forward decides in Python may be another thing at every step.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        max_grad_norm: float | None = None,
        captured: bool | None = None,
    ) -> None:
        self.model, self.optimizer, self.max_grad_norm = model, optimizer, max_grad_norm
        self._before = 0.0  # the norm of the gradients before they were clipped
        if captured is None:
            captured = all(type(m).__module__.startswith("minidecay.") for m in model.modules())
        self._take = capture(self._run) if captured else self._run

    def __call__(self, *batch: np.ndarray) -> float:
        return float(self._take(*batch).item())

    def _run(
        self, images: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> Tensor:
        self.optimizer.zero_grad()
        logits = self.model(from_numpy(images, self.model.device))
        if weights is None:
            loss = F.cross_entropy(logits, labels)
        else:
            losses = F.cross_entropy(logits, labels, reduction="none")
            loss = (losses * from_numpy(weights, self.model.device)).mean()
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
