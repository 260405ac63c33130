"""The constructed data set is what it says it is: even, tractable, and the same every time."""

import hashlib
import json
import platform
from collections import Counter
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidecay.data import PatternSet, Split, estimate_complexity
from minidecay.data import patterns as module

NOISE_KINDS = ("random_image", "wrong_label")


@st.composite
def small_sets(draw, **fixed):
    tiers = fixed.get("tiers") or draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    drawn = {
        "n_train": draw(st.integers(2 * len(tiers), 80)),
        "n_test": draw(st.integers(len(tiers), 40)),
        "classes": draw(st.integers(2, 5)),
        "tiers": tiers,
        "size": draw(st.integers(1, 3)),
        "channels": draw(st.integers(1, 3)),
        "sigma": draw(st.sampled_from([0, 0.3, 2.0])),
        "noise_fraction": draw(st.floats(0, 0.5)),
        "noise": draw(st.sampled_from(NOISE_KINDS)),
        "seed": draw(st.integers(0, 99)),
    }
    return PatternSet(**(drawn | fixed))


def fields(split):
    return [split.images, split.labels, split.tier, split.pattern, *split.subsets.values()]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(fields(a), fields(b), strict=True))


def nearest(patterns, images):
    """Tier, class and pattern of the template nearest to each image."""
    places = [
        (k, c, j)
        for k, count in enumerate(patterns.tiers)
        for c in range(patterns.classes)
        for j in range(count)
    ]
    bank = np.concatenate([t.reshape(-1, images[0].size) for t in patterns.templates])
    flat = images.reshape(len(images), -1)
    distance = (bank**2).sum(1) - 2 * flat @ bank.T
    return np.array(places)[distance.argmin(1)].T


def without_template(patterns, split):
    """Rows of what is left of each image without its template: pixel noise, or a random image."""
    images = split.images.copy()
    for i, (k, c, j) in enumerate(zip(split.tier, split.labels, split.pattern, strict=True)):
        if k >= 0:
            images[i] -= patterns.templates[k][c, j]
    return images.reshape(len(images), -1)


@given(small_sets())
def test_splits_have_the_shapes_and_ranges_promised(patterns):
    for split, n in ((patterns.train, patterns.n_train), (patterns.test, patterns.n_test)):
        assert isinstance(split, Split) and len(split) == n
        assert split.images.shape == (n, patterns.size, patterns.size, patterns.channels)
        assert (split.images.dtype, split.labels.dtype) == (np.float32, np.int64)
        assert (split.tier.dtype, split.pattern.dtype) == (np.int8, np.int64)
        assert split.labels.min() >= 0 and split.labels.max() < patterns.classes
        counts = np.array([*patterns.tiers, 1])[split.tier]
        noise = split.tier == -1
        assert (split.pattern[noise] == -1).all()
        assert (split.pattern[~noise] >= 0).all() and (split.pattern < counts)[~noise].all()


@given(small_sets())
def test_subset_masks_partition_each_split(patterns):
    for split, n_noise in (
        (patterns.train, round(patterns.n_train * patterns.noise_fraction)),
        (patterns.test, 0),
    ):
        assert (sum(mask.astype(int) for mask in split.subsets.values()) == 1).all()
        assert list(split.subsets) == [*patterns.tier_names, *(["noise"] if n_noise else [])]
        assert (split.tier == -1).sum() == n_noise
        for k, name in enumerate(patterns.tier_names):
            np.testing.assert_array_equal(split.subsets[name], split.tier == k)


@given(small_sets())
def test_clean_examples_are_dealt_evenly(patterns):
    for split in (patterns.train, patterns.test):
        of_tier = [(split.tier == k).sum() for k in range(len(patterns.tiers))]
        assert max(of_tier) - min(of_tier) <= 1
        for k, count in enumerate(patterns.tiers):
            mine = split.tier == k
            copies = np.zeros((patterns.classes, count), int)
            np.add.at(copies, (split.labels[mine], split.pattern[mine]), 1)
            assert np.ptp(copies) <= 1
            assert np.ptp(copies.sum(axis=1)) <= 1


