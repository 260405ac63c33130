"""Is a wrong kernel seen? Mutate every kernel in small ways, and hold each mutant to its cases.

    python tests/cuda/mutation.py [NAME ...] [--sample N] [--seed S] [--workers 2]

A mutant is a kernel with one thing changed: a barrier dropped, `<` made `<=`, a constant or a
subscript off by one. It is killed when a case of the kernel's reference shows a finding, a wrong
result, a launch error, a crash or no end. One that survives is either a hole in the cases or
equivalent: it must then stand in equivalent_mutants.toml with the reason, and leave the same bits
as the kernel does. The exit status is 0 where both hold.
"""

import argparse
import os
import re
import signal
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain, zip_longest
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from minidecay.cuda import load, source
from minidecay.cuda.cases import Case, cases
from minidecay.cuda.checking import every_kernel, reference_of, run
from minidecay.cuda.emulator.building import CompilerError

__all__ = [
    *("EQUIVALENT", "EXPECTED", "TILE_SIZES"),
    *("Mutant", "fates", "mutants", "mutations", "sample"),
]

_LISTED = tomllib.loads(Path(__file__).with_name("equivalent_mutants.toml").read_text())
EQUIVALENT = {name for group in _LISTED["equivalent"] for name in group["mutants"]}
TILE_SIZES: dict[str, list[str]] = _LISTED["tile_sizes"]  # by file: any value is right
EXPECTED = {"killed", "killed with its process", "equivalent", "not compiled"}  # fates
_BATCH = 40  # mutants that one process tries: it cannot unload them

# ---- what is changed -----------------------------------------------------------------------------

# Comments, strings, directives, and what only the GPU's compiler heeds.
_UNTOUCHED = re.compile(
    r'//[^\n]*|/\*.*?\*/|"[^"\n]*"|^[ \t]*#(?:\\\n|[^\n])*|\bstatic_assert\s*\([^;]*;'
    r"|__launch_bounds__\([^)]*\)|\btemplate\s*<[^>]*>",
    re.M | re.S,
)
_CONSTANT = re.compile(r"constexpr int (\w+) =")
_FILE = re.compile(r'^#line \d+ "(.+)"$', re.M)
# A subscript of constants alone is an array's size. Larger than needed is never wrong.
_SIZE = re.compile(r"\[([A-Z0-9_+*/ -]*[A-Z][A-Z0-9_+*/ -]*)\]")
_EXCHANGED = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+": "-", "-": "+", "*": "+", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "*=": "+=",
    "min": "max", "max": "min", "fminf": "fmaxf", "fmaxf": "fminf",
}  # fmt: skip

# What is found -> what is put in its place.
_OPERATORS = {
    r"__sync(?:threads|warp)\([^)]*\);": lambda found: [";"],
    r"(?<=\s)(?:[<>=!]=|[<>]|&&|\|\||[-+*]=?|[/%])(?=\s)": lambda found: [_EXCHANGED[found[0]]],
    r"\bf?(?:min|max)f?(?=\()": lambda found: [_EXCHANGED[found[0]]],
    r"(?<![\w.])(?<![eE][-+])(0x[\da-fA-F]+|\d+)([uUlL]*)(?![\w.])": lambda found: [
        f"{int(found[1], 0) + step}{found[2]}" for step in (1, -1)
    ],
    r"(?<![\w.])(\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)[fF]?(?![\w.])": lambda found: [
        f"(2 * {found[0]})" if float(found[1]) else "1.f"
    ],
    r"\[([^\[\]]+)\]": lambda found: [f"[{found[1]} + 1]", f"[{found[1]} - 1]"],
    r"\bif (constexpr )?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)": lambda found: [
        f"if {found[1] or ''}(false)"
    ],
    r"\batomicAdd\(([^,]+), ([^;]+)\);": lambda found: [f"*({found[1]}) += {found[2]};"],
}


@dataclass(frozen=True)
class Mutant:
    """One change in one file.

    Attributes:
        name: the file, the line, what is changed, and a number where the file has that more than
            once. It stays the same when the line moves.
        variants: for each kernel that uses the file, its whole text with the change.
    """

    name: str
    variants: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def file(self) -> str:
        return self.name.partition(":")[0]


