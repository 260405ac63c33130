"""Crops, flips and normalisation: what they do, where their chance comes from, and its absence."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidecay.data import (
    Compose,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Split,
    batches,
    channel_statistics,
)
from minidecay.data.transforms import PADDING_MODES
from minidecay.random import generator_state, stream

pictures = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=4, max_dims=4, max_side=6),
    elements=st.floats(-9, 9, width=32),
)


def windows(image, height, width, padding, **options):
    """All windows of an image, padded by NumPy."""
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), **options)
    places = product(range(padded.shape[0] - height + 1), range(padded.shape[1] - width + 1))
    return [padded[top : top + height, left : left + width] for top, left in places]


@given(pictures, st.integers(0, 3), st.sampled_from(PADDING_MODES), st.integers(0, 99), st.data())
def test_a_crop_is_a_window_of_the_padded_image(images, padding, mode, seed, data):
    size = tuple(data.draw(st.integers(1, n + 2 * padding)) for n in images.shape[1:3])
    fill = 7.0 if mode == "constant" else 0.0
    crop = RandomCrop(size, padding, fill, mode)
    cut = crop(images, stream(seed))
    assert cut.shape == (len(images), *size, images.shape[3]) and cut.dtype == images.dtype
    options = {"constant_values": fill} if mode == "constant" else {}
    for image, window in zip(images, cut, strict=True):
        seen = windows(image, *size, padding, mode=mode, **options)
        assert any(np.array_equal(window, each) for each in seen)


def test_every_place_is_as_likely():
    image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    cut = RandomCrop(2)(np.repeat(image, 4000, axis=0), stream(0))
    places, counts = np.unique(cut[:, 0, 0, 0], return_counts=True)
    assert places.tolist() == [0, 1, 3, 4]
    assert (abs(counts - 1000) < 120).all()  # four deviations


@given(pictures, st.integers(0, 3))
def test_without_a_generator_a_crop_of_the_image_s_size_is_the_image(images, padding):
    np.testing.assert_array_equal(RandomCrop(images.shape[1:3], padding)(images), images)
    np.testing.assert_array_equal(RandomHorizontalFlip()(images), images)


def test_without_a_generator_a_crop_is_the_middle():
    image = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    assert RandomCrop(3)(image)[0, :, :, 0].tolist() == [[6, 7, 8], [11, 12, 13], [16, 17, 18]]
    assert RandomCrop((5, 1), padding=2)(image).ravel().tolist() == [2, 7, 12, 17, 22]


@given(pictures, st.floats(0, 1), st.integers(0, 99))
def test_a_flip_mirrors_whole_images_or_leaves_them(images, p, seed):
    before = images.copy()
    flipped = RandomHorizontalFlip(p)(images, stream(seed))
    np.testing.assert_array_equal(images, before)
    for image, seen in zip(images, flipped, strict=True):
        assert np.array_equal(seen, image) or np.array_equal(seen, image[:, ::-1])
    if p in (0, 1):
        np.testing.assert_array_equal(flipped, images[:, :, ::-1] if p else images)


def test_a_flip_is_as_likely_as_it_is_asked_to_be():
    images = np.tile(np.array([0, 1], np.float32).reshape(1, 1, 2, 1), (4000, 1, 1, 1))
    assert abs(RandomHorizontalFlip(0.3)(images, stream(0))[:, 0, 0, 0].mean() - 0.3) < 0.03


@given(hnp.arrays(np.float32, st.tuples(st.integers(2, 300), st.just(3), st.integers(1, 4)),
                  elements=st.floats(-100, 100, width=32)))  # fmt: skip
def test_statistics_are_those_of_all_examples_in_float64(images):
    mean, std = channel_statistics(Split(images, np.zeros(len(images), int)))
    exact = images.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=(0, 1)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(std, exact.std(axis=(0, 1)), rtol=1e-9, atol=1e-9)


def test_normalised_images_have_mean_zero_and_deviation_one():
    images = stream(0).normal([5, -100], [0.1, 40], size=(1000, 4, 4, 2)).astype(np.float32)
    split = Split(images, np.zeros(1000, int))
    normalize = Normalize.from_split(split)
    normal = normalize(images)
    assert normal.dtype == np.float32 and normal is not images
    np.testing.assert_allclose(normal.mean(axis=(0, 1, 2), dtype=float), 0, atol=1e-4)
    np.testing.assert_allclose(normal.std(axis=(0, 1, 2), dtype=float), 1, atol=1e-4)
    np.testing.assert_array_equal(normal, normalize(images, stream(0)))
    assert normalize == Normalize(*channel_statistics(split))


def test_transforms_follow_one_another_with_one_generator():
    images = stream(0).random((6, 8, 8, 3), dtype=np.float32)
    crop, flip, normalize = RandomCrop(8, 2), RandomHorizontalFlip(), Normalize([0.5] * 3, [2] * 3)
    rng = stream(1)
    expected = normalize(flip(crop(images, rng), rng))
    augment = Compose([crop, flip, normalize])
    np.testing.assert_array_equal(augment(images, stream(1)), expected)
    np.testing.assert_array_equal(augment(images), normalize(images))


SPLIT = Split(stream(2).random((10, 4, 4, 1), dtype=np.float32), np.arange(10) % 3)
AUGMENT = Compose([RandomCrop(4, padding=1), RandomHorizontalFlip()])


def epoch(rng, transform=AUGMENT):
    return list(batches(SPLIT, 4, rng, drop_last=False, transform=transform))


def test_batches_are_transformed_by_chance_that_the_call_has_drawn():
    rng = stream(0)
    lazily = batches(SPLIT, 4, rng, transform=AUGMENT)
    state = generator_state(rng)
    first = list(lazily)
    assert generator_state(rng) == state
    plain = epoch(stream(0), None)
    for (ours, labels), (images, expected), (again, _) in zip(
        first, plain[:2], epoch(stream(0)), strict=False
    ):
        np.testing.assert_array_equal(labels, expected)  # the order is the one without transform
        np.testing.assert_array_equal(ours, again)
        assert not np.array_equal(ours, images)
    second = epoch(rng)
    assert not np.array_equal(first[0][0], second[0][0])


def test_a_transform_may_be_any_function_of_images_and_generator():
    doubled = epoch(stream(0), lambda images, rng: images * 2)
    for (ours, _), (images, _) in zip(doubled, epoch(stream(0), None), strict=True):
        np.testing.assert_array_equal(ours, images * 2)


IMAGES = np.zeros((2, 4, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: RandomCrop(0), ValueError, "RandomCrop: size must be at least 1, got 0"),
        (lambda: RandomCrop(2.5), TypeError, "RandomCrop: size must be an integer, got 2.5"),
        (lambda: RandomCrop((1, 2, 3)), ValueError, r"size \(1, 2, 3\) must be an integer, or two"),
        (lambda: RandomCrop(4, -1), ValueError, "padding must be at least 0, got -1"),
        (lambda: RandomCrop(4, fill=np.nan), ValueError, "fill must be finite"),
        (lambda: RandomCrop(4, padding_mode="wrap"), ValueError, "padding_mode 'wrap'; choose"),
        (lambda: RandomCrop(7, 1)(IMAGES), ValueError, r"4, 3\) are too small for a window"),
        (lambda: RandomCrop(4)(IMAGES[0]), ValueError, r"\(4, 4, 3\) must be \(N, height, width"),
        (lambda: RandomHorizontalFlip(1.5), ValueError, r"p 1.5 lies outside \[0, 1\]"),
        (lambda: RandomHorizontalFlip("a"), TypeError, "p must be a number, got 'a'"),
        (lambda: RandomHorizontalFlip()(IMAGES[0]), ValueError, "RandomHorizontalFlip: images"),
        (lambda: Normalize([0], [1, 2]), ValueError, "1 means and 2 deviations"),
        (lambda: Normalize([0, 0], [1, 0]), ValueError, "std of channel 1 is 0.0; it must be"),
        (lambda: Normalize(0.5, 0.5), ValueError, r"mean \(\) must be \(C,\)"),
        (lambda: Normalize([np.nan], [1]), ValueError, "mean must be finite"),
        (lambda: Normalize([0.0], [1])(IMAGES), ValueError, r"4, 3\) need 1 channels as last"),
        (lambda: Compose([3]), TypeError, "Compose: 3 is no transform"),
    ],
)  # fmt: skip
def test_what_is_no_transform_is_refused_in_a_line(call, error, says):
    with pytest.raises(error, match=says) as told:
        call()
    assert "\n" not in str(told.value)
