"""Many small products: what the matmul ladder must compute, whose prototype it has."""

from minidecay.cuda.cases.matmul import cases

__all__ = ["cases"]
