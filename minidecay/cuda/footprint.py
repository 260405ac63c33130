"""What a kernel file takes of a GPU: compiled for every architecture, under each set of options.

Its findings: code that does not compile, a spill, a block that no SM has room for, and what goes
beyond the file's budget.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from minidecay.cuda import nvrtc, source
from minidecay.cuda.budgets import Budget, budgets
from minidecay.cuda.cache import cached
from minidecay.cuda.expressions import evaluate
from minidecay.cuda.resources import Occupancy, Resources, occupancy, parse
from minidecay.cuda.source import Source

__all__ = ["Build", "Footprint", "footprint"]

Defines = Mapping[str, int | str]


@dataclass(frozen=True)
class Build:
    """One kernel, compiled for one architecture under one set of options.

    Attributes:
        shared: static and dynamic shared memory, bytes a block.
        threads: a block's.
        occupancy: of these on one SM. Where the file does not tell a block's size, but only a
            launch, it and `threads` are None, and `shared` is the static alone.
    """

    arch: str
    defines: Defines
    resources: Resources
    shared: int
    threads: int | None = None
    occupancy: Occupancy | None = None

    @property
    def registers(self) -> int:
        """Of a thread."""
        return self.resources.registers

    @property
    def spills(self) -> int:
        """Bytes stored and loaded."""
        return self.resources.spill_stores + self.resources.spill_loads

    @property
    def filled(self) -> float:
        """The share of an SM's warps that can be resident, 0 to 1; 0 where it is not known."""
        return self.occupancy.fraction if self.occupancy else 0.0

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.defines.items())
        return f"{self.resources.kernel} on sm_{self.arch}" + (
            f" with {options}" if options else ""
        )


@dataclass(frozen=True)
class Footprint:
    """All builds of a file, and what stands against them.

    Attributes:
        refusals: what did not compile, a message each.
        budget: what the file may take; None where it has no budget.
    """

    builds: tuple[Build, ...]
    refusals: tuple[str, ...] = ()
    budget: Budget | None = None

    @property
    def hungriest(self) -> Build | None:
        """The build of the most registers a thread; None where nothing compiled."""
        return max(self.builds, key=lambda build: build.registers, default=None)

    @property
    def widest(self) -> Build | None:
        """The build of the most shared memory."""
        return max(self.builds, key=lambda build: build.shared, default=None)

    @property
    def leakiest(self) -> Build | None:
        """The build that spills most, if only zero bytes."""
        return max(self.builds, key=lambda build: build.spills, default=None)

    @property
    def emptiest(self) -> Build | None:
        """The build of the lowest occupancy; None also where no block's size is known."""
        known = [build for build in self.builds if build.occupancy]
        return min(known, key=lambda build: build.filled, default=None)

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the file, a message each: of each kind the worst build."""
        return (*self.refusals, *self._unfit(), *self._excesses())

    def _unfit(self) -> Iterator[str]:
        if (worst := self.leakiest) and worst.spills:
            spilling = sum(build.spills > 0 for build in self.builds)
            yield (
                f"spills: {worst}: {worst.spills} bytes at {worst.registers} registers a thread; "
                f"{spilling} of {len(self.builds)} builds spill"
            )
        if (worst := self.emptiest) and not worst.filled:
            yield (
                f"no room: {worst}: an SM does not hold a block of {worst.threads} threads of "
                f"{worst.registers} registers and {worst.shared} bytes of shared memory"
            )

    def _excesses(self) -> Iterator[str]:
        if not self.budget:
            return
        if (worst := self.hungriest) and worst.registers > (most := self.budget.registers):
            yield f"over budget: {worst}: {worst.registers} registers a thread, {most} allowed"
        if (worst := self.widest) and worst.shared > (most := self.budget.shared):
            yield f"over budget: {worst}: {worst.shared} bytes of shared memory, {most} allowed"
        if (worst := self.emptiest) and worst.filled < (least := self.budget.occupancy):
            yield f"below budget: {worst}: occupancy {worst.filled:.3g}, {least:.3g} or more wanted"


def footprint(
    name: str,
    options: Iterable[Defines] = ({},),
    architectures: Sequence[str] = nvrtc.ARCHITECTURES,
) -> Footprint:
    """Compile a file by NVRTC for each of `architectures` under each of `options`.

    What was compiled before comes from the cache. A file of the project is held to its budget.

    Raises:
        ValueError: no such file, or a budget that cannot be read.
        NvrtcMissingError: as `nvrtc.find`.
    """
    text = source.read(source.find(name))
    distinct = {tuple(sorted(_chosen(text, each).items())): each for each in options}
    jobs = [(arch, defines) for defines in distinct.values() for arch in architectures]
    nvrtc.version()  # loaded once, before many ask for it
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        made = list(threads.map(lambda job: _built(text, *job), jobs))
    refused: dict[str, list[str]] = defaultdict(list)  # the compiler's words -> architectures
    for (arch, _), each in zip(jobs, made, strict=True):
        if isinstance(each, str) and arch not in refused[each]:
            refused[each].append(arch)
    return Footprint(
        tuple(build for each in made if not isinstance(each, str) for build in each),
        tuple(_refusal(words, where, architectures) for words, where in refused.items()),
        budgets().get(text.label.removeprefix("kernels/").removesuffix(".cu")),
    )


def _chosen(text: Source, defines: Defines) -> dict[str, str]:
    """Options less those that are the file's defaults."""
    written = {name: str(value) for name, value in defines.items()}
    return {name: value for name, value in written.items() if text.options.get(name) != value}


def _built(text: Source, arch: str, defines: Defines) -> list[Build] | str:
    """The kernels of one compile, or the words of the compiler that refused it."""
    made_of = (text.text, *sorted(defines.items()), arch, nvrtc.FLAGS, nvrtc.version())

    def make(path: Path) -> None:
        path.write_text(nvrtc.compile_cubin(text.text, text.label, arch, defines).log)

    try:
        log = cached(made_of, ".log", make).read_text()
    except nvrtc.CompileError as error:
        return str(error).partition("\n")[2].replace(f"sm_{arch}", "sm_*")
    sizes = text.constants(defines)
    builds = []
    for kernel, resources in parse(log).items():
        build = Build(arch, defines, resources, resources.shared)
        # A kernel of no prototype that we read, or of a size that only the arguments tell.
        with suppress(KeyError, ValueError):
            signature = text.kernels[kernel]
            threads = prod(evaluate(signature.block, sizes))
            shared = resources.shared + evaluate(signature.shared, sizes)[0]
            fits = occupancy(arch, threads, resources.registers, shared)
            build = replace(build, shared=shared, threads=threads, occupancy=fits)
        builds.append(build)
    return builds


def _refusal(words: str, where: Sequence[str], architectures: Sequence[str]) -> str:
    every = len(where) == len(architectures)
    names = "any architecture" if every else ", ".join(f"sm_{arch}" for arch in where)
    return f"does not compile for {names}:\n{words.strip()[:2000]}"
