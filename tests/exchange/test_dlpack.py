"""Memory is shared with NumPy, torch and CuPy, both ways, or the reason why not is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from minidecay import nn

DTYPES = [np.bool_, *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8"]
arrays = st.sampled_from([np.dtype(dtype) for dtype in DTYPES]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)


@given(arrays)
def test_numpy_s_arrays_come_and_go_without_a_copy(array):
    x = md.from_dlpack(array)
    assert (x.shape, x.dtype, x.device.name) == (array.shape, array.dtype, "cpu")
    back = np.from_dlpack(x)
    np.testing.assert_array_equal(back, array)
    assert array.size == 0 or np.shares_memory(back, array)


@given(arrays)
def test_torch_s_tensors_come_and_go_without_a_copy(array):
    torch = pytest.importorskip("torch")
    theirs = torch.from_numpy(array.copy())
    x = md.from_dlpack(theirs)
    assert (x.shape, x.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(x.numpy(), array)
    back = torch.from_dlpack(x)
    assert array.size == 0 or back.data_ptr() == theirs.data_ptr()


def test_what_is_written_is_seen_on_the_other_side():
    torch = pytest.importorskip("torch")
    theirs = torch.zeros(2, 3)
    x = md.from_dlpack(theirs)
    x[0, 1] = 5
    theirs[1, 2] = 7
    assert x.numpy().tolist() == theirs.tolist() == [[0, 5, 0], [0, 0, 7]]
    torch.from_dlpack(x)[0, 0] = 3
    assert x.numpy()[0, 0] == 3


def test_strides_stay():
    torch = pytest.importorskip("torch")
    for theirs in (torch.arange(12.0).reshape(3, 4).t(), torch.arange(12.0)[1::3]):
        x = md.from_dlpack(theirs)
        np.testing.assert_array_equal(x.numpy(), theirs.numpy())
        assert x.numpy().strides == theirs.numpy().strides
        assert torch.from_dlpack(x).stride() == theirs.stride()
    x = md.tensor(np.arange(6.0).reshape(2, 3))
    assert torch.from_dlpack(x.transpose()).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert torch.from_dlpack(x[:, ::2]).tolist() == [[0, 2], [3, 5]]


def test_a_tensor_that_has_come_computes_and_differentiates_as_any_other():
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6.0).reshape(2, 3).t()
    x = md.from_dlpack(theirs)
    x.requires_grad = True
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * theirs.numpy())


def test_read_only_memory_stays_so():
    array = np.arange(3.0)
    array.flags.writeable = False
    x = md.from_dlpack(array)
    np.testing.assert_array_equal((x + 1).numpy(), [1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 1
    assert not np.from_dlpack(x).flags.writeable


def test_a_tensor_that_requires_a_gradient_is_not_given_away():
    weight = nn.Linear(2, 2).weight
    for take in (np.from_dlpack, md.from_dlpack):
        with pytest.raises(BufferError, match=r"no gradient could follow; pass x\.detach\(\)"):
            take(weight)
    shared = np.from_dlpack(weight.detach())
    assert np.shares_memory(shared, weight.numpy())


def test_a_reversed_view_is_not_given_away():
    # Torch ends the process at a negative stride.
    reversed_view = md.tensor([1.0, 2.0])[::-1]
    with pytest.raises(BufferError, match=r"a reversed view has no place in it; pass tensor\(x\)"):
        np.from_dlpack(reversed_view)
    assert np.from_dlpack(md.tensor(reversed_view)).tolist() == [2, 1]


class Elsewhere:
    def __dlpack__(self, **options):
        raise AssertionError("is not asked for")

    def __dlpack_device__(self):
        return 10, 0


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        ([1.0], TypeError, r"from_dlpack: list has no __dlpack__; use tensor\(\.\.\.\)"),
        (np.zeros(2, complex), TypeError, "complex128 values are no real numbers"),
        (np.zeros(2, np.dtype("f4").newbyteorder()), BufferError, "native byte order"),
        (np.array(["a"]), BufferError, "DLPack only supports"),
        (Elsewhere(), ValueError, "DLPack's device 10; move it to the CPU first"),
    ],
)
def test_what_cannot_come_is_told_in_a_line(x, error, says):
    with pytest.raises(error, match=says) as told:
        md.from_dlpack(x)
    assert "\n" not in str(told.value)


def test_what_torch_cannot_give_is_told():
    torch = pytest.importorskip("torch")
    with pytest.raises((TypeError, BufferError), match="dtype"):
        md.from_dlpack(torch.zeros(2, dtype=torch.bfloat16))
    with pytest.raises(BufferError, match="gradient"):
        md.from_dlpack(torch.zeros(2, requires_grad=True))
    with pytest.raises(BufferError):
        md.from_dlpack(torch.zeros(2, 2).to_sparse())


def test_memory_of_a_gpu_needs_cupy():
    class OnGpu(Elsewhere):
        def __dlpack_device__(self):
            return 2, 0

    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(RuntimeError, match="CuPy is not installed"):
            md.from_dlpack(OnGpu())


@pytest.mark.gpu
def test_cupy_s_arrays_come_and_go_without_a_copy():
    cupy = pytest.importorskip("cupy")
    array = cupy.arange(6, dtype=cupy.float32).reshape(2, 3)
    x = md.from_dlpack(array)
    assert x.device.name == "cuda"
    x[0, 1] = 9
    assert array[0, 1] == 9
    assert cupy.from_dlpack(x).data.ptr == array.data.ptr