@settings(max_examples=30)
@given(small_sets())
def test_a_set_is_a_function_of_its_arguments(patterns):
    again = PatternSet(**json.loads(json.dumps(patterns.config())))
    assert again == patterns and hash(again) == hash(patterns)
    assert same(again.train, patterns.train) and same(again.test, patterns.test)


@settings(max_examples=30)
@given(small_sets(n_test=20, tiers=(2, 3), classes=3, size=2, channels=1, sigma=0.3, seed=4))
def test_the_test_split_ignores_training_size_and_noise(patterns):
    reference = PatternSet(50, 20, 3, (2, 3), 2, 1, seed=4)
    assert same(patterns.test, reference.test)


@given(small_sets(), st.integers(1, 7))
def test_the_pieces_a_set_is_rendered_in_do_not_show(patterns, piece):
    again = PatternSet(**patterns.config())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RENDERED_AT_ONCE", piece)
        assert same(again.train, patterns.train)


def test_no_two_examples_share_their_chance():
    drawn = []
    for seed in (0, 1):
        patterns = PatternSet(150, 100, sigma=1.0, noise_fraction=0.3, seed=seed)
        drawn += [without_template(patterns, patterns.train)]
        drawn += [without_template(patterns, patterns.test)]
    correlation = np.corrcoef(np.concatenate(drawn))
    assert np.abs(correlation[~np.eye(500, dtype=bool)]).max() < 0.5


def test_examples_come_shuffled():
    train = PatternSet(1000, 100).train
    for values in (train.tier, train.labels, train.pattern):
        assert abs(np.corrcoef(values, np.arange(1000))[0, 1]) < 0.15


@pytest.mark.parametrize("noise", NOISE_KINDS)
def test_a_clean_example_lies_nearest_to_its_own_template(noise):
    patterns = PatternSet(2000, 500, noise=noise)
    for split in (patterns.train, patterns.test):
        clean = split.tier >= 0
        tier, label, pattern = nearest(patterns, split.images[clean])
        np.testing.assert_array_equal(tier, split.tier[clean])
        np.testing.assert_array_equal(label, split.labels[clean])
        np.testing.assert_array_equal(pattern, split.pattern[clean])


def test_without_pixel_noise_an_example_is_its_template():
    patterns = PatternSet(300, 100, sigma=0)
    assert not without_template(patterns, patterns.test).any()


def test_pixel_noise_has_the_stated_spread():
    patterns = PatternSet(100, 2000, sigma=0.3)
    pixels = without_template(patterns, patterns.test)
    assert abs(pixels.mean()) < 0.003 and abs(pixels.std() - 0.3) < 0.003


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("noise", NOISE_KINDS)
def test_pixels_have_variance_one_plus_sigma_squared(noise, sigma):
    train = PatternSet(4000, 100, sigma=sigma, noise_fraction=0.3, noise=noise).train
    for mask in train.subsets.values():
        values = train.images[mask]
        # The simple tier's templates are only 19,200 numbers: their variance is known to 1 %.
        assert abs(values.var() / (1 + sigma**2) - 1) < 0.05
        assert abs(values.mean()) < 0.05


def test_random_images_resemble_no_template_and_carry_labels_of_every_class():
    patterns = PatternSet(4000, 100, noise_fraction=0.5)
    noise = patterns.train.subsets["noise"]
    images = patterns.train.images[noise].reshape(noise.sum(), -1)
    bank = np.concatenate([t.reshape(-1, images.shape[1]) for t in patterns.templates])
    norms = np.outer(np.linalg.norm(images, axis=1), np.linalg.norm(bank, axis=1))
    assert np.abs(images @ bank.T / norms).max() < 0.6  # a clean example and its own: 0.96
    counts = np.bincount(patterns.train.labels[noise], minlength=10)
    assert ((counts > 140) & (counts < 260)).all()  # 200 expected, deviation 13


