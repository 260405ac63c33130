"""The stand-in for CuPy held to CuPy itself, where that is installed: it needs no GPU for this."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from stand_in import arrays, cuda, stream
from stand_in.memory import Pool

NAMES = """
import cupy, json
things = {"": cupy, "ndarray": cupy.ndarray, "RawModule": cupy.RawModule, "cuda": cupy.cuda}
things |= {"RawKernel": cupy.RawKernel, "Device": cupy.cuda.Device, "Stream": cupy.cuda.Stream}
things |= {"Event": cupy.cuda.Event, "Graph": cupy.cuda.Graph, "Pool": cupy.cuda.MemoryPool}
things |= {"runtime": cupy.cuda.runtime}
print(json.dumps({name: dir(thing) for name, thing in things.items()}))
"""
OF_CUPY = ("ndarray", "RawModule", "is_available", "get_default_memory_pool")


@pytest.fixture(scope="module")
def theirs():
    if find_spec("cupy") is None:
        pytest.skip("CuPy is not installed")
    done = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def public(of):
    """What `of` defines itself, less what only the stand-in has."""
    return {name for name in vars(of) if not name.startswith("_")} - {"host", "memory"}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (
            "",
            [*arrays.FUNCTIONS, "ndarray", "RawModule", "is_available", "get_default_memory_pool"],
        ),
        ("ndarray", [name for name in vars(arrays.ndarray) if not name.startswith("_")]),
        ("RawModule", ["get_function"]),
        ("RawKernel", ["max_dynamic_shared_size_bytes"]),
        ("Device", public(cuda.Device)),
        ("Stream", public(cuda.Stream) - {"ptr"}),  # an attribute of CuPy's instances
        ("Event", ["record", "synchronize"]),
        ("Graph", ["launch"]),
        ("Pool", ["total_bytes", "used_bytes", "free_all_blocks", "malloc"]),
        ("cuda", ["Device", "Event", "Stream", "get_elapsed_time", "nvrtc", "runtime"]),
        ("runtime", list(vars(cuda.runtime))),
        ("runtime", [f"cudaDevAttr{name}" for name in cuda.Device.attributes]),
    ],
)
def test_the_stand_in_has_nothing_that_cupy_has_not(theirs, name, ours):
    held_by_arrays = (
        {"host", "memory"} if name == "ndarray" else {"ptr"} if name == "Stream" else set()
    )
    assert set(ours) - held_by_arrays <= set(theirs[name])


def test_an_array_of_the_device_is_none_of_numpys():
    x = arrays.array(np.ones(3, np.float32))
    for misused in (
        lambda: np.asarray(x),
        lambda: np.add(x, x),
        lambda: arrays.FUNCTIONS["add"](x, np.ones(3)),
        lambda: arrays.copyto(x, np.ones(3)),
    ):
        with pytest.raises(TypeError):
            misused()
    with pytest.raises(ValueError, match="cannot be used for fill"):
        x[...] = np.ones(3)


def test_the_pool_hands_out_again_what_was_freed():
    pool = Pool()
    one, other = pool.malloc(1000), pool.malloc(600)
    assert (pool.mallocs, pool.total_bytes(), pool.used_bytes()) == (2, 2048, 2048)
    pool.free(one)
    part = pool.malloc(10)  # the first half of what was freed
    assert (pool.mallocs, pool.used_bytes()) == (2, 1024 + 512)
    rest = pool.malloc(512)
    assert pool.mallocs == 2
    for chunk in (part, rest):
        pool.free(chunk)
    assert pool.malloc(1024) and pool.mallocs == 2  # the halves are one again
    pool.free(other)
    pool.free_all_blocks()
    assert pool.total_bytes() == 1024


def test_a_captured_graph_does_its_work_when_it_is_launched():
    x = arrays.array(np.zeros(2))
    stream.begin_capture()
    arrays.copyto(x, x + 1)
    with pytest.raises(RuntimeError, match="being captured"):
        x.get()
    graph = stream.end_capture()
    assert x.get().tolist() == [0, 0]
    graph.launch()
    graph.launch()
    assert x.get().tolist() == [2, 2]
