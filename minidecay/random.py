"""Named random streams: one seed, an independent generator for each use of chance.

A stream is found by its name, not by its turn, so drawing more from one (more data, another
model) never moves another. Streams are drawn on the CPU whatever the device.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["generator_state", "restore_generator", "stream"]

BIT_GENERATORS = ("Philox", "PCG64", "PCG64DXSM", "SFC64")


def stream(seed: int, *names: str) -> np.random.Generator:
    """The Philox4x64-10 generator of this seed and these names, always at its beginning.

    Names are hashed by SHA-256 into the spawn key of a `numpy.random.SeedSequence`, so the same
    call gives the same numbers in every process, and any other seed or name independent ones.
    Raises TypeError or ValueError where `seed` is no non-negative integer or a name no string.

    >>> stream(0, "init").integers(100, size=3)
    array([14, 69,  0])
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"stream: seed must be an integer, got {seed!r}; pass one such as 0")
    if seed < 0:
        raise ValueError(f"stream: seed must not be negative, got {seed}; pass 0 or more")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"stream: names are strings, got {name!r}; write it as {str(name)!r}")
    # JSON keeps ("a", "b") and ("ab",) apart.
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    key = [int(word) for word in np.frombuffer(digest, "<u4")]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(int(seed), spawn_key=key)))


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Where `rng` stands, as a dict of plain JSON types (str, int, list, dict).

    Holds all that `restore_generator` needs to continue with the very next number, half-used
    buffers included; it does not hold what `rng.spawn` would give. Raises TypeError where `rng` is
    no generator and ValueError for a bit generator that `restore_generator` does not know.

    >>> rng = stream(0, "batches")
    >>> state, drawn = generator_state(rng), rng.integers(100)
    >>> bool(restore_generator(state).integers(100) == drawn)
    True
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"generator_state: expected a numpy.random.Generator, got {type(rng).__name__}; "
            "make one with minidecay.random.stream"
        )
    _known("generator_state", rng.bit_generator.state["bit_generator"])
    plain: dict[str, Any] = _plain(rng.bit_generator.state)
    return plain


def restore_generator(state: Mapping[str, Any]) -> np.random.Generator:
    """A generator that goes on exactly where the one given to `generator_state` stood.

    Raises TypeError or ValueError where `state` did not come from `generator_state`, or names a
    bit generator other than Philox, PCG64, PCG64DXSM or SFC64.

    >>> state = generator_state(np.random.default_rng(5))
    >>> restore_generator(state).random() == np.random.default_rng(5).random()
    True
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"restore_generator: expected a dict, got {type(state).__name__}; "
            "pass what generator_state returned"
        )
    name = _known("restore_generator", state.get("bit_generator"))
    bit_generator = getattr(np.random, name)(0)
    try:
        bit_generator.state = _like(bit_generator.state, state)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"restore_generator: not a whole {name} state ({error}); "
            "pass what generator_state returned, unchanged"
        ) from error
    return np.random.Generator(bit_generator)


def _known(operation: str, name: object) -> str:
    if name not in BIT_GENERATORS:
        choices = ", ".join(BIT_GENERATORS)
        raise ValueError(f"{operation}: unknown bit generator {name!r}; choose one of {choices}")
    return str(name)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _like(pattern: Any, value: Any) -> Any:
    """`value` with the keys, array shapes and dtypes of `pattern`, an untouched state."""
    if isinstance(pattern, dict):
        return {key: _like(item, value[key]) for key, item in pattern.items()}
    if isinstance(pattern, np.ndarray):
        array = np.array(value, dtype=pattern.dtype)
        if array.shape != pattern.shape:
            raise ValueError(f"expected {pattern.size} words, got {array.size}")
        return array
    if type(value) is not type(pattern) or (isinstance(value, int) and value < 0):
        # A negative position would read memory outside the generator's buffer.
        raise ValueError(f"expected a non-negative {type(pattern).__name__}, got {value!r}")
    return value