def test_a_wrong_label_is_never_the_true_class_and_may_be_any_other():
    patterns = PatternSet(4000, 100, classes=4, tiers=(3, 9), noise="wrong_label")
    noise = patterns.train.subsets["noise"]
    tier, truth, pattern = nearest(patterns, patterns.train.images[noise])
    seen = Counter(zip(truth.tolist(), patterns.train.labels[noise].tolist(), strict=True))
    assert set(seen) == {(a, b) for a in range(4) for b in range(4) if a != b}
    assert 140 < (tier == 0).sum() < 260  # either tier is as likely, whatever its size
    assert set(pattern[tier == 1]) == set(range(9))


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_complexity_is_3_32_and_6_64_bits_exactly(sigma):
    patterns = PatternSet(2000, 2000, size=2, sigma=sigma, noise_fraction=0)
    assert patterns.complexity == {"simple": log2(10), "complex": log2(100)}
    for split in (patterns.train, patterns.test):
        for name, bits in (("simple", 3.321928094887362), ("complex", 6.643856189774724)):
            mask = split.subsets[name]
            assert abs(estimate_complexity(split.pattern[mask], split.labels[mask]) - bits) < 1e-9
            # Pixel noise makes every image its own: then only the latent is worth counting.
            literal = estimate_complexity(split.images[mask], split.labels[mask])
            assert abs(literal - (bits if sigma == 0 else log2(100))) < 1e-9


def test_a_mixture_of_tiers_adds_the_choice_of_tier():
    train = PatternSet(2000, 100, size=2, sigma=0, noise_fraction=0).train
    expected = (log2(10) + log2(100)) / 2 + 1
    assert abs(estimate_complexity(train.images, train.labels) - expected) < 1e-9


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 4)), min_size=1, max_size=40))
def test_the_estimate_is_the_class_weighted_entropy(pairs):
    labels, ids = map(np.array, zip(*pairs, strict=True))
    expected = 0.0
    for label in set(labels.tolist()):
        mine = ids[labels == label]
        shares = np.array(list(Counter(mine.tolist()).values())) / len(mine)
        expected -= len(mine) / len(ids) * (shares * np.log2(shares)).sum()
    assert abs(estimate_complexity(ids, labels) - expected) < 1e-9
    images = np.zeros((len(ids), 2, 2, 1), np.float32)
    images[:, 1, 0, 0] = ids
    assert abs(estimate_complexity(images, labels) - expected) < 1e-9


@pytest.mark.parametrize(
    ("x", "labels", "error", "says"),
    [
        ([0, 1], [0], ValueError, r"x \(2,\) and labels \(1,\) do not match"),
        ([], [], ValueError, "do not match"),
        (3, [0], ValueError, "do not match"),
        ([0.0, np.nan], [0, 0], ValueError, "x holds NaN"),
        (["a", "b"], [0, 0], TypeError, "pass numbers and integer labels"),
        ([0, 1], [0.5, 0], TypeError, "pass numbers and integer labels"),
    ],
)
def test_the_estimate_refuses(x, labels, error, says):
    with pytest.raises(error, match=says):
        estimate_complexity(x, labels)


def test_tiers_are_named_by_what_they_are():
    def names(*tiers):
        return PatternSet(100, 100, tiers=tiers).tier_names

    assert names(10, 100) == names(3, 4) == ("simple", "complex")
    assert names(100, 10) == ("patterns_100", "patterns_10")
    assert names(10, 10, 30, 10) == (
        "patterns_10",
        "patterns_10_2",
        "patterns_30",
        "patterns_10_3",
    )


def test_a_set_reads_as_its_arguments():
    patterns = PatternSet(100, 50, tiers=[2, 3], sigma=0)
    assert repr(patterns) == (
        "PatternSet(n_train=100, n_test=50, classes=10, tiers=(2, 3), size=8, channels=3, "
        "sigma=0.0, noise_fraction=0.1, noise='random_image', seed=0, copies=None, "
        "template_seeds=None)"
    )
    assert patterns != PatternSet(100, 50, tiers=[2, 3], sigma=0, seed=1)


