"""One `device` fixture for every test that can run on more than one, and hypothesis's manners."""

import os

import pytest
from hypothesis import HealthCheck, settings

DEVICES = ["cpu"]

# Two busy cores are slow by no fault of a test, so nothing is held to a deadline.
settings.register_profile(
    "default", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """The name of a device, each in turn."""
    return str(request.param)
