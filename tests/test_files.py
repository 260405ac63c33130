"""Files that several rooms share: where the cache lies, and what an npz may hold."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from minidecay import files


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MINIDECAY_CACHE": "/chosen", "XDG_CACHE_HOME": "/xdg"}, Path("/chosen")),
        ({"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/minidecay")),
        ({}, Path.home() / ".cache" / "minidecay"),
    ],
)
def test_the_cache_lies_where_it_is_asked_to_or_where_the_user_s_caches_are(
    monkeypatch, variables, expected
):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("MINIDECAY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert files.cache_folder() == expected


def test_an_array_with_a_long_header_is_read(tmp_path):
    dtype = np.dtype([(f"field_number_{i}", "f4") for i in range(200)])  # version 2 of the format
    np.savez(tmp_path / "a.npz", a=np.zeros(3, dtype))
    assert files.read_npz(tmp_path / "a.npz")["a"].dtype == dtype


def test_a_lack_of_memory_is_not_passed_for_a_broken_file():
    class Full(io.BytesIO):
        def read(self, *_):
            raise MemoryError

    with pytest.raises(MemoryError):
        files.parse_npz(Full(), "a.npz")


def test_only_the_text_of_a_file_that_is_there_is_judged(tmp_path):
    for read in (files.read_json, files.read_npz, files.read_npz_texts):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "missing")
