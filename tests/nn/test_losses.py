"""Losses as layers, beside torch's; and training with them."""

import numpy as np
import pytest

import minidecay as md
from minidecay import nn

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.standard_normal((6, 4)).astype(np.float32), RNG.integers(0, 4, 6)
TARGET = RNG.uniform(0, 1, (6, 4)).astype(np.float32)
LOSSES = {
    "CrossEntropyLoss": (LABELS, {}),
    "CrossEntropyLoss, smoothed": (LABELS, {"label_smoothing": 0.1}),
    "NLLLoss": (LABELS, {}),
    "MSELoss": (TARGET, {}),
    "BCEWithLogitsLoss": (TARGET, {}),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_torchs(name, reduction, device):
    torch = pytest.importorskip("torch")
    (truth, options), kind = LOSSES[name], name.partition(",")[0]
    x = md.tensor(LOGITS, requires_grad=True, device=device)
    x_torch = torch.tensor(LOGITS, requires_grad=True)
    theirs = getattr(torch.nn, kind)(reduction=reduction, **options)(x_torch, torch.tensor(truth))
    loss = getattr(nn, kind)(reduction=reduction, **options)
    y = loss(x, md.tensor(truth, device=device))
    np.testing.assert_allclose(y.numpy(), theirs.detach().numpy(), rtol=1e-5)
    y.sum().backward()
    theirs.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), x_torch.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_losses_print_and_refuse_their_settings():
    assert repr(nn.MSELoss("sum")) == "MSELoss(reduction='sum')"
    assert repr(nn.CrossEntropyLoss()) == "CrossEntropyLoss(reduction='mean', label_smoothing=0.0)"
    with pytest.raises(ValueError, match="reduction='avg' must be 'mean', 'sum' or 'none'"):
        nn.NLLLoss("avg")
    with pytest.raises(ValueError, match="label_smoothing=2 must be a number from 0 to 1"):
        nn.CrossEntropyLoss(label_smoothing=2)


@pytest.mark.parametrize(
    ("loss", "end", "truth"),
    [
        (nn.CrossEntropyLoss(label_smoothing=0.1), nn.Identity(), LABELS),
        (nn.NLLLoss(), nn.LogSoftmax(), LABELS),
        (nn.MSELoss(), nn.Sigmoid(), TARGET),
        (nn.BCEWithLogitsLoss(), nn.Identity(), TARGET),
    ],
    ids=["cross entropy", "nll", "mse", "bce"],
)
def test_each_loss_goes_down_when_it_is_trained(loss, end, truth):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(4, 16, rng=rng), nn.GELU(), nn.Linear(16, 4, rng=rng), end)
    optimizer = md.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    @md.capture
    def step(x, truth):
        optimizer.zero_grad()
        value = loss(model(md.from_numpy(x)), md.from_numpy(truth))
        value.backward()
        optimizer.step()
        return value

    values = [step(LOGITS, truth).item() for _ in range(60)]
    assert values[-1] < 0.8 * values[0]
    assert step.eager_because is None
