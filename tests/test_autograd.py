"""The engine: what is recorded, what backward does with it, and what it refuses."""

import contextlib
import copy
import gc
import pickle
import threading
import tracemalloc

import numpy as np
import pytest

import minidecay as md
from minidecay.devices import device as find_device
from minidecay.devices.cpu import Cpu


def leaf(values, dtype=np.float64):
    return md.tensor(np.array(values, dtype=dtype), requires_grad=True)


def test_a_tensor_used_twice_gets_both_gradients():
    x = leaf([2.0, 3.0])
    (x * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad, [5.0, 7.0])


def test_a_diamond_is_walked_once_for_each_of_its_nodes():
    x = leaf([1.0])
    y = x * 2.0
    a, b = y * 3.0, y * 5.0
    (a * b).sum().backward()
    assert x.grad.item() == 2 * 15 * 2 * 2.0


def test_gradients_add_up_over_calls_until_they_are_dropped():
    x = leaf([1.0])
    for _ in range(2):
        (x * 4.0).sum().backward()
    assert x.grad.item() == 8.0
    x.grad = None
    (x * 4.0).sum().backward()
    assert x.grad.item() == 4.0


def test_only_leaves_hold_gradients():
    x = leaf([1.0])
    y = x * 2.0
    y.sum().backward()
    assert x.grad is not None and y.grad is None


def test_two_interleaved_graphs_do_not_disturb_each_other():
    x, w = leaf([1.0]), leaf([10.0])
    a = x * 2.0
    b = w * 3.0
    a = a * a
    b = b * b
    a.sum().backward()
    assert x.grad.item() == 8.0 and w.grad is None
    b.sum().backward()
    assert x.grad.item() == 8.0 and w.grad.item() == 180.0


def test_a_trunk_with_two_losses_is_spent_after_the_first():
    x = leaf([1.0])
    trunk = x * x
    first, second = (trunk * 2.0).sum(), (trunk * 3.0).sum()
    first.backward()
    with pytest.raises(RuntimeError, match=r"spent.*retain_graph=True"):
        second.backward()


def test_a_retained_trunk_serves_two_losses():
    x = leaf([1.0])
    trunk = x * x
    first, second = (trunk * 2.0).sum(), (trunk * 3.0).sum()
    first.backward(retain_graph=True)
    second.backward()
    assert x.grad.item() == 10.0
    with pytest.raises(RuntimeError, match="spent"):
        first.backward()


def test_forwards_without_a_backward_leave_no_memory_behind():
    x = leaf(np.ones(100))

    def forward(times):
        for _ in range(times):
            (x * x).sum()

    forward(100)
    gc.collect()
    gc.disable()  # the graph must go by reference counts alone
    tracemalloc.start()
    try:
        forward(10_000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 20_000


def test_a_chain_of_a_hundred_thousand_is_walked_and_forgotten():
    x = leaf([1.0])
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    y = x
    for _ in range(100_000):
        y = y + 1.0
    del y  # a chain that no backward has spent is taken apart as well


def test_a_value_that_was_overwritten_is_not_read():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    with md.no_grad():
        x[0] = 5.0
    with pytest.raises(RuntimeError, match="mul would read a value that was overwritten"):
        y.backward()


def test_a_value_that_nobody_reads_may_be_overwritten():
    x = leaf([1.0, 2.0])
    y = (x + 1.0).sum()
    with md.no_grad():
        x[0] = 5.0
    y.backward()
    np.testing.assert_array_equal(x.grad, [1.0, 1.0])


def test_an_output_that_backward_reads_is_watched_too():
    x = leaf([1.0])
    y = md.exp(x)
    with md.no_grad():
        y[0] = 0.0
    with pytest.raises(RuntimeError, match="exp would read"):
        y.sum().backward()


@pytest.mark.parametrize(
    "view", [lambda x: x[:1], lambda x: x.reshape(1, 2), lambda x: x.T, lambda x: x.detach()]
)
def test_a_write_through_a_view_is_noticed(view):
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    with md.no_grad():
        view(x)[...] = 7.0
    with pytest.raises(RuntimeError, match="overwritten"):
        y.backward()


def test_an_optimiser_step_is_a_write():
    x = leaf([1.0])
    optimizer = md.optim.SGD([x], lr=0.1)
    late = (x * x).sum()
    (x * 2.0).sum().backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="overwritten"):
        late.backward()


def test_running_statistics_are_values_that_can_go_stale():
    layer = md.nn.BatchNorm1d(2)
    x = leaf(np.random.default_rng(0).standard_normal((4, 2)), np.float32)
    y = layer.eval()(x).sum()
    layer.train()(x)
    with pytest.raises(RuntimeError, match="batch_norm_inference would read"):
        y.backward()


def test_a_loss_of_more_than_one_value_wants_a_gradient():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"shape \(2,\) is not one value"):
        (x * 2.0).backward()
    (x * 2.0).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [2.0, 20.0])
    with pytest.raises(RuntimeError, match=r"shape \(3,\) must be \(2,\)"):
        (x * 2.0).backward(np.ones(3))


