"""Values: frozen dataclasses of checked numbers that print as the code that makes them."""

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from math import inf
from numbers import Real
from typing import Any, ClassVar, TypeGuard

__all__ = ["Value", "is_number", "number", "short"]


class Value:
    """Base of schedules and controllers, which are frozen dataclasses.

    A field annotated `float` is stored as a Python float; it must be a number (or TypeError;
    NumPy's are welcome), finite and not negative (or ValueError). One annotated `int` must be whole
    as well. Where the annotation is `float | None` or `int | None`, None will do too.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        for field in fields(self):
            given, kinds = getattr(self, field.name), _kinds(field.type)
            if kinds <= {"float", "int", "None"} and not (given is None and "None" in kinds):
                checked: float = number(f"{type(self).__name__}: {field.name}", given)
                if "int" in kinds:
                    self.require(checked % 1 == 0, f"{field.name} must be whole, got {given!r}")
                    checked = int(checked)
                object.__setattr__(self, field.name, checked)

    def require(self, holds: bool, problem: str) -> None:
        """Raise ValueError, naming the kind, where something does not hold."""
        if not holds:
            raise ValueError(f"{type(self).__name__}: {problem}")

    def require_above_0(self, *names: str) -> None:
        """Raise ValueError where one of these fields is 0."""
        for name in names:
            self.require(getattr(self, name) > 0, f"{name} must be above 0, got 0")

    def require_one_of(self, name: str, choices: Sequence[str]) -> None:
        """Raise ValueError where this field is none of the choices."""
        given = getattr(self, name)
        self.require(given in choices, f"{name}={given!r} must be one of {', '.join(choices)}")

    def __repr__(self) -> str:
        shown = [
            f"{'' if field.default is MISSING else field.name + '='}{short(value)}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def _kinds(annotation: Any) -> set[str]:
    """The names in an annotation such as `float` or `int | None`."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return set(text.split(" | "))


def is_number(given: object) -> TypeGuard[float]:
    """Is it a real number? A bool is none."""
    return isinstance(given, Real) and not isinstance(given, bool)


def number(what: str, given: object) -> float:
    """`given` as a Python float, or the error that names it: it must be finite and 0 or more."""
    if not is_number(given):
        raise TypeError(f"{what} must be a number, got {given!r}")
    if not 0 <= (checked := float(given)) < inf:
        raise ValueError(f"{what} must be finite and 0 or more, got {given!r}")
    return checked or 0.0  # -0.0 becomes 0.0


def short(value: object) -> str:
    """Numbers as one writes them: whole ones without their `.0`."""
    if isinstance(value, tuple):
        return f"({', '.join(map(short, value))}{',' if len(value) == 1 else ''})"
    return repr(value).removesuffix(".0") if isinstance(value, float) else repr(value)