def test_a_tier_may_have_the_templates_of_another_seeds_set():
    one, two = (PatternSet(300, 100, tiers=(2, 3, 2), size=4, seed=seed) for seed in (7, 8))
    mixed = PatternSet(300, 100, tiers=(2, 3, 2), size=4, seed=9, template_seeds=[7, 9, 8])
    own = PatternSet(300, 100, tiers=(2, 3, 2), size=4, seed=9)
    for mine, theirs in zip(
        mixed.templates, (one.templates[0], own.templates[1], two.templates[2]), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_sets_that_share_templates_share_no_example():
    one = PatternSet(200, 100, seed=7)
    other = PatternSet(200, 100, seed=8, template_seeds=(7, 7))
    assert other == PatternSet(**json.loads(json.dumps(other.config()))) and other != one
    for a, b in ((one.train, other.train), (one.test, other.test)):
        noise = np.concatenate([without_template(one, s.take(s.tier >= 0)) for s in (a, b)])
        correlation = np.corrcoef(noise)
        assert np.abs(correlation[~np.eye(len(noise), dtype=bool)]).max() < 0.5


@given(small_sets())
def test_template_seeds_that_are_the_sets_own_change_nothing(patterns):
    seeds = (patterns.seed,) * len(patterns.tiers)
    again = PatternSet(**(patterns.config() | {"template_seeds": seeds}))
    assert same(again.train, patterns.train) and same(again.test, patterns.test)


def test_ps10_has_the_shape_of_the_paper():
    patterns = PatternSet.ps10(seed=3)
    assert patterns == PatternSet(50_000, 10_000, 10, (10, 100), 32, 3, 0.3, 0.1, seed=3)


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"noise": "salt"}, ValueError, "noise 'salt'; choose 'random_image' or 'wrong_label'"),
        ({"sigma": -0.1}, ValueError, "sigma must be at least 0, got -0.1"),
        ({"sigma": np.nan}, ValueError, "sigma must be finite, got nan"),
        ({"sigma": "0.3"}, TypeError, "sigma must be a number, got '0.3'"),
        ({"noise_fraction": 1}, ValueError, r"noise_fraction 1.0 lies outside \[0, 1\)"),
        ({"noise_fraction": -0.1}, ValueError, r"noise_fraction -0.1 lies outside \[0, 1\)"),
        ({"noise_fraction": np.inf}, ValueError, "noise_fraction must be finite"),
        ({"noise_fraction": True}, TypeError, "noise_fraction must be a number"),
        ({"n_train": 0}, ValueError, "n_train must be at least 1, got 0"),
        ({"n_train": 10.0}, TypeError, "n_train must be an integer, got 10.0"),
        ({"n_test": -5}, ValueError, "n_test must be at least 1, got -5"),
        ({"classes": 1}, ValueError, "classes must be at least 2, got 1"),
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"channels": "3"}, TypeError, "channels must be an integer, got '3'"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": True}, TypeError, "seed must be an integer, got True"),
        ({"tiers": ()}, ValueError, "0 tiers; pass 1 to 127"),
        ({"tiers": (1,) * 128}, ValueError, "128 tiers; pass 1 to 127"),
        ({"tiers": 10}, TypeError, r"tiers must be a tuple, got 10; pass e.g. \(10, 100\)"),
        ({"tiers": (10, 0)}, ValueError, "a tier must be at least 1, got 0"),
        ({"tiers": (10, 2.5)}, TypeError, "a tier must be an integer, got 2.5"),
        ({"template_seeds": 3}, TypeError, "template_seeds must be a tuple, got 3; pass e.g."),
        ({"template_seeds": (0,)}, ValueError, "1 template_seeds for 2 tiers; pass one for each"),
        ({"template_seeds": (0, -1)}, ValueError, "a template seed must be at least 0, got -1"),
        ({"template_seeds": (0, 0.5)}, TypeError, "a template seed must be an integer, got 0.5"),
        ({"n_train": 1}, ValueError, "n_train=1 leaves 1 clean examples for 2 tiers"),
        ({"n_train": 4, "noise_fraction": 0.9}, ValueError, "n_train=4 leaves 0 clean"),
        ({"n_test": 1}, ValueError, "n_test=1 leaves 1 clean examples for 2 tiers; raise n_test"),
    ],
)
def test_a_set_refuses(changed, error, says):
    with pytest.raises(error, match=says) as caught:
        PatternSet(**({"n_train": 100, "n_test": 100} | changed))
    assert str(caught.value).startswith("PatternSet: ") and "\n" not in str(caught.value)


