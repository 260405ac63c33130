"""What a profile counts: each operation once, what it moves, and nothing after its end."""

import re

import numpy as np
import pytest

import minidecay as md
from minidecay.ops.base import Op

F32 = np.float32


def test_calls_and_bytes_are_counted_by_operation():
    x = md.tensor(np.ones((5, 4), F32))
    layer = md.nn.Linear(4, 3)
    with md.profile(show=False) as p:
        for _ in range(2):
            md.relu(layer(x)).mean().backward()
    assert {name: row.calls for name, row in p.rows.items()} == {"linear": 2, "relu": 2, "mean": 2}
    x_, w, b, y = 5 * 4, 4 * 3, 3, 5 * 3
    forward, backward = x_ + w + b + y, y + (x_ + w) + (w + b)  # x needs no gradient
    assert p.rows["linear"].bytes == 2 * 4 * (forward + backward)
    assert p.rows["relu"].bytes == 2 * 4 * (2 * y + 3 * y)  # backward reads its output again


def test_times_add_up_to_less_than_the_whole():
    x = md.tensor(np.ones((100, 100)), requires_grad=True)
    with md.profile(show=False) as p:
        (x @ x).sum().backward()
    assert all(row.forward > 0 and row.backward > 0 for row in p.rows.values())
    assert 0 < sum(row.seconds for row in p.rows.values()) < p.seconds


def test_views_move_nothing():
    x = md.tensor(np.ones((2, 3)), requires_grad=True)
    with md.profile(show=False) as p:
        x.reshape(3, 2).transpose().backward(np.ones((2, 3)))
    assert {name: row.bytes for name, row in p.rows.items()} == {"reshape": 0, "transpose": 0}


def test_the_table_is_printed_with_the_longest_first(capsys):
    x = md.tensor(np.ones((200, 200)), requires_grad=True)
    with md.profile():
        ((x @ x) * 2.0).sum().backward()
    lines = capsys.readouterr().out.splitlines()
    columns = ["operation", "calls", "forward, ms", "backward, ms", "both, ms", "share", "MB"]
    assert re.split("  +", lines[0]) == columns
    names = [line.split("  ")[0] for line in lines[2:]]
    assert set(names[:3]) == {"matmul", "mul", "sum"}
    assert names[3:] == ["all operations", "outside of them"]
    both = [float(line.split()[4]) for line in lines[2:5]]
    assert both == sorted(both, reverse=True)


def test_an_error_goes_through_and_prints_nothing(capsys):
    with pytest.raises(ValueError, match="mine"), md.profile():
        raise ValueError("mine")
    with pytest.raises(ValueError, match="matmul"), md.profile():
        md.tensor([[1.0]]) @ md.tensor([1.0, 2.0])
    assert capsys.readouterr().out == ""
    with md.profile(show=False) as p:
        md.tensor([[1.0]]) @ md.tensor([1.0])  # an error leaves nothing running
    assert p.rows["matmul"].calls == 1


def test_afterwards_operations_are_as_they_were():
    before = vars(md.functions.layers.ops.Linear)["forward"]
    with md.profile(show=False) as p:
        assert vars(md.functions.layers.ops.Linear)["forward"] is not before
    assert vars(md.functions.layers.ops.Linear)["forward"] is before
    md.exp(md.tensor([1.0]))
    assert p.rows == {} and p.seconds > 0


def test_an_operation_of_ones_own_is_seen():
    class Twice(Op):
        def forward(self, x):
            return self.device.mul(x, 2)

        def backward(self, gy):
            return (self.device.mul(gy, 2),)

    x = md.tensor([1.0], requires_grad=True)
    with md.profile(show=False) as p:
        md.autograd.apply(Twice(), x).backward()
    assert p.rows["twice"].calls == 1 and x.grad.item() == 2.0


def test_a_captured_step_is_seen_every_time_with_the_same_numbers():
    x = np.ones((4, 3), F32)
    layer = md.nn.Linear(3, 2, rng=np.random.default_rng(0))
    step = md.capture(lambda x: layer(md.from_numpy(x)).sum())
    expected = step(x).item()
    with md.profile(show=False) as p:
        assert [step(x).item() for _ in range(3)] == [expected] * 3
    assert p.rows["linear"].calls == 3
    assert step.eager_because is None and step(x).item() == expected


def test_profiles_of_every_device(device):
    x = md.tensor(np.ones((2, 3), F32), requires_grad=True, device=device)
    with md.profile(show=False) as p:
        x.exp().sum().backward()
    assert {name: row.calls for name, row in p.rows.items()} == {"exp": 1, "sum": 1}
