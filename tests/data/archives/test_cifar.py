"""CIFAR-10 is read as its authors wrote it, and what is not as they wrote it is told apart."""

import gzip
import pickle
import tarfile
import zlib

import numpy as np
import pytest
import tiny_archives
from hypothesis import given
from hypothesis import strategies as st
from tiny_archives import batch, batches, file

from minidecay.data import CIFAR10_CLASSES, cifar10
from minidecay.data.archives import cifar
from minidecay.files import BrokenFileError


def test_images_are_nhwc_floats_and_labels_integers(tmp_path, monkeypatch):
    content = tiny_archives.cifar10()
    tiny_archives.publish(monkeypatch, cifar, content)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(content)
    data = cifar10(tmp_path)
    contents = batches()
    for split, names in ((data.train, cifar.TRAIN), (data.test, cifar.TEST)):
        seen = [pickle.loads(contents[name], encoding="latin-1") for name in names]
        pixels = np.concatenate([batch["data"] for batch in seen])
        assert split.images.dtype == np.float32 and split.labels.dtype == np.int64
        assert split.labels.tolist() == [label for batch in seen for label in batch["labels"]]
        assert split.images.flags.c_contiguous
        red, green = pixels[:, :1024], pixels[:, 1024:2048]
        np.testing.assert_array_equal(split.images[..., 0].reshape(-1, 1024), red / np.float32(255))
        np.testing.assert_array_equal(split.images[:, 3, 5, 1], green[:, 101] / np.float32(255))
    assert (len(data.train), len(data.test)) == (10, 2)
    assert len(CIFAR10_CLASSES) == 10


def test_what_was_published_is_known_by_its_checksum():
    assert cifar.ARCHIVE.name == "cifar-10-python.tar.gz"
    assert cifar.ARCHIVE.sha256.startswith("6d958be0") and len(cifar.ARCHIVE.sha256) == 64


@pytest.mark.parametrize("place", [0, 10, -1])
def test_another_content_is_refused_before_it_is_opened(tmp_path, monkeypatch, place):
    content = bytearray(tiny_archives.cifar10())
    tiny_archives.publish(monkeypatch, cifar, bytes(content))
    content[place] ^= 1
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(content)
    monkeypatch.setattr(cifar, "parse", None)  # would be an error of another kind
    with pytest.raises(BrokenFileError, match=r"is not cifar-10-python.tar.gz as published"):
        cifar10(tmp_path)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (file("../evil"), r"'\.\./evil' leads out of its folder"),
        (file("cifar-10-batches-py/../../evil"), "leads out of its folder"),
        (file("/etc/evil"), "'/etc/evil' leads out of its folder"),
        (file("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "'link' is neither a file"),
        (file("link", type=tarfile.LNKTYPE, linkname=cifar.TEST[0]), "'link' is neither a file"),
        (file("pipe", type=tarfile.FIFOTYPE), "'pipe' is neither a file nor a folder"),
        (file("disk", type=tarfile.BLKTYPE), "'disk' is neither a file nor a folder"),
        (file(cifar.TEST[0]), r"test_batch' is there twice"),
    ],
)
def test_members_that_have_no_place_there_are_refused(member, says):
    with pytest.raises(BrokenFileError, match=says) as told:
        cifar.parse(tiny_archives.cifar10(None, member))
    assert "\n" not in str(told.value)