def test_backward_from_a_leaf_is_its_gradient():
    x = leaf(3.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_backward_without_anything_to_reach_is_an_error():
    with pytest.raises(RuntimeError, match="requires_grad=True"):
        md.tensor([1.0]).sum().backward()


def test_nothing_is_recorded_under_no_grad():
    x = leaf([1.0])
    with md.no_grad():
        y = x * 2.0
        with md.no_grad():
            pass
        z = x * 3.0
    assert y.is_leaf and z.is_leaf and not z.requires_grad
    assert (x * 2.0).requires_grad

    @md.no_grad()
    def double(t):
        return t * 2.0

    assert not double(x).requires_grad and (x * 2.0).requires_grad


def test_a_no_grad_entered_again_before_it_is_left_gives_recording_back():
    x = leaf([1.0])

    @md.no_grad()
    def halve(t, times):
        return t if times == 0 else halve(t * 0.5, times - 1)

    assert not halve(x, 3).requires_grad and (x * 2.0).requires_grad
    same = md.no_grad()
    with same, same:
        pass
    assert (x * 2.0).requires_grad


def test_a_function_under_no_grad_in_two_threads_gives_recording_back_in_each():
    x, seen, both = leaf([1.0]), [], threading.Barrier(2)

    @md.no_grad()
    def meet():
        both.wait(timeout=60)

    def work(again):
        with md.no_grad() if again else contextlib.nullcontext():
            meet()
            seen.append((again, (x * 2.0).requires_grad))

    threads = [threading.Thread(target=work, args=(again,)) for again in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(False, True), (True, False)]


def test_no_grad_is_for_one_thread_alone():
    x, seen = leaf([1.0]), []
    with md.no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2.0).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_detach_cuts_the_history():
    x = leaf([2.0])
    (x * (x * x).detach()).sum().backward()
    assert x.grad.item() == 4.0


def test_only_a_float_leaf_can_ask_for_a_gradient():
    x = leaf([1.0])
    with pytest.raises(RuntimeError, match="only a leaf"):
        (x * 2.0).requires_grad = False
    with pytest.raises(TypeError, match="int64 has no gradient"):
        md.tensor(np.array([1]), requires_grad=True)
    x.requires_grad = False
    assert not (x * 2.0).requires_grad


def test_python_numbers_become_float32_and_arrays_keep_their_dtype():
    assert md.tensor(3).dtype == md.tensor([[1, 2.5]]).dtype == np.float32
    assert md.tensor(np.array([1, 2])).dtype == np.int64
    assert md.tensor(np.ones(2)).dtype == np.float64
    assert md.tensor([True]).dtype == bool
    assert md.tensor([1, 2], dtype=np.int64).dtype == np.int64
    assert (md.tensor([1.0]) * 2.5).dtype == np.float32
    assert (md.tensor([1.0]) * np.float32(2.5)).dtype == np.float32
    with pytest.raises(TypeError, match="no real numbers"):
        md.tensor(["a"])
    with pytest.raises(ValueError, match="nested lists of different lengths"):
        md.tensor([[1, 2], [3]])


def test_a_tensor_is_a_copy_and_from_numpy_is_not():
    array = np.ones(2, np.float32)
    copied, shared = md.tensor(array), md.from_numpy(array)
    array[0] = 5
    assert copied[0].item() == 1 and shared[0].item() == 5
    with pytest.raises(TypeError, match=r"use tensor\(\.\.\.\)"):
        md.from_numpy([1.0])


def test_two_devices_do_not_mix():
    class Elsewhere(Cpu):
        name = "elsewhere"

    x, y = md.tensor([1.0]), md.tensor([1.0], device=Elsewhere())
    with pytest.raises(ValueError, match=r"add: one tensor is on cpu, another on elsewhere.*\.to"):
        x + y
    assert (y.to("cpu") + x).item() == 2.0 and x.to("cpu") is x
    assert "device='elsewhere'" in repr(y)
    with pytest.raises(ValueError, match="'tpu' is unknown; choose"):
        md.tensor([1.0], device="tpu")


def test_moving_a_computed_tensor_is_refused():
    class Elsewhere(Cpu):
        name = "elsewhere"

    y = leaf([1.0]) * 2.0
    with pytest.raises(RuntimeError, match="detach"):
        y.to(Elsewhere())
    moved = leaf([1.0]).to(Elsewhere())
    assert moved.requires_grad and moved.device.name == "elsewhere"


def test_dtypes_do_not_mix():
    with pytest.raises(TypeError, match="mul: dtypes float32 and float64 differ; use astype"):
        md.tensor([1.0]) * md.tensor(np.ones(1))
    with pytest.raises(TypeError, match="exp: int64 values, but floats are needed"):
        md.exp(md.tensor(np.array([1])))
    with pytest.raises(TypeError, match="mul: int64 values beside a float"):
        md.tensor(np.array([1])) * 0.5
    with pytest.raises(TypeError, match="hold no tensor"):
        md.add(1.0, 2.0)


def test_astype_carries_gradients_back_in_the_first_dtype():
    x = leaf([1.0, 2.0], np.float32)
    (x.astype(np.float64) * 2.0).sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])
    assert not x.astype(np.int64).requires_grad


