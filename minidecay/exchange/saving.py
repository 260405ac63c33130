"""Named arrays in a file, and back: `.npz`, or `.safetensors` with the extra of that name.

Neither is a pickle, so a file from anywhere can be read without running what is in it.
"""

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidecay import files
from minidecay.autograd import Tensor
from minidecay.nn import Module

FORMATS = (".npz", ".safetensors")
_METADATA = "metadata.json"  # the member of an npz that is no array
_RESERVED = "__metadata__"  # the name that safetensors keeps for itself


class Saved(dict[str, NDArray[Any]]):
    """The arrays of a file, by name; a dict with one thing more.

    Attributes:
        metadata: the texts that were saved with them.

    >>> Saved({"scale": np.ones(2)}, {"note": "two"})["scale"]
    array([1., 1.])
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
        super().__init__(arrays)
        self.metadata = dict(metadata)


def save(
    path: str | os.PathLike[str],
    state: Module | Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays to a file, whole or not at all.

    Args:
        path: ends in `.npz` or `.safetensors`, which says the format; a file there is replaced.
        state: a module, of which the parameters and buffers are written, or names and arrays,
            tensors or numbers, such as a `state_dict`.
        metadata: names and texts to keep beside them.

    Raises:
        ValueError: the path ends otherwise, or a name is empty or reserved.
        TypeError: `state` or `metadata` is something else, or a dtype that the format cannot hold.
        ImportError: the file is to be `.safetensors`, and safetensors is missing.
        OSError: the file cannot be written.

    >>> import tempfile, minidecay as md
    >>> model, twin = md.nn.Linear(3, 2), md.nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     md.save(f"{folder}/model.npz", model, {"epoch": "7"})
    ...     state = md.load(f"{folder}/model.npz")
    >>> twin.load_state_dict(state)
    >>> bool((twin.weight.numpy() == model.weight.numpy()).all()), state.metadata
    (True, {'epoch': '7'})
    """
    suffix, arrays, texts = _suffix("save", path), _arrays(state), dict(metadata or {})
    if not all(isinstance(text, str) for item in texts.items() for text in item):
        raise TypeError("save: metadata holds more than texts; write numbers as str(number)")
    if suffix == ".npz":
        files.write_npz(path, arrays, {_METADATA: json.dumps(texts)})
        return
    library = _safetensors("save")
    for name, array in arrays.items():
        if array.dtype.itemsize > 8:
            raise TypeError(f"save: {name} is {array.dtype}, which safetensors lacks; use float64")
    content = library.save(arrays, metadata=texts or None)  # it trips over an empty dict
    files.write_atomic(path, lambda file: file.write(content))


def load(path: str | os.PathLike[str]) -> Saved:
    """The arrays of a file that `save` wrote, or another library; `.metadata` has its texts.

    They go into a model of the same names by `model.load_state_dict(load(path))`.

    Args:
        path: ends in `.npz` or `.safetensors`, which says the format.

    Raises:
        ValueError: the path ends otherwise.
        minidecay.files.BrokenFileError: a ValueError: the file is cut short, damaged, of another
            format, or holds what NumPy lacks or only a pickle could keep.
        ImportError: the file is `.safetensors`, and safetensors is missing.
        OSError: the file cannot be read.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "weights.npz"
    ...     md.save(path, md.nn.Linear(2, 3), {"note": "untrained"})
    ...     saved = md.load(path)
    >>> sorted(saved), saved["weight"].shape, saved.metadata
    (['bias', 'weight'], (2, 3), {'note': 'untrained'})
    """
    if _suffix("load", path) == ".npz":
        texts = files.read_npz_texts(path).get(_METADATA, "{}")
        return Saved(files.read_npz(path), _metadata(path, texts))
    library = _safetensors("load")
    content = Path(path).read_bytes()
    with files.reading(str(path), "safetensors"):
        try:
            arrays = library.load(content)
        except KeyError as error:
            raise ValueError(f"it holds {error.args[0]} values, which NumPy lacks") from error
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return Saved({k: v.copy() for k, v in arrays.items()}, header.get(_RESERVED, {}))


def _suffix(where: str, path: str | os.PathLike[str]) -> str:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{where}: the path comes first, got {type(path).__name__}")
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise ValueError(f"{where}: {path} must end in {' or '.join(FORMATS)}, the known formats")
    return suffix


def _arrays(state: Module | Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays of a state by name, contiguous and in this machine's byte order."""
    if isinstance(state, Module):
        state = state.state_dict()
    if not isinstance(state, Mapping):
        raise TypeError(
            f"save: expected a module or a dict, got {type(state).__name__}; name the arrays, as "
            "in {'x': x}"
        )
    arrays = {}
    for name, value in state.items():
        if not isinstance(name, str) or name in ("", _RESERVED):
            raise ValueError(f"save: {name!r} is no name for an array; use another text")
        if np.ma.is_masked(value):
            raise TypeError(f"save: {name} is masked, which no format keeps; fill it first")
        array = np.asarray(value.numpy() if isinstance(value, Tensor) else value, order="C")
        if array.dtype.kind not in "biuf":
            raise TypeError(f"save: {name} is {array.dtype}, which is no array of real numbers")
        arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return arrays


def _metadata(path: str | os.PathLike[str], content: str) -> dict[str, str]:
    with files.reading(str(path), "npz"):
        texts = json.loads(content)
        if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
            raise ValueError(f"{_METADATA} in it is no dict of texts")
        return texts


def _safetensors(where: str) -> Any:
    try:
        return import_module("safetensors.numpy")
    except ImportError as error:
        raise ImportError(
            f"{where}: safetensors cannot be imported ({error}); "
            'pip install "minidecay[safetensors]", or take a name that ends in .npz'
        ) from error
