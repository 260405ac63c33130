"""`minidecay doctor`: what it finds here, and what it says where something is missing."""

import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minidecay import __version__, doctor
from minidecay.cuda import nvrtc


def look(name):
    """The line of the report that has this name."""
    (check,) = (check for check in doctor.report() if check.name == name)
    return check


def executable(path, prints, code=0):
    path.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def empty_path(monkeypatch, tmp_path):
    """A PATH with nothing on it but what the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path


def test_the_core_works_here(capsys):
    assert doctor.main() == 0
    said = capsys.readouterr().out
    assert f"minidecay {__version__}" in said
    assert platform.python_version() in said
    assert f"NumPy           {np.__version__}" in said
    assert "The core works" in said


def test_every_line_has_a_finding_and_what_is_missing_a_word_on_it():
    names = [check.name for check in doctor.report()]
    assert {"NumPy", "BLAS", "BLAS variables", "C++ compiler", "NVRTC", "CuPy", "GPU"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(check.finding for check in doctor.report())


def test_openblas_says_what_threadpoolctl_says():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pools = [pool for pool in threadpoolctl.threadpool_info() if "numpy" in pool["filepath"]]
    if not pools or pools[0]["internal_api"] != "openblas":
        pytest.skip("NumPy brings no OpenBLAS of its own here")
    finding = look("BLAS").finding
    assert f"{pools[0]['architecture']} code path" in finding
    assert f"{pools[0]['num_threads']} threads" in finding


def test_on_linux_openblas_is_found_wherever_it_was_loaded_from(monkeypatch, tmp_path):
    before = set(doctor._openblas_libraries())
    if sys.platform != "linux" or not before:
        pytest.skip("needs OpenBLAS on Linux")
    monkeypatch.setattr(np, "__file__", str(tmp_path / "numpy" / "__init__.py"))
    assert set(doctor._openblas_libraries()) == before
    assert "code path" in doctor._openblas()


def test_a_blas_without_openblas_is_named_all_the_same(monkeypatch):
    monkeypatch.setattr(doctor, "_openblas_libraries", lambda: iter(()))
    check = look("BLAS")
    assert check.ok
    assert check.finding and "threads" not in check.finding


def test_a_library_without_openblas_functions_says_nothing(monkeypatch):
    import _ctypes

    monkeypatch.setattr(doctor, "_openblas_libraries", lambda: iter((_ctypes.__file__,)))
    assert doctor._openblas() == ""


def test_a_blas_that_computes_wrongly_breaks_the_core(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_products_are_exact", lambda dtype: dtype is np.float64)
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert "its matrix products are wrong" in said
    assert "The core does not work" in said


def test_an_old_numpy_breaks_the_core(monkeypatch):
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert look("NumPy") == doctor.Check("NumPy", False, "1.26.4", 'pip install "numpy>=2"')


@pytest.mark.parametrize("name", ["matplotlib", "tqdm"])
def test_a_missing_core_dependency_breaks_the_core(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    check = look(name)
    assert check.ok is False
    assert check.mend == f"pip install {name}"


def test_variables_that_steer_the_blas_are_shown(monkeypatch):
    for variable in doctor._BLAS_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert look("BLAS variables").finding == "no OPENBLAS_CORETYPE, no limit on threads"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert look("BLAS variables").mend == ""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    check = look("BLAS variables")
    assert check.ok
    assert check.finding == "OPENBLAS_CORETYPE=Haswell, OMP_NUM_THREADS=1"
    assert "unset" in check.mend


@pytest.mark.parametrize(
    ("system", "mend"),
    [("Linux", "apt install g++"), ("Darwin", "xcode-select"), ("Windows", "WSL")],
)
def test_without_a_compiler_it_says_how_to_get_one(system, mend, monkeypatch, empty_path):
    monkeypatch.setattr(platform, "system", lambda: system)
    check = look("C++ compiler")
    assert check.ok is None
    assert mend in check.mend


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
def test_a_compiler_that_fails_is_passed_over(empty_path):
    executable(empty_path / "g++", "no developer tools", code=1)
    executable(empty_path / "clang++", "clang version 19.1")
    assert look("C++ compiler").finding == "clang++: clang version 19.1"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
def test_the_compiler_that_cxx_names_comes_first(monkeypatch, empty_path):
    executable(empty_path / "g++", "g++ 14.2")
    monkeypatch.setenv("CXX", str(executable(empty_path / "mine", "mine 1.0")))
    assert look("C++ compiler").finding.endswith("mine: mine 1.0")


def test_nvrtc_is_what_the_kernels_are_compiled_by(monkeypatch):
    monkeypatch.setattr(nvrtc, "version", lambda: (13, 7))
    monkeypatch.setattr(nvrtc, "find", lambda: Path("libnvrtc.so.13"))
    assert look("NVRTC") == doctor.Check("NVRTC", True, "13.7, libnvrtc.so.13")


@pytest.mark.parametrize(
    ("system", "words"), [("Linux", 'pip install "minidecay[nvrtc]"'), ("Darwin", "none for macOS")]
)
def test_without_nvrtc_it_says_how_to_get_it(system, words, monkeypatch, no_nvrtc):
    monkeypatch.setattr(platform, "system", lambda: system)
    check = look("NVRTC")
    assert check.ok is None
    assert words in (check.mend or check.finding)


@pytest.mark.parametrize(
    ("available", "ok", "finding"),
    [(True, True, "14.2.0, sees 2 GPUs"), (False, None, "14.2.0, but it sees no GPU")],
)
def test_cupy_is_asked_for_gpus(available, ok, finding, monkeypatch):
    runtime = SimpleNamespace(getDeviceCount=lambda: 2)
    cuda = SimpleNamespace(is_available=lambda: available, runtime=runtime)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(__version__="14.2.0", cuda=cuda))
    assert look("CuPy") == doctor.Check("CuPy", ok, finding)


def test_without_cupy_it_says_which_wheel_fits_which_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    check = look("CuPy")
    assert check.ok is None
    assert "minidecay[cuda13]" in check.mend and "580" in check.mend


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
def test_a_gpu_is_named_with_its_driver(empty_path):
    assert look("GPU").ok is None
    executable(empty_path / "nvidia-smi", "NVIDIA H100 80GB HBM3, 81559 MiB, 580.159.04")
    assert look("GPU").finding == "NVIDIA H100 80GB HBM3, 81559 MiB, driver 580.159.04"


@pytest.mark.parametrize(("table", "ok", "code"), [("_CORE", False, 1), ("_OPTIONAL", None, 0)])
def test_a_look_that_fails_is_a_finding(table, ok, code, monkeypatch, capsys):
    def broken(name):
        raise OSError("no such\ndevice")

    monkeypatch.setattr(doctor, table, (("Broken", broken),))
    assert look("Broken") == doctor.Check("Broken", ok, "could not be looked at (OSError: no such)")
    assert doctor.main() == code
    assert "Broken" in capsys.readouterr().out
