"""What takes the effect away must fail the claims that speak of it: smoke scale, a pilot seed.

Only the decay arm is changed; the two it is compared with are those of the run left as it is.
"""

from dataclasses import dataclass, replace

import pytest
import tiny

from minidecay.lab.machinery.arms import train_seed
from minidecay.lab.machinery.workers import cores, run_tasks
from minidecay.lab.noisy_memorization import NoisySettings, Seed, claims

SEED = 100  # of those that do not count


@dataclass(frozen=True)
class Changed(NoisySettings):
    """The decay arm alone, trained in another way."""

    scale: str = "smoke"
    width: int = 64
    momentum: float = 0.9
    weight_decay: float = 3e-3

    def arms(self):
        decay = super().arms()["decay"]
        return {"decay": replace(decay, momentum=self.momentum, weight_decay=self.weight_decay)}


LEFT_AS_IT_IS = NoisySettings(scale="smoke", width=64, small=(0.01,))
CONTROLS = {
    "no weight decay": Changed(weight_decay=0.0),
    "no weight decay, rate 1": Changed(weight_decay=0.0, large=1.0),
    "no momentum": Changed(momentum=0.0),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The claims that fail, for each control and for the run left as it is."""
    folder = tmp_path_factory.mktemp("controls")
    tasks = [
        (LEFT_AS_IT_IS, SEED, ["decay", "constant_large"], folder),
        (LEFT_AS_IT_IS, SEED, ["constant_small"], folder),
        *((settings, SEED, ["decay"], folder / name) for name, settings in CONTROLS.items()),
    ]
    both, small, *changed = run_tasks(train_seed, tasks, cores())
    left = both | small
    arms = {
        "left as it is": left,
        # The constant large rate is the decay arm that never decays: the first stage is the same.
        "never decaying": left | {"decay": left["constant_large"]},
        **{name: left | decay for name, decay in zip(CONTROLS, changed, strict=True)},
    }
    return {
        name: {claim.name for claim in claims(LEFT_AS_IT_IS) if not passes(claim, run)}
        for name, run in arms.items()
    }


def passes(claim, run):
    return claim.judge({SEED: Seed(tiny.trained(LEFT_AS_IT_IS, run))})["passed"]


def test_the_run_left_as_it_is_passes_every_claim(failed):
    assert failed["left as it is"] == set()


@pytest.mark.parametrize(
    ("control", "claimed"),
    [
        ("no weight decay", {"C2", "C3", "C4", "C8"}),
        ("no weight decay, rate 1", {"C4", "C5"}),
        ("no momentum", {"C2", "C3"}),  # seen beside them, on pilot seeds 100 to 104: C4 and C8
        ("never decaying", {"C4", "C5"}),
    ],
)
def test_a_negative_control_fails_the_claims_it_takes_the_ground_from(failed, control, claimed):
    assert claimed <= failed[control]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_leaves_the_claims_about_the_constant_rates_alone(failed, control):
    assert not {"C6", "C7"} & failed[control]


def test_low_noise_and_complex_accuracy_alone_prove_nothing(failed):
    """Without weight decay a rate of 1 only looks like suppression: nothing recovers after it."""
    assert not {"C1", "C2", "C3"} & failed["no weight decay, rate 1"]
