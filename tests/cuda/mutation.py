"""Is a wrong kernel seen? Mutate every kernel in small ways, and hold each mutant to its cases.

    python tests/cuda/mutation.py [NAME ...] [--sample N] [--seed S] [--workers N]

A mutant (mutants.py) is killed when a case of the kernel's reference shows a finding, a wrong
result, a launch error or no end. One that survives is either a hole in the cases or equivalent: it
must then stand in equivalent_mutants.toml with the reason, and leave the same bits as the kernel
does. The exit status is 0 where both hold.

Most of a compiler's time goes by before it comes to the kernel, so some twenty mutants are compiled
as one file, each in a namespace of its own.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mutants import EQUIVALENT, Mutant, mutants, reached, sample

from minidecay.cuda import Module, load, source
from minidecay.cuda.cases import Case, cases
from minidecay.cuda.cases.case import copied
from minidecay.cuda.checking import reference_of
from minidecay.cuda.emulator import EmulatedModule, KernelFault
from minidecay.cuda.emulator.building import CompilerError, compiler
from minidecay.cuda.source import Signature, Source

__all__ = ["EXPECTED", "fates"]

EXPECTED = {"killed", "killed with its process", "equivalent", "not compiled"}  # fates
_WORSE = ("not compiled", "the same bits", "other bits", "killed", "killed with its process")
_TOGETHER = 20  # mutants in one file
_STEPS = 20_000_000  # a launch that takes more does not end; right ones take a tenth of it
_SECONDS = 120  # of CPU for one file of mutants, should one hang where no steps are counted
_FILES = 30  # that one process tries: it cannot unload them

Tried = tuple[str, str]  # a mutant as a worker gets it: its whole text, the function it is in


def _worse(*fates: str) -> str:
    return max(fates, key=_WORSE.index)


# ---- in a worker ---------------------------------------------------------------------------------


def _begin(folder: str) -> None:
    os.environ["MINIDECAY_CACHE"] = folder


def _tried(kernel: str, batch: Sequence[Tried]) -> list[str]:
    """What becomes of each mutant of a kernel file on that file's cases."""
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # its signal ends the process
    fates = ["not compiled"] * len(batch)
    alive = dict(enumerate(batch))
    for held_to in _by_options(kernel):
        # A kernel that cannot run what is changed leaves the same bits, compiled or not.
        shown = {
            number: [place for place, case in held_to.items() if _runs(kernel, case, function)]
            for number, (_, function) in alive.items()
        }
        changed = {number: alive[number] for number, places in shown.items() if places}
        for number in shown.keys() - changed.keys():
            fates[number] = _worse(fates[number], "the same bits")
        compiled = _compiled(kernel, changed, {n: shown[n] for n in changed})
        for number in changed:
            if number in compiled:
                fate = _fate(kernel, compiled[number], shown[number])
                fates[number] = _worse(fates[number], fate)
            if number not in compiled or fates[number] == "killed":
                del alive[number]
    signal.setitimer(signal.ITIMER_PROF, 0)
    return fates


@cache
def _cases(kernel: str) -> list[Case]:
    return list(cases(str(reference_of(kernel))))


def _by_options(kernel: str) -> list[dict[int, Case]]:
    """A kernel file's cases by their number, in groups that one compilation serves."""
    groups: dict[str, dict[int, Case]] = defaultdict(dict)
    for number, case in enumerate(_cases(kernel)):
        groups[str(sorted(case.defines.items()))][number] = case
    return sorted(groups.values(), key=len, reverse=True)  # most are killed by the largest group


def _runs(kernel: str, case: Case, function: str) -> bool:
    """Whether a case's kernel may run a function of the file; what is outside of all, it does."""
    return not function or function in _reached(kernel, case.kernel, tuple(case.defines.items()))


@cache
def _reached(kernel: str, name: str, defines: tuple[tuple[str, int | str], ...]) -> set[str]:
    options = [f"-D{option}={value}" for option, value in defines]
    command = [compiler(), "-E", "-P", "-x", "c++", *options, "-"]
    text = _original(kernel).text
    told = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return reached(told, name)


@cache
def _original(kernel: str) -> Source:
    return source.read(source.find(kernel))


def _compiled(
    kernel: str, batch: dict[int, Tried], shown: dict[int, list[int]]
) -> dict[int, Module]:
    """Those of the mutants that compile, under the options of the cases that may show them."""
    label = _original(kernel).label
    sources = {number: source.parse(label, text) for number, (text, _) in batch.items()}
    while sources:
        texts, together = [], {}
        for number, each in sources.items():
            own = re.sub(r'^(#line \d+ ")', rf"\1m{number}/", each.text, flags=re.M)
            own = own.replace('extern "C" __global__', "__global__")
            texts.append(f"namespace m{number} {{ namespace {{\n{own}\n}} }}")
            for name in {_cases(kernel)[place].kernel for place in shown[number]}:
                alias = f"m{number}_{name}"
                texts.append(f"constexpr auto {alias} = m{number}::{name};")
                together[alias] = replace(each.kernels[name], name=alias)
        defines = _cases(kernel)[shown[min(sources)][0]].defines
        try:
            compiled = _Quiet(Source(label, "\n".join(texts), together), defines, check=True)
        except CompilerError as error:
            # Not of a note, which may propose what stands in another namespace.
            blamed = re.findall(r"^m(\d+)/\S+ error:", str(error), re.M)
            wrong = {int(number) for number in blamed or re.findall(r"\bm(\d+)/", str(error))[:1]}
            if not wrong:
                raise
            sources = {number: each for number, each in sources.items() if number not in wrong}
        else:
            compiled.most_steps = _STEPS
            compiled.path.unlink()
            return {
                number: Module(each, defines, _OneOf(compiled, f"m{number}_"))
                for number, each in sources.items()
            }
    return {}


