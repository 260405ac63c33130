"""The public functions: an operation applied to tensors.

Arguments called `x`, `a`, `b` are tensors of float32 or float64 (integers too where an operation
only moves, compares or counts them); NumPy arrays and Python numbers are taken beside them. Outputs
have their dtype. Shapes and dtypes that do not fit raise ValueError and TypeError, naming the
operation and the mend. The formula and the gradient of each stand in `minidecay/ops`, in the file
of the same name. Examples take `import minidecay as md` and `import numpy as np` for granted.
"""

from minidecay.functions import contraction, elementwise, layers, losses, reductions, shaping
from minidecay.functions.contraction import *  # noqa: F403
from minidecay.functions.elementwise import *  # noqa: F403
from minidecay.functions.layers import *  # noqa: F403
from minidecay.functions.losses import *  # noqa: F403
from minidecay.functions.reductions import *  # noqa: F403
from minidecay.functions.shaping import *  # noqa: F403

__all__ = [
    *elementwise.__all__,
    *reductions.__all__,
    *shaping.__all__,
    *contraction.__all__,
    *layers.__all__,
    *losses.__all__,
]
