from collections.abc import Sequence
from itertools import accumulate, pairwise

from minidecay.devices.protocol import Shape
from minidecay.ops.base import normal_axes
from minidecay.ops.getitem import Getitem


class Split(Getitem):
    """y = one of the pieces of x along an axis; outside of the piece its gradient is 0"""

    @classmethod
    def pieces(cls, shape: Shape, size: int | Sequence[int], axis: int) -> "list[Split]":
        """An operation for each piece of an x of that shape; `size` is one for all, or each one's.

        Raises:
            ValueError: the axis is out of range, or the sizes do not add up to what it has.
        """
        op = cls(())
        (axis,) = normal_axes(op, axis, len(shape))
        n = shape[axis]
        if isinstance(size, int):
            if size < 1:
                op.fail(f"size={size} must be at least 1")
            ends = [*range(0, max(1, n), size), n]
        else:
            ends = [0, *accumulate(size)]
            if ends[-1] != n or min(size, default=0) < 0:
                op.fail(f"sizes {list(size)} must add up to {n}, what x {shape} has on axis {axis}")
        before = (slice(None),) * axis
        return [cls((*before, slice(start, stop))) for start, stop in pairwise(ends)]
