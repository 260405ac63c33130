"""Regression of accuracies on what the patterns were: psychometric curves over several columns."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_STEPS = 100
LARGEST_LOG_ODDS = 20  # beyond them the likelihood is flat: the curve has run off to infinity


class Unidentifiable(ValueError):  # noqa: N818 (what the columns are)
    """The columns of a regression depend on each other, so that it has no one answer."""


def fit_accuracies(
    accuracies: ArrayLike, columns: Mapping[str, ArrayLike], chance: ArrayLike = 0.0
) -> dict[str, float]:
    """The coefficients by which log odds of having learned follow the columns.

    The model is a psychometric curve, chance + (1 - chance) / (1 + exp(-columns @ coefficients)):
    who has not learned guesses. The likelihood of the accuracies, each taken as a share of equally
    many trials, is maximised by Fisher's scoring. No interval is given: accuracies of one network
    are not independent. Fit each seed, and take the interval over seeds.

    Args:
        accuracies: (N,), from 0 to 1.
        columns: name -> (N,) numbers, such as log2 of a frequency. A constant is a column of ones;
            nothing is added to what is given.
        chance: the accuracy of guessing, (N,) or one number.

    Raises:
        Unidentifiable: the columns depend on each other, as complexity, copies and share of the
            data do, whose logarithms sum up exactly.

    A coefficient is NaN where the curve has no best one: all at chance, or all learned.

    >>> frequency = np.array([-1.0, 0.0, 1.0])
    >>> learned = 1 / (1 + np.exp(-(0.5 + 2 * frequency)))
    >>> columns = {"constant": np.ones(3), "frequency": frequency}
    >>> {k: round(v, 6) for k, v in fit_accuracies(0.1 + 0.9 * learned, columns, 0.1).items()}
    {'constant': 0.5, 'frequency': 2.0}
    """
    y = np.asarray(accuracies, np.float64)
    x = np.stack([np.broadcast_to(np.asarray(c, np.float64), y.shape) for c in columns.values()], 1)
    guess = np.broadcast_to(np.asarray(chance, np.float64), y.shape)
    if not np.isfinite(y).all():
        return dict.fromkeys(columns, np.nan)
    scale = np.abs(x).max(axis=0)
    if np.linalg.matrix_rank(x / np.where(scale == 0, 1, scale), tol=1e-9) < x.shape[1]:
        raise Unidentifiable(
            f"regression: {', '.join(columns)} depend on each other over these {len(y)} "
            "accuracies; leave one out, or add data in which they part"
        )
    beta = np.zeros(x.shape[1])
    best = _likelihood(y, x @ beta, guess)
    for _ in range(MOST_STEPS):
        p, slope = _curve(x @ beta, guess)
        spread = p * (1 - p)
        information = (x * (slope**2 / spread)[:, None]).T @ x
        step = np.linalg.lstsq(information, x.T @ ((y - p) * slope / spread), rcond=None)[0]
        while (found := _likelihood(y, x @ (beta + step), guess)) < best:
            step /= 2
            if np.abs(step).max() < 1e-12:
                break
        beta, best = beta + step, max(found, best)
        if np.abs(step).max() < 1e-9 and np.abs(x @ beta).max() < LARGEST_LOG_ODDS:
            return {name: float(value) for name, value in zip(columns, beta, strict=True)}
    return dict.fromkeys(columns, np.nan)


def _curve(
    log_odds: NDArray[np.float64], guess: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The accuracy that log odds give, within what a logarithm bears, and its slope."""
    learned = 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))
    accuracy = np.clip(guess + (1 - guess) * learned, 1e-12, 1 - 1e-12)
    return accuracy, (1 - guess) * learned * (1 - learned)


def _likelihood(
    y: NDArray[np.float64], log_odds: NDArray[np.float64], guess: NDArray[np.float64]
) -> float:
    p, _ = _curve(log_odds, guess)
    return float(np.sum(y * np.log(p) + (1 - y) * np.log(1 - p)))
