"""The published archives in small: the same formats, a few images, made up here."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace

import numpy as np
from python2_pickles import dumps

from minidecay.data.archives.cifar import TEST, TRAIN


def batch(n, seed, **changes):
    """A pickled batch of CIFAR-10, as its authors wrote it."""
    rng = np.random.default_rng(seed)
    whole = {
        "batch_label": "training batch 1 of 5",
        "labels": rng.integers(10, size=n).tolist(),
        "data": rng.integers(256, size=(n, 3072), dtype=np.uint8),
        "filenames": [f"image_{i}.png" for i in range(n)],
    }
    return dumps(whole | changes)


def batches(n=2):
    """Name and content of the six batches."""
    return {name: batch(n, seed) for seed, name in enumerate((*TRAIN, *TEST))}


def file(name, size=0, **attributes):
    """The header of a file in a tar."""
    member = tarfile.TarInfo(name)
    member.size = size
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    return member


def tar(contents, *more, format=tarfile.GNU_FORMAT):
    """A tar of a folder, the files `contents`, and `more` members that are headers only."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        archive.addfile(file("cifar-10-batches-py", type=tarfile.DIRTYPE, mode=0o755))
        for name, content in contents.items():
            archive.addfile(file(name, len(content)), io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return out.getvalue()


def cifar10(contents=None, *more):
    """A whole archive of CIFAR-10, with the files beside the batches that the true one has."""
    meta = {"cifar-10-batches-py/batches.meta": b"(dp1\n.", "cifar-10-batches-py/readme.html": b""}
    return gzip.compress(tar(meta | (batches() if contents is None else contents), *more), mtime=0)


def mnist(**changes):
    """A whole mnist.npz."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(256, size=(6, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(10, size=6, dtype=np.uint8),
        "x_test": rng.integers(256, size=(3, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(10, size=3, dtype=np.uint8),
    }
    out = io.BytesIO()
    np.savez_compressed(out, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return out.getvalue()


def publish(monkeypatch, module, content, url="http://localhost:9/nothing"):
    """Let `content` be what `module`'s archive is known to hold."""
    sha256 = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(module, "ARCHIVE", replace(module.ARCHIVE, sha256=sha256, url=url))
