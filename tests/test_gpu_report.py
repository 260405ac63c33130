"""The command for a GPU's machine, its report, and the README's table that is made from it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import stand_in

from benchmarks import table
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import report, supervise
from benchmarks.gpu.cards import QUERIED, clocks_seen, describe_card
from benchmarks.gpu.options import parser
from benchmarks.gpu.roofline import least_seconds, picture

ROOT = Path(__file__).parents[1]


def spread(value):
    return {"median": value, "p10": value, "p90": value, "rounds": [value]}


def timed(case, family, rung, seconds, **ratios):
    return {
        "name": f"{case}/{rung}",
        "case": case,
        "family": family,
        "rung": rung,
        "flops": 2 * 10**9,
        "bytes": 10**6,
        "buffers": 3,
        "agrees": True,
        "error": {"minidecay": 2e-7},
        "failed": {},
        "not_captured": {},
        "seconds": {"minidecay": spread(seconds)},
        "ratio": {f"torch {kind}": spread(ratio) for kind, ratio in ratios.items()},
    }


@pytest.fixture
def found(card):
    """A report with two rungs of a product, a fused primitive and a step."""
    environment = {"commit": "0123456789abcdef", "dirty": False, "date": "2026-11-25T10:00:00"}
    versions = {"minidecay": "0.1.0", "numpy": "2.4.6", "python": "3.12.3"}
    step = {
        "name": "step/mlp",
        "case": "mlp",
        "family": "step",
        "agrees": True,
        "error": {"minidecay": 1e-7},
        "failed": {"torch graph tf32": "RuntimeError: no"},
        "seconds": {"minidecay": spread(1e-3), "torch eager fp32": spread(5e-4)},
        "ratio": {"torch eager fp32": spread(0.5)},
    }
    return {
        "scale": "full",
        "complete": True,
        "environment": {**environment, **versions},
        "card": describe_card(card.xp),
        "torch": {"version": "2.11.0", "cuda": "13.0", "cudnn": 91000},
        "clocks": None,
        "ceilings": {"bytes_per_second": 1e12, "fp32_flops": 1e13},
        "tests": {"passed": 3, "skipped": 0, "failed": {}, "not_run": [], "trouble": ""},
        "results": [
            timed("matmul-10", "matmul", "01_naive", 1e-3, fp32=0.2, tf32=0.1),
            timed("matmul-10", "matmul", "02_coalesced", 4e-4, fp32=0.5, tf32=0.25),
            timed("matmul-20", "matmul", "02_coalesced", 2.5e-4, fp32=2.0, tf32=1.0),
            timed("add-9", "fused", None, 1e-3, fp32=4.0),
            step,
        ],
        "left_out": {"compiled/mlp": "no time left"},
    }


# -- tables --------------------------------------------------------------------------------------
def test_a_ladder_shows_rates_shares_and_the_mean_with_its_losses(found):
    text = report.text(found)
    naive = next(line.split() for line in text.splitlines() if "01_naive" in line)
    assert naive == ["matmul-10", "01_naive", "2", "20%", "0.20", "0.10", "2e-07"]
    # The better rung of the first case lost by half what the second case won.
    mean = next(line for line in text.splitlines() if line.startswith("geometric mean of the best"))
    assert mean.split()[-1] == "1.00"
    assert "2 cases" in mean


def test_what_failed_and_what_was_left_out_is_told(found):
    text = report.text(found)
    assert "FAILED step/mlp, torch graph tf32: RuntimeError: no" in text
    assert "not timed: compiled/mlp: no time left" in text
    assert "tests marked gpu: 3 passed, 0 failed, 0 skipped, 0 not run" in text
    found["tests"]["failed"] = {"test_x": "assert 1 == 2"}
    found["results"][0] |= {"agrees": False, "error": {"minidecay": 0.5}}
    text = report.text(found)
    assert "FAILED test_x: assert 1 == 2" in text
    assert "WRONG matmul-10/01_naive, not timed: off by minidecay 5.0e-01" in text


def test_markdown_has_the_same_tables(found):
    page = report.markdown(found)
    assert "| matmul-10 | 01_naive | 2 | 20% | 0.20 | 0.10 | 2e-07 |" in page
    assert page.count("| --- | ---: |") == 3


def test_the_roof_is_the_lower_of_the_two():
    ceilings = {"bytes_per_second": 100.0, "fp32_flops": 10.0}
    assert least_seconds({"flops": 50, "bytes": 100}, ceilings) == 5.0
    assert least_seconds({"flops": 5, "bytes": 100}, ceilings) == 1.0
    assert least_seconds({"flops": 5, "bytes": 100}, {"bytes_per_second": None}) is None


@pytest.mark.parametrize("known", [{"bytes_per_second", "fp32_flops"}, {"fp32_flops"}, set()])
def test_a_picture_is_drawn_with_the_roofs_that_are_known(found, tmp_path, known):
    ceilings = {k: v if k in known else None for k, v in found["ceilings"].items()}
    picture(tmp_path / "roofline.png", found["results"], ceilings, "a card")
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")


def test_clocks_are_those_of_a_card_at_work(tmp_path):
    rows = [",".join(QUERIED), "t, 300, 1000, 60, 30, 0", "t, 1900, 1000, 500, 60, 99"]
    rows += ["t, 1700, 1000, 600, 62, 98", "t, [N/A], 1000", "t, 17"]
    (tmp_path / "clocks.csv").write_text("\n".join(rows))
    seen = clocks_seen(tmp_path / "clocks.csv")
    assert seen["samples"] == 2
    assert seen["sm_mhz"] == {"lowest": 1700, "median": 1800, "highest": 1900}
    assert clocks_seen(tmp_path / "none.csv") is None


def test_a_cards_peak_is_its_lanes_at_its_highest_clock(card):
    found = describe_card(card.xp)
    assert found["fp32_flops"] == 2 * 128 * 4 * 1e9
    assert found["name"] == stand_in.cuda.CARD


# -- the command ---------------------------------------------------------------------------------
def run(folder, *options, path="", **environment):
    python_path = os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--out", str(folder), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": python_path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_of_it_over_the_stand_in(tmp_path, compiled):
    stand_in.as_cupy(tmp_path)
    out = tmp_path / "made" / "here"
    test = "tests/gpu/test_gpu_kernels.py::test_a_kernel_computes_what_it_must[fused/sgd]"
    options = ("--scale", "smoke", "--rounds", "1", "--tests", test)
    done = run(out, *options, path=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("gpu-*.json")
    assert path.name == "gpu-stand-in-for-cupy-no-gpu-no-proof-of-hardware.json"
    found = json.loads(path.read_text())
    assert found["complete"]
    assert found["tests"]["passed"] == 1
    assert found["kernels"] == {"fused/sgd": True}
    assert found["ceilings"]["bytes_per_second"] > 0
    families = [each["family"] for each in found["results"]]
    assert {"step", "matmul", "conv2d", "fused"} == set(families)
    for each in found["results"]:
        assert each["agrees"]
        assert each["seconds"]["minidecay"]["median"] > 0
    assert all(name.startswith("compiled/") for name in found["left_out"])
    for name in ("table.txt", "table.md", "roofline.png", "tests.log", "timing.log"):
        assert (out / name).stat().st_size > 0
    assert "no proof of hardware" in done.stdout
    assert "05_register_2d" in done.stdout


@pytest.mark.parametrize("no_gpu", [False, True])
def test_without_cupy_or_a_gpu_it_says_so_and_ends_well(tmp_path, no_gpu):
    lines = "def is_available(): return False" if no_gpu else "raise ImportError('not here')"
    (tmp_path / "cupy.py").write_text(lines)
    done = run(tmp_path / "out", path=str(tmp_path))
    assert done.returncode == 0
    told = "CuPy finds no GPU" if no_gpu else "CuPy is not installed (not here): pip install"
    assert told in done.stdout
    assert "What runs anywhere: minidecay kernels check" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--out"),
        (["--out", "x", "--minutes", "0"], "must be a number above 0"),
        (["--out", "x", "--rounds", "none"], "must be a whole number"),
        (["--out", "/dev/null/x"], "choose a folder that can be written"),
    ],
)
def test_wrong_use_ends_with_2(card, options, told, capsys):
    with pytest.raises(SystemExit) as ended:
        gpu.main(options)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.fixture
def command(card, tmp_path):
    options = parser(None).parse_args(["--out", str(tmp_path), "--commit", "abc"])
    return gpu.Command(options)


def test_each_result_is_on_the_disk_at_once(command):
    assert not json.loads(command.path.read_text())["complete"]
    command.hear({"event": "done", "name": "add-9/", "result": timed("add-9", "fused", None, 1.0)})
    command.hear({"event": "done", "name": "copy", "result": {"bytes_per_second": 3e12}})
    kept = json.loads(command.path.read_text())
    assert kept["results"][0]["case"] == "add-9"
    assert kept["ceilings"]["bytes_per_second"] == 3e12


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, False),
        ({"left_out": {"step/mlp": "no time left"}}, False),
        ({"left_out": {"timing": "ended with exit code 1"}}, True),
        ({"results": [{"name": "x", "agrees": False}]}, True),
        ({"results": [{"name": "x", "failed": {"minidecay": "died by SIGSEGV"}}]}, True),
        ({"tests": {"failed": {"test_x": "assert"}, "trouble": ""}}, True),
        ({"tests": {"failed": {}, "trouble": "ended with exit code 4"}}, True),
        ({"tests": {"failed": {}, "trouble": supervise.OUT_OF_TIME}}, False),
    ],
)
def test_a_failure_ends_with_1_and_a_lack_of_time_does_not(command, change, failed):
    command.report |= change
    assert command.failed() == failed


# -- the README's table --------------------------------------------------------------------------
def test_the_readme_says_what_the_results_say():
    assert table.main(["--check"]) == 0


def test_the_table_is_written_between_its_marks(found, tmp_path):
    readme, results = tmp_path / "README.md", tmp_path / "results"
    results.mkdir()
    readme.write_text(f"above\n{table.BEGIN}\nold\n{table.END}\nbelow\n")
    options = ["--readme", str(readme), "--results", str(results)]
    assert table.main([*options, "--check"]) == 1
    assert table.main(options) == 0
    assert readme.read_text() == f"above\n{table.BEGIN}\n{table.NOTHING}\n{table.END}\nbelow\n"
    (results / "gpu-a.json").write_text(json.dumps(found))
    (results / "gpu-b.json").write_text(json.dumps({**found, "scale": "smoke"}))
    assert table.main([*options, "--check"]) == 1
    assert table.main(options) == 0
    page = readme.read_text()
    assert page.startswith("above\n")
    assert page.endswith("\nbelow\n")
    assert "| `matmul-10` | `02_coalesced` | 400 (400 to 400) | 50% | 0.50 | 0.25 |" in page
    assert page.count("torch 2.11.0") == 1
    assert table.main([*options, "--check"]) == 0


@pytest.mark.parametrize("page", ["", table.BEGIN, f"{table.END}\n{table.BEGIN}"])
def test_a_page_without_its_marks_is_refused(page, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(page)
    assert table.main(["--readme", str(readme), "--results", str(tmp_path)]) == 2
    assert "it must have one line <!-- gpu table -->" in capsys.readouterr().err
    assert readme.read_text() == page
