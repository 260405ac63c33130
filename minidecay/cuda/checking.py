"""`minidecay kernels check`: every kernel on ragged shapes, watched access by access, and what it
takes of every GPU.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidecay.cuda import source
from minidecay.cuda.cases import REFERENCES, Case, cases
from minidecay.cuda.cases.case import copied
from minidecay.cuda.emulator import Finding, KernelFault
from minidecay.cuda.emulator.building import CompilerError
from minidecay.cuda.footprint import Footprint, footprint
from minidecay.cuda.launching import load

__all__ = ["Outcome", "Verdict", "check", "every_kernel", "judge", "reference_of", "run"]

_STEPS = 10**9  # a case that takes more does not end; those of the project's kernels take 10**7


@dataclass(frozen=True)
class Outcome:
    """What came of one case: findings, and how far the worst element is off its tolerance.

    `error` is the largest |got - expected| / (atol + rtol |expected|): up to 1 is right. It is
    infinite where something was not written, and where there are findings.
    """

    case: Case
    findings: tuple[Finding, ...]
    error: float
    where: str = ""  # the worst element: "C[0, 16] is 3.5, not 4.5"; or why it was not launched

    @property
    def passed(self) -> bool:
        return not self.findings and self.error <= 1


@dataclass(frozen=True)
class Verdict:
    """What `minidecay kernels check` found out about one kernel file.

    Attributes:
        cases: how many there are.
        passed: how many of them did.
        error: the worst of their outcomes.
        footprint: None where the file was not compiled by NVRTC.
        findings: whatever is wrong, a message each; none is a clean file.
    """

    cases: int
    passed: int
    error: float
    footprint: Footprint | None
    findings: tuple[str, ...]


def reference_of(name: str) -> str | None:
    """The reference of a kernel of the project: by its own name, else by its ladder's."""
    return next((each for each in source.titles(name) if each in REFERENCES), None)


def check(name: str, reference: str) -> Iterable[Outcome]:
    """Run all cases of `reference` on the kernels of the file `name`, in check mode.

    After a case that does not end none is run: each would take as long.

    Raises:
        ValueError: no such file or reference, or code that does not compile.
    """
    endless = ""
    for case in cases(reference):
        if endless:
            yield Outcome(case, (), np.inf, f"not run, since {endless} does not end")
            continue
        outcome = run(name, case)
        if any(each.kind == "does not end" for each in outcome.findings):
            endless = case.label
        yield outcome


def judge(name: str, reference: str, *, compiled: bool) -> Verdict:
    """Check a file, and compile it by NVRTC for every architecture if `compiled`.

    What the emulator's compiler refuses is not given to NVRTC.

    Raises:
        ValueError: no such file or reference.
        CompilerMissingError, NvrtcMissingError: what compiles is not here.
    """
    try:
        outcomes = list(check(name, reference))
    except CompilerError as error:
        return Verdict(len(list(cases(reference))), 0, np.inf, None, (str(error),))
    taken = footprint(name, [each.case.defines for each in outcomes]) if compiled else None
    failed = [outcome for outcome in outcomes if not outcome.passed]
    return Verdict(
        len(outcomes),
        len(outcomes) - len(failed),
        max(outcome.error for outcome in outcomes),
        taken,
        (*_told(failed), *(taken.findings if taken else ())),
    )


def _told(failed: Sequence[Outcome]) -> Iterator[str]:
    """Each finding once, with the first case that showed it; then a wrong result, if any."""
    seen = set()
    for outcome in failed:
        for finding in outcome.findings:
            if (key := (finding.kind, finding.place)) not in seen:
                seen.add(key)
                yield f"{finding}\n    on {outcome.case.label}"
    if wrong := [outcome for outcome in failed if not outcome.findings]:
        yield f"wrong on {len(wrong)} cases, first {wrong[0].case.label}: {wrong[0].where}"


def run(name: str, case: Case, *, watched: bool = True, device: str = "emulated") -> Outcome:
    """Run one case on the file `name`, on copies of its arrays.

    On the device "cuda" nothing can be watched.

    Raises:
        ValueError: no such file, or code that does not compile.
    """
    there, back = _ways(device)
    arguments = [there(a) if isinstance(a, np.ndarray) else a for a in case.arguments]
    options: dict[str, Any] = dict(case.defines)
    has = source.read(source.find(name)).options
    if missing := sorted(options.keys() - has.keys()):
        why = f"the file has no option {missing[0]}; it has {', '.join(has) or 'none'}"
        return Outcome(case, (), np.inf, why)
    module = load(name, check=watched, device=device, most_steps=_STEPS, **options)
    if not (signature := module.source.kernels.get(case.kernel)):
        known = ", ".join(module.source.kernels)
        return Outcome(case, (), np.inf, f"there is no kernel {case.kernel}, but {known}")
    parameters = [each.name for each in signature.parameters]
    if unknown := [each for each in case.expected if each not in parameters]:
        takes = f"{case.kernel}({', '.join(parameters)})"
        return Outcome(case, (), np.inf, f"{takes} has no {unknown[0]} to leave its result in")
    try:
        module.launch(case.kernel, arguments)
    except KernelFault as fault:
        return Outcome(case, fault.findings, np.inf)
    except (TypeError, ValueError) as refusal:
        return Outcome(case, (), np.inf, str(refusal))
    worst, where = 0.0, ""
    for parameter, wanted in case.expected.items():
        got = back(arguments[parameters.index(parameter)])
        error, place = _off(got, wanted, case.rtol, case.atol)
        if error > worst:
            worst = error
            index = ", ".join(map(str, place))
            where = f"{parameter}[{index}] is {got[place]:.6g}, not {wanted[place]:.6g}"
    return Outcome(case, (), worst, where)


def _ways(device: str) -> tuple[Callable[[np.ndarray], Any], Callable[[Any], np.ndarray]]:
    """How a copy of an array gets to a device, and how what lies there comes back."""
    if device != "cuda":
        return copied, np.asarray
    import cupy

    return cupy.array, lambda array: array.get()


def _off(
    got: np.ndarray, wanted: np.ndarray, rtol: float, atol: float
) -> tuple[float, tuple[int, ...]]:
    """The largest error in units of the tolerance, and where it is."""
    if got.size == 0:
        return 0.0, ()
    if got.dtype.kind in "iu":
        errors = np.where(got == wanted, 0.0, np.inf)
    else:
        given, expected = got.astype(np.float64), wanted.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            errors = np.abs(given - expected) / (atol + rtol * np.abs(expected))
        same = (given == expected) | (np.isnan(given) & np.isnan(expected))
        errors = np.where(same, 0.0, np.where(np.isfinite(errors), errors, np.inf))
    place = np.unravel_index(int(np.argmax(errors)), got.shape)
    return float(errors[place]), tuple(int(i) for i in place)


def every_kernel() -> list[str]:
    """The project's kernel files that have a reference."""
    return [name for name in source.names() if reference_of(name)]
