"""`minidecay kernels count`: what each line of a kernel asks of memory, by a simple model.

The kernel runs on the CPU, and every load and store of global and shared memory is counted
(`emulator/counter.cpp`). The model's rules:

- A *request* is what the threads of one warp ask for at one access in the source, all at their
  n-th time there. A warp whose threads skip different iterations may be grouped otherwise on a GPU.
- Global memory moves in *sectors* of 32 bytes. A request takes each sector that it touches once;
  its ideal is the fewest sectors that could hold the bytes it asks for, each byte once. So 32
  threads that read 32 floats in a row take 4 of an ideal 4, and one float for all 1 of 1.
- No cache keeps anything from one request to the next: bytes are 32 a sector, those that the
  requests ask of the caches, and at least what the memory behind them would move.
- Shared memory has 32 *banks* of 4 bytes. A bank serves one word at a time, to all who want it
  (a broadcast). A request takes as many passes as the fullest bank has different words. Threads
  that ask for 8 bytes go in half-warps, for 16 (float4) in quarter-warps. *Conflicts* are the
  passes beyond one for each warp, half or quarter that asks for anything.
- Arrays begin on 256 bytes, as cudaMalloc gives them. Constant tables and what a thread keeps to
  itself, registers or local memory, are not counted. What the CPU's compiler loads only once is
  one access; a GPU's may fold more or fewer. What is inlined from an included file counts on the
  line that calls it. clang++ takes a float4 apart into four accesses of
  4 bytes, so count kernels that use it with g++.

The FLOPs are those of the formula, known for kernels called matmul, 2 M N K, and conv2d and its
gradients, 2 N OH OW O KH KW C; the arithmetic intensity is FLOPs for each byte of global memory.
It is a model: it has never been held against the counters of a card.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minidecay.cuda.emulator import EmulatedModule
from minidecay.cuda.expressions import evaluate
from minidecay.cuda.launching import TYPES, Module
from minidecay.cuda.source import Signature, Source, find, folder, read, titles

__all__ = ["SECTOR", "Counts", "Line", "count", "parse_sizes", "report"]

SECTOR = 32  # bytes
_MOST = 2**26  # elements of an array whose size nobody said

_MATMUL = (
    {"batch": "1", "stride_a": "M * K", "stride_b": "K * N", "bias": "N"}
    | {"A": "batch * M * K", "B": "batch * K * N"}
    | dict.fromkeys(("C", "residual"), "batch * M * N")
    | {"FLOPs": "2 * batch * M * N * K"}
)
_IM2COL = (
    {"PH": "KH / 2", "PW": "KW / 2", "splits": "1", "bias": "O"}
    | {"OH": "(H + 2 * PH - KH) / SH + 1", "OW": "(W + 2 * PW - KW) / SW + 1"}
    | dict.fromkeys(("x", "gx"), "N * H * W * C")
    | {"columns": "N * OH * OW * KH * KW * C"}
)
_CONV2D = (
    _IM2COL
    | dict.fromkeys(("y", "gy", "residual"), "N * OH * OW * O")
    | {"w": "KH * KW * C * O", "partial": "splits * KH * KW * C * O"}
    | {"FLOPs": "2 * N * OH * OW * O * KH * KW * C"}
)
# By a kernel's name: the sizes that follow from others, the elements of its arrays, and its FLOPs.
_RULES = (
    {"matmul": _MATMUL}
    | dict.fromkeys(("im2col", "col2im"), _IM2COL)
    | dict.fromkeys(("conv2d", "conv2d_input_grad", "conv2d_weight_grad"), _CONV2D)
)


@dataclass(frozen=True)
class Line:
    """The requests of one source line to one array, or to shared memory.

    Attributes:
        place: the line's number; "common/matmul.cuh:31" in an included file.
        text: the line.
        memory: the name of the array, "" for shared memory.
        write: whether they are stores.
        requests: of warps.
        taken, ideal: sectors of global memory, passes through the banks of shared memory.
    """

    place: str
    text: str
    memory: str
    write: bool
    requests: int
    taken: int
    ideal: int

    @property
    def shared(self) -> bool:
        return not self.memory

    @property
    def access(self) -> str:
        return f"{'store' if self.write else 'load'} {self.memory or '(shared)'}"


@dataclass(frozen=True)
class Counts:
    """One launch: its lines, in the order of the source, and its FLOPs where they are known."""

    label: str
    lines: tuple[Line, ...]
    flops: int | None

    def total(self, what: str, *, shared: bool = False) -> int:
        """The sum of "requests", "taken" or "ideal" of global memory, or of shared memory."""
        return sum(getattr(line, what) for line in self.lines if line.shared == shared)

    def bytes(self, *, write: bool) -> int:
        """From global memory, or to it."""
        chosen = (line for line in self.lines if not line.shared and line.write == write)
        return SECTOR * sum(line.taken for line in chosen)

    @property
    def conflicts(self) -> int:
        """Passes through the banks of shared memory beyond those that must be."""
        return self.total("taken", shared=True) - self.total("ideal", shared=True)

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte of global memory."""
        moved = SECTOR * self.total("taken")
        return self.flops / moved if self.flops is not None and moved else None


