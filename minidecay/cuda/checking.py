"""`minidecay kernels check`: every kernel on ragged shapes, watched access by access."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidecay.cuda import source
from minidecay.cuda.cases import REFERENCES, Case, cases
from minidecay.cuda.emulator import Finding, KernelFault
from minidecay.cuda.launching import load

__all__ = ["Outcome", "check", "every_kernel", "reference_of", "run"]


@dataclass(frozen=True)
class Outcome:
    """What came of one case: findings, and how far the worst element is off its tolerance.

    `error` is the largest |got - expected| / (atol + rtol |expected|): up to 1 is right. It is
    infinite where something was not written, and where there are findings.
    """

    case: Case
    findings: tuple[Finding, ...]
    error: float
    where: str = ""  # the worst element: "C[0, 16] is 3.5, not 4.5"

    @property
    def passed(self) -> bool:
        return not self.findings and self.error <= 1


def reference_of(name: str) -> str | None:
    """The reference of a kernel of the project: by its own name, else by its ladder's."""
    return next((each for each in source.titles(name) if each in REFERENCES), None)


def check(name: str, reference: str) -> Iterable[Outcome]:
    """Run all cases of `reference` on the kernels of the file `name`, in check mode.

    Raises:
        ValueError: no such file or reference, or code that does not compile.
    """
    for case in cases(reference):
        yield run(name, case)


def run(name: str, case: Case, *, watched: bool = True, device: str = "emulated") -> Outcome:
    """Run one case on the file `name`, on copies of its arrays.

    On the device "cuda" nothing can be watched.
    """
    copied, back = _ways(device)
    arguments = [copied(a) if isinstance(a, np.ndarray) else a for a in case.arguments]
    options: dict[str, Any] = dict(case.defines)
    module = load(name, check=watched, device=device, **options)
    try:
        module.launch(case.kernel, arguments)
    except KernelFault as fault:
        return Outcome(case, fault.findings, np.inf)
    parameters = [each.name for each in module.source.kernels[case.kernel].parameters]
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
        return np.array, np.asarray
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
