"""The folder of a run: its configuration, its records, its arrays and where it can go on.

    config.json            {"config": ..., "environment": ...}, written at birth
    metrics.jsonl          a record a line; each has its "epoch"
    checkpoint.npz         the arrays and the state after an epoch; checkpoint-NAME.npz are kept
    arrays.npz             what is worth keeping of single examples
    finished.json          the summary of a run that came to its end
    lock                   there while a process works in the folder, or after one was killed

After epoch `e` a run appends its record and then saves checkpoint `e`. A run that is killed between
the two, or anywhere else, resumes from the last checkpoint, and records beyond it are dropped: it
loses the epoch under way and nothing else.
"""

import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from operator import index
from pathlib import Path
from socket import gethostname
from typing import Any, BinaryIO, Self

from numpy.typing import NDArray

from minidecay import files
from minidecay.training.provenance import environment

CONFIG = "config.json"
METRICS = "metrics.jsonl"
ARRAYS = "arrays.npz"
FINISHED = "finished.json"
LOCK = "lock"
LATEST = "latest"  # the name of the checkpoint from which a run resumes
_STATE = "checkpoint.json"  # the member of a checkpoint that is no array
_SIGNATURE = "minidecay: "  # how our lock files begin


class RunFolderError(RuntimeError):
    """A folder cannot be used for this run; the message, a line, says why and what to do.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "notes.txt").write_text("mine")
    ...     try:
    ...         RunFolder(folder, {})
    ...     except RunFolderError as error:
    ...         print("choose another folder" in str(error))
    True
    """


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on after `epoch`, bit for bit.

    Attributes:
        epoch: epochs done.
        arrays: by name, such as "model.0.weight"; shape, dtype and order survive.
        state: the rest (step counts, generator states): JSON in which NaN and infinity survive;
            tuples and arrays in it come back as lists.
    """

    epoch: int
    arrays: Mapping[str, NDArray[Any]]
    state: Mapping[str, Any]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it as one npz file, atomically."""
        rest = {"epoch": index(self.epoch), "state": self.state}
        text = json.dumps(files.plain(rest, "checkpoint", non_finite="keep"))
        files.write_npz(path, self.arrays, {_STATE: text})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read it back. Raises files.BrokenFileError if the file is damaged or of another kind."""
        texts = files.read_npz_texts(path)
        if _STATE not in texts:
            raise files.BrokenFileError(f"{path} is no checkpoint: {_STATE} is not in it")
        rest = json.loads(texts[_STATE])
        return cls(rest["epoch"], files.read_npz(path), rest["state"])


class RunFolder:
    """The folder of a run, locked and ready to write: a context manager, else `close()` it.

    Args:
        path: the folder. A missing or empty one starts a run; what a run killed at its birth left
            (a lock, temporary files) counts as empty.
        config: settings and seed, plain JSON (NumPy scalars become numbers).
        resume: go on with the run in the folder, if there is one, instead of refusing it.

    Raises:
        RunFolderError: the folder holds a run and `resume` is false, a run of another configuration
            (the message has the difference) or something else; another process works in it; it
            cannot be written; a file in it is damaged.
        ValueError, TypeError: `config` is not plain JSON.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as path:
    ...     with RunFolder(path, {"seed": 0}) as run:
    ...         run.append({"epoch": 1, "loss": 0.5})
    ...         run.save_checkpoint(1, {"weight": np.ones(3)}, {"step": 100})
    ...     with RunFolder(path, {"seed": 0}, resume=True) as run:
    ...         print(run.records(), run.load_checkpoint().state, run.finished)
    [{'epoch': 1, 'loss': 0.5}] {'step': 100} False
    """

    def __init__(
        self, path: str | os.PathLike[str], config: Mapping[str, Any], resume: bool = False
    ) -> None:
        self.path = Path(path)
        self.config: dict[str, Any] = files.plain(config, "config")
        self._lock: BinaryIO | None = None
        with self._explained():
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.path / LOCK)
            try:
                self._start(resume)
            except BaseException:
                self.close()
                raise

    def append(self, record: Mapping[str, Any]) -> None:
        """Put a record at the end of metrics.jsonl; NaN and infinity become null.

        Raises:
            ValueError: the record's "epoch" is not a whole number.
        """
        line = files.plain(record, "record", non_finite="null")
        if not isinstance(line.get("epoch"), int):
            raise ValueError(f"append: the record's epoch is {line.get('epoch')!r}; give it an int")
        with self._explained():
            files.append_line(self._own(METRICS), json.dumps(line))

    def records(self) -> list[dict[str, Any]]:
        """The records so far, oldest first."""
        path = self.path / METRICS
        with self._explained():
            return files.read_json_lines(path) if path.exists() else []

    def save_checkpoint(
        self,
        epoch: int,
        arrays: Mapping[str, NDArray[Any]],
        state: Mapping[str, Any],
        name: str = LATEST,
    ) -> None:
        """Replace the checkpoint from which the run resumes, after the record of `epoch`.

        Under another name ("stage-1") it is kept beside that one (`checkpoint-stage-1.npz`), for
        another run to start from. Save it first: what is missing when the run resumes stays so.
        """
        with self._explained():
            Checkpoint(epoch, arrays, state).write(self._own(_checkpoint_file(name)))

    def load_checkpoint(self, name: str = LATEST) -> Checkpoint | None:
        """The latest checkpoint, or the one kept under `name`; None if there is none."""
        path = self.path / _checkpoint_file(name)
        with self._explained():
            return Checkpoint.read(path) if path.exists() else None

    def save_arrays(self, /, **arrays: NDArray[Any]) -> None:
        """Replace arrays.npz by these arrays."""
        with self._explained():
            files.write_npz(self._own(ARRAYS), arrays)

    def load_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of arrays.npz by name; none if it was never saved."""
        path = self.path / ARRAYS
        with self._explained():
            return files.read_npz(path) if path.exists() else {}

    def finish(self, summary: Mapping[str, Any] | None = None) -> None:
        """Mark the run as finished; NaN and infinity in its `summary` become null."""
        plain = files.plain(summary or {}, "summary", non_finite="null")
        with self._explained():
            files.write_json(self._own(FINISHED), plain)

    @property
    def finished(self) -> bool:
        """Whether `finish` was called, by this process or an earlier one."""
        return (self.path / FINISHED).exists()

    def close(self) -> None:
        """Let go of the folder: nothing more can be written, reading still works."""
        if self._lock is not None:
            _unlock(self._lock, self.path / LOCK)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, resume: bool) -> None:
        names = set(os.listdir(self.path)) - {LOCK}
        leftovers = {name for name in names if files.is_temporary(name)}
        names -= leftovers
        if names and CONFIG not in names:
            raise RunFolderError(
                f"{self.path} is not empty and no run ({CONFIG} is missing); choose another folder"
            )
        if names and not resume:
            raise RunFolderError(
                f"{self.path} is not empty; pass --resume to go on, or choose another folder"
            )
        if names:
            self._check_config()
            if not self.finished:
                self._drop_records_after_checkpoint()
        else:
            birth = {"config": self.config, "environment": environment()}
            files.write_json(self.path / CONFIG, birth)
        for name in leftovers:
            (self.path / name).unlink()

    def _check_config(self) -> None:
        birth = files.read_json(self.path / CONFIG)
        if not isinstance(birth, dict) or "config" not in birth:
            raise RunFolderError(f"{self.path / CONFIG} is not of a run; choose another folder")
        changes = ", ".join(_changes(birth["config"], self.config))
        if changes:
            raise RunFolderError(
                f"{self.path} was started with another configuration ({changes});"
                " resume with the same one, or choose another folder"
            )

    def _drop_records_after_checkpoint(self) -> None:
        checkpoint = self.load_checkpoint()
        done = checkpoint.epoch if checkpoint else -math.inf
        lines = [json.dumps(r) + "\n" for r in self.records() if r.get("epoch", done) <= done]
        content = "".join(lines).encode()
        path = self.path / METRICS
        if path.exists() and path.read_bytes() != content:
            files.write_atomic(path, lambda file: file.write(content))

    def _own(self, name: str) -> Path:
        if self._lock is None:
            raise RunFolderError(f"{self.path} was closed; write before the end of its `with`")
        return self.path / name

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except files.BrokenFileError as error:
            raise RunFolderError(str(error)) from error
        except OSError as error:
            raise RunFolderError(
                f"{self.path} cannot be used ({error.strerror or error}); give it the permissions"
                " and the room it needs, or choose another folder"
            ) from error


