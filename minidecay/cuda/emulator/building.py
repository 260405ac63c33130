"""From a kernel's source to a shared object: the shim before it, a compiler behind it."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from minidecay.cuda.cache import cached
from minidecay.cuda.source import Signature, Source

__all__ = ["CompilerError", "CompilerMissingError", "build", "compiler"]

HERE = Path(__file__).parent
_COMMON = ("-std=c++20", "-fPIC", "-fvisibility=hidden", "-pthread", "-w")
_FAST = ("-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno")
# DWARF 4, since addr2line loses the names that #line gives in DWARF 5.
# -O1 and no scalar replacement: each access of the source stays one access, on its own line.
_CHECK = ("-O1", "-gdwarf-4", "-fsanitize=thread,bounds", "-DMINIDECAY_CHECK=1")
_OF_GCC = ("-fno-tree-sra", "--param", "tsan-instrument-func-entry-exit=0")
_OF_CLANG = ("-mllvm", "-tsan-instrument-func-entry-exit=0")


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
    watch = check or count
    command = compiler()
    flags = _COMMON + (_CHECK + _own_flags(command) if watch else _FAST)
    text = "\n".join(
        [
            '#include "shim.h"',
            *(f"#define {name} {value}" for name, value in defines.items()),
            _emulated(source.text),
            *map(_entry, source.kernels.values()),
        ]
    )
    runtime = _runtime()
    made_of = (command, _version(command), flags, count, text, *runtime.values())

    def make(path: Path) -> None:
        with TemporaryDirectory() as scratch:
            unit = Path(scratch) / "kernel.cpp"
            unit.write_text(text)
            include = f"-I{HERE}"
            plain = (*_COMMON, "-O2", *(("-DMINIDECAY_CHECK=1",) if watch else ()))
            watcher = "counter.cpp" if count else "checker.cpp"
            objects = [str(Path(scratch) / "kernel.o")]
            _call([command, *flags, include, "-c", str(unit), "-o", objects[0]], source.label)
            for name in ("runtime.cpp", watcher) if watch else ("runtime.cpp",):
                # The runtime is the same for every kernel: compiled once.
                parts = (command, _version(command), plain, name, *runtime.values())
                objects.append(str(cached(parts, ".o", _object(command, plain, HERE / name))))
            _call([command, "-shared", "-pthread", *objects, "-o", str(path), "-ldl"], source.label)

    return cached(made_of, ".so", make)


def _object(command: str, flags: tuple[str, ...], unit: Path) -> Callable[[Path], None]:
    return lambda path: _call([command, *flags, "-c", str(unit), "-o", str(path)], unit.name)


def _call(command: list[str], label: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilerError(f"{label} does not compile for the emulator:\n{done.stderr[:3000]}")


def _runtime() -> dict[str, str]:
    return {name: (HERE / name).read_text() for name in _RUNTIME}


_RUNTIME = ("shim.h", "runtime.h", "hooks.h", "runtime.cpp", "checker.cpp", "counter.cpp")


@cache
def _version(command: str) -> str:
    return subprocess.run([command, "--version"], capture_output=True, text=True).stdout


def _own_flags(command: str) -> tuple[str, ...]:
    return _OF_CLANG if "clang" in _version(command) else _OF_GCC


# ---- what no macro can do ------------------------------------------------------------------------

_DYNAMIC = re.compile(
    r"extern\s+__shared__\s+(?:(?:__align__|alignas)\s*\(\s*\d+\s*\)\s*)?"
    r"([\w\s]+?)\s+(\w+)\s*\[\s*\]\s*;"
)
_STATIC = re.compile(
    r"(?<!\w)__shared__\s+((?:__align__|alignas)\s*\(\s*\w+\s*\)\s*)?"
    r"((?:unsigned\s+|const\s+|volatile\s+)*\w+)\s+([^;=]+);"
)


def _emulated(text: str) -> str:
    """Turn `__shared__` declarations into places in the block's memory, line for line.

    `__shared__ float As[8][9], Bs[4];` becomes, for each array, a struct that holds just it (so
    that its type and bounds stay what they were) and a reference under its name.
    """
    slots = count()

    def declare(found: re.Match[str]) -> str:
        alignment, element, names = found.groups()
        return " ".join(_slot(next(slots), alignment or "", element, n) for n in names.split(","))

    text = _DYNAMIC.sub(r"\1* \2 = (\1*)emu::dynamic_shared();", text)
    return _STATIC.sub(declare, text)


def _slot(slot: int, alignment: str, element: str, declarator: str) -> str:
    name = declarator.split("[")[0].strip()
    place = f"emu::static_shared({slot}, sizeof(emu_{name}), alignof(emu_{name}), __LINE__)"
    return (
        f"struct emu_{name} {{ {alignment}{element} {declarator.strip()}; }}; "
        f"auto& {name} = ((emu_{name}*){place})->{name};"
    )


def _entry(signature: Signature) -> str:
    """A function that unpacks an array of pointers to arguments, the same for every kernel."""
    arguments = ", ".join(
        f"*({parameter.type}{'*' if parameter.pointer else ''}*)a[{i}]"
        for i, parameter in enumerate(signature.parameters)
    )
    return (
        f'extern "C" __attribute__((visibility("default"))) EMU_UNCHECKED '
        f"void emu_enter_{signature.name}(void** a) {{ {signature.name}({arguments}); }}"
    )