class _Quiet(EmulatedModule):
    """Does not look up the lines of what it finds."""

    def _run(self, name: str, launch: Any) -> list[Any]:
        if super()._run(name, launch):
            raise KernelFault(name, ())
        return []


class _OneOf:
    """The kernels whose names begin so."""

    array_type = np.ndarray

    def __init__(self, compiled: EmulatedModule, prefix: str) -> None:
        self._compiled, self._prefix = compiled, prefix

    def launch(self, signature: Signature, *how: Any) -> None:
        self._compiled.launch(replace(signature, name=self._prefix + signature.name), *how)


def _fate(kernel: str, module: Module, held_to: list[int]) -> str:
    same = True
    for number in held_to:
        left = _left(module, _cases(kernel)[number])
        if left is None:
            return "killed"
        same = same and left == _right(kernel, number)
    return "the same bits" if same else "other bits"


def _left(module: Module, case: Case) -> list[bytes] | None:
    """All bits of all arrays after a launch, but for the sign of a zero; None where it is wrong."""
    arguments = [copied(a) if isinstance(a, np.ndarray) else a for a in case.arguments]
    try:
        module.launch(case.kernel, arguments)
    except (KernelFault, ValueError):  # a finding; a launch that is refused
        return None
    names = [parameter.name for parameter in module.source.kernels[case.kernel].parameters]
    for name, wanted in case.expected.items():
        got = arguments[names.index(name)]
        near = (0.0, 0.0) if got.dtype.kind in "iu" else (case.rtol, case.atol)
        with np.errstate(invalid="ignore"):
            right = np.allclose(got.astype(np.float64), wanted, *near, equal_nan=True)
        if not right:
            return None
    return [(a + a.dtype.type(0)).tobytes() for a in arguments if isinstance(a, np.ndarray)]


@cache
def _right(kernel: str, number: int) -> list[bytes] | None:
    """What the kernel itself leaves."""
    case = _cases(kernel)[number]
    module = load(kernel, check=True, **case.defines)
    module._compiled.most_steps = _STEPS
    left = _left(module, case)
    assert left is not None, f"{kernel} itself fails on {case.label}"
    return left


# ---- in the process that asks --------------------------------------------------------------------


def fates(chosen: Sequence[Mutant], workers: int = 1) -> Iterator[tuple[Mutant, str]]:
    """Try each mutant, in other processes and with a cache that is deleted after.

    Args:
        workers: how many at a time.

    Yields:
        the mutant, and one of EXPECTED or what else became of it.
    """
    told = dict.fromkeys(chosen, "not compiled")
    left = {mutant: sorted(mutant.variants) for mutant in chosen}
    with TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as threads:
        idle: SimpleQueue[_Process] = SimpleQueue()
        for _ in range(workers):
            idle.put(_Process(folder))

        def run(job: tuple[str, list[Mutant]]) -> list[str]:
            process = idle.get()
            try:
                return process.tried(*job)
            finally:
                idle.put(process)

        while left:
            by_kernel = defaultdict(list)
            for mutant, kernels in left.items():
                by_kernel[kernels.pop()].append(mutant)  # last rungs use most of an include
            jobs = [
                (kernel, these[start : start + _TOGETHER])
                for kernel, these in by_kernel.items()
                for start in range(0, len(these), _TOGETHER)
            ]
            for (_, batch), fates in zip(jobs, threads.map(run, jobs), strict=True):
                for mutant, fate in zip(batch, fates, strict=True):
                    told[mutant] = _worse(told[mutant], fate)
                    if told[mutant].startswith("killed") or not left[mutant]:
                        del left[mutant]
                        yield mutant, _listed(mutant, told[mutant])
        while not idle.empty():
            idle.get().close()


def _listed(mutant: Mutant, fate: str) -> str:
    if mutant.name not in EQUIVALENT:
        return fate
    return "equivalent" if fate == "the same bits" else f"listed, but {fate}"


class _Process:
    """A process that tries mutants, and a new one when that dies or has loaded many."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._renew()

    def _renew(self) -> None:
        self._executor = ProcessPoolExecutor(1, get_context("spawn"), _begin, (self._folder,))
        self._files = 0

    def tried(self, kernel: str, batch: list[Mutant]) -> list[str]:
        """What becomes of each; where one ends the process, each in a process of its own."""
        if self._files == _FILES:
            self.close()
            self._renew()
        self._files += 1
        plain = [(mutant.variants[kernel], mutant.function) for mutant in batch]
        try:
            return self._executor.submit(_tried, kernel, plain).result()
        except BrokenProcessPool:  # by a crash, or since it took too long
            self._renew()
        if len(batch) == 1:
            return ["killed with its process"]
        return [self.tried(kernel, [each])[0] for each in batch]

    def close(self) -> None:
        self._executor.shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="matmul/03_smem_tile; none: all")
    parser.add_argument("--sample", type=int, metavar="N", help="N of them, over all files")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
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
