"""Kernels with one thing changed: a barrier dropped, `<` made `<=`, a constant off by one.

`mutation.py` tries whether the cases of minidecay/cuda/cases see it.
"""

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from random import Random
from typing import NamedTuple

from minidecay.cuda import source
from minidecay.cuda.checking import every_kernel

__all__ = [
    *("EQUIVALENT", "TILE_SIZES"),
    *("Change", "Mutant", "changes", "mutants", "reached", "sample"),
]

_LISTED = tomllib.loads(Path(__file__).with_name("equivalent_mutants.toml").read_text())
EQUIVALENT = {name for group in _LISTED["equivalent"] for name in group["mutants"]}
TILE_SIZES: dict[str, list[str]] = _LISTED["tile_sizes"]  # by file: any value is right

# Comments, strings, directives, what only the GPU's compiler heeds, the size of an array parameter.
_UNTOUCHED = re.compile(
    r'//[^\n]*|/\*.*?\*/|"[^"\n]*"|^[ \t]*#(?:\\\n|[^\n])*|\bstatic_assert\s*\([^;]*;'
    r"|__launch_bounds__\([^)]*\)|\btemplate\s*<[^>]*>|(?<=\))(?:\[[A-Z_]+\])+(?=[,)])",
    re.M | re.S,
)
_CONSTANT = re.compile(r"constexpr int (\w+) =")
_FILE = re.compile(r'^#line \d+ "(.+)"$', re.M)
_HEAD = re.compile(r"(\w+)\s*\((?:[^()]|\([^()]*\))*\)\s*$")  # of a function
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
    r"\[([^\[\]&]+)\]": lambda found: [f"[{found[1]} + 1]", f"[{found[1]} - 1]"],
    r"\bif (constexpr )?\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)": lambda found: [
        f"if {found[1] or ''}(false)"
    ],
    r"\batomicAdd\(([^,]+), ([^;]+)\);": lambda found: [f"*({found[1]}) += {found[2]};"],
}


class Change(NamedTuple):
    """One change to a source with its includes in place."""

    name: str
    text: str  # all of it, changed
    function: str  # in which it is; "" outside of all


@dataclass(frozen=True)
class Mutant:
    """One change in one file.

    Attributes:
        name: the file, the function, the line, what is changed, and a number where the function
            has that more than once. It stays the same when other lines change.
        function: in which it is; "" outside of all.
        variants: for each kernel that uses the file, its whole text with the change.
    """

    name: str
    function: str = ""
    variants: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def file(self) -> str:
        return self.name.partition(":")[0].partition(" ")[0]


def changes(text: str) -> Iterator[Change]:
    """All that are tried on a source with its includes in place, `source.read(path).text`."""

    code = _plain(text)
    functions = _functions(code)
    found = [(size.span(), [f"[{size[1]} - 1]"]) for size in _SIZE.finditer(code)]
    code = _SIZE.sub(_blank, code)
    for pattern, change in _OPERATORS.items():
        found += [(place.span(), change(place)) for place in re.finditer(pattern, code)]
    files = [(mark.end(), mark[1]) for mark in _FILE.finditer(text)]
    seen: Counter[str] = Counter()
    for (start, end), replacements in sorted(found):
        file = next(label for place, label in reversed(files) if place <= start)
        line = text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0].partition("//")[0].strip()
        constant = _CONSTANT.match(line)
        if constant and constant[1] in TILE_SIZES.get(file, []):
            continue
        function = next((name for name, span in functions if start in span), "")
        where = f"{file} {function}".rstrip()
        for new in replacements:
            name = f"{where}: {line} | {' '.join(text[start:end].split())} -> {new}"
            seen[name] += 1
            which = f" | {seen[name]}" if seen[name] > 1 else ""
            yield Change(name + which, text[:start] + new + text[end:], function)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _plain(text: str) -> str:
    """The code alone, each character in its place."""
    return _UNTOUCHED.sub(_blank, text)


def _functions(code: str) -> list[tuple[str, range]]:
    """The name of each function of plain code, and where it stands, head and body."""
    found = []
    depth = start = 0
    head = ""
    for mark in re.finditer("[{};]", code):
        if mark[0] == "{":
            head = code[start : mark.start()] if depth == 0 else head
            depth += 1
        elif mark[0] == "}":
            depth -= 1
        if mark[0] != "{" and depth == 0:
            if mark[0] == "}" and (name := _HEAD.search(head)):
                found.append((name[1], range(start, mark.end())))
            start = mark.end()
    return found


def reached(text: str, kernel: str) -> set[str]:
    """The functions that a kernel may call, directly or not, and itself.

    Args:
        text: a source that the preprocessor has been over.
    """
    code = _plain(text)
    calls: defaultdict[str, set[str]] = defaultdict(set)
    outside = code
    for name, span in _functions(code):
        body = code[span.start : span.stop]
        calls[name] |= set(re.findall(r"\w+", body))
        outside = outside.replace(body, "")
    found: set[str] = set()
    new = {kernel} | (calls.keys() & set(re.findall(r"\w+", outside)))  # a struct's, say
    while new:
        found |= new
        new = calls.keys() & set().union(*(calls[name] for name in new)) - found
    return found


def mutants(names: Iterable[str] = ()) -> list[Mutant]:
    """All mutants of all kernels that have a reference, or of those named."""
    every: dict[str, Mutant] = {}
    for kernel in every_kernel():
        for name, text, function in changes(source.read(source.find(kernel)).text):
            every.setdefault(name, Mutant(name, function)).variants[kernel] = text
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