def count(name: str, sizes: Mapping[str, int | str], *, kernel: str | None = None) -> Counts:
    """Run a kernel once, on arrays of zeros, and count what its warps ask of memory.

    Args:
        name: a path under `kernels/` without `.cu`, or the path of any `.cu` file.
        sizes: by name, the kernel's integer parameters, its options, and how many elements its
            arrays have; an expression such as "rows * columns" may use the names before it.
            An array that is not named has as many as the product of the `int` parameters (matmul
            and conv2d: as many as it needs). Floating-point parameters are 1.
        kernel: which of the file's; by default the one named as the file or its folder, else the
            first.

    Raises:
        ValueError: no such file or kernel, a size that is unknown, missing or not to be evaluated,
            or code that does not compile.
        KernelFault: the kernel reads or writes out of bounds, or waits for ever.
    """
    path = find(name)
    source = read(path)
    signature = _chosen(source, path, kernel)
    options = {each: str(sizes[each]) for each in sorted(sizes.keys() & source.options.keys())}
    known = _known(source, signature, sizes, source.constants(options))
    emulated = EmulatedModule(source, options, count=True)
    Module(source, options, emulated).launch(signature.name, _arguments(signature, known))

    sums: dict[tuple[str, str, bool], list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in emulated.counts:
        line = sums[each.place, each.memory, each.write]
        line[:] = line[0] + each.requests, line[1] + each.taken, line[2] + each.ideal
    lines = [
        Line(*_placed(source, path, place), memory, write, *total)
        for (place, memory, write), total in sums.items()
    ]
    lines.sort(key=lambda line: (len(line.place), line.place, line.write, line.memory))
    label = " ".join([path.stem, *(f"{key}={value}" for key, value in options.items())])
    return Counts(label, tuple(lines), known.get("FLOPs"))


def _chosen(source: Source, path: Path, kernel: str | None) -> Signature:
    if kernel is None:
        named = (name for name in titles(path) if name in source.kernels)
        kernel = next(named, next(iter(source.kernels)))
    if kernel not in source.kernels:
        known = ", ".join(source.kernels)
        raise ValueError(f"{source.label} has no kernel {kernel}; it has {known}")
    return source.kernels[kernel]


def _known(
    source: Source,
    signature: Signature,
    sizes: Mapping[str, int | str],
    constants: Mapping[str, int],
) -> dict[str, int]:
    """Every size by name: those given, those that follow, and the arrays' elements."""
    integers = [p.name for p in signature.parameters if not p.pointer and _integral(p.type)]
    arrays = [p.name for p in signature.parameters if p.pointer]
    if unknown := [n for n in sizes if n not in {*integers, *arrays, *source.options}]:
        takes = ", ".join([*integers, *arrays, *source.options])
        raise ValueError(f"{signature.name}: no size or option {unknown[0]}; it has {takes}")
    follow = _RULES.get(signature.name, {})
    if missing := [each for each in integers if each not in {**sizes, **follow}]:
        raise ValueError(f"{signature.name}: say how large {missing[0]} is: --set {missing[0]}=64")
    known = dict(constants)
    rules = {n: t for n, t in follow.items() if n not in sizes}
    for each, text in {**sizes, **rules}.items():
        if each in (*integers, *arrays, "FLOPs"):
            (known[each],) = evaluate(str(text), known)
    product = 1
    for parameter in signature.parameters:
        if parameter.type == "int" and not parameter.pointer:
            product *= max(1, known[parameter.name])
    for each in arrays:
        if known.setdefault(each, product) < 0:
            raise ValueError(f"{signature.name}: {each} cannot have {known[each]} elements")
        if known[each] > _MOST:
            raise ValueError(
                f"{signature.name}: {each} would have {known[each]} elements; say how many it "
                f"needs: --set {each}=4096"
            )
    return known


def _integral(ctype: str) -> bool:
    return issubclass(TYPES[ctype], np.integer)


def _arguments(signature: Signature, known: Mapping[str, int]) -> list[np.ndarray | int | float]:
    return [
        np.zeros(known[p.name], TYPES[p.type]) if p.pointer else known.get(p.name, 1.0)
        for p in signature.parameters
    ]


def _placed(source: Source, path: Path, place: str) -> tuple[str, str]:
    """A line as the table names it, and its text."""
    file, _, number = place.rpartition(":")
    own = file == source.label
    origin = path if own else folder() / file.removeprefix("kernels/")
    text = origin.read_text().splitlines() if number.isdigit() and origin.is_file() else []
    name = number if own else place.removeprefix("kernels/")
    return name, text[int(number) - 1].strip() if text else ""


def parse_sizes(
    name: str, kernel: str | None, shape: str, settings: Iterable[str]
) -> dict[str, str]:
    """Sizes as a command line has them: "256,256,64" for the first `int` parameters, "N=64"."""
    path = find(name)
    signature = _chosen(read(path), path, kernel)
    extents = shape.split(",") if shape else []
    names = [p.name for p in signature.parameters if p.type == "int" and not p.pointer]
    if len(extents) > len(names):
        takes = f"its {', '.join(names)}" if names else "no int parameter"
        raise ValueError(f"{signature.name}: {len(extents)} sizes for {takes}")
    sizes = dict(zip(names, extents, strict=False))
    for setting in settings:
        key, _, value = setting.partition("=")
        if not value:
            raise ValueError(f"{setting!r} sets nothing; write it as N=64")
        sizes[key] = value
    return sizes


def report(
    name: str, sizes: Mapping[str, int | str], kernel: str | None = None, against: str = ""
) -> str:
    """The tables of `minidecay kernels count`; `against` is another file, or an option's value."""
    counted = [count(name, sizes, kernel=kernel)]
    if "=" in against:
        option, _, value = against.partition("=")
        counted.append(count(name, {**sizes, option: value}, kernel=kernel))
    elif against:
        counted.append(count(against, sizes, kernel=kernel))
    return "\n\n".join([*map(_by_line, counted), _totals(counted)])


def _by_line(counts: Counts) -> str:
    rows = [("line", "access", "requests", "sectors", "ideal", "conflicts", "source")]
    for line in counts.lines:
        taken, ideal = line.taken / line.requests, line.ideal / line.requests
        sectors = ("", "") if line.shared else (f"{taken:.2f}", f"{ideal:.2f}")
        conflicts = f"{taken - ideal:.2f}" if line.shared else ""
        rows.append(
            (line.place, line.access, str(line.requests), *sectors, conflicts, line.text[:60])
        )
    heading = f"{counts.label}: sectors, ideal and conflicts are for each request"
    return f"{heading}\n{_aligned(rows, (0, 1, 6))}"


def _totals(counted: Sequence[Counts]) -> str:
    rows: list[tuple[str, list[float | None]]] = [
        ("requests to global memory", [each.total("requests") for each in counted]),
        ("sectors", [each.total("taken") for each in counted]),
        ("ideal sectors", [each.total("ideal") for each in counted]),
        ("bytes from global memory", [each.bytes(write=False) for each in counted]),
        ("bytes to global memory", [each.bytes(write=True) for each in counted]),
        ("requests to shared memory", [each.total("requests", shared=True) for each in counted]),
        ("bank conflicts", [each.conflicts for each in counted]),
        ("FLOPs", [each.flops for each in counted]),
        ("FLOPs a byte", [each.intensity for each in counted]),
    ]
    told = [(what, *map(_number, values)) for what, values in rows]
    return _aligned([("totals", *(each.label for each in counted)), *told])


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _aligned(rows: Sequence[Sequence[str]], words: Container[int] = (0,)) -> str:
    """Columns of words to the left, columns of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
