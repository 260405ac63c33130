"""Archives are found, fetched whole or not at all, and known by their checksum."""

import hashlib
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import tiny_archives

from minidecay.data import mnist
from minidecay.data.archives import mnist as module
from minidecay.data.archives.published import Archive
from minidecay.files import BrokenFileError

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def server():
    """A server on this machine; `answers` says what it sends for a path, `asked` what was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            content, length = server.answers[self.path]
            if content is None:
                return self.send_error(404)
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            with suppress(OSError):  # of a client that has seen enough
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answers, server.asked = {}, []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def archive(url, limit=1 << 20):
    return Archive("a.bin", url, hashlib.sha256(CONTENT).hexdigest(), limit)


def test_what_is_missing_is_fetched_once(server, tmp_path):
    server.answers["/a"] = CONTENT, len(CONTENT)
    root = tmp_path / "new" / "folder"
    for _ in range(2):
        assert archive(f"{server.url}/a").read(root, download=True) == CONTENT
    assert server.asked == ["/a"]
    assert [path.name for path in root.iterdir()] == ["a.bin"]


def test_a_length_need_not_be_announced(server, tmp_path):
    server.answers["/a"] = CONTENT, None
    assert archive(f"{server.url}/a").read(tmp_path, download=True) == CONTENT


@pytest.mark.parametrize(
    ("content", "length", "error", "says"),
    [
        (CONTENT[:-1] + b"x", len(CONTENT), BrokenFileError, "is not a.bin as published"),
        (CONTENT[:-9], len(CONTENT), (BrokenFileError, OSError), "published|cannot be fetched"),
        (CONTENT[:-9], None, BrokenFileError, "is not a.bin as published"),
        (b"", 0, BrokenFileError, "its 0 bytes have the sha256"),
        (CONTENT + bytes(1 << 20), None, BrokenFileError, "is larger than 1048576 bytes"),
        (None, None, OSError, "cannot be fetched .*404.* put it at .*a.bin by hand"),
    ],
)
def test_what_is_not_whole_and_right_leaves_nothing_behind(
    server, tmp_path, content, length, error, says
):
    server.answers["/a"] = content, length
    with pytest.raises(error, match=says) as told:
        archive(f"{server.url}/a").read(tmp_path, download=True)
    assert list(tmp_path.iterdir()) == [] and "\n" not in str(told.value)


def test_a_server_that_is_not_there_is_told_with_the_mend(tmp_path):
    with pytest.raises(OSError, match=r"cannot be fetched .* put it at .*a\.bin by hand"):
        archive("http://127.0.0.1:9/a").read(tmp_path, download=True)


def test_what_is_missing_is_not_fetched_unasked(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.bin is missing; pass download=True"):
        archive("http://127.0.0.1:9/a").read(tmp_path, download=False)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CONTENT[:-1], "its 255999 bytes have the sha256 .*; remove it and fetch it again"),
        (bytes(2 << 20), "is larger than 1048576 bytes and so not a.bin as published"),
    ],
)
def test_another_file_of_that_name_is_refused_and_left_alone(tmp_path, content, says):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(BrokenFileError, match=says):
        archive("http://127.0.0.1:9/a").read(tmp_path, download=True)
    assert (tmp_path / "a.bin").read_bytes() == content


def test_the_default_folder_is_in_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDECAY_CACHE", str(tmp_path))
    content = tiny_archives.mnist()
    server.answers["/mnist.npz"] = content, len(content)
    tiny_archives.publish(monkeypatch, module, content, f"{server.url}/mnist.npz")
    train, test = mnist(download=True)
    assert (len(train), len(test)) == (6, 3)
    assert (tmp_path / "data" / "mnist.npz").read_bytes() == content
    np.testing.assert_array_equal(mnist().train.images, train.images)


def test_the_addresses_are_those_of_the_publishers():
    from minidecay.data.archives import cifar

    assert cifar.ARCHIVE.url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert module.ARCHIVE.url.startswith("https://storage.googleapis.com/tensorflow/")
