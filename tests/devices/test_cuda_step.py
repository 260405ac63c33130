"""A training step on `cuda`, over the stand-in for CuPy: what it asks of memory and of the host."""

import numpy as np
import pytest
import stand_in
from stand_in import stream
from stand_in.memory import POOL

import minidecay as md
from minidecay.devices.kernels.numbers import Numbers


def mlp(rng):
    return md.models.mlp(12, 16, 10, rng=rng), (6, 12)


def cnn(rng):
    body = md.models.small_cnn(size=8, widths=(4, 8), hidden=8, rng=rng)
    return md.nn.Sequential(body, md.nn.Dropout(0.25, rng=rng)), (6, 8, 8, 3)


class Training:
    """Steps of a network on batches that lie on the device."""

    def __init__(self, card, network, lr=0.1):
        rng = np.random.default_rng(0)
        self.model, shape = network(rng)
        self.model.to(card)
        self.optimizer = md.optim.SGD(self.model.parameters(), lr, 0.9, steps_per_epoch=1)
        self.x = md.tensor(rng.standard_normal(shape).astype(np.float32), device=card)
        self.labels = md.tensor(rng.integers(0, 10, shape[0]), device=card)

    def step(self):
        self.optimizer.zero_grad()
        loss = md.cross_entropy(self.model(self.x), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss


@pytest.fixture(params=[mlp, cnn], ids=["mlp", "cnn"])
def training(card, compiled, request):
    return Training(card, request.param)


@pytest.fixture
def counts(monkeypatch):
    """What was asked of the host since the test began."""
    monkeypatch.setattr(stream, "counts", dict.fromkeys(stream.counts, 0))
    return stream.counts


@pytest.mark.parametrize("held", [0, 1])
def test_after_the_first_step_no_memory_is_taken_but_for_what_the_caller_holds(training, held):
    POOL.free_all_blocks()
    seen = []
    for _ in range(5):
        loss = training.step()  # one that is held is alive while the next step computes
        if not held:
            del loss
        seen.append((POOL.total_bytes(), POOL.used_bytes(), POOL.mallocs))
    assert seen[1 + held :] == seen[held:-1]


def test_a_step_waits_for_nothing(training, counts):
    for _ in range(3):
        training.step()
    counts.update(dict.fromkeys(counts, 0))
    training.step()
    assert counts["synchronize"] == 0
    counter = 1 if "Dropout" in repr(training.model) else 0
    assert counts["from host"] == counter


def test_labels_of_the_host_go_over_once(training, counts):
    training.step()
    training.labels = training.labels.numpy()
    counts["from host"] = 0
    training.step()
    counter = 1 if "Dropout" in repr(training.model) else 0
    assert counts["from host"] == 1 + counter


def test_the_rate_is_written_where_it_changed(card, compiled, counts):
    rates = [0.5, 0.5, 0.25, 0.25, 0.25]
    training = Training(card, mlp, lr=lambda t: rates[int(t)])
    written = []
    for _ in rates:
        before = counts["from host"]
        training.step()
        written.append(counts["from host"] - before)
    assert written[1:] == [0, 1, 0, 0]
    assert card.numbers.array("lr", 0.25, np.float32).get() == np.float32(0.25)


def test_whoever_captures_a_step_can_own_its_numbers(card, compiled, monkeypatch):
    for _ in range(2):
        eager = Training(card, mlp, lr=lambda t: 0.1 * (1 + t))
        monkeypatch.setattr(card, "numbers", Numbers(card.xp))
        captured = Training(card, mlp, lr=lambda t: 0.1 * (1 + t))
    losses = [float(eager.step()) for _ in range(4)]
    captured.step()
    card.numbers.array("lr", 0.2, np.float32)
    stream.begin_capture()
    loss = captured.step()
    graph = stream.end_capture()
    replayed = []
    for t in (1, 2, 3):
        card.numbers.array("lr", 0.1 * (1 + t), np.float32)
        graph.launch()
        replayed.append(float(loss))
    assert replayed == losses[1:]


def test_a_step_calls_no_product_of_cupys(training, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("a product of CuPy's was called")

    monkeypatch.setitem(stand_in.FUNCTIONS, "matmul", forbidden)
    training.step()  # it has no dot, tensordot, einsum: asking for one is an AttributeError
    with md.use_kernels(matmul="vendor"), pytest.raises(AssertionError, match="a product of CuPy"):
        training.step()


def test_a_label_on_the_gpu_that_names_no_class_is_a_loss_of_nan(training):
    with md.no_grad():
        training.labels[0] = 10
    assert np.isnan(float(training.step()))


def test_what_a_step_asks_of_cupy_is_little(training, monkeypatch):
    asked = []
    for name, function in stand_in.FUNCTIONS.items():
        monkeypatch.setitem(
            stand_in.FUNCTIONS,
            name,
            lambda *a, name=name, function=function, **k: asked.append(name) or function(*a, **k),
        )
    training.step()
    # What is left computes nothing: arrays are made, copied and seen otherwise.
    assert set(asked) <= {"empty", "ones", "asarray", "copyto", "transpose", "broadcast_to"}