def test_numpy_is_a_view_that_cannot_be_written():
    x = leaf([1.0, 2.0])
    view = x.numpy()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 3.0
    with md.no_grad():
        x[0] = 3.0
    assert view[0] == 3.0


def test_arrays_and_tensors_exchange_values():
    x = md.tensor([[1.0, 2.0]])
    assert np.asarray(x).tolist() == [[1.0, 2.0]]
    assert np.from_dlpack(x).tolist() == [[1.0, 2.0]]
    assert x.__dlpack_device__()[0] == 1
    torch = pytest.importorskip("torch")
    assert torch.from_dlpack(x).tolist() == [[1.0, 2.0]]


def test_an_array_on_the_left_leaves_the_operation_to_the_tensor():
    x, array = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    for made in (array + x, array - x, array * x, array / x, array**x, array @ x, 2.0 - x, 2.0**x):
        assert isinstance(made, md.Tensor) and made.requires_grad
    assert (array @ x).item() == 11.0 and (1 / x)[1].item() == 0.5


def test_comparisons_are_boolean_and_have_no_gradient():
    x = leaf([1.0, 2.0, 3.0])
    for made, expected in (
        (x > 2.0, [False, False, True]),
        (x >= 2.0, [False, True, True]),
        (x < 2.0, [True, False, False]),
        (x <= np.array([0.0, 9.0, 9.0]), [False, True, True]),
        (x == x, [True, True, True]),
        (x != md.tensor(np.array([1.0, 0.0, 0.0])), [False, True, True]),
    ):
        assert made.dtype == bool and not made.requires_grad
        assert made.numpy().tolist() == expected
    assert x in {x: 1}


def test_writing_in_place_is_for_tensors_without_a_gradient():
    x, plain = leaf([1.0, 2.0]), md.tensor(np.array([1.0, 2.0]))
    with pytest.raises(RuntimeError, match="the gradient could not follow"):
        x += 1.0
    with pytest.raises(RuntimeError, match="the gradient could not follow"):
        plain[0] = x[0]
    same = plain
    plain += 1.0
    plain *= 4.0
    plain -= 2.0
    plain /= 2.0
    assert same is plain and plain.numpy().tolist() == [3.0, 5.0]
    with md.no_grad():
        x -= 0.5 * x
    assert x.numpy().tolist() == [0.5, 1.0] and x.requires_grad
    plain[md.tensor([True, False])] = 0.0
    assert plain.numpy().tolist() == [0.0, 5.0]


def test_one_value_is_a_number_and_more_are_not():
    x = leaf([[2.5]])
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    with pytest.raises(ValueError, match="holds 2 values, not one"):
        leaf([1.0, 2.0]).item()
    with pytest.raises(ValueError, match="holds 2 values"):
        bool(leaf([1.0, 2.0]) > 0.0)


def test_length_and_iteration_follow_the_first_axis():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2 and [row.sum().item() for row in x] == [3.0, 7.0]
    assert (x.ndim, x.size, x.shape) == (2, 4, (2, 2))
    with pytest.raises(TypeError, match="has no length"):
        len(leaf(1.0))


def test_repr_shows_what_a_torch_user_expects():
    assert repr(md.tensor([1.0])) == "tensor([1.])"
    assert repr(leaf([1.0])) == "tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(leaf([1.0], np.float32) * 2.0) == "tensor([2.], op=mul)"


def test_a_leaf_can_be_copied_and_pickled():
    x = leaf([1.0, 2.0])
    twin = copy.deepcopy(x)
    with md.no_grad():
        twin[0] = 9.0
    assert x[0].item() == 1.0 and twin.requires_grad
    with pytest.raises(RuntimeError, match="detach"):
        copy.deepcopy(x * 2.0)
    assert pickle.loads(pickle.dumps(find_device("cpu"))) is find_device("cpu")


def test_the_same_leaf_twice_in_one_operation_is_safe_in_an_optimisers_buffer():
    w = leaf([[1.0, 2.0], [3.0, 4.0]])
    md.optim.SGD([w], lr=0.1)
    md.linear(w, w).sum().backward()
    in_buffer, w2 = w.grad.numpy().copy(), leaf([[1.0, 2.0], [3.0, 4.0]])
    md.matmul(w2, w2).sum().backward()
    np.testing.assert_allclose(in_buffer, w2.grad)


def test_methods_are_those_of_numpy():
    x = leaf(np.arange(6.0).reshape(2, 3))
    a = x.numpy()
    for method in ("sum", "mean", "max", "var"):
        np.testing.assert_allclose(getattr(x, method)(axis=1), getattr(a, method)(axis=1))
        np.testing.assert_allclose(getattr(x, method)(), getattr(a, method)())
    np.testing.assert_allclose(x.var(ddof=1), a.var(ddof=1))
    assert x.reshape(3, 2).shape == x.reshape((3, -1)).shape == (3, 2)
    assert x.T.shape == x.transpose().shape == x.transpose(1, 0).shape == (3, 2)
    np.testing.assert_array_equal(abs(-x), a)
    assert md.getitem(x, (0, 1)).item() == 1.0
