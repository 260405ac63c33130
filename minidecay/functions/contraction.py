"""Einsum: sums of products by the names of axes, each product of two operands one matmul."""

import math
import re
import string
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from minidecay.autograd import Tensor
from minidecay.devices import device as find_device
from minidecay.values import real_array

__all__ = ["einsum"]


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Multiply the operands, aligned by the letters of their axes, and sum over what is left out.

    "ij,jk->ik" is a matmul: y[i, k] = sum over j of a[i, j] b[j, k]. A letter that an operand has
    twice takes its diagonal; without "->" the output has the letters that occur once, in
    alphabetical order; "..." stands for axes that broadcast. As NumPy's and torch's.

    Operands are taken from left to right, two at a time, each pair as one batched matmul.

    Raises:
        ValueError: the letters do not fit the operands or each other.
        TypeError: `subscripts` is no text, or an operand no tensor or array.

    >>> x = md.tensor([[1, 2], [3, 4]])
    >>> md.einsum("ij,kj->ik", x, x)
    tensor([[ 5., 11.],
            [11., 25.]])
    >>> md.einsum("ii", x)
    tensor(5.)
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: subscripts={subscripts!r} must come first, as in 'ij,jk->ik'")
    operands = _adopted(operands)
    names, output = _parsed(subscripts, [x.ndim for x in operands])
    sizes = _sizes(names, [x.shape for x in operands])
    if unknown := [letter for letter in output if letter not in sizes]:
        raise ValueError(f"einsum: {subscripts!r}: no operand has the output's {unknown[0]!r}")
    terms = [_plain(x, axes, sizes) for x, axes in zip(operands, names, strict=True)]
    (y, axes), *others = terms
    while others:
        (other, its), *others = others
        kept = {*output, *(letter for _, names in others for letter in names)}
        y, axes = _product(y, axes, other, its, kept)
    y, axes = _summed(y, axes, output)
    return _ordered(y, axes, output)


def _adopted(operands: Sequence[Any]) -> tuple[Tensor, ...]:
    """The operands with NumPy's arrays made tensors, on the device of the tensors."""
    device = next((x.device for x in operands if isinstance(x, Tensor)), find_device("cpu"))
    return tuple(
        x if isinstance(x, Tensor) else Tensor(device.from_numpy(real_array("einsum", x)), device)
        for x in operands
    )


def _parsed(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand's axes and of the output's; dots become letters of their own."""
    text = subscripts.replace(" ", "")
    term = r"[a-zA-Z]*(\.\.\.)?[a-zA-Z]*"
    if not re.fullmatch(f"{term}(,{term})*(->{term})?", text):
        raise ValueError(f"einsum: {subscripts!r} must look like 'ij,jk->ik' or '...i,i->...'")
    given, arrow, output = text.partition("->")
    names = given.split(",")
    if len(names) != len(ndims):
        raise ValueError(
            f"einsum: {subscripts!r} names {len(names)} operands, but {len(ndims)} are given"
        )
    if not arrow:
        once = [c for c in set(given) if c.isalpha() and given.count(c) == 1]
        output = "..." + "".join(sorted(once))
    spare = "".join(c for c in string.ascii_letters if c not in text)
    hidden = [ndim - len(name.replace("...", "")) for name, ndim in zip(names, ndims, strict=True)]
    for i, (name, n) in enumerate(zip(names, hidden, strict=True)):
        if n < 0 or (n > 0 and "..." not in name):
            raise ValueError(
                f"einsum: {name!r} of {subscripts!r} does not name operand {i}'s {ndims[i]} axes"
            )
        names[i] = name.replace("...", spare[len(spare) - n :])  # they align from the right
    output = output.replace("...", spare[len(spare) - max(hidden) :])
    if len(set(output)) < len(output):
        raise ValueError(f"einsum: {subscripts!r} names an axis of the output twice")
    return names, output


def _sizes(names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """The size of each letter; where an operand has 1 it is repeated."""
    sizes: dict[str, int] = {}
    for name, shape in zip(names, shapes, strict=True):
        for letter, n in zip(name, shape, strict=True):
            known = sizes.setdefault(letter, n)
            if known == 1:
                sizes[letter] = n
            elif n not in (1, known):
                raise ValueError(
                    f"einsum: {letter!r} is {known} in one operand and {n} in {name!r} {shape}; "
                    "make them equal or 1"
                )
    return sizes


def _plain(x: Tensor, axes: str, sizes: dict[str, int]) -> tuple[Tensor, str]:
    """x with each letter once: diagonals taken, and axes that are repeated elsewhere left out."""
    repeated = tuple(a for a, c in enumerate(axes) if x.shape[a] != sizes[c])
    if repeated:
        x, axes = x.squeeze(repeated), "".join(c for a, c in enumerate(axes) if a not in repeated)
    for letter in dict.fromkeys(axes):
        places = [a for a, c in enumerate(axes) if c == letter]
        if len(places) > 1:
            rest = [a for a in range(x.ndim) if a not in places]
            diagonal = (..., *(np.arange(sizes[letter]),) * len(places))
            x = x.transpose(*rest, *places)[diagonal]
            axes = axes.replace(letter, "") + letter
    return x, axes


def _summed(x: Tensor, axes: str, kept: Collection[str]) -> tuple[Tensor, str]:
    """x summed over the axes that are not kept."""
    gone = tuple(a for a, c in enumerate(axes) if c not in kept)
    return (x.sum(gone) if gone else x), "".join(c for c in axes if c in kept)


def _ordered(x: Tensor, axes: str, wanted: str) -> Tensor:
    return x if axes == wanted else x.transpose(*(axes.index(letter) for letter in wanted))


def _product(a: Tensor, a_axes: str, b: Tensor, b_axes: str, kept: set[str]) -> tuple[Tensor, str]:
    """The product of two, summed over what neither the output nor a later operand has.

    a (batch, rows, inner) @ b (batch, inner, columns): batch and inner are letters of both.
    """
    a, a_axes = _summed(a, a_axes, kept | set(b_axes))
    b, b_axes = _summed(b, b_axes, kept | set(a_axes))
    shared = [c for c in a_axes if c in b_axes]
    batch = "".join(c for c in shared if c in kept)
    inner = "".join(c for c in shared if c not in kept)
    rows = "".join(c for c in a_axes if c not in shared)
    columns = "".join(c for c in b_axes if c not in shared)
    sizes = dict(zip(a_axes, a.shape, strict=True)) | dict(zip(b_axes, b.shape, strict=True))

    def shape(*groups: str) -> tuple[int, ...]:
        return tuple(math.prod(sizes[c] for c in group) for group in groups)

    a = _ordered(a, a_axes, batch + rows + inner).reshape(shape(*batch, rows, inner))
    b = _ordered(b, b_axes, batch + inner + columns).reshape(shape(*batch, inner, columns))
    return (a @ b).reshape(shape(*batch, *rows, *columns)), batch + rows + columns
