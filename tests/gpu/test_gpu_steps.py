"""On a GPU: training steps held to the cpu's, their memory, and a step captured into a graph."""

import numpy as np
import pytest

import minidecay as md

pytestmark = pytest.mark.gpu

MODELS = {
    "mlp": (lambda rng: md.models.mlp(192, 64, 10, batch_norm=True, rng=rng), (64, 192)),
    "cnn": (lambda rng: md.models.small_cnn(size=8, widths=(16, 32), rng=rng), (32, 8, 8, 3)),
}


@pytest.fixture(params=MODELS)
def network(request, large):
    make, (batch, *rest) = MODELS[request.param]
    return make, (max(8, large(batch)), *rest)


class Training:
    def __init__(self, network, device):
        make, shape = network
        rng = np.random.default_rng(0)
        self.model = make(rng).to(device)
        self.optimizer = md.optim.SGD(self.model.parameters(), 0.01, 0.9, 5e-4)
        self.batches = [
            (
                md.tensor(rng.standard_normal(shape).astype(np.float32), device=device),
                md.tensor(rng.integers(0, 10, shape[0]), device=device),
            )
            for _ in range(4)
        ]
        self.steps = 0

    def step(self):
        x, labels = self.batches[self.steps % 4]
        self.steps += 1
        self.optimizer.zero_grad()
        loss = md.cross_entropy(self.model(x), labels)
        loss.backward()
        self.optimizer.step()
        return loss


def test_the_first_ten_losses_are_the_cpus(gpu, network):
    there, here = Training(network, gpu), Training(network, "cpu")
    for _ in range(10):
        assert float(there.step()) == pytest.approx(float(here.step()), rel=1e-4)


def test_a_run_repeats_bit_for_bit(gpu, network):
    weights = []
    for _ in range(2):
        training = Training(network, gpu)
        for _ in range(10):
            training.step()
        weights.append(training.model.state_dict())
    for name, array in weights[0].items():
        np.testing.assert_array_equal(array, weights[1][name])


def test_after_the_first_step_no_memory_is_taken(gpu, network):
    training, pool = Training(network, gpu), gpu.xp.get_default_memory_pool()
    pool.free_all_blocks()
    totals = []
    for _ in range(10):
        training.step()
        totals.append(pool.total_bytes())
    assert np.isfinite(float(training.step()))
    assert totals[1:] == totals[:-1]


def test_a_captured_step_is_the_eager_one(gpu, network):
    eager = Training(network, gpu)
    losses = [float(eager.step()) for _ in range(12)]
    stream = gpu.xp.cuda.Stream(non_blocking=True)
    with stream:
        captured = Training(network, gpu)
        for _ in range(4):
            captured.step()
        stream.begin_capture()
        kept = [captured.step() for _ in range(4)]
        graph = stream.end_capture()
        replayed = []
        for _ in range(2):
            graph.launch(stream)
            replayed += [float(loss) for loss in kept]
    assert replayed == losses[4:]


def test_a_label_that_names_no_class_is_a_loss_of_nan(gpu):
    logits = md.tensor(np.zeros((3, 4), np.float32), device=gpu)
    losses = md.cross_entropy(logits, md.tensor(np.array([1, 4, -1]), device=gpu), "none").numpy()
    assert np.isnan(losses).tolist() == [False, True, True]
