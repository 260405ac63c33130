"""What is saved comes back as it was, from whole files alone, and nothing in a file runs."""

import json
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidecay as md
from minidecay import files, nn
from minidecay.random import stream

FORMATS = ["npz", "safetensors"]


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    """A file of each format in turn, where there is the library for it."""
    if request.param == "safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"state.{request.param}"


DTYPES = [np.bool_, *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8"]
arrays = st.sampled_from([np.dtype(dtype) for dtype in DTYPES]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = texts.filter(lambda name: name not in ("", "__metadata__"))


def roundtrip(path, *arguments):
    md.save(path, *arguments)
    return md.load(path)


@pytest.mark.parametrize("suffix", FORMATS)
@given(state=st.dictionaries(names, arrays, max_size=4), metadata=st.dictionaries(texts, texts))
def test_any_arrays_under_any_names_come_back_bit_for_bit(
    tmp_path_factory, suffix, state, metadata
):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path_factory.mktemp("saved") / f"state.{suffix}"
    back = roundtrip(path, state, metadata)
    assert back.keys() == state.keys() and back.metadata == metadata
    for name, array in state.items():
        assert back[name].dtype == array.dtype and back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()
        assert back[name].flags.writeable


def test_a_model_goes_into_its_twin(path):
    def model(seed):
        rng = stream(seed)
        return nn.Sequential(
            nn.Conv2d(2, 3, 3, rng=rng), nn.BatchNorm2d(3), nn.Flatten(),
            nn.Dropout(0.5, rng=rng), nn.Linear(12, 2, rng=rng))  # fmt: skip

    ours, twin = model(0), model(1)
    twin.load_state_dict(roundtrip(path, ours))
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(twin.state_dict()[name], value)


def test_views_are_saved_as_what_they_show(path):
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    shown = {
        "transposed": whole.T,
        "strided": whole[::2, 1::3],
        "reversed": whole[::-1],
        "fortran": np.asfortranarray(whole),
        "broadcast": np.broadcast_to(whole[0], (3, 6)),
        "other byte order": whole.astype(">f4"),
        "tensor": md.tensor(whole).transpose(),
        "number": 3,
        "list": [1.5, 2.5],
    }
    back = roundtrip(path, shown)
    for name, value in shown.items():
        np.testing.assert_array_equal(back[name], np.asarray(value))
        assert back[name].dtype.isnative


def test_weights_of_torch_are_saved_too(path):
    torch = pytest.importorskip("torch")
    state = torch.nn.Linear(3, 2).state_dict()
    back = roundtrip(path, state)
    np.testing.assert_array_equal(back["weight"], state["weight"].numpy())


def test_the_libraries_read_what_is_saved_and_the_other_way(tmp_path):
    state = {"a": np.arange(3.0), "b.c": np.ones((2, 2), np.float32)}
    md.save(tmp_path / "ours.npz", state)
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as seen:
        np.testing.assert_array_equal(seen["b.c"], state["b.c"])
    np.savez_compressed(tmp_path / "theirs.npz", **state)
    np.testing.assert_array_equal(md.load(tmp_path / "theirs.npz")["a"], state["a"])
    library = pytest.importorskip("safetensors.numpy")
    md.save(tmp_path / "ours.safetensors", state, {"by": "us"})
    np.testing.assert_array_equal(
        library.load_file(tmp_path / "ours.safetensors")["b.c"], state["b.c"]
    )
    library.save_file(state, tmp_path / "theirs.safetensors")
    back = md.load(tmp_path / "theirs.safetensors")
    np.testing.assert_array_equal(back["a"], state["a"])
    assert back.metadata == {}


def test_torch_reads_a_file_of_converted_weights(tmp_path):
    pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    model = nn.Linear(3, 2, rng=stream(0))
    md.save(tmp_path / "linear.safetensors", md.to_torch(model, tensors=False))
    state = library.load_file(tmp_path / "linear.safetensors")
    np.testing.assert_array_equal(state["weight"].numpy(), model.weight.numpy().T)


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    md.save(path, {"a": np.zeros(2)})
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no room"):
        md.save(path, {"a": np.ones(2)})
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("a.pt", {}), ValueError, r"save: a\.pt must end in \.npz or \.safetensors"),
        (("a", {}), ValueError, "must end in"),
        (({"a": np.ones(1)}, "a.npz"), TypeError, "the path comes first, got dict"),
        (("a.npz", np.ones(2)), TypeError, "expected a module or a dict, got ndarray; name the"),
        (("a.npz", {"": np.ones(2)}), ValueError, "'' is no name for an array"),
        (("a.npz", {3: np.ones(2)}), ValueError, "3 is no name for an array"),
        (("a.npz", {"__metadata__": np.ones(2)}), ValueError, "'__metadata__' is no name"),
        (("a.npz", {"a": "text"}), TypeError, "a is <U4, which is no array of real numbers"),
        (("a.npz", {"a": {"b": 1}}), TypeError, "a is object, which is no array of real numbers"),
        (("a.npz", {"a": np.ma.masked_equal([0, 1], 0)}), TypeError, "a is masked, which no form"),
        (("a.npz", {"a": np.ones(2, complex)}), TypeError, "a is complex128"),
        (("a.npz", {}, {"epoch": 3}), TypeError, r"more than texts; write numbers as str\(number"),
        (("a.npz", {}, {3: "epoch"}), TypeError, "more than texts"),
    ],
)
def test_what_cannot_be_saved_is_refused_in_a_line(tmp_path, monkeypatch, arguments, error, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says) as told:
        md.save(*arguments)
    assert "\n" not in str(told.value) and not list(tmp_path.iterdir())


