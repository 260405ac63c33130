import torch
from hypothesis import strategies as st

import minidecay as md
from torch_cases.call import Call, normal

WRITTEN = (
    *("ij,jk->ik", "ij,jk", "bij,bjk->bik", "i,i", "i,j->ij", "ij->ji", "ij->", "ii->i", "ii"),
    *("ij,ij->ij", "ij,ik->jk", "ijk,k->ji", "iij,jk->ik", "ij,jk,kl->il", "i,i,i->i", "i->"),
    *("...ij,...jk->...ik", "...i->...", "i...,i...->...", "...,j->j...", "ab,cd,bd->ca"),
)


@st.composite
def any_contraction(draw):
    """Two or three operands with letters of their own choice, diagonals and repeats included."""
    letter = st.sampled_from("abcd")
    operands = draw(st.lists(st.text(letter, max_size=3), min_size=1, max_size=3))
    known = sorted(set("".join(operands)))
    output = "".join(draw(st.permutations(known))[: draw(st.integers(0, len(known)))])
    return called(draw, f"{','.join(operands)}->{output}")


@st.composite
def written_contraction(draw):
    return called(draw, draw(st.sampled_from(WRITTEN)))


def called(draw, subscripts):
    sizes = {c: draw(st.integers(1, 3)) for c in "abcdijkl"}
    dots = [draw(st.integers(1, 3)), 2]
    shapes = []
    for name in subscripts.split("->")[0].split(","):
        kept = draw(st.integers(0, 2)) if "..." in name else 0
        before, _, after = name.partition("...")
        hidden = [n if draw(st.booleans()) else 1 for n in dots[2 - kept :]]
        shapes.append([*(sizes[c] for c in before), *hidden, *(sizes[c] for c in after)])
    return Call(
        lambda *xs: md.einsum(subscripts, *xs),
        lambda *xs: torch.einsum(subscripts, *xs),
        [normal(draw, shape) for shape in shapes],
    )


CASES = {"einsum": written_contraction(), "einsum, any": any_contraction()}
