"""The one list of what is timed: `CASES` on a CPU and a GPU, `PRIMITIVES` on a GPU.

To add a case, add an entry; tables, pytest and tests all read it. `case.py` says what a case is,
`primitive.py` what a primitive.
"""

import minidecay as md
from benchmarks import fused
from benchmarks.case import Case, operation, training_step
from benchmarks.primitive import MATMULS, convolution, matmul


def mlp(*widths: int, batch: int, batch_norm: bool = False) -> Case:
    """A training step of a fully connected network."""
    name = "-".join(["mlp", *(["bn"] if batch_norm else []), *map(str, widths), f"b{batch}"])
    return training_step(
        name,
        (batch, widths[0]),
        0.05,
        lambda rng: md.models.mlp(*widths, batch_norm=batch_norm, rng=rng),
    )


def cnn(*widths: int, size: int, batch: int) -> Case:
    """A training step of a convolutional network with batch norm, on colour images."""
    name = "-".join(["cnn", *map(str, widths), f"b{batch}"])
    return training_step(
        name,
        (batch, size, size, 3),
        0.002,  # larger ones blow a last digit up beyond the tolerance within ten steps
        lambda rng: md.models.small_cnn(size=size, widths=widths, hidden=None, rng=rng),
    )


CASES = (
    mlp(3072, 256, 256, 10, batch=64),
    mlp(3072, 256, 256, 10, batch=128),
    mlp(64, 64, 10, batch=32),
    mlp(192, 256, 256, 10, batch=64, batch_norm=True),  # the demo's
    cnn(16, 32, 64, size=32, batch=64),
    operation(
        "matmul-512",
        {"a": (512, 512), "b": (512, 512)},
        md.functions.matmul,
        lambda torch, a, b: torch.matmul(a, b),
    ),
    operation(
        "conv2d-3x3-32-b64",
        {"x": (64, 16, 16, 32), "w": (3, 3, 32, 32)},
        lambda x, w: md.functions.conv2d(x, w, padding=1),
        lambda torch, x, w: torch.conv2d(x, w, padding=1),
    ),
    operation(
        "batch_norm-32-b64",
        {"x": (64, 16, 16, 32), "gamma": (32,), "beta": (32,)},
        md.functions.batch_norm,
        lambda torch, x, gamma, beta: torch.nn.functional.batch_norm(
            x, None, None, gamma, beta, training=True
        ),
    ),
)

LARGE = MATMULS[2:]  # the first two rungs take too long for the largest
TUNED = MATMULS[4:]

# In the order in which a GPU's time is spent on them.
PRIMITIVES = (
    matmul(1024, 1024, 1024),
    matmul(2048, 2048, 2048),
    convolution("y", (128, 32, 32, 64), 64),
    convolution("gx", (128, 32, 32, 64), 64),
    convolution("gw", (128, 32, 32, 64), 64),
    fused.batch_norm((128, 32, 32, 64)),
    fused.batch_norm_gradient((128, 32, 32, 64)),
    fused.cross_entropy_both(16384, 1000),
    fused.sgd(16_000_000),
    fused.add(32_000_000),
    matmul(4096, 4096, 4096, rungs=LARGE),
    matmul(512, 512, 512),
    convolution("y", (128, 32, 32, 3), 16),
    convolution("gw", (128, 32, 32, 3), 16),
    *(convolution(each, (128, 16, 16, 128), 128) for each in ("y", "gx", "gw")),
    *(convolution(each, (128, 8, 8, 256), 256) for each in ("y", "gx", "gw")),
    fused.batch_norm((128, 32, 32, 64), residual=True),
    fused.bias_relu(65536, 256),
    fused.column_sums(65536, 256),
    fused.cross_entropy(16384, 1000),
    fused.max_pool((128, 32, 32, 64)),
    fused.max_pool_gradient((128, 32, 32, 64)),
    fused.dropout(32_000_000),
    matmul(64, 64, 64, rungs=(), batch=2048),
    matmul(1024, 1024, 1024, "nt", TUNED),
    matmul(1024, 1024, 1024, "tn", TUNED),
    matmul(1024, 1024, 1024, "tt", TUNED),
    matmul(128, 256, 3072),  # the demo's large MLP: forward, input and weight gradient
    matmul(128, 3072, 256, "nt", TUNED),
    matmul(3072, 256, 128, "tn", TUNED),
    *(convolution(each, (128, 32, 32, 64), 128, stride=2) for each in ("y", "gx", "gw")),
    *(convolution(each, (128, 32, 32, 64), 128, size=1, stride=2) for each in ("y", "gx", "gw")),
    *(convolution(each, (64, 16, 16, 16), 32) for each in ("y", "gx", "gw")),
    *(convolution(each, (64, 8, 8, 32), 64) for each in ("y", "gx", "gw")),
    matmul(2048, 2047, 2049, rungs=TUNED),  # no size a multiple of four
)

# All of the code above in seconds: for a first contact with a card, and for the tests.
SMOKE_CASES = (
    mlp(12, 16, 10, batch=8, batch_norm=True),
    cnn(4, 8, size=8, batch=4),
)
SMOKE_PRIMITIVES = (
    matmul(33, 18, 17, rungs=("01_naive", "05_register_2d")),
    matmul(20, 12, 9, "tn", rungs=("05_register_2d",)),
    matmul(7, 6, 5, "nt", rungs=(), batch=9),
    *(convolution(each, (2, 7, 6, 3), 5, stride=2) for each in ("y", "gx", "gw")),
    fused.add(1003),
    fused.column_sums(70, 5),
    fused.bias_relu(9, 33),
    fused.batch_norm((2, 3, 4, 5), residual=True),
    fused.batch_norm_gradient((2, 3, 4, 5)),
    fused.cross_entropy(9, 10),
    fused.cross_entropy_both(9, 10),
    fused.max_pool((2, 6, 6, 3)),
    fused.max_pool_gradient((2, 6, 6, 3)),
    fused.dropout(1003),
    fused.sgd(1003),
)
