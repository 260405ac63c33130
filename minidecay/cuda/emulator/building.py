"""From a kernel's source to a shared object: the shim before it, a compiler behind it."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from minidecay.cuda.cache import cached
from minidecay.cuda.source import Signature, Source

__all__ = ["CompilerError", "CompilerMissingError", "build", "compiler"]

HERE = Path(__file__).parent
_COMMON = ("-std=c++20", "-fPIC", "-fvisibility=hidden", "-pthread", "-w")
# Kernels have no exceptions. A large frame touches each of its pages, so meets the stack's guard.
# What a kernel does wrong is left as it stands, not reasoned away.
_KERNEL = (
    *("-fno-exceptions", "-fno-rtti", "-fstack-clash-protection"),
    *("-fno-finite-loops", "-fno-delete-null-pointer-checks"),
)
_FAST = ("-O3", "-ffp-contract=fast", "-fno-math-errno")
# DWARF 4, since addr2line loses the names that #line gives in DWARF 5.
# -O1 and no scalar replacement: each access of the source stays one access, on its own line.
_WATCHED = (
    *("-O1", "-gdwarf-4", "-DMINIDECAY_CHECK=1"),
    "-fsanitize=thread,integer-divide-by-zero,signed-integer-overflow,shift-exponent",
)
_OF_GCC = (
    *("-fno-tree-sra", "--param", "tsan-instrument-func-entry-exit=0"),
    *("-fsanitize=bounds", "-fsanitize-coverage=trace-pc"),
)
_OF_CLANG = (
    *("-mllvm", "-tsan-instrument-func-entry-exit=0"),
    # Its other check of bounds is a trap that does not say so; pruned, a loop may pass uncounted.
    *("-fsanitize=array-bounds", "-fsanitize-coverage=trace-pc,no-prune"),
)
_HEADERS = ("shim.h", "assert.h", "calls.h", "runtime.h", "stacks.h", "hooks.h")
_RUNTIME = ("runtime.cpp", "stacks.cpp", "faults.cpp")


class CompilerMissingError(RuntimeError):
    """No C++ compiler was found."""


class CompilerError(ValueError):
    """A kernel does not compile; the message has the file and line of the .cu."""


def compiler() -> str:
    """The C++ compiler: `$CXX`, else g++, else clang++.

    Raises:
        CompilerMissingError: there is none; the message says how to get one.
    """
    for command in filter(None, (os.environ.get("CXX"), "g++", "clang++")):
        if path := shutil.which(command):
            return path
    raise CompilerMissingError(
        "the emulator needs a C++20 compiler and found neither g++ nor clang++: "
        "sudo apt install g++ (Debian, Ubuntu, WSL), or set CXX"
    )


def build(
    source: Source, defines: Mapping[str, int | str], *, check: bool, count: bool = False
) -> Path:
    """The shared object of a source under the given options, from the cache if it is there.

    With `count` the accesses that `check` would watch are counted instead.
    """
    watched = check or count
    command = compiler()
    flags = (*_COMMON, *_KERNEL, *(_watched(command) if watched else _fast(command)))
    text = "\n".join(
        [
            '#include "shim.h"',
            *(f"#define {name} {value}" for name, value in defines.items()),
            _emulated(source.text),
            *map(_entry, source.kernels.values()),
        ]
    )
    runtime = (*_RUNTIME, *(("counter.cpp",) if count else ("checker.cpp",) if check else ()))
    parts = _texts(*_HEADERS, *runtime)
    made_of = (command, _version(command), _processor(), flags, text, *parts)

    def make(path: Path) -> None:
        with TemporaryDirectory() as scratch:
            unit, kernel = Path(scratch) / "kernel.cpp", Path(scratch) / "kernel.o"
            unit.write_text(text)
            _call([command, *flags, f"-I{HERE}", "-c", unit, "-o", kernel], source.label)
            with _ONE_AT_A_TIME:
                objects = [_object(command, watched, name) for name in runtime]
            linked = ("-shared", "-pthread", "-Wl,-z,defs")
            _call([command, kernel, *objects, *linked, "-o", path], source.label)

    return cached(made_of, ".so", make)


_ONE_AT_A_TIME = Lock()


def _object(command: str, watched: bool, name: str) -> Path:
    """A part of the runtime, the same for every kernel: compiled once."""
    flags = (*_COMMON, "-O2", *(("-DMINIDECAY_CHECK=1",) if watched else ()))
    made_of = (command, _version(command), flags, name, *_texts(*_HEADERS, name))
    return cached(
        made_of, ".o", lambda path: _call([command, *flags, "-c", HERE / name, "-o", path], name)
    )


def _texts(*names: str) -> list[str]:
    return [(HERE / name).read_text() for name in names]


def _call(command: Sequence[str | Path], label: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilerError(f"{label} does not compile for the emulator:\n{done.stderr[:3000]}")


@cache
def _version(command: str) -> str:
    return subprocess.run([command, "--version"], capture_output=True, text=True).stdout


@cache
def _processor() -> str:
    """What this machine's processor can do: a cache may serve several machines."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line for line in told.splitlines() if line.startswith(("flags", "Features"))), "")