def _checkpoint_file(name: str) -> str:
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"checkpoint name {name!r} is no file name; use letters, digits and . _ -")
    return "checkpoint.npz" if name == LATEST else f"checkpoint-{name}.npz"


def _changes(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """ "lr.gamma: 0.1 -> 0.2" for each setting that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for k in old | new:
            yield from _changes(old.get(k, ...), new.get(k, ...), f"{key}.{k}" if key else k)
    elif old != new:
        before, after = ("absent" if v is ... else json.dumps(v) for v in (old, new))
        yield f"{key}: {before} -> {after}"


def _lock(path: Path) -> BinaryIO:
    """Open and lock the file `path` for this process alone, or raise RunFolderError.

    The operating system holds the lock (flock; a locked byte on Windows) and so ends it with the
    process, however that dies. A forked child shares it until it ends too.
    """
    while True:
        # Opening creates the file, and changes nothing in it before the lock is ours.
        file = open(path, "a+b")  # noqa: SIM115 (it stays open as long as the lock is held)
        try:
            locked = _try_lock(file)
            file.seek(0)
            holder = file.read().decode(errors="replace").strip()
            if holder and not holder.startswith(_SIGNATURE):
                raise RunFolderError(f"{path} is not the lock of a run; choose another folder")
            if not locked:
                who = holder.removeprefix(_SIGNATURE) or "another process"
                raise RunFolderError(
                    f"{path.parent} is in use by {who}; wait for its end or choose another folder"
                )
            if _is_at(file, path):
                file.truncate(0)
                file.write(f"{_SIGNATURE}process {os.getpid()} on {gethostname()}\n".encode())
                file.flush()
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # its holder removed it after we had opened it


def _unlock(file: BinaryIO, path: Path) -> None:
    with suppress(OSError):  # Windows removes no open file; a lock left behind does no harm
        if _is_at(file, path):
            path.unlink()
    file.close()


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        file.seek(1 << 30)  # a byte beyond the text: others can read who holds it
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
