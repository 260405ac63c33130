"""What a training run saves after an epoch, and how it goes on from there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay.nn import Module
from minidecay.optim import AveragedModel, Optimizer
from minidecay.random import generator_state, restore_generator
from minidecay.training.run_folder import LATEST, Checkpoint, RunFolder

_MODEL, _OPTIMIZER, _AVERAGE = "model/", "optimizer/", "average/"  # where each one's arrays are


def save(
    run: RunFolder,
    epoch: int,
    model: Module,
    optimizer: Optimizer,
    average: AveragedModel | None,
    rng: np.random.Generator,
    name: str = LATEST,
) -> None:
    """Save all that the next epoch depends on as a checkpoint of `run`."""
    moving = optimizer.state_dict()
    arrays = {k: v for k, v in moving.items() if isinstance(v, np.ndarray)}
    state = {k: v for k, v in moving.items() if k not in arrays}
    held = _named(_MODEL, model.state_dict()) | _named(_OPTIMIZER, arrays)
    if average is not None:
        held |= _named(_AVERAGE, average.state_dict())
    run.save_checkpoint(epoch, held, {**state, "rng": generator_state(rng)}, name)


def restore(
    checkpoint: Checkpoint, model: Module, optimizer: Optimizer, average: AveragedModel | None
) -> np.random.Generator:
    """Put all of them back where the checkpoint stood; returns the batches' generator.

    An average that the checkpoint does not hold begins there.
    """
    model.load_state_dict(_within(_MODEL, checkpoint.arrays))
    state = {k: v for k, v in checkpoint.state.items() if k != "rng"}
    optimizer.load_state_dict(state | _within(_OPTIMIZER, checkpoint.arrays))
    averaged = _within(_AVERAGE, checkpoint.arrays)
    if average is not None and averaged:
        average.load_state_dict(averaged)
    return restore_generator(checkpoint.state["rng"])


def _named(prefix: str, arrays: dict[str, Any]) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in arrays.items()}


def _within(prefix: str, arrays: Any) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
