"""MNIST is read from the npz that Keras publishes, without its pickles and within its size."""

import io
import zipfile

import numpy as np
import pytest
import tiny_archives
from hypothesis import given
from hypothesis import strategies as st

from minidecay.data import mnist
from minidecay.data.archives import mnist as module
from minidecay.files import BrokenFileError

WHOLE = tiny_archives.mnist()


def test_images_are_nhwc_floats_and_labels_integers(tmp_path, monkeypatch):
    tiny_archives.publish(monkeypatch, module, WHOLE)
    (tmp_path / "mnist.npz").write_bytes(WHOLE)
    train, test = mnist(tmp_path)
    with np.load(io.BytesIO(WHOLE)) as arrays:
        for split, role in ((train, "train"), (test, "test")):
            pixels = arrays[f"x_{role}"]
            assert split.images.shape == (*pixels.shape, 1)
            assert split.images.dtype == np.float32 and split.labels.dtype == np.int64
            np.testing.assert_array_equal(split.images[..., 0], pixels / np.float32(255))
            np.testing.assert_array_equal(split.labels, arrays[f"y_{role}"])


def test_another_content_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    (tmp_path / "mnist.npz").write_bytes(WHOLE)  # not what is published
    monkeypatch.setattr(module, "parse", None)
    with pytest.raises(BrokenFileError, match=r"is not mnist\.npz as published") as told:
        mnist(tmp_path)
    assert "\n" not in str(told.value) and str(tmp_path) in str(told.value)


def other(**changes):
    return tiny_archives.mnist(**changes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "File is not a zip file"),
        (other(x_train=None), "x_train is missing"),
        (other(y_test=None), "y_test is missing"),
        (other(x_train=np.zeros((6, 28, 27), np.uint8)), r"x_train is uint8 \(6, 28, 27\), not"),
        (other(x_train=np.zeros((6, 28, 28))), "x_train is float64"),
        (other(y_train=np.zeros(5, np.uint8)), r"labels \(5,\) do not match 6 images"),
        (other(y_train=np.full(6, 10, np.uint8)), "y_train holds no classes from 0 to 9"),
        (other(y_train=np.full(6, -1)), "label -1 is negative"),
        (other(y_train=np.zeros(6)), "y_train holds no classes from 0 to 9"),
        (other(x_test=np.array([{}])), "allow_pickle=False"),
    ],
)
def test_what_is_no_mnist_is_told_in_a_line(content, says):
    with pytest.raises(BrokenFileError, match=says) as told:
        module.parse(content)
    assert "\n" not in str(told.value) and str(told.value).startswith("mnist.npz is")


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def test_what_unpacks_to_too_much_is_refused_before_it_has(monkeypatch):
    monkeypatch.setattr(module, "UNPACKED_LIMIT", 1 << 20)
    with pytest.raises(BrokenFileError, match="unpacked it is larger than 1048576 bytes"):
        module.parse(zipped([("x_train.npy", bytes(2 << 20))]))


def test_a_member_that_is_more_than_it_says_is_not_unpacked_further():
    content = bytearray(zipped([("x_train.npy", bytes(1 << 20))]))
    for place in range(len(content) - 4):
        if content[place : place + 4] == (1 << 20).to_bytes(4, "little"):
            content[place : place + 4] = (1 << 10).to_bytes(4, "little")
    with pytest.raises(BrokenFileError, match="Bad CRC"):
        module.parse(bytes(content))


def test_a_header_that_claims_more_than_there_is_makes_no_room_for_it():
    npy = io.BytesIO()
    np.save(npy, np.zeros((6, 28, 28), np.uint8))
    claim = npy.getvalue().replace(b"(6, 28, 28), ", b"(1" + b"0" * 7 + b",), ")
    with pytest.raises(BrokenFileError, match=r"4704 bytes are no array \(10000000,\) of uint8"):
        module.parse(zipped([("x_train.npy", claim)]))


def test_a_name_that_is_there_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped([("x_train.npy", b"a"), ("x_train.npy", b"b")])
    with pytest.raises(BrokenFileError, match="a name is given twice"):
        module.parse(content)


def parsed_or_refused(content):
    try:
        data = module.parse(content)
    except BrokenFileError as error:
        assert str(error)
    else:
        assert data.train.images.shape[1:] == (28, 28, 1)


# Where the members' own headers and the directory stand; between them lies compressed noise.
ENDS = [*range(200), *range(len(WHOLE) - 500, len(WHOLE))]


@given(st.lists(st.tuples(st.sampled_from(ENDS), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_headers_are_survived(changes):
    content = bytearray(WHOLE)
    for place, value in changes:
        content[place] = value
    parsed_or_refused(bytes(content))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_file_is_refused(length):
    with pytest.raises(BrokenFileError):
        module.parse(WHOLE[:length])


@given(st.binary(max_size=200))
def test_any_header_of_an_array_is_survived(text):
    length = len(text).to_bytes(2, "little")
    parsed_or_refused(zipped([("x_train.npy", b"\x93NUMPY\x01\x00" + length + text)]))


SIGNS = "{}()[]',:0123456789-+*|<>=ufO1 \nTrueFalsNdcriptohxL\\#\"\t"


@given(st.text(st.sampled_from(SIGNS), max_size=60))
def test_any_nonsense_in_such_a_header_is_survived(text):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {text}}}\n".encode()
    length = len(header).to_bytes(2, "little")
    parsed_or_refused(zipped([("x_train.npy", b"\x93NUMPY\x01\x00" + length + header)]))
