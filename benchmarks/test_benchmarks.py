"""Every case under pytest-benchmark: `pytest benchmarks`.

The statistics that pytest-benchmark shows, saves and compares are minidecay's. `extra_info` holds
what torch took in alternating turns, and the ratio. One thread each; no time is asserted.
"""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("pytest_benchmark", reason='needs pytest-benchmark: pip install -e ".[bench]"')
threadpoolctl = pytest.importorskip(
    "threadpoolctl", reason='needs threadpoolctl: pip install -e ".[bench]"'
)

from benchmarks.case import Case  # noqa: E402
from benchmarks.cases import CASES  # noqa: E402
from benchmarks.measure import blas_in_use, compare, cpu_model, use_torch  # noqa: E402


@pytest.fixture(scope="module")
def libraries() -> Iterator[dict[str, Any]]:
    blas, torch = blas_in_use(), use_torch(1)
    with threadpoolctl.threadpool_limits(1):
        yield {"cpu": cpu_model(), "blas": blas, "torch": torch, "threads": 1}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_speed(case: Case, libraries: dict[str, Any], benchmark: Any) -> None:
    result = compare(case, rounds=1 if benchmark.disabled else 15)
    assert result["agrees"], f"the two sides differ by {result['difference']:.1e}"
    benchmark.group = case.kind
    benchmark.extra_info.update(libraries)
    for side, seconds in result["seconds"].items():
        benchmark.extra_info[f"{side}_median_s"] = seconds["median"]
    if result["ratio"]:
        benchmark.extra_info["torch_over_minidecay"] = result["ratio"]["median"]
    benchmark(case.ours())