def mutations(text: str) -> Iterator[tuple[str, str]]:
    """Every mutant of a source with its includes in place, `source.read(path).text`: name, text."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    code = _UNTOUCHED.sub(blank, text)
    changes = [(found.span(), [f"[{found[1]} - 1]"]) for found in _SIZE.finditer(code)]
    code = _SIZE.sub(blank, code)
    for pattern, change in _OPERATORS.items():
        changes += [(found.span(), change(found)) for found in re.finditer(pattern, code)]
    files = [(found.end(), found[1]) for found in _FILE.finditer(text)]
    seen: Counter[str] = Counter()
    for (start, end), replacements in sorted(changes):
        file = next(label for place, label in reversed(files) if place <= start)
        line = text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0].partition("//")[0].strip()
        constant = _CONSTANT.match(line)
        if constant and constant[1] in TILE_SIZES.get(file, []):
            continue
        for new in replacements:
            name = f"{file}: {line} | {' '.join(text[start:end].split())} -> {new}"
            seen[name] += 1
            which = f" | {seen[name]}" if seen[name] > 1 else ""
            yield name + which, text[:start] + new + text[end:]


def mutants(names: Iterable[str] = ()) -> list[Mutant]:
    """All mutants of all kernels that have a reference, or of those named."""
    every: dict[str, Mutant] = {}
    for kernel in every_kernel():
        text = source.read(source.find(kernel)).text
        for name, changed in mutations(text):
            every.setdefault(name, Mutant(name)).variants[kernel] = changed
    wanted = set(names) or set(every_kernel())
    return [mutant for mutant in every.values() if wanted & mutant.variants.keys()]


def sample(population: Iterable[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` mutants at random, as many of each file as of any other."""
    files = defaultdict(list)
    for mutant in population:
        files[mutant.file].append(mutant)
    random = Random(seed)
    for each in files.values():
        random.shuffle(each)
    turns = list(files.values())
    random.shuffle(turns)
    return [mutant for mutant in chain(*zip_longest(*turns)) if mutant][:count]


# ---- what comes of it ----------------------------------------------------------------------------


def _tried(folder: Path, limit: float, mutant: Mutant) -> str:
    """Run a mutant until a case shows it; each case may take `limit` seconds of CPU."""
    os.environ["MINIDECAY_CACHE"] = str(folder)
    path = folder / f"{os.getpid()}.cu"
    same = True
    for kernel in sorted(mutant.variants, reverse=True):  # last rungs use most of an include
        path.write_text(mutant.variants[kernel])
        held_to = _cases(kernel)
        for case in held_to:
            signal.setitimer(signal.ITIMER_PROF, limit)  # its signal ends the process
            try:
                passed = run(str(path), case).passed
            except CompilerError:
                return "not compiled"
            except ValueError:  # the launch is refused
                return "killed"
            if not passed:
                return "killed"
        signal.setitimer(signal.ITIMER_PROF, 0)
        same = same and all(_left(str(path), each) == _left(kernel, each) for each in held_to)
    return "the same bits" if same else "other bits"


@cache
def _cases(kernel: str) -> list[Case]:
    return list(cases(str(reference_of(kernel))))


def _left(name: str, case: Case) -> list[bytes]:
    """All bits of all arrays after a launch, but for the sign of a zero."""
    arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in case.arguments]
    load(name, check=True, **case.defines).launch(case.kernel, arguments)
    return [(a + a.dtype.type(0)).tobytes() for a in arguments if isinstance(a, np.ndarray)]


def _each_tried(folder: Path, limit: float, batch: Sequence[Mutant]) -> list[tuple[Mutant, str]]:
    """Try mutants one after another in a process of their own; a new one where that dies."""
    told: list[str] = []
    while len(told) < len(batch):
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            try:
                for mutant in batch[len(told) :]:
                    told.append(process.submit(_tried, folder, limit, mutant).result())
            except BrokenProcessPool:  # by a crash, or by the limit
                told.append("killed with its process")
    return list(zip(batch, told, strict=True))


def fates(
    chosen: Sequence[Mutant], workers: int = 1, limit: float = 10.0
) -> Iterator[tuple[Mutant, str]]:
    """Try each mutant, in other processes and with a cache that is deleted after.

    Args:
        workers: how many at a time.
        limit: seconds of CPU for one case; the slowest of a right kernel takes a tenth of one.

    Yields:
        the mutant, and one of EXPECTED or what else became of it.
    """
    size = min(_BATCH, -(-len(chosen) // workers) or 1)
    batches = [chosen[start : start + size] for start in range(0, len(chosen), size)]
    with TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as threads:
        each_tried = partial(_each_tried, Path(folder), limit)
        for mutant, fate in chain.from_iterable(threads.map(each_tried, batches)):
            if mutant.name in EQUIVALENT:
                fate = "equivalent" if fate == "the same bits" else f"listed, but {fate}"
            yield mutant, fate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="matmul/03_smem_tile; none: all")
    parser.add_argument("--sample", type=int, metavar="N", help="N of them, over all files")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    population = mutants(chosen.names)
    if chosen.sample:
        population = sample(population, chosen.sample, chosen.seed)
    count: Counter[str] = Counter()
    for mutant, fate in fates(population, chosen.workers):
        count[fate] += 1
        if fate not in EXPECTED:
            print(f"{fate}: {mutant.name}", flush=True)
    print(f"{len(population)} mutants: " + ", ".join(f"{n} {fate}" for fate, n in count.items()))
    return int(not count.keys() <= EXPECTED)


if __name__ == "__main__":
    sys.exit(main())
