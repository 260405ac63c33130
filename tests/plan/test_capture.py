"""A captured step does what the step does, bit for bit, or runs as it stands and says why."""

import copy
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidecay as md
from minidecay.devices import device

CLASSES = 4


def mlp(rng):
    return md.models.mlp(6, 5, 7, CLASSES, batch_norm=True, rng=rng), (6,)


def plain_mlp(rng):
    return md.models.mlp(6, 5, CLASSES, rng=rng), (6,)


def cnn(rng):
    return md.models.small_cnn(size=4, widths=(3, 2), hidden=5, classes=CLASSES, rng=rng), (4, 4, 3)


class Residual(md.nn.Module):
    """Operations that a plan must take as they come: views, a branch that joins, a mean."""

    def __init__(self, rng):
        self.first, self.last = md.nn.Linear(6, 6, rng=rng), md.nn.Linear(3, CLASSES, rng=rng)
        self.scale = md.nn.Parameter(np.ones(6, np.float32))

    def forward(self, x):
        h = md.tanh(self.first(x) * self.scale + x)
        both = md.concatenate([h[:, :3], md.sigmoid(h[:, 3:])], axis=1)
        pairs = both.reshape(-1, 2, 3).transpose((0, 2, 1))
        return self.last(pairs.sum(axis=2) / (1 + pairs.max(axis=2)))


def residual(rng):
    return Residual(rng), (6,)


class Dropped(md.nn.Module):
    """One dropout layer that is called twice in a step, and another once."""

    def __init__(self, rng):
        self.first, self.last = md.nn.Linear(6, 9, rng=rng), md.nn.Linear(9, CLASSES, rng=rng)
        self.twice, self.once = md.nn.Dropout(0.3, rng), md.nn.Dropout(0.5, rng)

    def forward(self, x):
        return self.once(self.last(self.twice(md.relu(self.first(self.twice(x))))))


def dropped(rng):
    return Dropped(rng), (6,)


class Training:
    """A network, an optimiser and their step, always from the same start."""

    def __init__(self, make, captured, **options):
        self.model, self.shape = make(np.random.default_rng(0))
        options = {"momentum": 0.9, "weight_decay": 1e-2} | options
        schedule = md.optim.Steps(0.1, (1, 2))
        self.optimizer = md.optim.SGD(
            self.model.parameters(), schedule, steps_per_epoch=3, **options
        )
        self.step = md.capture(self._step) if captured else self._step

    def _step(self, x, labels):
        self.optimizer.zero_grad()
        logits = self.model(md.from_numpy(x))
        loss = md.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss, "logits": logits}

    def batches(self, sizes, seed=1):
        rng = np.random.default_rng(seed)
        for n in sizes:
            x = rng.standard_normal((n, *self.shape)).astype(np.float32)
            yield x, rng.integers(CLASSES, size=n)

    def run(self, sizes):
        """What each step returns, then everything that training moves."""
        told = [self.step(*batch) for batch in self.batches(sizes)]
        values = [{name: t.numpy().copy() for name, t in each.items()} for each in told]
        gradients = {name: p.grad.numpy().copy() for name, p in self.model.named_parameters()}
        state = self.optimizer.state_dict()
        return values, self.model.state_dict(), gradients, state, self.optimizer.last_lr


NETWORKS = [mlp, plain_mlp, cnn, residual, dropped]


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("make", NETWORKS)
def test_nine_steps_through_a_plan_are_nine_eager_steps_bit_for_bit(make, nesterov):
    eager = Training(make, captured=False, nesterov=nesterov).run([8] * 9)
    captured = Training(make, captured=True, nesterov=nesterov)
    np.testing.assert_equal(captured.run([8] * 9), eager)
    assert captured.step.eager_because is None
    assert sum(map(len, captured.step.plans.values())) == 1


def test_dropout_goes_on_from_a_state_that_was_loaded_between_two_steps():
    other = Training(dropped, captured=False)
    other.run([8] * 5)
    state = other.model.state_dict()
    results = []
    for captured in (False, True):
        training = Training(dropped, captured)
        training.run([8] * 3)
        training.model.load_state_dict(state)
        results.append(training.run([8] * 3))
        if captured:
            assert training.step.eager_because is None
    np.testing.assert_equal(results[1], results[0])


@given(st.lists(st.integers(2, 5), min_size=1, max_size=8))
def test_each_batch_size_has_a_plan_of_its_own(sizes):
    eager = Training(mlp, captured=False).run(sizes)
    captured = Training(mlp, captured=True)
    np.testing.assert_equal(captured.run(sizes), eager)
    assert len(captured.step.plans) == len(set(sizes))


def test_threads_that_record_at_once_each_get_the_whole_of_their_step():
    sizes, count = [2, 3, 4, 5] * 2, 4
    expected = Training(mlp, captured=False).run(sizes)
    ready, told = threading.Barrier(count), []

    def work():
        training = Training(mlp, captured=True)
        ready.wait(timeout=60)
        told.append(training.run(sizes))

    threads = [threading.Thread(target=work) for _ in range(count)]
    turn = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # take turns often
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(turn)
    assert len(told) == count
    for each in told:
        np.testing.assert_equal(each, expected)
    assert vars(device("cpu")) == {}


def test_evaluation_mode_has_a_plan_of_its_own():
    for captured in (False, True):
        training = Training(mlp, captured)
        training.run([4, 4])
        training.model.eval()
        training.run([4])
        training.model.train()
        told = training.run([4, 4])
        if not captured:
            expected = told
    np.testing.assert_equal(told, expected)
    assert [len(plans) for plans in training.step.plans.values()] == [2]


