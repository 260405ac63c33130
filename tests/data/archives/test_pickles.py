"""What Python 2 pickled is read as data, and nothing in it runs, hangs or crashes."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from python2_pickles import dumps

from minidecay.data.archives import pickles
from minidecay.data.archives.pickles import Array, read_pickle

texts = st.text(st.characters(max_codepoint=255), max_size=300)
bytes_arrays = hnp.arrays(np.uint8, hnp.array_shapes(max_dims=3, max_side=5, min_side=0)).flatmap(
    lambda array: st.sampled_from([array, np.asfortranarray(array)])
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | texts | bytes_arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=10,
)


def same(ours, theirs):
    """Are both one value, an `Array` here being an array there?"""
    if isinstance(theirs, np.ndarray):
        return type(ours) is Array and np.array_equal(ours.values, theirs)
    if isinstance(theirs, list | tuple):
        pairs = zip(ours, theirs, strict=True)
        return type(ours) is type(theirs) and all(same(a, b) for a, b in pairs)
    if isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in theirs)
    return type(ours) is type(theirs) and ours == theirs


@given(values, st.sampled_from([1, 2]))
def test_a_pickle_of_python_2_is_read_as_python_reads_it(value, protocol):
    content = dumps(value, protocol)
    assert same(pickle.loads(content, encoding="latin-1"), value) or contains_array(value)
    assert same(read_pickle(content), value)


def contains_array(value):
    if isinstance(value, dict):
        value = list(value.values())
    is_nest = isinstance(value, list | tuple)
    return isinstance(value, np.ndarray) or (is_nest and any(map(contains_array, value)))


def test_the_writer_of_these_tests_writes_arrays_that_numpy_reads():
    for array in (np.arange(12, dtype=np.uint8).reshape(3, 4), np.ones((2, 3), np.uint8, "F")):
        for protocol in (1, 2):
            back = pickle.loads(dumps(array, protocol), encoding="latin-1")
            assert back.dtype == np.uint8 and np.array_equal(back, array)


# Written by cPickle of Python 2.7.18 with NumPy 1.16.6.
GENUINE_VALUE = {
    "labels": [6, 9],
    "data": np.arange(250, 256, dtype=np.uint8).reshape(2, 3),
    "filenames": ["a.png", "b.png"],
}
GENUINE = {
    1: b"}q\x01(U\x06labelsq\x02]q\x03(K\x06K\teU\x04dataq\x04cnumpy.core.multiarray\n"
    b"_reconstruct\nq\x05(cnumpy\nndarray\nq\x06(K\x00tU\x01btRq\x07(K\x01(K\x02K\x03t"
    b"cnumpy\ndtype\nq\x08(U\x02u1K\x00K\x01tRq\t(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tbI00\nU\x06\xfa\xfb\xfc\xfd\xfe\xfftb"
    b"U\tfilenamesq\n]q\x0b(U\x05a.pngq\x0cU\x05b.pngq\reu.",
    2: b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\teU\x04dataq\x04cnumpy.core.multiarray\n"
    b"_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01K\x02K\x03\x86"
    b"cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\t(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89U\x06\xfa\xfb\xfc\xfd\xfe\xfftb"
    b"U\tfilenamesq\n]q\x0b(U\x05a.pngq\x0cU\x05b.pngq\reu.",
}


@pytest.mark.parametrize("protocol", [1, 2])
def test_a_pickle_that_python_2_itself_wrote_is_read(protocol):
    assert same(read_pickle(GENUINE[protocol]), GENUINE_VALUE)


@pytest.mark.parametrize("protocol", [1, 2])
def test_the_writer_of_these_tests_writes_what_python_2_wrote_but_for_the_memo(protocol):
    def without_memo(content):
        return re.sub(rb"q[\x01-\x20]", b"", content)

    assert without_memo(dumps(GENUINE_VALUE, protocol)) == without_memo(GENUINE[protocol])


def test_a_value_that_is_there_twice_is_one_value():
    inner = b"]q\x01h\x01"  # an empty list, and the same again
    first, second = read_pickle(b"\x80\x02" + inner + b"\x86.")
    assert first is second


BATCH = {"labels": [3, 1], "data": np.arange(8, dtype=np.uint8).reshape(2, 4), "names": ("a", "b")}
WHOLE = dumps(BATCH)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4))
def test_a_changed_pickle_gives_a_value_or_a_value_error(changes):
    content = bytearray(WHOLE)
    for place, value in changes:
        content[place] = value
    try:
        read_pickle(bytes(content))
    except ValueError as error:
        assert str(error)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_pickle_is_a_value_error(length):
    with pytest.raises(ValueError):
        read_pickle(WHOLE[:length])


@settings(max_examples=200)
@given(st.lists(st.sampled_from([bytes([byte]) for byte in b"\x80(0.12KJMU)]}tleausRcbq\x85hN"])
                | st.binary(max_size=3), max_size=40).map(b"".join))  # fmt: skip
def test_any_bytes_give_a_value_or_a_value_error(content):
    try:
        read_pickle(content)
    except ValueError as error:
        assert str(error)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(6))
def test_no_code_runs(tmp_path, protocol):
    harm = tmp_path / "harm"
    content = pickle.dumps({"data": Harmful(harm)}, protocol)
    with pytest.raises(ValueError):
        read_pickle(content)
    assert not harm.exists()
    pickle.loads(content)["data"].close()
    assert harm.exists()  # it would have


def test_no_name_is_looked_up_that_numpy_does_not_need_for_bytes():
    for name in (b"posix\nsystem", b"builtins\neval", b"numpy\nload", b"numpy\nndarray.dump"):
        with pytest.raises(ValueError, match=f"it names '{name.decode().replace(chr(10), ' ')}'"):
            read_pickle(b"c" + name + b"\n.")


ARRAY = dumps(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"U\x02u1", b"U\x02O8", "something other than NumPy's constructor of uint8 arrays"),
        (b"U\x02u1", b"U\x02f4", "something other than NumPy's constructor of uint8 arrays"),
        (b"cnumpy\nndarray", b"cnumpy\ndtype", "something other than NumPy's constructor"),
        (b"K\x02K\x03", b"K\x02K\x04", "6 bytes are no uint8 array of the shape"),
        (b"K\x02K\x03", b"J\xfe\xff\xff\xffJ\xfd\xff\xff\xff", "6 bytes are no uint8 array"),
        (b"K\x02K\x03", b"K\x02U\x013", "6 bytes are no uint8 array of the shape"),
        (b"U\x06\0\1\2\3\4\5", b"N", "an array is no uint8 array"),
    ],
)
def test_an_array_that_is_not_one_of_bytes_is_refused(old, new, says):
    assert ARRAY.count(old) == 1
    with pytest.raises(ValueError, match=says):
        read_pickle(ARRAY.replace(old, new))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "pickle exhausted"),
        (b"N", "pickle exhausted"),
        (b".", "an opcode lacks its operands"),
        (b"(.", "an opcode lacks its operands"),
        (b"h\x01.", "an opcode lacks its operands"),
        (b"K\x01K\x02a.", "items are appended to a int"),
        (b"](K\x01K\x02u.", "items are set in a list"),
        (b"}(K\x01u.", "or one lacks its value"),
        (b"}K\x01K\x02s.", "a key is no text"),
        (b"N)R.", "calls something other"),
        (b"N)b.", "sets the state of something that is no array"),
        (b"X\x01\0\0\0a.", "the opcode BINUNICODE has no place in data"),
        (b"P7\n.", "the opcode PERSID has no place in data"),
        (b"\x81.", "the opcode NEWOBJ has no place in data"),
        (b"\x82\x01.", "the opcode EXT1 has no place in data"),
    ],
)
def test_what_is_no_data_is_told_in_a_line(content, says):
    with pytest.raises(ValueError, match=says) as told:
        read_pickle(content)
    assert "\n" not in str(told.value)


def test_nests_that_would_take_for_ever_to_hash_or_print_do_not():
    doubling = b")q\x01" + b"h\x01h\x01\x86q\x01" * 200  # each tuple holds the last one twice
    assert isinstance(read_pickle(doubling + b"."), tuple)
    for content in (b"}" + doubling + b"Ns.", doubling + b"N\x86R.", doubling + b"NR."):
        with pytest.raises(ValueError):
            read_pickle(content)


def test_a_deep_nest_is_read_without_recursion():
    value = read_pickle(b"]" * 50_000 + b"a" * 49_999 + b".")
    for _ in range(49_999):
        (value,) = value
    assert value == []


def test_a_flood_of_opcodes_ends(monkeypatch):
    monkeypatch.setattr(pickles, "MOST_OPCODES", 1000)
    assert read_pickle(b"N" * 999 + b".") is None
    with pytest.raises(ValueError, match="more than 1000 opcodes"):
        read_pickle(b"N" * 1000 + b".")
