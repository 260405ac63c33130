"""The handwritten digits that come with scikit-learn (extra `digits`)."""

from importlib import import_module

from minidecay.data.split import from_arrays
from minidecay.data.splitting import TrainTest, train_test_split
from minidecay.random import stream


def digits(test_size: float = 0.2, seed: int = 0) -> TrainTest:
    """1,797 handwritten digits of 8x8 pixels, float32 (N, 8, 8, 1) in [0, 1], and their classes.

    They need no download: scikit-learn's wheel holds them, the test part of the Optical Recognition
    of Handwritten Digits data (Alpaydin and Kaynak 1998).

    test_size, seed: the share of each class that is held out (`train_test_split`), and the seed by
        which it is drawn; who takes the defaults compares with all others who do.

    Raises ImportError where scikit-learn is missing.

    >>> digits()  # doctest: +SKIP
    TrainTest(train=Split(1438 examples of (8, 8, 1) float32), test=Split(359 examples of ...))
    """
    try:
        datasets = import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(
            f'digits: scikit-learn cannot be imported ({error}); pip install "minidecay[digits]"'
        ) from error
    found = datasets.load_digits()
    whole = from_arrays(found.images[..., None] / 16, found.target)
    return train_test_split(whole, stream(seed, "digits", "test"), test_size)