@cache
def _target(command: str) -> str:
    """The machine that a compiler compiles for: "x86_64"."""
    told = subprocess.run([command, "-dumpmachine"], capture_output=True, text=True).stdout
    return told.partition("-")[0]


def _fast(command: str) -> tuple[str, ...]:
    if _target(command) != platform.machine():  # for another machine than this one
        return _FAST
    return (*_FAST, "-mcpu=native" if platform.machine() == "aarch64" else "-march=native")


def _watched(command: str) -> tuple[str, ...]:
    return (*_WATCHED, *(_OF_CLANG if "clang" in _version(command) else _OF_GCC))


# ---- what no macro can do ------------------------------------------------------------------------

_DYNAMIC = re.compile(
    r"extern\s+((?:volatile\s+)?)__shared__\s+(?:(?:__align__|alignas)\s*\(\s*\d+\s*\)\s*)?"
    r"([\w\s]+?)\s+(\w+)\s*\[\s*\]\s*;"
)
_STATIC = re.compile(
    r"(?<!\w)(?:static\s+)?((?:volatile\s+)?)__shared__\s+"
    r"((?:(?:__align__|alignas)\s*\(\s*\w+\s*\)\s*)?)"
    r"([\w\s:]*\w)((?:\s*[*\s]\s*)\w+\s*(?:\[[^;=]*)?(?:,[^;=]+)?);"
)


def _emulated(text: str) -> str:
    """Turn `__shared__` declarations into places in the block's memory, line for line.

    `__shared__ float As[8][9], Bs[4];` becomes, for each array, a struct that holds just it (so
    that its type and bounds stay what they were) and a reference under its name.
    """

    def declare(found: re.Match[str]) -> str:
        volatile, alignment, element, names = found.groups()
        each = _COMMA.split(_COMMENT.sub("", names))
        slots = (_slot(f"{alignment}{volatile}{element} {one.strip()}") for one in each)
        return " ".join(slots) + _lines(found)

    def point(found: re.Match[str]) -> str:
        pointer = f"{found[1]}{found[2]}*"
        return f"{pointer} {found[3]} = ({pointer})emu::dynamic_shared();{_lines(found)}"

    return _STATIC.sub(declare, _DYNAMIC.sub(point, text))


def _lines(found: re.Match[str]) -> str:
    """The ends of the lines that were found, so that what follows stays on its own."""
    return "\n" * found[0].count("\n")


_COMMA = re.compile(r",(?![^\[]*\])")  # between declarators, not within one's brackets
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_NAME = re.compile(r"(\w+)\s*(?:\[|$)")


def _slot(declaration: str) -> str:
    declaration = " ".join(declaration.split())
    found = _NAME.search(declaration)
    assert found
    name, array = found[1], f"emu_{found[1]}"
    place = f"emu::static_shared(&{array}_tag, sizeof({array}), alignof({array}), EMU_HERE)"
    return (
        f"struct {array} {{ {declaration}; }}; "
        f"static char {array}_tag; auto& {name} = (({array}*){place})->{name};"
    )


def _entry(signature: Signature) -> str:
    """A function that unpacks an array of pointers to arguments, the same for every kernel."""
    arguments = ", ".join(
        f"*({parameter.type}{'*' if parameter.pointer else ''}*)emu_given[{i}]"
        for i, parameter in enumerate(signature.parameters)
    )
    return (
        f'extern "C" __attribute__((visibility("default"))) EMU_UNCHECKED '
        f"void emu_enter_{signature.name}(void** emu_given) {{ {signature.name}({arguments}); }}"
    )