# The same bytes are promised for the same NumPy version and platform, and for no other.
GOLDEN = {
    ("2.4.6", "Linux", "x86_64"): {
        "random_image": "61e9a9a8814efeda08477885d5d68cf08fc3b545da9140deb535b3fd5eaade42",
        "wrong_label": "09c6a3aeb9576675ab008bf543af5f49510e39fde32eaa1c0781b09c90c0618f",
    }
}


@pytest.mark.parametrize("noise", NOISE_KINDS)
def test_a_small_set_is_the_same_to_the_byte(noise):
    patterns = PatternSet(300, 100, tiers=(2, 6), size=4, noise=noise, seed=7)
    digest = hashlib.sha256()
    for split in (patterns.train, patterns.test):
        for array in (split.images, split.labels, split.tier, split.pattern):
            digest.update(array.tobytes())
    assert {name: mask.sum() for name, mask in patterns.train.subsets.items()} == {
        "simple": 135,
        "complex": 135,
        "noise": 30,
    }
    here = (np.__version__, platform.system(), platform.machine())
    if here not in GOLDEN:
        pytest.skip(f"the bytes are not recorded for NumPy {' on '.join(here[:2])} {here[2]}")
    assert digest.hexdigest() == GOLDEN[here][noise]


def test_tiers_of_given_copies_hold_each_pattern_that_often_and_no_other_example():
    patterns = PatternSet(
        100, 60, classes=3, tiers=(2, 5, 2), copies=(7, 1, 3), noise_fraction=0.25, sigma=0, size=2
    )
    train = patterns.train
    for tier, (count, copies) in enumerate(zip((2, 5, 2), (7, 1, 3), strict=True)):
        mine = train.tier == tier
        seen, often = np.unique(
            np.stack([train.labels[mine], train.pattern[mine]]), axis=1, return_counts=True
        )
        assert seen.shape[1] == 3 * count and (often == copies).all()
        template = patterns.templates[tier][train.labels[mine], train.pattern[mine]]
        np.testing.assert_array_equal(train.images[mine], template)
    assert (train.tier == -1).sum() == 25
    assert patterns.tier_names == (
        "patterns_2_copies_7",
        "patterns_5_copies_1",
        "patterns_2_copies_3",
    )
    assert np.bincount(patterns.test.tier).tolist() == [20, 20, 20]


def test_equal_copies_are_what_a_set_without_them_deals():
    def drawn(**options):
        split = PatternSet(120, 20, classes=2, tiers=(3, 3), noise_fraction=0, **options).train
        return np.unique(
            np.stack([split.tier, split.labels, split.pattern]), axis=1, return_counts=1
        )

    np.testing.assert_equal(drawn(copies=(10, 10)), drawn())


def test_the_test_set_does_not_depend_on_copies():
    plain = PatternSet(120, 20, classes=2, tiers=(3, 3), noise_fraction=0).test
    given = PatternSet(18, 20, classes=2, tiers=(3, 3), noise_fraction=0, copies=(1, 2)).test
    np.testing.assert_array_equal(given.images, plain.images)
    np.testing.assert_array_equal(given.labels, plain.labels)


def test_a_set_with_copies_is_made_again_from_its_config():
    patterns = PatternSet(18, 20, classes=2, tiers=[3, 3], noise_fraction=0, copies=[1, 2])
    again = PatternSet(**json.loads(json.dumps(patterns.config())))
    assert again == patterns and again.copies == (1, 2)


@pytest.mark.parametrize(
    ("copies", "error", "says"),
    [
        ((1, 1), ValueError, "copies make 12 clean training examples, but n_train=18 leaves 18 be"),
        ((3,), ValueError, r"copies must be a tuple with a number for each of 2 tiers, got \(3,\)"),
        (3, ValueError, "copies must be a tuple with a number for each of 2 tiers, got 3"),
        ((3, 0), ValueError, "PatternSet: copies of a pattern must be at least 1, got 0"),
        ((1.5, 1.5), TypeError, "PatternSet: copies of a pattern must be an integer, got 1.5"),
    ],
)
def test_copies_that_make_no_such_set_are_refused(copies, error, says):
    with pytest.raises(error, match=says):
        PatternSet(18, 20, classes=2, tiers=(3, 3), noise_fraction=0, copies=copies)
