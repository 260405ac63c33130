"""NVIDIA's runtime compiler, NVRTC, by ctypes: from CUDA text to a cubin, with no driver or GPU.

The wheel `nvidia-cuda-nvrtc` is enough, on Linux and WSL. Calls, options and result codes are
those of https://docs.nvidia.com/cuda/nvrtc/.
"""

import ctypes
import ctypes.util
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "ARCHITECTURES",
    "FLAGS",
    "CompileError",
    "Compiled",
    "NvrtcMissingError",
    "candidates",
    "compile_cubin",
    "find",
    "version",
]

ARCHITECTURES = ("75", "80", "86", "89", "90a", "100", "120")
FLAGS = ("-std=c++17", "-default-device", "--ptxas-options=-v", "-lineinfo")
_INVALID_OPTION, _COMPILATION = 5, 6  # the nvrtcResult codes that the caller's input can cause
_MEND = 'pip install "minidecay[nvrtc]"'


class NvrtcMissingError(RuntimeError):
    """NVRTC was not found, or does not load here."""


class CompileError(ValueError):
    """NVRTC refused the text or an option; the message is its log, with file and line."""


@dataclass(frozen=True)
class Compiled:
    """What NVRTC made.

    Attributes:
        cubin: the machine code of one architecture, an ELF file.
        log: warnings, and each kernel's resources as `resources.parse` reads them.
    """

    cubin: bytes
    log: str


def find() -> Path:
    """The library that is used: the first of `candidates` that loads.

    Raises:
        NvrtcMissingError: there is none; the message says how to get one.
    """
    return Path(_library()._name)


def candidates() -> Iterator[Path]:
    """Where NVRTC may be: loaded already (CuPy's), in a wheel, the system's, the toolkit's."""
    if loaded := _loaded():
        yield loaded
    # cu13 is the layout of CUDA 13's wheel, cuda_nvrtc that of CUDA 12's; the newest comes first.
    for layout in ("cu1*", "cuda_nvrtc"):
        for folder in map(Path, sys.path):
            for file in ("lib/libnvrtc.so.*", "bin/nvrtc64_*.dll"):
                found = sorted(folder.glob(f"nvidia/{layout}/{file}"), reverse=True)
                yield from (path.absolute() for path in found)
    if name := ctypes.util.find_library("nvrtc"):
        yield Path(name)
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if toolkit := os.environ.get(variable):
            path = Path(toolkit, "lib64", "libnvrtc.so").absolute()
            yield from (path,) if path.exists() else ()


def _loaded() -> Path | None:
    """NVRTC where this process has it mapped already: it fits the driver that CuPy found."""
    try:
        mapped = Path("/proc/self/maps").read_text()
    except OSError:
        return None
    found = re.search(r"(/\S*/libnvrtc\.so\S*)", mapped)
    return Path(found[1]) if found else None


def version() -> tuple[int, int]:
    """NVRTC's (major, minor) version.

    Raises:
        NvrtcMissingError: as `find`.
    """
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_cubin(
    text: str, label: str, arch: str, defines: Mapping[str, int | str] | None = None
) -> Compiled:
    """Compile CUDA C++ for one architecture.

    Args:
        text: the code, its includes in place.
        label: the file that messages name, where no `#line` in the text says otherwise.
        arch: a compute capability without its dot, as in `ARCHITECTURES`.
        defines: macros to set. In the text, not by `-D`, which NVRTC's own header would meet: an
            option may be called T.

    Raises:
        CompileError: the code does not compile, or NVRTC does not know `arch`.
        NvrtcMissingError: as `find`.
        RuntimeError: NVRTC itself failed.
    """
    macros = "".join(f"#define {name} {value}\n" for name, value in (defines or {}).items())
    text = f'{macros}#line 1 "{label}"\n{text}'
    options = [f"-arch=sm_{arch}", *FLAGS]
    arguments = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    program = ctypes.c_void_p()
    _call("nvrtcCreateProgram", ctypes.byref(program), text.encode(), label.encode(), 0, None, None)
    try:
        code = _library().nvrtcCompileProgram(program, len(options), arguments)
        log = _output("nvrtcGetProgramLog", program).rstrip(b"\0").decode(errors="replace")
        if code in (_INVALID_OPTION, _COMPILATION):
            raise CompileError(f"{label} does not compile for sm_{arch}:\n{log.strip()}")
        _check("nvrtcCompileProgram", code)
        return Compiled(_output("nvrtcGetCUBIN", program), log)
    finally:
        _call("nvrtcDestroyProgram", ctypes.byref(program))


@cache
def _library() -> ctypes.CDLL:
    failure: OSError | None = None
    for path in candidates():
        try:
            return _load(path)
        except OSError as error:
            failure = failure or error
    if failure:
        raise NvrtcMissingError(f"NVRTC does not load ({failure}): {_MEND}") from failure
    raise NvrtcMissingError(f"NVIDIA's runtime compiler NVRTC is not installed: {_MEND}")


def _load(path: Path) -> ctypes.CDLL:
    if path.is_absolute():
        # NVRTC opens its builtins by name, and no search path leads into a wheel.
        for builtins in path.parent.glob("libnvrtc-builtins.so*"):
            ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(str(path))
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def _call(name: str, *arguments: object) -> None:
    _check(name, getattr(_library(), name)(*arguments))


def _check(name: str, code: int) -> None:
    if code:
        raise RuntimeError(f"{name}: {_library().nvrtcGetErrorString(code).decode()}")


def _output(name: str, program: ctypes.c_void_p) -> bytes:
    """What a getter of NVRTC holds, by its twin that says the size."""
    size = ctypes.c_size_t()
    _call(f"{name}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(name, program, buffer)
    return buffer.raw
