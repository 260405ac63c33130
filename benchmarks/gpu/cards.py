"""The card, its driver and the libraries on it; what it can do at most; its clocks meanwhile."""

import csv
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.timing import Side, Stopwatch

# float32 lanes of a multiprocessor by compute capability: CUDA's programming guide, "Arithmetic
# Instructions", throughput of 32-bit additions and multiplications.
LANES = {"70": 64, "75": 64, "80": 64, "86": 128, "87": 128, "89": 128, "90": 128}
LANES |= {"100": 128, "103": 128, "110": 128, "120": 128, "121": 128}
COPIED = 1 << 30  # bytes, at most an eighth of what is free
BLOCK = 1 << 20  # numbers that are drawn, and repeated


def describe_card(cupy: Any) -> dict[str, Any]:
    """Name, compute capability, multiprocessors, clock, caches, memory, driver and CUDA versions.

    "fp32_flops" is the most that the card's float32 lanes can do at its highest clock, a
    multiplication and an addition in each cycle; None where the number of lanes is not known.
    """
    runtime, device = cupy.cuda.runtime, cupy.cuda.Device()
    properties, attributes = runtime.getDeviceProperties(device.id), device.attributes
    clock = attributes.get("ClockRate", 0) * 1e3
    lanes = LANES.get(device.compute_capability)
    multiprocessors = attributes["MultiProcessorCount"]
    name = properties["name"]
    return {
        "name": name.decode() if isinstance(name, bytes) else str(name),
        "compute_capability": device.compute_capability,
        "multiprocessors": multiprocessors,
        "highest_clock_hz": clock or None,
        "l2_bytes": attributes["L2CacheSize"],
        "memory_bytes": int(properties["totalGlobalMem"]),
        "fp32_lanes_a_multiprocessor": lanes,
        "fp32_flops": 2 * lanes * multiprocessors * clock if lanes and clock else None,
        "driver": _smi("driver_version"),
        "cuda_of_driver": runtime.driverGetVersion(),
        "cuda_of_cupy": runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
    }


def torch_on_gpu() -> tuple[Any, dict[str, Any]]:
    """The module torch where it sees a GPU, else None; and what is to be told of it."""
    try:
        import torch
    except ImportError as error:
        return None, {"version": None, "why_not": f"torch is not installed ({error})"}
    if not torch.cuda.is_available():
        return None, {"version": torch.__version__, "why_not": "this torch sees no GPU"}
    torch.backends.cudnn.benchmark = True
    return torch, {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "cudnn_benchmark": True,
    }


def copy_bandwidth(cupy: Any, watch: Stopwatch, rounds: int) -> dict[str, Any]:
    """Bytes read and written a second by a copy in the card's own memory, far beyond its cache."""
    free, _ = cupy.cuda.Device().mem_info
    block = cupy.asarray(np.random.default_rng(0).standard_normal(BLOCK, np.float32))
    count = max(1, min(COPIED, free // 8) // block.nbytes)
    source, target = (cupy.empty(count * BLOCK, np.float32) for _ in range(2))
    for i in range(count):  # of zeros some cards move more
        cupy.copyto(source[i * BLOCK : (i + 1) * BLOCK], block)
    side = Side([lambda: cupy.copyto(target, source)])
    measured = watch.compare({"copy": watch.ready(side)}, rounds)
    seconds = measured["seconds"]["copy"]
    moved = 2 * source.nbytes
    return {
        "bytes": moved,
        "seconds": measured["seconds"],
        "bytes_per_second": moved / seconds["median"],
    }


@contextmanager
def clocks_logged(path: Path) -> Iterator[None]:
    """Within it nvidia-smi writes clocks, power and temperature to a file, twice a second.

    Nothing is set: the clocks are left as they are. Without nvidia-smi there is no file.
    """
    if shutil.which("nvidia-smi") is None:
        yield
        return
    command = [
        "nvidia-smi",
        f"--query-gpu={','.join(QUERIED)}",
        "--format=csv,nounits",
        "--loop-ms=500",
    ]
    with open(path, "w") as file:
        child = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            child.terminate()
            child.wait()


QUERIED = (
    *("timestamp", "clocks.sm", "clocks.mem", "power.draw", "temperature.gpu"),
    "utilization.gpu",
)


def clocks_seen(path: Path) -> dict[str, Any] | None:
    """Of `clocks_logged`'s file: lowest, median and highest of each, while the card was at work."""
    if not path.is_file():
        return None
    rows = []
    for row in csv.reader(path.read_text().splitlines()[1:]):
        try:
            rows.append([float(cell) for cell in row[1:]])
        except ValueError:
            continue  # cut short, or "[N/A]"
    busy = [row for row in rows if len(row) == len(QUERIED) - 1 and row[-1] > 0]
    if not busy:
        return None
    names = ("sm_mhz", "memory_mhz", "watts", "celsius")
    columns = zip(names, zip(*busy, strict=True), strict=False)
    return {
        "samples": len(busy),
        **{
            name: {"lowest": min(each), "median": statistics.median(each), "highest": max(each)}
            for name, each in columns
        },
    }


def _smi(query: str) -> str | None:
    """What nvidia-smi says of the first card; None where it says nothing."""
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0].strip() if done.stdout.strip() else None
