"""Regression of accuracies: it finds what made them, and refuses what has no one answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.lab.control.regression import Unidentifiable, fit_accuracies

COPIES, PATTERNS = (np.ravel(x) for x in np.meshgrid([5.0, 15, 45], [3.0, 10, 30]))
COLUMNS = {"constant": np.ones(9), "copies": np.log2(COPIES), "patterns": np.log2(PATTERNS)}


def curve(columns, coefficients, chance):
    log_odds = sum(coefficients[name] * column for name, column in columns.items())
    return chance + (1 - chance) / (1 + np.exp(-log_odds))


slopes = st.floats(-1, 1)


@given(st.floats(-3, 1), slopes, slopes, st.sampled_from([0.0, 0.1, 0.5]))
def test_it_finds_the_coefficients_that_made_the_accuracies(constant, copies, patterns, chance):
    made = {"constant": constant, "copies": copies, "patterns": patterns}
    found = fit_accuracies(curve(COLUMNS, made, chance), COLUMNS, chance)
    assert found == pytest.approx(made, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_of_accuracies_that_scatter_it_is_the_one_of_largest_likelihood(seed):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(seed)
    chance = rng.choice([0.02, 0.1, 0.5], 9)
    made = {"constant": -3.0, "copies": 0.9, "patterns": 0.1}
    accuracies = np.clip(curve(COLUMNS, made, chance) + rng.normal(0, 0.05, 9), 0.15, 1)

    def loss(beta):
        p = curve(COLUMNS, dict(zip(COLUMNS, beta, strict=True)), chance)
        return -np.sum(accuracies * np.log(p) + (1 - accuracies) * np.log(1 - p))

    theirs = optimize.minimize(loss, np.zeros(3), method="Nelder-Mead", options={
        "xatol": 1e-9, "fatol": 1e-12, "maxiter": 10_000, "maxfev": 10_000,
    })  # fmt: skip
    found = fit_accuracies(accuracies, COLUMNS, chance)
    np.testing.assert_allclose(list(found.values()), theirs.x, atol=1e-4)


def test_complexity_copies_and_share_together_have_no_one_answer():
    share = COPIES * PATTERNS * 10 / 20_000
    with pytest.raises(Unidentifiable, match=r"^regression: constant, copies, patterns, share dep"):
        fit_accuracies(np.full(9, 0.5), COLUMNS | {"share": np.log2(share)})


def test_nor_have_fewer_accuracies_than_columns():
    few = {name: column[:2] for name, column in COLUMNS.items()}
    with pytest.raises(Unidentifiable, match="over these 2 accuracies"):
        fit_accuracies([0.3, 0.4], few)


def test_what_is_no_number_gives_none():
    accuracies = np.full(9, 0.5)
    accuracies[3] = np.nan
    assert np.isnan(list(fit_accuracies(accuracies, COLUMNS).values())).all()


@pytest.mark.parametrize("accuracy", [1.0, 0.1, 0.05])
def test_where_all_is_learned_or_nothing_there_is_no_slope(accuracy):
    assert np.isnan(list(fit_accuracies(np.full(9, accuracy), COLUMNS, 0.1).values())).all()
