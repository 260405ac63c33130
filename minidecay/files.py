"""Files that are whole or not there: JSON, JSON lines and npz, written aside and renamed.

A process may be killed at any point, even in the middle of a write. What is replaced as a whole
(`write_json`, `write_npz`) is then the old file or the new one, and what grows (`append_line`) ends
at worst in half a line, which `read_json_lines` leaves out. Nothing is pickled.
"""

import io
import json
import math
import os
import re
import secrets
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

NonFinite = Literal["refuse", "null", "keep"]


class BrokenFileError(ValueError):
    """A file is cut short or is not what its name says."""


def cache_folder() -> Path:
    """`$MINIDECAY_CACHE`, else `minidecay` in the user's cache folder."""
    if chosen := os.environ.get("MINIDECAY_CACHE"):
        return Path(chosen)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "minidecay"
    place = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / place / "minidecay"


def plain(value: Any, name: str, non_finite: NonFinite = "refuse") -> Any:
    """`value` as JSON holds it: NumPy scalars become numbers, tuples and arrays become lists.

    Args:
        value: numbers, text, None, lists, tuples, arrays and dicts of them with text as keys.
        name: what errors call it; "config" gives "config.lr is nan".
        non_finite: what becomes of NaN and infinity, which JSON does not know: "refuse" them,
            write "null" (None) for them, or "keep" them, as Python's `json` can.

    Raises:
        ValueError: a float is not finite and `non_finite` is "refuse".
        TypeError: something that JSON cannot hold.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isfinite(number) or non_finite == "keep":
            return number
        if non_finite == "null":
            return None
        raise ValueError(f"{name} is {number}, which JSON cannot hold; use None or text")
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), name, non_finite)
    if isinstance(value, list | tuple):
        return [plain(item, f"{name}[{i}]", non_finite) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name} has the key {key!r}; keys must be text, use str(key)")
        return {str(k): plain(item, f"{name}.{k}", non_finite) for k, item in value.items()}
    kind = type(value).__name__
    raise TypeError(f"{name} is a {kind}; JSON holds only numbers, text, lists and dicts")


def write_atomic(path: str | os.PathLike[str], writer: Callable[[BinaryIO], object]) -> None:
    """Write the file `path` by `writer(file)`: whole and on the disk, or not at all.

    The bytes go to a temporary file beside it (see `is_temporary`), which then takes its name.
    If `writer` or the disk fails, `path` stays as it was and the temporary file is removed.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(aside, "xb") as file:
            writer(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened to sync the new name
        folder = os.open(path.parent, os.O_RDONLY)
        with suppress(OSError):  # some network file systems refuse
            os.fsync(folder)
        os.close(folder)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is what a killed `write_atomic` leaves behind."""
    return re.fullmatch(r"\..+\.[0-9a-f]{8}\.tmp", name) is not None


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, atomically. Raises what `plain` raises, naming the key."""
    text = json.dumps(plain(value, Path(path).name), indent=2, allow_nan=False) + "\n"
    write_atomic(path, lambda file: file.write(text.encode()))


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds. Raises BrokenFileError if it is cut short or no JSON."""
    content = Path(path).read_bytes()
    with reading(str(path), "JSON"):
        return json.loads(content)


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Add `line` and a newline at the end of a file and put it on the disk.

    If the disk is full, say, none of it stays.
    """
    rest = memoryview(f"{line}\n".encode())
    with open(path, "ab", buffering=0) as file:
        end = file.tell()
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise


def read_json_lines(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, without a last line that was only half written.

    Raises:
        BrokenFileError: another line is no JSON object; the message has its number.
    """
    lines = Path(path).read_bytes().split(b"\n")
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
            records.append(record)
        except ValueError as error:
            if number < len(lines):  # the last has no newline: it is empty, or cut short
                raise BrokenFileError(
                    f"{path}, line {number} is broken ({error}); mend or remove that line"
                ) from error
    return records


def write_npz(
    path: str | os.PathLike[str],
    arrays: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays as an uncompressed npz, atomically; equal content gives equal bytes.

    Args:
        arrays: by name; any text is a name, as what a zip or a file system could trip over is
            escaped ("a/b" is stored as "a%2Fb"; dots stay). Shape, dtype and order are kept.
        texts: further members as they are, such as {"state.json": "{}"}; no name ends in ".npy".

    Raises:
        TypeError: an array holds Python objects, which only a pickle could keep.
    """
    whole = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in whole.items():
        if array.dtype.hasobject:
            raise TypeError(
                f"{Path(path).name}: array {name!r} has dtype {array.dtype}, which would need a"
                " pickle; give it a numeric dtype"
            )

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in whole.items():
                # A member opened by its name carries no date, and its size is not known ahead.
                with archive.open(_member(name), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            for name, text in (texts or {}).items():
                with archive.open(name, "w") as member:
                    member.write(text.encode())

    write_atomic(path, write)


def read_npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of an npz by name. Raises BrokenFileError if it is damaged or holds a pickle."""
    with open(path, "rb") as file:
        return parse_npz(file, str(path))


def read_npz_texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that `write_npz` put beside the arrays. Raises as `read_npz` does."""
    with open(path, "rb") as file, reading(str(path), "npz"):
        members = _members(file, is_wanted=lambda name: not name.endswith(".npy"))
        return {name: content.decode() for name, content in members}


def parse_npz(file: BinaryIO, name: str, limit: int | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an npz that is open. Raises as `read_npz` does.

    Args:
        name: what errors call the file.
        limit: bytes that its arrays may take, unpacked, all in all; by default as many as it says.
    """
    with reading(name, "npz"):
        members = _members(file, is_wanted=lambda name: name.endswith(".npy"), limit=limit)
        return {unquote(name.removesuffix(".npy")): _array(content) for name, content in members}


@contextmanager
def reading(name: str, kind: str) -> Iterator[None]:
    """Turn whatever fails while the bytes of the file `name` are parsed into a BrokenFileError.

    Parsers do not promise which errors damaged or hostile bytes raise, so none is left out.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise BrokenFileError(
            f"{name} is not a whole {kind} file ({reason});"
            " restore it from a copy or start again elsewhere"
        ) from error


def _member(name: str) -> str:
    return quote(name, safe="") + ".npy"


def _members(
    file: BinaryIO, is_wanted: Callable[[str], bool], limit: int | None = None
) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if len(set(names)) < len(names):
            raise ValueError("a name is given twice")
        wanted = [info for info in archive.infolist() if is_wanted(info.filename)]
        if limit is not None and sum(info.file_size for info in wanted) > limit:
            raise ValueError(f"unpacked it is larger than {limit} bytes")
        for info in wanted:
            with archive.open(info) as member:
                # Whole, so that its checksum is compared first, and no more than it says it is.
                yield info.filename, member.read(info.file_size)


def _array(content: bytes) -> NDArray[Any]:
    """The array of an npy whose header is held to the bytes that follow before room is made."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"{len(content) - file.tell()} bytes are no array {shape} of {dtype}")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
