"""What works on this machine, and how to get what does not: `minidecay doctor`."""

import ctypes
import importlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from minidecay import __version__
from minidecay.cuda import nvrtc
from minidecay.lab.machinery.workers import cores

_BLAS_VARIABLES = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Check:
    """What was found out about one thing.

    `ok` is True where it works, None where it does not and is optional, False where it does not
    and the core needs it. `mend` says how to get it; it is empty where there is nothing to do.
    """

    name: str
    ok: bool | None
    finding: str
    mend: str = ""


def main() -> int:
    """Print the report; 0 when the core works, else 1."""
    checks = report()
    width = max(len(check.name) for check in checks)
    marks = {True: "ok", None: "--", False: "NO"}
    print(f"minidecay {__version__}, {Path(__file__).parent}\n")
    for check in checks:
        print(f"{marks[check.ok]}  {check.name:{width}}  {check.finding}")
        if check.mend:
            print(f"    {'':{width}}  > {check.mend}")
    if any(check.ok is False for check in checks):
        print("\nThe core does not work: mend what is marked NO.")
        return 1
    print("\nThe core works; what is marked -- is optional.")
    return 0


def report() -> list[Check]:
    """Look at everything, the core first. What cannot be looked at is a finding, never an error."""
    return [_look(*probe, core=True) for probe in _CORE] + [
        _look(*probe, core=False) for probe in _OPTIONAL
    ]


def _look(name: str, probe: Callable[[str], Check], *, core: bool) -> Check:
    try:
        return probe(name)
    except Exception as error:  # whatever is broken here, the other lines of the report are wanted
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        return Check(name, False if core else None, f"could not be looked at ({cause})")


def _python(name: str) -> Check:
    return Check(name, True, f"{platform.python_version()}, {sys.executable}")


def _platform(name: str) -> Check:
    return Check(name, True, f"{platform.platform()}, {cores()} cores to use")


def _package(name: str) -> Check:
    """A core dependency that is imported only when it is used."""
    try:
        return Check(name, True, importlib.import_module(name).__version__)
    except ImportError as error:
        return Check(name, False, f"cannot be imported ({error})", f"pip install {name}")


def _numpy(name: str) -> Check:
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        return Check(name, True, np.__version__)
    return Check(name, False, np.__version__, 'pip install "numpy>=2"')


def _blas(name: str) -> Check:
    """NumPy's BLAS, the processor it computes for, and whether it computes right."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    finding = f"{built.get('name')} {built.get('version')}{_openblas()}"
    if all(_products_are_exact(dtype) for dtype in (np.float32, np.float64)):
        return Check(name, True, finding)
    mend = "pip install --upgrade numpy, or set OPENBLAS_CORETYPE to an older processor's name"
    return Check(name, False, f"{finding}; its matrix products are wrong", mend)


def _products_are_exact(dtype: type[np.floating]) -> bool:
    """Do products of small integers, which floats hold exactly, come out as integers say?"""
    a, b = np.random.default_rng(0).integers(-8, 9, (2, 200, 200))
    return bool((a.astype(dtype) @ b.astype(dtype) == a @ b).all())


def _openblas() -> str:
    """The code path and the threads of the OpenBLAS that is in use; nothing for another BLAS."""
    for path in _openblas_libraries():
        library = ctypes.CDLL(path)
        core = _openblas_function(library, "get_corename")
        threads = _openblas_function(library, "get_num_threads")
        if core and threads:
            core.restype = ctypes.c_char_p
            return f", {core().decode()} code path, {threads()} threads"
    return ""


def _openblas_libraries() -> Iterator[str]:
    """Where NumPy's OpenBLAS may lie: in its wheel or, on Linux, anywhere."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        yield from map(str, folder.glob("*openblas*"))
    maps = Path("/proc/self/maps")
    if maps.exists():
        paths = {line.split()[-1] for line in maps.read_text().splitlines()}
        yield from (path for path in paths if "openblas" in Path(path).name)


def _openblas_function(library: ctypes.CDLL, name: str) -> Any:
    """`openblas_<name>` by whichever name this build of the library gives it."""
    for prefix, suffix in product(("scipy_openblas_", "openblas_"), ("64_", "")):
        if function := getattr(library, f"{prefix}{name}{suffix}", None):
            return function
    return None


def _blas_variables(name: str) -> Check:
    found = [f"{key}={os.environ[key]}" for key in _BLAS_VARIABLES if key in os.environ]
    if not found:
        return Check(name, True, "no OPENBLAS_CORETYPE, no limit on threads")
    mend = ""
    if "OPENBLAS_CORETYPE" in os.environ:
        mend = (
            "OPENBLAS_CORETYPE overrides what OpenBLAS would choose; unset it if it was not meant"
        )
    return Check(name, True, ", ".join(found), mend)


def _compiler(name: str) -> Check:
    for command in filter(None, (os.environ.get("CXX"), "g++", "clang++")):
        if version := _first_line(command, "--version"):
            return Check(name, True, f"{command}: {version}")
    mends = {"Linux": "sudo apt install g++", "Darwin": "xcode-select --install"}
    mend = mends.get(platform.system(), "use Linux or WSL; kernels run on no other CPU yet")
    return Check(name, None, "neither g++ nor clang++ works", mend)


def _nvrtc(name: str) -> Check:
    """NVIDIA's run-time compiler, where the kernels' compiler finds it."""
    try:
        major, minor = nvrtc.version()
    except nvrtc.NvrtcMissingError as error:
        if platform.system() == "Darwin":
            return Check(name, None, "NVIDIA makes none for macOS")
        finding, _, mend = str(error).rpartition(": ")
        return Check(name, None, finding, mend)
    return Check(name, True, f"{major}.{minor}, {nvrtc.find()}")


def _cupy(name: str) -> Check:
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError:
        mend = 'pip install "minidecay[cuda13]" (driver 580 or newer) or "minidecay[cuda12]"'
        return Check(name, None, "not installed; only an NVIDIA GPU has a use for it", mend)
    if not cupy.cuda.is_available():
        return Check(name, None, f"{cupy.__version__}, but it sees no GPU")
    gpus = cupy.cuda.runtime.getDeviceCount()
    return Check(name, True, f"{cupy.__version__}, sees {gpus} GPU{'s' * (gpus > 1)}")


def _gpu(name: str) -> Check:
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    if found := _first_line("nvidia-smi", *query):
        model, memory, driver = found.split(", ")
        return Check(name, True, f"{model}, {memory}, driver {driver}")
    return Check(name, None, "no NVIDIA GPU found; NumPy runs everything without one")


def _first_line(*command: str) -> str:
    """The first line that a command prints, or nothing where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


_CORE = (
    ("Python", _python),
    ("Platform", _platform),
    ("NumPy", _numpy),
    ("BLAS", _blas),
    ("BLAS variables", _blas_variables),
    ("matplotlib", _package),
    ("tqdm", _package),
)
_OPTIONAL = (("C++ compiler", _compiler), ("NVRTC", _nvrtc), ("CuPy", _cupy), ("GPU", _gpu))
