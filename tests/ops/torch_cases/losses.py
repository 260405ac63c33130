import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from torch_cases.call import Call, normal

F = torch.nn.functional
REDUCTIONS = st.sampled_from(["mean", "sum", "none"])


@st.composite
def classification(draw, name, **options):
    n, classes = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    labels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, classes, n)
    options["reduction"] = draw(REDUCTIONS)
    if "label_smoothing" in options:
        options["label_smoothing"] = draw(st.floats(0, 1))
    return Call(
        lambda x: getattr(md, name)(x, labels, **options),
        lambda x: getattr(F, name)(x, torch.from_numpy(labels), **options),
        [30 * normal(draw, (n, classes))],
    )


@st.composite
def regression(draw):
    shape, reduction = draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)), draw(REDUCTIONS)
    return Call(
        lambda x, target: md.mse_loss(x, target, reduction),
        lambda x, target: F.mse_loss(x, target, reduction=reduction),
        [normal(draw, shape), normal(draw, shape)],
    )


@st.composite
def yes_or_no(draw):
    shape, reduction = draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)), draw(REDUCTIONS)
    targets = np.random.default_rng(draw(st.integers(0, 99))).uniform(0.1, 0.9, shape)
    return Call(
        lambda x, t: md.binary_cross_entropy_with_logits(x, t, reduction),
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction=reduction),
        [10 * normal(draw, shape), targets],
    )


@st.composite
def ranking(draw):
    shape, options = draw(hnp.array_shapes(max_dims=2, max_side=4)), {"reduction": draw(REDUCTIONS)}
    options["margin"] = draw(st.sampled_from([0.0, 0.3]))
    ranks = np.random.default_rng(draw(st.integers(0, 99))).choice([-1.0, 1.0], shape)
    return Call(
        lambda a, b, ranks: md.margin_ranking_loss(a, b, ranks, **options),
        lambda a, b, ranks: F.margin_ranking_loss(a, b, ranks, **options),
        [normal(draw, shape, apart=True), 0.01 + 2 * normal(draw, shape, apart=True), ranks],
    )


CASES = {
    "cross_entropy": classification("cross_entropy"),
    "cross_entropy, smoothed": classification("cross_entropy", label_smoothing=0),
    "nll_loss": classification("nll_loss"),
    "mse_loss": regression(),
    "multi_margin_loss": classification("multi_margin_loss"),
    "multi_margin_loss, squared": classification("multi_margin_loss", p=2, margin=0.5),
    "margin_ranking_loss": ranking(),
    "binary_cross_entropy_with_logits": yes_or_no(),
}
