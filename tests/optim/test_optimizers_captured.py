"""Every optimiser in a captured step moves the weights as it does in one that is not."""

import numpy as np
import pytest

import minidecay as md
from minidecay.optim import (
    SGD,
    SGDW,
    Adam,
    AdamW,
    Cosine,
    Plateau,
    RMSprop,
    SGDScheduleFree,
    clip_grad_norm_,
    clip_grad_value_,
)
from minidecay.random import stream

KINDS = {
    "SGD": lambda p: SGD([{"params": p[:1]}, {"params": p[1:], "lr": 0.1}], Cosine(0.5, 3), 0.9),
    "SGDW": lambda p: SGDW(p, 0.1, Cosine(0.9, 3), nesterov=True),
    "Adam": lambda p: Adam(p, Cosine(0.1, 3), amsgrad=True),
    "AdamW": lambda p: AdamW(p, Plateau(0.1, patience=0)),
    "RMSprop": lambda p: RMSprop(p, 0.01, momentum=0.9, centered=True),
    "SGDScheduleFree": lambda p: SGDScheduleFree(p, 0.5),
}


def trained(make, clip, captured):
    model = md.models.mlp(4, 8, 3, batch_norm=True, rng=stream(0, "init"))
    optimizer = make([*model.parameters()])
    optimizer.steps_per_epoch = 3
    rng = np.random.default_rng(0)

    def step(x, labels):
        optimizer.zero_grad()
        loss = md.cross_entropy(model(md.from_numpy(x)), labels)
        loss.backward()
        clip(model.parameters())
        optimizer.step()
        return loss

    take = md.capture(step) if captured else step
    for k in range(9):
        x = rng.standard_normal((6, 4)).astype(np.float32)
        take(x, rng.integers(0, 3, 6))
        if k % 3 == 2:
            optimizer.observe(1.0)
            optimizer.eval()
            optimizer.train()
    if captured:
        assert take.eager_because is None
    return model.state_dict(), optimizer.state_dict()


@pytest.mark.parametrize("make", KINDS.values(), ids=[*KINDS])
def test_a_captured_step_is_the_step_bit_for_bit(make):
    for ours, theirs in zip(*(trained(make, list, captured) for captured in (0, 1)), strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            np.testing.assert_equal(theirs[name], value)


@pytest.mark.parametrize(
    "clip", [lambda p: clip_grad_norm_(p, 0.1), lambda p: clip_grad_value_(p, 0.01)]
)
def test_clipping_is_replayed_too(clip):
    plain, clipped, captured = (
        trained(KINDS["SGD"], how, replay) for how, replay in ((list, 0), (clip, 0), (clip, 1))
    )
    for name, value in clipped[0].items():
        np.testing.assert_array_equal(captured[0][name], value)
    assert not np.array_equal(*(next(iter(each[0].values())) for each in (plain, clipped)))
