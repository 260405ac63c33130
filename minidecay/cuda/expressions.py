"""Integer arithmetic in a kernel's launch lines: `cdiv(N, BN)`, `K % 4 == 0`."""

import ast
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache

__all__ = ["cdiv", "evaluate", "names_in"]


def cdiv(a: int, b: int) -> int:
    """How many tiles of `b` cover `a`.

    >>> cdiv(65, 64)
    2
    """
    return -(-a // b)


def _divide(a: int, b: int) -> int:
    """C's integer division, which rounds towards zero."""
    return a // b if (a < 0) == (b < 0) else -(-a // b)


_OPERATORS: dict[type, Callable[..., int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Mod: lambda a, b: a - b * _divide(a, b),
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {"cdiv": cdiv, "min": min, "max": max}


def evaluate(text: str, names: Mapping[str, int]) -> tuple[int, ...]:
    """The values of one or more integer expressions, separated by commas.

    >>> evaluate("cdiv(N, 64), M / 2", {"N": 100, "M": 9})
    (2, 4)

    Raises:
        ValueError: the text is no such expression, or names something that `names` has not.
    """
    try:
        return tuple(int(_value(node, names)) for node in _parsed(text))
    except (SyntaxError, TypeError, ArithmeticError, MemoryError, RecursionError) as error:
        why = str(error) or "it is too large"
        raise ValueError(f"{text!r} cannot be evaluated: {why}") from None


def names_in(*texts: str) -> frozenset[str]:
    """The names that expressions use, their functions' among them; a text that is none has none.

    >>> sorted(names_in("cdiv(N, 64)", "M / 2"))
    ['M', 'N', 'cdiv']
    """
    names = set()
    for text in texts:
        with suppress(SyntaxError):
            nodes = (node for each in _parsed(text) for node in ast.walk(each))
            names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return frozenset(names)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[ast.expr, ...]:
    tree = ast.parse(text.strip(), mode="eval").body
    return tuple(tree.elts) if isinstance(tree, ast.Tuple) else (tree,)


def _value(node: ast.expr, names: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name):
            raise ValueError(f"{name} is unknown; known are {', '.join(sorted(names))}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand, names))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.BoolOp(op=op, values=values):
            holds = (all if isinstance(op, ast.And) else any)(_value(v, names) for v in values)
            return int(holds)
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, names) for arg in args))
    raise TypeError(f"{ast.unparse(node)} is not integer arithmetic")
