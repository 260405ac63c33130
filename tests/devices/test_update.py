"""The optimisers' steps: on `cpu` across chunks, and on the kernel devices as on `cpu`."""

import inspect
from itertools import product

import numpy as np
import pytest

from minidecay.devices import device as find_device
from minidecay.devices.cpu.update import CHUNK
from minidecay.devices.protocol import Device

CPU = find_device("cpu")
STEPS = [name for name in vars(Device) if name.endswith("_step")]
DECAY = {"lr": 0.1, "weight_decay": 0.01}
CASES = [
    *(
        ("sgd_step", {"momentum": 0.9, "nesterov": nesterov, "decoupled": decoupled, **decay}, "")
        for nesterov, decoupled, decay in product(
            (False, True), (False, True), (DECAY, {"lr": 0.1, "weight_decay": 0.0})
        )
    ),
    *(
        (
            "adam_step",
            {"betas": (0.9, 0.99), "eps": 1e-3, "decoupled": decoupled, "step": 3, **DECAY},
            left_out,
        )
        for decoupled, left_out in product((False, True), ("", "largest"))
    ),
    *(
        ("rmsprop_step", {"alpha": 0.9, "eps": 1e-2, "momentum": 0.9, **DECAY}, left_out)
        for left_out in ("", "velocity", "mean", "velocity mean")
    ),
    ("schedule_free_step", {"momentum": 0.9, "share": 0.2, **DECAY}, ""),
]


def arrays(name, left_out, size, dtype=np.float64):
    """What a step takes, in its order; second moments are larger than the squares of means."""
    rng = np.random.default_rng(0)
    names = [
        parameter.name
        for parameter in inspect.signature(getattr(CPU, name)).parameters.values()
        if parameter.kind is not parameter.KEYWORD_ONLY
    ]
    drawn = {each: rng.standard_normal(size).astype(dtype) for each in names}
    if "mean" in drawn:
        drawn["v"] = np.square(drawn["mean"]) + np.abs(drawn["v"]) + dtype(0.1)
    if "m" in drawn:
        drawn["v"], drawn["largest"] = np.square(drawn["v"]), np.square(drawn["largest"])
    return [None if each in left_out.split() else drawn[each] for each in names]


def test_every_step_of_the_protocol_has_a_case():
    assert {name for name, _, _ in CASES} == {*STEPS}


@pytest.mark.parametrize(("name", "settings", "left_out"), CASES, ids=str)
def test_a_long_step_is_its_elements_own(name, settings, left_out):
    size = 2 * CHUNK + 1
    whole = arrays(name, left_out, size)
    places = [0, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]
    alone = [each if each is None else each[places] for each in whole]
    gradient = whole[1].copy()
    getattr(CPU, name)(*whole, **settings)
    getattr(CPU, name)(*alone, **settings)
    for ours, theirs in zip(whole, alone, strict=True):
        if ours is not None:
            np.testing.assert_allclose(ours[places], theirs, rtol=1e-14)
    np.testing.assert_array_equal(whole[1], gradient)


@pytest.mark.parametrize(("name", "settings", "left_out"), CASES, ids=str)
def test_a_kernel_steps_as_the_cpu_does(launched, name, settings, left_out):
    here = arrays(name, left_out, 1001, np.float32)
    there = [each if each is None else launched.from_numpy(each) for each in here]
    here = [each if each is None else each.astype(np.float64) for each in here]
    getattr(launched, name)(*there, **settings)
    getattr(CPU, name)(*here, **settings)
    for ours, theirs in zip(there, here, strict=True):
        if ours is not None:
            np.testing.assert_allclose(launched.to_numpy(ours), theirs, rtol=1e-5, atol=1e-5)


def test_a_variance_that_rounding_made_negative_is_none():
    w, v, mean = np.ones(1), np.full(1, 0.5), np.ones(1)
    settings = {"lr": 0.1, "alpha": 1.0, "eps": 0.5, "momentum": 0.0, "weight_decay": 0.0}
    CPU.rmsprop_step(w, np.ones(1), v, None, mean, **settings)
    assert w == 1 - 0.1 / 0.5
