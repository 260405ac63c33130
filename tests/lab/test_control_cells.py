"""Cells: each sets one thing apart from the others, and leaves those as they are."""

from dataclasses import dataclass

import numpy as np
import pytest

from minidecay.data import PatternSet
from minidecay.lab.control.cells import CellSettings, cell, repeat_noise
from minidecay.lab.machinery.arms import Arm, train_seed
from minidecay.optim import Constant


def data(**changes):
    return CellSettings(n_test=60, size=2, epochs=1, **changes).data(100)


def relabelled(classes):
    return data(**cell((2, 3), drawn=12), classes=classes)


def test_patterns_put_into_other_classes_are_the_same_images_in_the_same_order():
    few, many = relabelled(3), relabelled(6)
    for part in ("train", "test"):
        one, other = getattr(few, part), getattr(many, part)
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels % 3)
        assert np.bincount(one.labels).tolist() == [len(one) // 3] * 3


def test_a_tier_set_apart_has_classes_of_its_own_and_each_class_as_many_examples():
    train = data(**cell((2, 3), (8, 3), (1, 18), drawn=5), apart=(1,)).train
    assert set(train.labels[train.tier == 1]) == {5, 6, 7, 8, 9}
    assert set(train.labels[train.tier != 1]) == {0, 1, 2, 3, 4}
    assert np.bincount(train.labels).tolist() == [24] * 10


def test_noise_is_repeated_image_by_image_under_its_label():
    drawn = PatternSet(100, 10, tiers=(2,), size=2, noise_fraction=0.1, seed=100).train
    train = repeat_noise(drawn, ((7, 1), (3, 4)))
    assert len(train) == 90 + 7 + 12 and "noise" not in train.subsets
    for times, images in ((1, 7), (4, 3)):
        mine = train.subsets[f"noise_{times}"]
        pairs = np.column_stack([train.images[mine].reshape(mine.sum(), -1), train.labels[mine]])
        distinct, count = np.unique(pairs, axis=0, return_counts=True)
        assert len(distinct) == images and (count == times).all()
        assert (train.tier[mine] == -1).all()
    with pytest.raises(ValueError, match="repeats name 8 images of 10; name all of them"):
        repeat_noise(drawn, ((7, 1), (1, 4)))


def test_weights_go_by_tier_and_average_one():
    settings = CellSettings(n_test=60, size=2, **cell((2, 3), (2, 3)), pull=(1, 3))
    given = settings.data(100)
    weights = settings.weights(given)
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(weights, np.where(given.train.tier == 1, 1.5, 0.5))
    assert CellSettings().weights(given) is None


@dataclass(frozen=True)
class Weighted(CellSettings):
    """One data set, its tiers pulled alike, and not alike."""

    def arms(self):
        tiers = cell((2, 3), (2, 3))
        pulls = {"none": (), "alike": (2, 2), "unlike": (1, 3)}
        return {name: Arm(Constant(0.1), changes=tiers | {"pull": p}) for name, p in pulls.items()}


def test_an_arms_weights_are_those_it_trains_with(tmp_path):
    settings = Weighted(n_test=40, size=2, width=4, batch_size=20, epochs=1)
    losses = {
        name: train_seed(settings, 100, [name], tmp_path)[name][0]["loss"]
        for name in settings.arms()
    }
    assert losses["alike"] == pytest.approx(losses["none"], rel=1e-5)
    assert losses["unlike"] != pytest.approx(losses["none"], rel=1e-3)