def test_a_dtype_that_safetensors_lacks_is_refused(tmp_path):
    pytest.importorskip("safetensors")
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("a long double is a double here")
    with pytest.raises(TypeError, match=r"a is float128|longdouble.*which safetensors lacks"):
        md.save(tmp_path / "a.safetensors", {"a": np.ones(2, np.longdouble)})


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        md.load(path)
    with pytest.raises(FileNotFoundError):
        md.save(path.parent / "nowhere" / path.name, {})


def test_without_safetensors_its_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"")
    for call in (lambda: md.save(path, {}), lambda: md.load(path)):
        with pytest.raises(ImportError, match=r'pip install "minidecay\[safetensors\]".*\.npz'):
            call()
    md.save(tmp_path / "a.npz", {"a": np.ones(1)})


def broken(path, content):
    path.write_bytes(content)
    with pytest.raises(files.BrokenFileError) as told:
        md.load(path)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


def test_a_pickle_is_not_read(tmp_path, path):
    harm = tmp_path / "harm"

    class Harmful:
        def __reduce__(self):
            return open, (str(harm), "w")

    broken(path, pickle.dumps(Harmful()))
    np.savez(tmp_path / "objects.npz", a=np.array([Harmful()], object))
    with pytest.raises(files.BrokenFileError, match="allow_pickle=False"):
        md.load(tmp_path / "objects.npz")
    assert not harm.exists()


def test_one_format_under_the_name_of_the_other_is_refused(tmp_path):
    pytest.importorskip("safetensors")
    for suffix, other in (FORMATS, FORMATS[::-1]):
        md.save(tmp_path / f"a.{suffix}", {"a": np.ones(2)})
        broken(tmp_path / f"b.{other}", (tmp_path / f"a.{suffix}").read_bytes())


@pytest.mark.parametrize("metadata", ["[]", "{", '{"a": 1}', "3"])
def test_metadata_that_is_none_is_refused(tmp_path, metadata):
    files.write_npz(tmp_path / "a.npz", {}, {"metadata.json": metadata})
    broken(tmp_path / "a.npz", (tmp_path / "a.npz").read_bytes())


def safetensors_file(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype, shape, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors_file({"a": entry("BF16", [2], 4)}, b"1234"),
        safetensors_file({"a": entry("F8_E4M3", [1], 1)}, b"1"),
        safetensors_file({"a": entry("F32", [2], 4)}, b"1234"),
        safetensors_file({"a": entry("U8", [1 << 62, 1 << 62], 1)}, b"1"),
        safetensors_file({"__metadata__": {"a": 1}}),
        safetensors_file(b"[" * 100_000),
        (1 << 63).to_bytes(8, "little"),
    ],
)
def test_what_safetensors_may_hold_but_numpy_not_is_refused(tmp_path, content):
    pytest.importorskip("safetensors")
    broken(tmp_path / "a.safetensors", content)


@pytest.mark.parametrize("suffix", FORMATS)
@given(data=st.data())
def test_a_truncated_file_is_refused_and_a_changed_one_survived(tmp_path_factory, suffix, data):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path_factory.mktemp("saved") / f"state.{suffix}"
    md.save(path, {"a": np.arange(3, dtype=np.float32), "b": np.zeros((2, 2))}, {"x": "y"})
    whole = path.read_bytes()
    broken(path, whole[: data.draw(st.integers(0, len(whole) - 1))])
    changed = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
        changed[place] = data.draw(st.integers(0, 255))
    path.write_bytes(changed)
    try:
        assert isinstance(md.load(path), dict)
    except files.BrokenFileError as error:
        assert str(path) in str(error)
