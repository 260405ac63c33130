"""The environment of a run: plain JSON, and the commit of this code rather than of the folder."""

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from minidecay.training.provenance import environment, source_commit

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture(autouse=True)
def no_git_variables(monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *who, *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def checkout(root: Path) -> Path:
    """A repository with a package `pack` at its top and one commit; returns the package."""
    package = root / "pack"
    package.mkdir(parents=True)
    (package / "code.py").write_text("x = 1\n")
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "first", "--no-gpg-sign")
    return package


def head(root: Path) -> str:
    return git(root, "rev-parse", "HEAD").strip()


def test_the_environment_is_json_and_names_the_versions_in_use():
    here = environment()
    assert json.loads(json.dumps(here, allow_nan=False)) == here
    assert here["numpy"] == np.__version__
    assert here["cpus"] >= 1 and here["machine"] and here["platform"] and here["blas"]
    assert datetime.fromisoformat(here["date"]).utcoffset().total_seconds() == 0


@needs_git
def test_a_checkout_is_named_by_its_commit_and_clean_until_its_code_changes(tmp_path):
    package = checkout(tmp_path)
    assert source_commit(package) == (head(tmp_path), False)
    (tmp_path / "notes.txt").write_text("beside the code\n")
    assert source_commit(package) == (head(tmp_path), False)
    (package / "code.py").write_text("x = 2\n")
    assert source_commit(package) == (head(tmp_path), True)


@needs_git
def test_a_new_file_in_the_package_or_the_kernels_makes_it_dirty(tmp_path):
    package = checkout(tmp_path)
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "new.cu").write_text("// new\n")
    assert source_commit(package) == (head(tmp_path), True)


@needs_git
def test_the_commit_is_that_of_the_code_and_not_of_the_working_folder(tmp_path, monkeypatch):
    package = checkout(tmp_path / "ours")
    (checkout(tmp_path / "theirs") / "code.py").write_text("x = 3\n")
    git(tmp_path / "theirs", "commit", "-am", "second", "--no-gpg-sign")
    monkeypatch.chdir(tmp_path / "theirs")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs" / ".git"))  # as inside a git hook
    commit, dirty = source_commit(package)
    monkeypatch.delenv("GIT_DIR")
    assert (commit, dirty) == (head(tmp_path / "ours"), False)
    assert commit != head(tmp_path / "theirs")


@needs_git
def test_a_package_installed_inside_some_repository_is_not_its_commit(tmp_path):
    checkout(tmp_path)
    installed = tmp_path / "venv" / "site-packages" / "pack"
    installed.mkdir(parents=True)
    assert source_commit(installed) == (None, None)


@needs_git
def test_a_repository_without_a_commit_has_none_to_name(tmp_path):
    git(tmp_path, "init")
    assert source_commit(tmp_path / "pack") == (None, None)


@needs_git
def test_a_broken_repository_or_a_missing_git_is_no_error(tmp_path, monkeypatch):
    package = checkout(tmp_path)
    (tmp_path / ".git" / "HEAD").write_text("nonsense")
    assert source_commit(package) == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source_commit(package) == (None, None)
    assert environment()["commit"] is None


def test_a_git_that_hangs_is_given_up(tmp_path, monkeypatch):
    def hang(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(subprocess, "run", hang)
    assert source_commit(tmp_path / "pack") == (None, None)
