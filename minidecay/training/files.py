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
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

NonFinite = Literal["refuse", "null", "keep"]


class BrokenFileError(ValueError):
    """A file is cut short or is not what its name says."""


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
    with _reading(path, "JSON"):
        return json.loads(Path(path).read_bytes())


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
    with _reading(path, "npz"):
        return {
            unquote(name.removesuffix(".npy")): np.lib.format.read_array(
                io.BytesIO(content), allow_pickle=False
            )
            for name, content in _members(path)
            if name.endswith(".npy")
        }


def read_npz_texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that `write_npz` put beside the arrays. Raises as `read_npz` does."""
    with _reading(path, "npz"):
        return {
            name: content.decode() for name, content in _members(path) if not name.endswith(".npy")
        }


def _member(name: str) -> str:
    return quote(name, safe="") + ".npy"


def _members(path: str | os.PathLike[str]) -> Iterable[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)  # whole, so that its checksum is compared first


@contextmanager
def _reading(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError) as error:
        raise BrokenFileError(
            f"{path} is not a whole {kind} file ({error});"
            " restore it from a copy or start again elsewhere"
        ) from error
