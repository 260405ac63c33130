"""The examples run from beginning to end and leave the picture they promise."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minidecay as md
from minidecay.data.splitting import TrainTest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def digits_cnn(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # which it would set for good
    spec = importlib.util.spec_from_file_location("digits_cnn", EXAMPLES / "digits_cnn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stripes(n, seed):
    """As many images of ten kinds, each with a bright column and row of its own, and their kind."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    images = 0.1 * rng.random((n, 8, 8, 1), dtype=np.float32)
    images[np.arange(n), :, labels % 8] += 1
    images[np.arange(n), labels // 8] += 1
    return md.data.Split(images, labels)


def run(module, tmp_path, *options):
    picture = tmp_path / "digits.png"
    code = module.main(["--picture", str(picture), *options])
    assert picture.read_bytes()[:4] == b"\x89PNG"
    return code


def test_the_digits_are_learned_and_told(digits_cnn, tmp_path, monkeypatch, capsys):
    sets = TrainTest(stripes(320, 0), stripes(40, 1))
    monkeypatch.setattr(md.data, "digits", lambda: sets)
    assert run(digits_cnn, tmp_path, "--epochs", "5") == 0
    told = capsys.readouterr().out
    assert "Conv2d (3, 3, 1, 32)" in told and "epoch  5, rate 0.100: accuracy train" in told
    assert "0 of 40 wrong: test accuracy 1.0000" in told


def test_labels_that_say_nothing_are_not_learned(digits_cnn, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(2)
    train, test = stripes(64, 0), stripes(40, 1)
    sets = (md.data.Split(half.images, rng.permutation(half.labels)) for half in (train, test))
    monkeypatch.setattr(md.data, "digits", lambda: TrainTest(*sets))
    assert run(digits_cnn, tmp_path, "--epochs", "1") == 1
    assert "of 40 wrong" in capsys.readouterr().out


@pytest.mark.slow
def test_a_cnn_reads_98_per_cent_of_the_digits(tmp_path):
    pytest.importorskip("sklearn")
    command = [sys.executable, EXAMPLES / "digits_cnn.py", "--picture", tmp_path / "digits.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(re.search(r"test accuracy (\S+)", done.stdout)[1]) >= 0.98
    assert (tmp_path / "digits.png").exists()
