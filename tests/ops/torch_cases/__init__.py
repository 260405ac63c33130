"""What each operation is called with, here and in torch, a file for each family of functions."""

from torch_cases import contraction, elementwise, layers, losses, reductions, shaping

CASES = (
    elementwise.CASES
    | reductions.CASES
    | shaping.CASES
    | contraction.CASES
    | layers.CASES
    | losses.CASES
)