def changed(**changes):
    return batches() | {cifar.TRAIN[2]: batch(2, 0, **changes)}


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        ({}, "data_batch_1, .* is missing"),
        ({cifar.TEST[0]: batch(2, 0)}, "data_batch_5 is missing"),
        (batches() | {cifar.TEST[0]: b""}, "pickle exhausted"),
        (batches() | {cifar.TEST[0]: pickle.dumps([1], 2)}, "a batch is no dict"),
        (changed(data=[1, 2]), "holds no images of 3x32x32"),
        (changed(data=np.zeros((2, 3071), np.uint8)), "holds no images of 3x32x32"),
        (changed(data=np.zeros(3072, np.uint8)), "holds no images of 3x32x32"),
        (changed(data=np.zeros((0, 3072), np.uint8), labels=[]), "holds no images of 3x32x32"),
        (changed(labels=[1]), "does not hold a label for each image"),
        (changed(labels=(1, 2)), "does not hold a label for each image"),
        (changed(labels=[1, 10]), "a label that is no class from 0 to 9"),
        (changed(labels=[1, -1]), "a label that is no class from 0 to 9"),
        (changed(labels=[1, "2"]), "a label that is no class from 0 to 9"),
        (changed(labels=[1, True]), "a label that is no class from 0 to 9"),
        ({f"member_{i}": b"" for i in range(100)}, "more than 64 members"),
    ],
)
def test_batches_that_are_none_are_told_in_a_line(contents, says):
    with pytest.raises(BrokenFileError, match=says) as told:
        cifar.parse(tiny_archives.cifar10(contents))
    assert "\n" not in str(told.value) and str(told.value).startswith("cifar-10-python.tar.gz is")


def test_a_batch_that_would_run_code_does_not(tmp_path):
    harm = tmp_path / "harm"
    text = str(harm).encode()
    call = b"\x80\x02cbuiltins\nopen\nU" + bytes([len(text)]) + text + b"U\x01w\x86R."
    with pytest.raises(BrokenFileError, match="it names 'builtins open', which has no place"):
        cifar.parse(tiny_archives.cifar10(batches() | {cifar.TRAIN[0]: call}))
    assert not harm.exists()
    pickle.loads(call, encoding="latin-1").close()
    assert harm.exists()  # it would have


def test_a_file_with_holes_is_refused():
    holes = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1000000000000"}
    member = file("sparse", pax_headers=holes)
    content = tiny_archives.tar(batches(), member, format=tarfile.PAX_FORMAT)
    with pytest.raises(BrokenFileError, match="'sparse' is neither a file nor a folder"):
        cifar.parse(gzip.compress(content))


def test_what_unpacks_to_too_much_is_refused_before_it_has(monkeypatch):
    monkeypatch.setattr(cifar, "UNPACKED_LIMIT", 1 << 20)
    bomb = zlib.compressobj(wbits=31)
    content = bomb.compress(bytes(64 << 20)) + bomb.flush()
    with pytest.raises(BrokenFileError, match="unpacked it is larger than 1048576 bytes"):
        cifar.parse(content)


def test_a_chain_of_headers_ends():
    block = file("x" * 100, 1, type=tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(BrokenFileError):
        cifar.parse(gzip.compress((block + bytes(512)) * 5000))


def test_a_size_below_zero_ends():
    header = bytearray(file("x").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\0"  # -512 in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(BrokenFileError):
        cifar.parse(gzip.compress(bytes(header) * 3))


TAR = tiny_archives.tar(batches(1))
WHOLE = gzip.compress(TAR, compresslevel=1, mtime=0)


def parsed_or_refused(content):
    try:
        data = cifar.parse(content)
    except BrokenFileError as error:
        assert "\n" not in str(error)
    else:
        assert data.train.images.shape[1:] == (32, 32, 3)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_a_flipped_bit_of_the_gzip_is_survived(place, bit):
    content = bytearray(WHOLE)
    content[place] ^= 1 << bit
    parsed_or_refused(bytes(content))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_archive_is_refused(length):
    with pytest.raises(BrokenFileError):
        cifar.parse(WHOLE[:length])


# The bytes that matter: the headers of the tar, and of the pickles in it.
HEADERS = [
    start + i for start in range(0, len(TAR) - 1024, 512) if TAR[start + 257 :][:5] == b"ustar"
    for i in range(700)
]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(HEADERS), st.integers(0, 255)), min_size=1, max_size=3),
       st.booleans())  # fmt: skip
def test_changed_headers_are_survived(changes, mend_checksum):
    content = bytearray(TAR)
    for place, value in changes:
        content[place] = value
    if mend_checksum:
        for start in {place - place % 512 for place, _ in changes}:
            header = content[start : start + 512]
            header[148:156] = b" " * 8
            content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    parsed_or_refused(gzip.compress(bytes(content), compresslevel=1))
