"""Where and on what a run was made, as plain JSON: the provenance in its config.json."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGE = Path(__file__).resolve().parents[1]


def environment() -> dict[str, Any]:
    """Versions, machine, commit and date.

    Returns:
        "minidecay", "python", "numpy" and "blas" (the one NumPy was built with) are versions;
        "platform", "machine" and "cpus" (logical ones) the machine; "commit" and "dirty" are those
        of `source_commit`; "date" is UTC, ISO 8601. What cannot be found out is None.

    >>> environment()["numpy"] == np.__version__
    True
    """
    commit, dirty = source_commit(_PACKAGE)
    return {
        "minidecay": getattr(sys.modules.get(_PACKAGE.name), "__version__", None),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "commit": commit,
        "dirty": dirty,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def source_commit(package: Path) -> tuple[str | None, bool | None]:
    """The commit of the checkout that `package` lies in, and whether its code differs from it.

    Only a checkout with `package` at its top counts: a package installed into an environment that
    lies inside some repository is not that repository's code. Code is the package and `kernels/`;
    what changed elsewhere, and files that git ignores, do not make it dirty. (None, None) without
    a checkout, a commit or a working git.
    """
    root = package.parent
    if not (root / ".git").exists():
        return None, None
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch"]
    try:
        answer = subprocess.run(
            [*command, "--", package.name, "kernels"],
            cwd=root,
            # Variables such as GIT_DIR, set inside a git hook, would name another repository.
            env={k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            capture_output=True,
            text=True,
            timeout=1,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None, None
    headers = [line.split() for line in answer.splitlines() if line.startswith("# branch.oid ")]
    commit = headers[0][2] if headers else "(initial)"
    if commit == "(initial)":
        return None, None
    return commit, any(not line.startswith("#") for line in answer.splitlines())


def _blas() -> str | None:
    built: dict[str, Any] = dict(np.show_config(mode="dicts"))
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return " ".join(filter(None, (blas.get("name"), blas.get("version")))) or None
