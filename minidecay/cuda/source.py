"""A `.cu` file: its text with the includes pasted in, its kernels' prototypes and launch lines.

A kernel says itself how it is launched, in comments above its prototype:

    //! grid    cdiv(N, 64), cdiv(M, 64), batch
    //! block   256
    //! shared  0
    //! require N % 4 == 0: float4 loads read four columns at once

so that tiles are changed in the `.cu` alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minidecay.cuda.expressions import evaluate

__all__ = ["Parameter", "Signature", "Source", "find", "folder", "names", "parse", "read", "titles"]

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"(.+?)".*$', re.M)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once.*$", re.M)
_PROTOTYPE = re.compile(
    r"((?:^[ \t]*//![^\n]*\n)*)"
    r'^[ \t]*extern\s+"C"\s+__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?'
    r"void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)",
    re.M,
)
_PARAMETER = re.compile(r"\s*([\w ]+?)\s*(\*?)\s*(\w+)\s*$")
_QUALIFIERS = re.compile(r"\b(const|volatile|__restrict__)\b")
_CONSTANT = re.compile(r"^[ \t]*constexpr\s+int\s+(\w+)\s*=\s*([^;]+);", re.M)
_OPTION = re.compile(r"^#ifndef\s+(\w+)\s*\n#define\s+\1[ \t]+([^\s/]+)", re.M)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: C type without qualifiers, whether it is a pointer, its name."""

    type: str
    pointer: bool
    name: str
    constant: bool = False  # a pointer to what the kernel does not write


@dataclass(frozen=True)
class Signature:
    """A kernel's prototype and its launch lines."""

    name: str
    parameters: tuple[Parameter, ...]
    grid: str
    block: str
    shared: str = "0"
    requirements: tuple[tuple[str, str], ...] = ()  # (condition, why)


@dataclass(frozen=True)
class Source:
    """What a `.cu` file holds.

    Attributes:
        label: where it stands: "kernels/matmul/01_naive.cu", or the whole path of another file.
        text: the code with its includes in place, and `#line` directives that say so.
        kernels: the prototypes, by name.
        options: the macros that `-D` may set, with their defaults.
    """

    label: str
    text: str
    kernels: Mapping[str, Signature]
    options: Mapping[str, str] = field(default_factory=dict)

    def constants(self, defines: Mapping[str, int | str]) -> dict[str, int]:
        """The integers that launch lines may use: options under `defines`, and constexpr ints."""
        values = {**self.options, **{name: str(value) for name, value in defines.items()}}
        known = {name: int(value) for name, value in values.items() if _is_integer(value)}
        for name, expression in _CONSTANT.findall(self.text):
            try:
                (known[name],) = evaluate(expression, known)
            except ValueError:
                continue  # it is not needed outside the kernel, or the launch line says it is
        return known


def folder() -> Path:
    """Where the kernels lie: in the package, or beside it where its link was not kept."""
    package = Path(__file__).parents[1]
    for place in (package / "kernels", package.parent / "kernels"):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no kernels in {package} nor beside it; install minidecay again")


def names() -> list[str]:
    """Every kernel file as commands name it: "matmul/01_naive"."""
    place = folder()
    return sorted(str(path.relative_to(place).with_suffix("")) for path in place.rglob("*.cu"))


def titles(name: str | Path) -> tuple[str, str]:
    """A kernel file's own name without its number, and its folder's: ("im2col", "conv2d")."""
    path = Path(name)
    return path.name.removesuffix(".cu").lstrip("0123456789_"), path.parent.name


def find(name: str) -> Path:
    """The file that `name` means: a path under `kernels/` without `.cu`, or any `.cu` file.

    Raises:
        ValueError: there is none; the message lists what there is.
    """
    path = Path(name) if name.endswith(".cu") else folder() / f"{name}.cu"
    if path.is_file():
        return path
    if path.is_dir():
        raise ValueError(f"{name} is a folder, not a .cu file")
    if name.removesuffix(".cu") in names():
        raise ValueError(f"no file {name}; the project's kernel is {name.removesuffix('.cu')}")
    if name.endswith(".cu"):
        raise ValueError(f"no file {name}; the project's kernels are named without .cu")
    raise ValueError(f"no kernel {name!r}; there are {', '.join(names())}, or give a .cu file")


def read(path: Path) -> Source:
    """Read a `.cu` file.

    Raises:
        ValueError: a file that cannot be read, or is no text; a prototype or a launch line that
            cannot be read, an include that is missing.
    """
    base = folder().resolve()
    resolved = path.resolve()
    inside = resolved.is_relative_to(base)
    label = f"kernels/{resolved.relative_to(base)}" if inside else str(resolved)
    return parse(label, _pasted(_text(path, label), label, resolved.parent, set()))


def _text(path: Path, label: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{label} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None
    except OSError as error:
        raise ValueError(f"{label} cannot be read: {error.strerror}") from None


def parse(label: str, text: str) -> Source:
    """A source from its text, the includes in place.

    Raises:
        ValueError: as `read`.
    """
    kernels = {found[1]: _signature(label, *found) for found in _PROTOTYPE.findall(text)}
    if not kernels:
        raise ValueError(f'{label}: no kernel; each starts with extern "C" __global__ void')
    return Source(label, text, kernels, dict(_OPTION.findall(text)))


def _pasted(text: str, label: str, beside: Path, seen: set[Path]) -> str:
    """The text with `#include "..."` replaced by the file, from kernels/ or beside the source."""

    def paste(found: re.Match[str]) -> str:
        after = text[: found.start()].count("\n") + 2
        for place in (folder(), beside):
            if (path := (place / found[1]).resolve()).is_file():
                break
        else:
            raise ValueError(f"{label}:{after - 1}: there is no {found[1]} under kernels/")
        if path in seen:
            return ""
        seen.add(path)
        inner = f"kernels/{found[1]}"
        pasted = _pasted(_text(path, inner), inner, path.parent, seen)
        return f'{pasted}\n#line {after} "{label}"'

    return f'#line 1 "{label}"\n' + _INCLUDE.sub(paste, _ONCE.sub("", text))


def _signature(label: str, directives: str, name: str, parameters: str) -> Signature:
    lines: dict[str, str] = {}
    requirements = []
    for line in directives.splitlines():
        key, _, value = line.strip().removeprefix("//!").strip().partition(" ")
        if key == "require":
            condition, _, why = value.partition(":")
            requirements.append((condition.strip(), why.strip()))
        elif key in ("grid", "block", "shared"):
            lines[key] = value.strip()
        else:
            raise ValueError(f"{label}: {name}: //! {key} is unknown; grid, block, shared, require")
    if not {"grid", "block"} <= lines.keys():
        raise ValueError(f"{label}: {name} has no //! grid and //! block line above it")
    given = [] if parameters.strip() in ("", "void") else parameters.split(",")
    parsed = tuple(_parameter(label, name, each) for each in given)
    return Signature(name, parsed, requirements=tuple(requirements), **lines)


def _parameter(label: str, kernel: str, text: str) -> Parameter:
    found = _PARAMETER.match(_QUALIFIERS.sub(" ", text))
    if not found:
        raise ValueError(f"{label}: {kernel}: parameter {text.strip()!r} cannot be read")
    constant = bool(re.search(r"\bconst\b[^*]*\*", text))
    return Parameter(" ".join(found[1].split()), bool(found[2]), found[3], constant)


def _is_integer(text: str) -> bool:
    return text.lstrip("-").isdigit()