def test_a_plan_of_parameters_that_moved_is_made_anew():
    training = Training(plain_mlp, captured=True)
    training.run([4, 4])
    training.optimizer = md.optim.SGD(training.model.parameters(), lr=0.1)
    before = training.model.state_dict()
    training.run([4, 4])
    assert all(np.any(before[k] != v) for k, v in training.model.state_dict().items())
    assert [len(plans) for plans in training.step.plans.values()] == [1]


def test_weights_that_are_loaded_are_those_that_train_on():
    eager, captured = (Training(mlp, captured) for captured in (False, True))
    for training in (eager, captured):
        training.run([4, 4])
        training.model.load_state_dict(Training(mlp, False).model.state_dict())
    np.testing.assert_equal(captured.run([4]), eager.run([4]))


def test_a_copy_of_a_captured_step_plans_anew():
    w = md.tensor([1.0, 2.0], requires_grad=True)
    step = md.capture(lambda x: (md.from_numpy(x) * w).sum())
    x = np.ones(2, np.float32)
    assert step(x).item() == 3.0 and step.plans
    twin = copy.deepcopy(step)
    assert not twin.plans
    with md.no_grad():
        w[...] = [3.0, 4.0]
    assert twin(x).item() == twin(x).item() == step(x).item() == 7.0


def test_results_are_the_callers_and_inputs_stay_as_they_are():
    training = Training(plain_mlp, captured=True)
    (x, labels), other = training.batches([4, 4])
    kept = x.copy(), labels.copy()
    first = training.step(x, labels)["logits"]
    value = first.numpy().copy()
    training.step(*other)
    np.testing.assert_array_equal(first.numpy(), value)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


def test_tensors_are_inputs_too():
    w = md.tensor([2.0], requires_grad=True)

    @md.capture
    def step(x):
        return (x * w).sum()

    values = [step(md.tensor(np.full(3, i, np.float32))).item() for i in range(4)]
    assert values == [0.0, 6.0, 12.0, 18.0]


def test_a_step_may_return_nothing_or_a_tuple():
    w = md.tensor([2.0], requires_grad=True)
    assert md.capture(lambda x: None)(np.ones(2, np.float32)) is None
    both = md.capture(lambda x: (md.from_numpy(x) * w, w.sum()))
    for i in range(3):
        scaled, total = both(np.full(2, i, np.float32))
        assert scaled.numpy().tolist() == [2.0 * i] * 2
        assert total.item() == 2.0


def reads(x, w):
    loss = (md.from_numpy(x) * w).sum()
    return loss * 2 if loss.item() > 0 else loss


def brings(x, w):
    return (md.from_numpy(x) * w * md.from_numpy(np.ones_like(x))).sum()


def drops(x, w):
    return md.dropout(md.from_numpy(x) * w, 0.5, key=(1, 2), counter=3).sum()


def counts(x, w):
    return float(np.sum(x))


def moves(x, w):
    return (md.tensor(x, device="emulated") * w.detach().to("emulated")).sum()


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (reads, "reads a value"),
        (brings, "no input of the step"),
        (drops, "use nn.Dropout"),
        (counts, "returns a float"),
    ],
)
def test_a_step_that_cannot_be_replayed_runs_as_it_stands_and_says_why(step, why):
    w = md.tensor([2.0], requires_grad=True)
    captured = md.capture(lambda x: step(x, w))
    for sign in (1, -1, 1):
        x = np.full(4, sign, np.float32)
        assert float(captured(x)) == float(step(x, w))
    assert why in captured.eager_because
    assert not captured.plans


def test_a_step_on_another_device_runs_as_it_stands(compiled):
    captured = md.capture(lambda x: moves(x, md.tensor([2.0])))
    assert captured(np.ones(3, np.float32)).item() == captured(np.ones(3, np.float32)).item() == 6
    assert captured.eager_because is not None


def test_gradients_that_would_add_up_are_an_error():
    w = md.tensor([2.0], requires_grad=True)

    @md.capture
    def step(x):
        loss = (md.from_numpy(x) * w).sum()
        loss.backward()
        return loss

    x = np.ones(2, np.float32)
    step(x)
    with pytest.raises(RuntimeError, match="zero_grad"):
        step(x)
    w.grad = None
    step(x)
    assert w.grad.item() == 2.0


def test_an_input_that_is_no_array_is_an_error():
    with pytest.raises(TypeError, match="input 1 is a float"):
        md.capture(lambda x, y: x)(np.ones(2, np.float32), 3.0)


def test_one_captured_step_within_another_is_an_error():
    inner = md.capture(lambda x: md.from_numpy(x).sum())
    with pytest.raises(RuntimeError, match="capture the outer one"):
        md.capture(lambda x: inner(x))(np.ones(2, np.float32))
    assert inner(np.ones(2, np.float32)).item() == 2.0  # and nothing is left behind


def test_a_step_that_fails_leaves_nothing_behind():
    def step(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        md.capture(step)(np.ones(2, np.float32))
    w = md.tensor([2.0], requires_grad=True)
    assert md.capture(lambda x: (md.from_numpy(x) * w).sum())(np.ones(2, np.float32)).item() == 4.0


def test_labels_out_of_range_are_an_error_in_a_replay_too():
    training = Training(plain_mlp, captured=True)
    (x, labels), _ = training.batches([4, 4])
    training.step(x, labels)
    for wrong in (-1, CLASSES):
        with pytest.raises(ValueError, match="labels run from"):
            training.step(x, np.where(np.arange(4) == 2, wrong, labels))
