"""Experiments that look into the network as it trains, in miniature on emulated kernels."""

import dataclasses
import json

import pytest
import test_gradient_descent_explanation as descent
import test_transferability as transferability
import tiny

from minidecay import lab

SMALL = {
    "gradient-descent-explanation": lambda: dataclasses.replace(descent.TINY, small=(0.01,)),
    "transferability": transferability.small_settings,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_they_run_to_their_verdicts_and_a_picture(name, tmp_path, compiled):
    if lab.load(name).needs is not None:
        pytest.importorskip("sklearn")

    def settings(*_, device):
        return dataclasses.replace(SMALL[name](), device=device)

    experiment = dataclasses.replace(lab.load(name), settings=settings)
    options = ["--device", "emulated", "--first-seed", "100", "--seeds", "1"]
    assert tiny.without_processes([*options, "--out", str(tmp_path)], experiment) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["config"]["device"] == "emulated" and results["claims"]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
