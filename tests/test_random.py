"""Named streams give the same numbers everywhere, and stand still when saved."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidecay.random import BIT_GENERATORS, generator_state, restore_generator, stream

seeds = st.integers(0, 2**140)
names = st.lists(st.text(max_size=6), max_size=3)


# Philox and SeedSequence are fixed for good, so these hold for every NumPy and platform.
GOLDEN_INIT = [12756235182504787760, 12808158458895799350, 12681601490829890138]
GOLDEN_PIXELS = [12765036821782992459, 14403679496979223866, 14462511096490834880]


def words(rng, count=3):
    return rng.bit_generator.random_raw(count).tolist()


@given(seeds, names)
def test_a_stream_is_found_by_its_seed_and_names(seed, path):
    assert words(stream(seed, *path)) == words(stream(seed, *path))


def test_a_stream_gives_the_same_words_on_every_machine():
    assert words(stream(0, "init")) == GOLDEN_INIT
    assert words(stream(2**130, "train", "pixels")) == GOLDEN_PIXELS


def test_streams_of_other_seeds_or_names_share_no_word():
    paths = [(), ("",), ("a",), ("b",), ("a", "b"), ("ab",), ("b", "a"), ('a", "b',)]
    drawn = [set(words(stream(seed, *path), 100)) for seed in (0, 1, 2**32) for path in paths]
    assert all(a.isdisjoint(b) for a, b in combinations(drawn, 2))


def test_streams_of_neighbouring_seeds_are_uncorrelated():
    a, b = (stream(seed, "init").standard_normal(100_000) for seed in (0, 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02


def test_a_stream_is_philox_and_accepts_numpy_integers():
    rng = stream(np.int64(3), "init")
    assert type(rng.bit_generator) is np.random.Philox
    assert words(rng) == words(stream(3, "init"))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((True,), TypeError, "stream: seed must be an integer, got True"),
        ((1.0,), TypeError, "stream: seed must be an integer, got 1.0"),
        ((None,), TypeError, "stream: seed must be an integer, got None"),
        ((-1,), ValueError, "stream: seed must not be negative, got -1; pass 0 or more"),
        ((0, 7), TypeError, "stream: names are strings, got 7; write it as '7'"),
    ],
)
def test_a_stream_refuses(arguments, error, says):
    with pytest.raises(error, match=says):
        stream(*arguments)


@given(st.sampled_from(BIT_GENERATORS), st.integers(0, 9), st.integers(0, 9))
def test_a_restored_generator_goes_on_even_mid_buffer(name, wide, narrow):
    rng = np.random.Generator(getattr(np.random, name)(5))
    rng.random(wide)
    rng.random(narrow, dtype=np.float32)  # half words: leaves one in the buffer where odd
    restored = restore_generator(json.loads(json.dumps(generator_state(rng))))
    for _ in range(2):
        np.testing.assert_array_equal(
            rng.standard_normal(7, dtype=np.float32), restored.standard_normal(7, dtype=np.float32)
        )
        np.testing.assert_array_equal(rng.permutation(11), restored.permutation(11))


def test_a_saved_state_does_not_move_with_its_generator():
    rng = stream(0, "batches")
    state = generator_state(rng)
    before = json.dumps(state)
    rng.random(9)
    assert json.dumps(state) == before
    assert words(restore_generator(state)) == words(stream(0, "batches"))


def test_only_generators_over_known_bit_generators_are_saved():
    with pytest.raises(TypeError, match=r"expected a .*Generator, got RandomState"):
        generator_state(np.random.RandomState(0))
    with pytest.raises(ValueError, match="unknown bit generator 'MT19937'; choose one of Philox"):
        generator_state(np.random.Generator(np.random.MT19937(0)))


def test_restoring_refuses_what_was_not_saved():
    with pytest.raises(TypeError, match="expected a dict, got list"):
        restore_generator([])
    with pytest.raises(ValueError, match="unknown bit generator None"):
        restore_generator({})
    with pytest.raises(ValueError, match="unknown bit generator 'SeedSequence'"):
        restore_generator({"bit_generator": "SeedSequence"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("buffer"),
        lambda state: state.update(buffer=[1, 2]),
        lambda state: state.update(buffer=[1, 2, 3, -1]),
        lambda state: state.update(buffer=["x", 2, 3, 4]),
        lambda state: state.update(buffer_pos=-1),
        lambda state: state.update(buffer_pos=1.5),
        lambda state: state.update(buffer_pos=2**80),
        lambda state: state.update(state=None),
    ],
)
def test_restoring_a_damaged_state_is_a_clear_error(damage):
    state = generator_state(stream(0))
    damage(state)
    with pytest.raises(ValueError, match="restore_generator: not a whole Philox state"):
        restore_generator(state)
