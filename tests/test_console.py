"""Standard output that closes early, or cannot say everything; SIGTERM."""

import io
import signal
import subprocess
import sys

import pytest

from minidecay.console import CLOSED_PIPE, TERMINATED, Terminated, terminate, tolerant

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes that close")


@tolerant
def shout(lines=1):
    print("±\n" * lines)
    return 7


@posix
@pytest.mark.parametrize("lines", [1, 100_000])  # told at the last flush, and in the middle
def test_a_reader_that_leaves_ends_the_command_quietly(lines):
    code = f"import sys, test_console; sys.exit(test_console.shout({lines}))"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path = {sys.path!r}; {code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (CLOSED_PIPE, b"")


def test_what_cannot_be_encoded_is_a_question_mark(monkeypatch):
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)
    assert shout() == 7
    assert ascii_only.buffer.getvalue().split() == [b"?"]


def test_output_that_is_no_file_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert shout() == 7
    assert sys.stdout.getvalue() == "±\n\n"


@tolerant
def terminated(closed):
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        closed.append(True)


@posix
def test_sigterm_closes_what_is_open_and_is_the_exit_code():
    before, closed = signal.getsignal(signal.SIGTERM), []
    assert terminated(closed) == TERMINATED and closed == [True]
    assert signal.getsignal(signal.SIGTERM) is before
    code = "import sys, test_console; sys.exit(test_console.terminated([]))"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path = {sys.path!r}; {code}"],
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr.read() == b""
    assert process.returncode == TERMINATED


@posix
def test_a_command_within_a_command_is_told_of_sigterm_too():
    @tolerant
    def outer():
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        code = terminated([])
        assert signal.getsignal(signal.SIGTERM) is terminate
        return code

    assert outer() == TERMINATED


@posix
def test_sigterm_stays_ignored_where_it_was():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert terminated([]) is None
    finally:
        assert signal.signal(signal.SIGTERM, before) is signal.SIG_IGN
