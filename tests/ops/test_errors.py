"""What does not fit is refused with the operation, the shapes and the mend."""

import numpy as np
import pytest

import minidecay as md
from minidecay import nn


def t(*shape, dtype=np.float32):
    return md.tensor(np.ones(shape, dtype))


REFUSED = {
    "broadcast": (
        lambda: t(2, 3) + t(2, 4),
        r"add: shapes \(2, 3\) and \(2, 4\).*axis -1.*reshape",
    ),
    "where dtype": (lambda: md.where(np.ones(2), t(2), t(2)), r"where: the condition is float64"),
    "where shape": (lambda: md.where(np.ones(3, bool), t(2), t(2)), "where: shapes"),
    "axis": (lambda: t(2, 3).sum(axis=2), r"sum: axis=2 is out of range for 2 dimensions"),
    "axis twice": (lambda: t(2, 3).sum(axis=(0, -2)), "names an axis twice"),
    "empty mean": (lambda: t(0, 3).mean(), r"mean: an array of shape \(0, 3\) holds nothing"),
    "empty max": (lambda: t(0, 3).max(), r"max: an axis of shape \(0, 3\) is empty"),
    "variance": (lambda: t(1).var(ddof=1), "var: 1 values.*ddof=1"),
    "reshape": (lambda: t(2, 3).reshape(4, -1), r"reshape: 6 elements of shape \(2, 3\)"),
    "two guesses": (lambda: t(2, 3).reshape(-1, -1), "at most may be -1"),
    "transpose": (lambda: t(2, 3).transpose(0), "must name each of the 2 axes"),
    "join nothing": (lambda: md.concatenate([]), "hold no tensor"),
    "join": (lambda: md.concatenate([t(2, 3), t(3, 2)]), r"concatenate: shapes \(2, 3\), \(3, 2\)"),
    "stack": (lambda: md.stack([t(2), t(3)]), r"stack: shapes \(2,\), \(3,\) must be equal"),
    "matmul": (lambda: t(2, 3) @ t(4, 2), r"matmul: shapes \(2, 3\) and \(4, 2\).*\(3\).*\(4\)"),
    "matmul number": (lambda: t() @ t(2), "a single number has no rows"),
    "matmul batch": (lambda: t(2, 3, 3) @ t(4, 3, 3), "batch axes do not broadcast"),
    "linear": (lambda: md.linear(t(2, 3), t(4, 5)), r"x \(2, 3\) has 3 features.*expects 4"),
    "linear weight": (lambda: md.linear(t(2, 3), t(3)), r"w \(3,\) must have two axes"),
    "linear bias": (
        lambda: md.linear(t(2, 3), t(3, 5), t(4)),
        r"bias \(4,\) must have shape \(5,\)",
    ),
    "conv rank": (lambda: md.conv2d(t(8, 8, 3), t(3, 3, 3, 4)), r"must be \(N, H, W, C\)"),
    "conv channels": (
        lambda: md.conv2d(t(8, 32, 32, 3), t(3, 3, 4, 16)),
        r"conv2d: x \(8, 32, 32, 3\) has 3 channels, w \(3, 3, 4, 16\) expects 4",
    ),
    "conv empty": (lambda: md.conv2d(t(1, 5, 5, 3), t(0, 3, 3, 4)), r"w \(0, 3, 3, 4\) is empty"),
    "conv bias": (lambda: md.conv2d(t(1, 5, 5, 3), t(3, 3, 3, 4), t(3)), r"bias \(3,\)"),
    "conv size": (lambda: md.conv2d(t(1, 2, 5, 3), t(3, 3, 3, 4)), "height 2, less than.*pad more"),
    "conv stride": (lambda: md.conv2d(t(1, 5, 5, 3), t(3, 3, 3, 4), stride=0), "stride=0 must be"),
    "conv pad": (lambda: md.conv2d(t(1, 5, 5, 3), t(3, 3, 3, 4), padding=1.5), "padding=1.5 must"),
    "transposed rank": (lambda: md.conv_transpose2d(t(3, 3), t(3, 3, 1, 1)), "must be .N, H, W, C"),
    "transposed channels": (
        lambda: md.conv_transpose2d(t(1, 4, 4, 3), t(2, 2, 4, 3)),
        r"conv_transpose2d: x \(1, 4, 4, 3\) has 3 channels, w \(2, 2, 4, 3\) expects 4",
    ),
    "transposed bias": (
        lambda: md.conv_transpose2d(t(1, 4, 4, 3), t(2, 2, 3, 4), t(3)),
        r"bias \(3,\) must have shape \(4,\)",
    ),
    "transposed empty": (lambda: md.conv_transpose2d(t(1, 0, 4, 3), t(2, 2, 3, 4)), "is empty"),
    "transposed padding": (
        lambda: md.conv_transpose2d(t(1, 1, 1, 3), t(2, 2, 3, 4), padding=1),
        r"give \(0, 0\) pixels; pad less",
    ),
    "output padding": (
        lambda: md.conv_transpose2d(t(1, 4, 4, 3), t(2, 2, 3, 4), output_padding=1),
        "output_padding=1 must be below stride=1",
    ),
    "elu": (lambda: md.elu(t(2), "steep"), "elu: alpha='steep' must be a number"),
    "pool rank": (lambda: md.max_pool2d(t(4, 4), 2), r"max_pool2d: x \(4, 4\) must be"),
    "pool size": (lambda: md.avg_pool2d(t(1, 2, 2, 1), 3), "smaller than the window"),
    "pool padding": (lambda: md.max_pool2d(t(1, 4, 4, 1), 2, padding=2), "more than half"),
    "global pool": (lambda: md.global_avg_pool2d(t(4, 4)), r"must be \(N, H, W, C\)"),
    "norm shape": (
        lambda: md.batch_norm(t(4, 3), t(2), t(3)),
        r"gamma \(2,\).*must be \(\.\.\., C\)",
    ),
    "norm single": (lambda: md.batch_norm(t(1, 3), t(3), t(3)), "no variance.*larger batch"),
    "norm inference": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), training=False),
        "needs running_mean and running_var",
    ),
    "running shape": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), t(3), t(1)),
        r"batch_norm: running_var \(1,\) must be \(3,\), a number for each channel",
    ),
    "running dtype": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), t(3, dtype=np.float64), t(3)),
        "batch_norm: running_mean is float64 and x float32; use astype",
    ),
    "running array": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), np.ones(3, np.float32), t(3)),
        r"batch_norm: running_mean is of type ndarray; .* tensor\(\.\.\.\)",
    ),
    "running gradient": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), t(3), nn.Parameter(t(3)), training=False),
        r"batch_norm: running_var gets no gradient; pass running_var.detach\(\)",
    ),
    "inference shape": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), t(2), t(2), training=False),
        r"x \(4, 3\), running_mean \(2,\), running_var \(2,\): .* statistics \(C,\)",
    ),
    "norm momentum": (
        lambda: md.batch_norm(t(4, 3), t(3), t(3), t(3), t(3), momentum=None),
        "batch_norm: momentum=None must be a number from 0 to 1",
    ),
    "norm eps": (lambda: md.batch_norm(t(4, 3), t(3), t(3), eps=-1), "batch_norm: eps=-1 must be"),
    "layer norm eps": (lambda: md.layer_norm(t(4, 3), t(3), t(3), eps="s"), "eps='s' must be"),
    "dropout": (
        lambda: md.dropout(t(4), p=1.0),
        "dropout: p=1.0 must be at least 0 and less than 1",
    ),
    "dropout text": (lambda: md.dropout(t(4), p="half"), "dropout: p='half' must be at least 0"),
    "dropout words": (lambda: md.dropout(t(4), key=("a", 1)), "key=.'a', 1. must be two integers"),
    "dropout key": (
        lambda: md.dropout(t(4), key=3),
        "key=3 must be two integers and count",
    ),
    "softmax": (lambda: md.log_softmax(t()), "must have classes"),
    "labels shape": (lambda: md.cross_entropy(t(4, 3), [0, 1]), r"labels \(2,\) \(N,\)"),
    "labels dtype": (lambda: md.cross_entropy(t(2, 3), [0.0, 1.0]), "labels are float64"),
    "labels masked": (
        lambda: md.cross_entropy(t(2, 3), np.ma.masked_array([0, 1], mask=[True, False])),
        "cross_entropy: values are masked; fill them first",
    ),
    "labels ragged": (
        lambda: md.nll_loss(t(2, 3), [[0], [1, 2]]),
        "nll_loss: nested lists of different lengths; make them equal",
    ),
    "labels range": (lambda: md.cross_entropy(t(2, 3), [0, 3]), "from 0 to 3, outside of 0 to 2"),
    "labels below": (lambda: md.cross_entropy(t(2, 3), [-1, 1]), "from -1 to 1"),
    "empty batch": (lambda: md.cross_entropy(t(0, 3), np.zeros(0, int)), "at least one example"),
    "reduction": (lambda: md.cross_entropy(t(2, 3), [0, 1], "avg"), "reduction='avg' must be"),
    "smoothing": (
        lambda: md.cross_entropy(t(2, 3), [0, 1], label_smoothing=1.5),
        "cross_entropy: label_smoothing=1.5 must be a number from 0 to 1",
    ),
    "nll shape": (lambda: md.nll_loss(t(4), [0]), r"nll_loss: log probabilities \(4,\) must be"),
    "nll range": (lambda: md.nll_loss(t(2, 3), [0, 3]), "outside of 0 to 2"),
    "mse shape": (
        lambda: md.mse_loss(t(2, 1), t(2)),
        r"target \(2,\) must have one shape",
    ),
    "mse empty": (lambda: md.mse_loss(t(0), t(0)), "is empty"),
    "mse reduction": (lambda: md.mse_loss(t(2), t(2), "avg"), "mse_loss: reduction='avg'"),
    "bce shape": (
        lambda: md.binary_cross_entropy_with_logits(t(2, 1), t(2)),
        r"binary_cross_entropy_with_logits: logits \(2, 1\) and target \(2,\)",
    ),
    "bce empty": (lambda: md.binary_cross_entropy_with_logits(t(0), t(0)), "are empty"),
    "bce range": (
        lambda: md.binary_cross_entropy_with_logits(t(2), 3 * t(2)),
        "targets run from 3 to 3, outside of 0 to 1",
    ),
    "gelu": (lambda: md.gelu(t(2), "erf"), "gelu: approximate='erf' must be 'none' or 'tanh'"),
    "leaky": (lambda: md.leaky_relu(t(2), "steep"), "negative_slope='steep' must be a number"),
    "clip nothing": (lambda: md.clip(t(2)), "clip: min=None and max=None must be numbers"),
    "clip order": (lambda: md.clip(t(2), 2, 1), "clip: min=2 is above max=1; exchange them"),
    "clip nan": (lambda: md.clip(t(2), float("nan")), "must be numbers"),
    "clip integers": (lambda: md.clip(t(2, dtype=int), 0.5), "must be integers for int64 values"),
    "prod": (lambda: t(2, 3).prod(axis=2), "prod: axis=2 is out of range"),
    "argmax axes": (lambda: md.argmax(t(2, 3), (0, 1)), r"argmax: axis=\(0, 1\) must be one"),
    "argmax empty": (lambda: md.argmax(t(0, 3)), r"argmax: an axis of shape \(0, 3\) is empty"),
    "min empty": (lambda: t(0, 3).min(), r"min: an axis of shape \(0, 3\) is empty and has no min"),
    "min unsigned": (lambda: t(2, dtype=np.uint8).min(), "min: uint8 values have no negatives"),
    "argmin bool": (lambda: t(2, dtype=bool).argmin(), "argmin: bool values have no negatives"),
    "ddof": (lambda: t(3).var(ddof="n"), "var: ddof='n' must be a number, such as 0 or 1"),
    "std": (lambda: t(1).std(ddof=1), "std: 1 values.*ddof=1"),
    "logsumexp": (lambda: t(0, 3).logsumexp(0), "is empty and has nothing to sum"),
    "softmax axis": (lambda: md.softmax(t(2, 0)), r"softmax: x \(2, 0\) must have classes"),
    "log_softmax axis": (lambda: md.log_softmax(t(2), 1), "log_softmax: axis=1 is out of range"),
    "squeeze": (lambda: t(2, 1).squeeze(0), r"squeeze: axis=0 of x \(2, 1\) is not of size 1"),
    "unsqueeze": (lambda: t(2).unsqueeze(3), "unsqueeze: axis=3 is out of range for 2 dimensions"),
    "expand": (lambda: t(2, 3).expand(2, 4), r"expand: x \(2, 3\) does not repeat to \(2, 4\)"),
    "expand fewer": (lambda: t(2, 3).expand(3), r"does not repeat to \(3,\)"),
    "expand guess": (lambda: t(2).expand(-1, 2), r"does not repeat to \(-1, 2\)"),
    "flip": (lambda: t(2).flip(1), "flip: axis=1 is out of range"),
    "split size": (lambda: t(4).split(0), "split: size=0 must be at least 1"),
    "split sizes": (lambda: t(4).split([1, 2]), r"split: sizes \[1, 2\] must add up to 4"),
    "split below": (lambda: t(4).split([5, -1]), "must add up to 4"),
    "split axis": (lambda: t(4).split(1, 1), "split: axis=1 is out of range"),
    "pad shape": (
        lambda: md.pad(t(2, 3), ((1, 1),) * 3),
        r"pad: pad_width=.* for x \(2, 3\) must be .*2 such pairs",
    ),
    "pad below": (lambda: md.pad(t(2), -1), "pad: pad_width=-1 for x"),
    "pad half": (lambda: md.pad(t(2), 0.5), "pad: pad_width=0.5"),
    "pad value": (lambda: md.pad(t(2), 1, "zero"), "pad: value='zero' must be a number"),
    "pad integers": (lambda: md.pad(t(2, dtype=int), 1, 0.5), "value=0.5 must be an integer"),
    "layer norm": (
        lambda: md.layer_norm(t(4, 3), t(2), t(2)),
        r"layer_norm: x \(4, 3\), gamma \(2,\), beta \(2,\): .* the last axes of x",
    ),
    "layer norm axes": (lambda: md.layer_norm(t(3), t(2, 3), t(2, 3)), "the last axes of x"),
    "embedding dtype": (lambda: md.embedding([0.5], t(2, 3)), "indices are float64; give rows"),
    "embedding range": (lambda: md.embedding([0, 2], t(2, 3)), "from 0 to 2, outside of 0 to 1"),
    "embedding below": (lambda: md.embedding([-1], t(2, 3)), "from -1 to -1, outside of 0 to 1"),
    "embedding rows": (lambda: md.embedding([0], t(2)), r"w \(2,\) must have two axes"),
    "join one": (lambda: md.concatenate(3), "concatenate: tensors is of type int; give a list"),
    "stack one": (lambda: md.stack(None), "stack: tensors is of type NoneType; give a list"),
    "einsum list": (lambda: md.einsum("i->", [1]), "einsum: list is no array of real numbers; use"),
    "split list": (lambda: md.split([1], 1), "split: operand 0 is of type list; give a tensor"),
    "getitem list": (lambda: md.getitem([1], 0), "getitem: operand 0 is of type list; give a tens"),
    "einsum order": (lambda: md.einsum(2, "i->"), "subscripts=2 must come first, as in 'ij,"),
    "einsum syntax": (lambda: md.einsum("i.j", t(2, 2)), "'i.j' must look like 'ij,jk->ik'"),
    "einsum count": (lambda: md.einsum("ij,jk", t(2, 2)), "names 2 operands, but 1 are given"),
    "einsum axes": (
        lambda: md.einsum("ij,j->i", t(2, 3), t(3, 4)),
        "einsum: 'j' of 'ij,j->i' does not name operand 1's 2 axes",
    ),
    "einsum sizes": (
        lambda: md.einsum("ij,jk", t(2, 3), t(4, 5)),
        r"einsum: 'j' is 3 in one operand and 4 in 'jk' \(4, 5\)",
    ),
    "einsum output": (lambda: md.einsum("ij->ik", t(2, 3)), "no operand has the output's 'k'"),
    "einsum twice": (lambda: md.einsum("ij->ii", t(2, 2)), "names an axis of the output twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    attempt, message = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        attempt()
    assert "\n" not in str(caught.value)


CHOSEN_BY = {
    "cross_entropy": lambda x, on: md.cross_entropy(x, md.tensor(np.zeros(2, int), device=on)),
    "nll_loss": lambda x, on: md.nll_loss(x, md.tensor(np.zeros(2, int), device=on)),
    "embedding": lambda x, on: md.embedding(md.tensor(np.zeros(2, int), device=on), x),
    "where": lambda x, on: md.where(md.tensor(np.zeros(3, bool), device=on), 0.0, x),
    "batch_norm": lambda x, on: md.batch_norm(x, *t(2, 3).to(x.device), t(3).to(on)),
}


@pytest.mark.parametrize("name", CHOSEN_BY)
def test_what_an_operation_reads_beside_its_operands_is_on_their_device(name, compiled):
    for here, there in (("cpu", "emulated"), ("emulated", "cpu")):
        says = f"^{name}: one tensor is on {here}, another on {there}; move one with .to"
        with pytest.raises(ValueError, match=says):
            CHOSEN_BY[name](t(2, 3).to(here), there)
        CHOSEN_BY[name](t(2, 3).to(here), here)


@pytest.mark.parametrize(("mean", "var"), [(3, 1), (1, 3)])
def test_refused_running_statistics_stay_as_they_are(mean, var):
    running = t(mean), t(var)
    with pytest.raises(ValueError, match="must be"):
        md.batch_norm(md.tensor(np.eye(3, dtype=np.float32)), t(3), t(3), *running)
    assert all((each.numpy() == 1).all() for each in running)


def test_dropout_draws_the_mask_of_its_key_and_counter():
    x = md.tensor(np.ones((50, 40), np.float32), requires_grad=True)
    y = md.dropout(x, 0.3, key=(1, 2), counter=5)
    kept = y.numpy() > 0
    assert 0.65 < kept.mean() < 0.75
    np.testing.assert_allclose(y.numpy()[kept], 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y)  # of ones the gradient is the output
    np.testing.assert_array_equal(md.dropout(x, 0.3, key=(1, 2), counter=5), y)
    for other in ({"key": (1, 3), "counter": 5}, {"key": (1, 2), "counter": 6}):
        assert (md.dropout(x, 0.3, **other).numpy() != y.numpy()).any()
    assert md.dropout(x, 0.3, training=False) is x and md.dropout(x, 0.0) is x


def test_at_their_corners_the_gradients_are_the_stated_ones():
    x = md.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    for function, expected in ((md.relu, [0, 0, 1]), (md.abs, [-1, 0, 1])):
        x.grad = None
        function(x).sum().backward()
        assert x.grad.numpy().tolist() == expected
    a, b = (md.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    md.maximum(a, b).sum().backward()
    assert a.grad.numpy().tolist() == b.grad.numpy().tolist() == [0.5, 0.5]
    m = md.tensor([3.0, 3.0, 1.0], requires_grad=True)
    m.max().backward()
    assert m.grad.numpy().tolist() == [0.5, 0.5, 0.0]


def test_powers_of_zero_have_finite_gradients():
    x = md.tensor([0.0, 2.0], requires_grad=True)
    (x**2).sum().backward()
    assert x.grad.numpy().tolist() == [0.0, 4.0]
    x.grad = None
    (x**0).sum().backward()
    assert x.grad.numpy().tolist() == [0.0, 0.0]
    b = md.tensor([2.0, 2.0], requires_grad=True)
    (x**b).sum().backward()
    np.testing.assert_allclose(b.grad, [0.0, 4 * np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [2, 0.5, 0])
def test_a_python_number_beside_a_tensor_takes_its_dtype(dtype, number):
    x = md.tensor(np.array([1.5, 2.5], dtype), requires_grad=True)
    made = [x + number, number - x, x * number, number / x, x**number, (number + 1) ** x]
    made += [md.maximum(x, number), md.where(x > 2, x, number), -x, abs(x), x.mean(), x.var()]
    for y in made:
        x.grad = None
        y.sum().backward()
        assert y.dtype == x.grad.dtype == dtype and x.grad.shape == x.shape


def test_logits_of_any_size_have_a_finite_loss():
    logits = md.tensor([[1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    loss = md.cross_entropy(logits, md.tensor(np.array([1, 0])), "none")
    np.testing.assert_allclose(loss, [2e4, np.log(2)], rtol=1e-6)
    loss.sum().backward()
    assert np.isfinite(logits.grad.numpy()).all()
