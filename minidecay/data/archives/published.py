"""A file that someone else publishes: where it lies here, how it is fetched, how it is known."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from minidecay.files import BrokenFileError, cache_folder, write_atomic

AT_ONCE = 1 << 16  # bytes
TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Archive:
    """A published file, known by its checksum.

    name: of the file in its folder.
    url: where it is published.
    sha256: of its content, in hexadecimal.
    limit: bytes; what is larger is not looked at.
    """

    name: str
    url: str
    sha256: str
    limit: int

    def read(self, root: str | os.PathLike[str] | None, download: bool) -> bytes:
        """The content, which has the right checksum: what was checked is what is returned.

        root: the folder it lies in, by default `data` in `minidecay.files.cache_folder()`.
        download: fetch it first where it is missing.

        Raises FileNotFoundError where it is missing, OSError where it cannot be fetched or read,
        and BrokenFileError (a ValueError) where it is another file than the one published.
        """
        path = (cache_folder() / "data" if root is None else Path(root)) / self.name
        if not path.exists():
            if not download:
                raise FileNotFoundError(
                    f"{path} is missing; pass download=True to fetch it, or put {self.url} there"
                )
            self._fetch(path)
        with open(path, "rb") as file:
            content = file.read(self.limit + 1)
        self._check(str(path), len(content), hashlib.sha256(content).hexdigest())
        return content

    def _fetch(self, path: Path) -> None:
        from http.client import HTTPException
        from urllib.error import HTTPError

        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_atomic(path, self._download)
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()  # it is an open answer as well
            raise OSError(
                f"{self.url} cannot be fetched ({error}); try again, or put it at {path} by hand"
            ) from error

    def _download(self, file: BinaryIO) -> None:
        from urllib.request import urlopen

        from tqdm import tqdm

        digest, size = hashlib.sha256(), 0
        with urlopen(self.url, timeout=TIMEOUT) as answer:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            with tqdm(
                total=total, desc=self.name, unit="B", unit_scale=True, disable=None, leave=False
            ) as bar:
                while size <= self.limit and (chunk := answer.read(AT_ONCE)):
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    bar.update(len(chunk))
        self._check(self.url, size, digest.hexdigest())

    def _check(self, where: str, size: int, sha256: str) -> None:
        if size > self.limit:
            raise BrokenFileError(
                f"{where} is larger than {self.limit} bytes and so not {self.name} as published"
            )
        if sha256 != self.sha256:
            raise BrokenFileError(
                f"{where} is not {self.name} as published: its {size} bytes have the sha256 "
                f"{sha256}, not {self.sha256}; remove it and fetch it again"
            )
