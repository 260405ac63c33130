"""The rules of the house, read off its own files."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import minidecay as md

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minidecay"

# Imports go one way: what stands on the right may import what stands on its left.
LAYERS = (
    *("files", "hints", "tables", "random", "cuda", "devices", "recording", "ops", "graph"),
    *("operators", "methods", "printing", "values", "autograd", "plan", "functions", "testing"),
    *("nn", "models", "optim", "data", "training", "exchange", "plots", "look", "console", "lab"),
    *("doctor", "cli"),
    "__main__",
)


MODULES = [
    "minidecay",
    *(found.name for found in pkgutil.walk_packages(md.__path__, "minidecay.")),
]


def source(name):
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(name):
    """The modules of minidecay that a module's source imports when it runs, also in functions."""
    package = name if source(name).name == "__init__.py" else name.rpartition(".")[0]
    for node in running(ast.parse(source(name).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("minidecay"))
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            if base.partition(".")[0] == "minidecay":
                whole = [f"{base}.{alias.name}" for alias in node.names]
                yield from (name if name in MODULES else base for name in whole)


def running(tree):
    """The nodes of a tree, less those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from running(node)


def layer(name):
    return name.split(".")[1]


def test_the_reader_of_imports_sees_the_forms_in_use():
    assert "minidecay.ops" in imports("minidecay.functions.layers")
    assert "minidecay.optim.schedules" in imports("minidecay.plots.curves")
    assert "minidecay.doctor" in imports("minidecay.cli")  # inside a function
    assert "minidecay.random" in imports("minidecay.data.patterns")
    assert "minidecay.autograd" not in imports("minidecay.operators")  # for the type checker


def test_imports_go_one_way():
    upward = [
        f"{name} imports {imported}"
        for name in MODULES
        for imported in imports(name)
        # The package itself stands above all; its __version__ is there before it imports anything.
        if "minidecay" not in (name, imported)
        if LAYERS.index(layer(imported)) > LAYERS.index(layer(name))
    ]
    assert upward == []


def test_the_cpu_never_imports_cuda():
    on_the_cpu = [name for name in MODULES if name.startswith("minidecay.devices.cpu")]
    assert on_the_cpu
    assert not [name for name in on_the_cpu if any("cuda" in each for each in imports(name))]


def test_importing_minidecay_loads_only_what_training_needs():
    code = "import minidecay, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"minidecay", "numpy"} <= loaded
    assert not {"matplotlib", "tqdm", "torch", "cupy", "scipy"} & loaded


@cache
def public_names():
    """(package or module, public name, what it names), for every `__all__` in the project."""
    loaded = [importlib.import_module(name) for name in MODULES if name != "minidecay.__main__"]
    return [
        (module, name, getattr(module, name))
        for module in loaded
        for name in getattr(module, "__all__", ())
    ]


def test_every_name_for_users_has_an_example_that_runs():
    rooms = ("minidecay", "data", "exchange", "functions", "lab", "look", "models", "nn", "optim")
    rooms += ("plan", "plots", "random", "training")
    users = {name if name == "minidecay" else f"minidecay.{name}" for name in rooms}
    without = [
        f"{package.__name__}.{name}"
        for package, name, value in public_names()
        if package.__name__ in users and (inspect.isclass(value) or inspect.isfunction(value))
        if ">>>" not in (value.__doc__ or "")
    ]
    assert without == []


def test_no_public_name_shadows_a_module():
    values = [each for each in public_names() if not isinstance(each[2], ModuleType)]
    names = [f"{package.__name__}.{name}" for package, name, _ in values]
    assert [name for name in names if name in MODULES] == []


def test_public_names_are_given_once():
    for package in {package for package, _, _ in public_names()}:
        assert len(set(package.__all__)) == len(package.__all__), package.__name__


def test_every_public_name_says_what_it_is():
    assert {name for module, name, _ in public_names() if module is md} == set(md.__all__)
    bare = [
        f"{module.__name__}.{name}"
        for module, name, value in public_names()
        if isinstance(value, ModuleType) or inspect.isclass(value) or inspect.isfunction(value)
        if not value.__doc__
    ]
    assert bare == []


def test_every_module_says_what_it_is_for():
    # An operation's file is one class, and that class says it.
    bare = [name for name in MODULES if not ast.get_docstring(ast.parse(source(name).read_text()))]
    assert [name for name in bare if layer(name) != "ops"] == []


def test_a_file_can_be_held_in_the_head():
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in PACKAGE.rglob("*.py")}
    lines = [
        (f"{name}:{number}", line)
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
    ]
    assert [name for name, text in texts.items() if text.count("\n") > 350] == []
    assert [place for place, line in lines if len(line) > 100] == []


@cache
def tracked_texts():
    """(path, text) of every text file that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    texts = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if b"\0" not in data:
                texts.append((name, data.decode()))
    return texts


@pytest.mark.parametrize(
    "forbidden",
    [
        r"(?<![\w.])/(work|root|home|Users)/\w",  # a path of one machine
        r"\b(pypi|pythonhosted|npmjs|debian|anaconda)\.(org|com)|download\.pytorch",
        r"index-url\s*[= ]",
    ],
)
def test_no_file_names_a_machine_or_a_registry(forbidden):
    found = [name for name, text in tracked_texts() if re.search(forbidden, text)]
    assert found == []


def test_the_kernels_are_reached_through_the_package():
    assert (PACKAGE / "kernels" / "README.md").is_file()


def test_any_folders_of_tests_run_in_one_command():
    files = list((ROOT / "tests").rglob("test_*.py"))
    assert len({path.name for path in files}) == len(files)  # as modules they have these names
    folders = [path.parent for path in (ROOT / "tests").glob("*/conftest.py")]
    assert len(folders) > 1
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *map(str, folders)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
