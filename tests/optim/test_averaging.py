"""Averaged weights and their batch-norm statistics, held to torch's."""

import numpy as np
import pytest
from bowls import by_hand, drawn

import minidecay as md
from minidecay import nn
from minidecay.data import Split
from minidecay.optim import SGD, AveragedModel, update_bn
from minidecay.random import stream
from minidecay.training import evaluate, fit


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def network(device="cpu"):
    rng = stream(0, "init")
    layers = nn.Linear(4, 5, rng=rng), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2, rng=rng)
    return nn.Sequential(*layers).to(device)


def twin_of(torch, model):
    twin = torch.nn.Sequential(
        torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Linear(5, 2)
    )
    copy_into_twin(torch, model, twin)
    return twin


def copy_into_twin(torch, model, twin):
    state = {k: v.T if v.ndim == 2 else v for k, v in model.state_dict().items()}
    twin.load_state_dict({k: torch.tensor(v) for k, v in state.items()}, strict=False)


def assert_twins(model, twin, tolerance=1e-5):
    theirs = twin.state_dict()
    for name, ours in model.state_dict().items():
        other = theirs[name].numpy()
        np.testing.assert_allclose(
            ours, other.T if other.ndim == 2 else other, rtol=tolerance, atol=tolerance
        )


def inputs(seed, n=6):
    return np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("use_buffers", [False, True])
def test_an_average_over_training_is_torchs(torch, device, decay, use_buffers):
    model = network(device)
    twin = twin_of(torch, model)
    from torch.optim import swa_utils

    function = None if decay is None else swa_utils.get_ema_multi_avg_fn(decay)
    ours = AveragedModel(model, decay, use_buffers)
    theirs = swa_utils.AveragedModel(twin, multi_avg_fn=function, use_buffers=use_buffers)
    optimizer = SGD(model.parameters(), 0.1)
    for step in range(10):
        optimizer.zero_grad()
        (model(md.tensor(inputs(step), device=device)) ** 2).sum().backward()
        optimizer.step()
        copy_into_twin(torch, model, twin)
        ours.update_parameters(model)
        theirs.update_parameters(twin)
    assert ours.n_averaged.item() == theirs.n_averaged.item() == 10
    assert_twins(ours.module, theirs.module)
    batches = [inputs(100 + k) for k in range(4)]
    update_bn((md.tensor(x, device=device) for x in batches), ours)
    swa_utils.update_bn([torch.tensor(x) for x in batches], theirs)
    assert_twins(ours.module, theirs.module)


@pytest.mark.parametrize("given", [lambda x: x, md.tensor, lambda x: (x, np.zeros(len(x)))])
def test_the_statistics_are_the_means_over_the_batches(given):
    model = network().eval()
    batches = [inputs(k, n) for k, n in enumerate((4, 2, 7))]
    hidden = [model[0](md.tensor(x)).numpy() for x in batches]
    update_bn(map(given, batches), model)
    np.testing.assert_allclose(
        model[1].running_mean.numpy(), np.mean([h.mean(0) for h in hidden], 0), rtol=1e-5
    )
    np.testing.assert_allclose(
        model[1].running_var.numpy(), np.mean([h.var(0, ddof=1) for h in hidden], 0), rtol=1e-5
    )
    assert not any(module.training for module in model.modules())
    assert model[1].momentum == 0.1


def test_statistics_that_were_broken_are_mended():
    model, other = network(), network()
    with md.no_grad():
        model[1].running_mean[...] = np.nan
    for each in (model, other):
        update_bn([inputs(0)], each)
    assert model.state_dict()["1.running_mean"].tolist() == other[1].running_mean.numpy().tolist()


def test_no_statistics_are_taken_where_there_is_no_batch_norm():
    update_bn(iter(()), nn.Linear(2, 1))
    with pytest.raises(ValueError, match="update_bn: there is no batch; give one or more"):
        update_bn(iter(()), network())


def test_a_pass_that_fails_leaves_momentum_and_modes_as_they_were():
    model = network().eval()
    with pytest.raises(ValueError, match="has 3 features"):
        update_bn([np.zeros((2, 3), np.float32)], model)
    assert model[1].momentum == 0.1 and not model.training


def test_the_average_is_a_copy_that_no_step_moves():
    model = network()
    optimizer = SGD(model.parameters(), 0.1)
    average = AveragedModel(model)
    before = average.state_dict()
    for p, g in zip(model.parameters(), drawn([p.shape for p in model.parameters()]), strict=True):
        by_hand(p, g.astype(np.float32))
    optimizer.step()
    assert all(np.array_equal(before[k], v) for k, v in average.state_dict().items())
    assert sorted(before)[-1] == "n_averaged" and before["module.0.weight"].shape == (4, 5)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="decay must be a number from 0 to below 1, got 1"):
        AveragedModel(network(), decay=1)
    with pytest.raises(TypeError, match="decay must be a number from 0 to below 1, got 'slow'"):
        AveragedModel(network(), decay="slow")
    with pytest.raises(ValueError, match="wants a model of the same shape"):
        AveragedModel(network()).update_parameters(nn.Linear(4, 5))


# In fit


def task(n=48):
    images = np.random.default_rng(0).standard_normal((n, 4)).astype(np.float32)
    return Split(images, (images[:, 0] > 0).astype(np.int64))


@pytest.mark.parametrize("decay", [None, 0.8])
def test_fit_averages_each_epoch_or_with_a_decay_each_step(decay, monkeypatch):
    model, train, seen = network(), task(), []
    average = AveragedModel(model, decay, start=1)
    update = average.update_parameters

    def watched(given):
        assert given is model
        seen.append(model[0].weight.numpy().astype(np.float64))
        update(given)

    monkeypatch.setattr(average, "update_parameters", watched)
    counts = []
    for _ in fit(
        *(model, SGD(model.parameters(), 0.1), train),
        epochs=4,
        batch_size=8,
        rng=stream(0, "b"),
        average=average,
    ):
        counts.append(len(seen))
    assert counts == ([0, 1, 2, 3] if decay is None else [0, 6, 12, 18])
    expected = seen[0]
    for now in seen[1:]:
        expected = decay * expected + (1 - decay) * now if decay else np.mean(seen, axis=0)
    np.testing.assert_allclose(average.module[0].weight.numpy(), expected, rtol=1e-5)
    update_bn([train.images], average)
    assert evaluate(average, train).accuracy()["all"] > 0.7
