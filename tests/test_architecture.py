"""The house rules that no single module can keep by itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
LONGEST = 400
# Modules over the limit that are still one idea, each with its reason.
LONG_MODULES: dict[str, str] = {}

IMPORT_ALL_OF_CORE = """
import importlib, pkgutil, sys

BLOCKED = {"PySide6", "shiboken6", "vtkmodules", "vtk", "pyqtgraph", "gui"}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
import core
names = [module.name for module in pkgutil.walk_packages(core.__path__, "core.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((CHECKOUT / package).rglob("*.py"))


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_of_core_imports_without_any_window_library():
    assert int(run_python(IMPORT_ALL_OF_CORE)) > 30


@pytest.mark.parametrize(
    "imports",
    [
        "core.config",
        "core.catalog",
        "core.inference.package",
        "core.imaging.reader",
        "core.training.control",
        "gui.app",
    ],
)
def test_what_the_window_needs_at_its_start_imports_no_heavy_library(imports: str):
    heavy = {
        "torch",
        "lightning",
        "monai",
        "vtkmodules",
        "vtk",
        "nilearn",
        "matplotlib",
        "sklearn",
        "pandas",
        "openvino",
    }
    loaded = run_python(f"import sys, {imports}; print(*{{name.partition('.')[0] for name in sys.modules}})")
    assert not heavy & set(loaded.split())


def test_modules_are_short():
    lengths = {str(path.relative_to(CHECKOUT)): len(path.read_bytes().splitlines()) for path in modules("core", "gui")}
    long = {name: length for name, length in lengths.items() if length > LONGEST}
    assert set(long) == set(LONG_MODULES), f"over {LONGEST} lines: {long}"


def test_no_modules_import_each_other_in_a_circle():
    """Imports for types only and those inside functions count too: what needs each other belongs together, or apart."""
    paths = {_module_name(path): path for path in modules("core", "gui")}
    needs = {name: set(_modules_imported(path, set(paths))) - {name} for name, path in paths.items()}
    TopologicalSorter(needs).prepare()  # its error names the circle


def test_colours_stand_in_the_theme_only():
    colour = re.compile(r"""["'#(\s]#[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?\b|QColor\(\s*\d""")
    found = [
        f"{path.relative_to(CHECKOUT)}:{number}"
        for path in modules("gui")
        if "theme" not in path.relative_to(CHECKOUT).parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if colour.search(line)
    ]
    assert not found


def test_folders_of_data_and_scripts_are_no_packages():
    # packaging/__init__.py would shadow the library of that name.
    for folder in ("packaging", "resources"):
        assert not list((CHECKOUT / folder).rglob("__init__.py"))


def test_every_library_that_is_imported_is_declared():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_normal(re.split(r"[<>=!~\[ ;]", line)[0]) for line in project["dependencies"]}
    distributions = packages_distributions()
    missing = {
        name
        for path in modules("core", "gui")
        for name in _imported(path)
        if name not in sys.stdlib_module_names
        and name not in {"core", "gui"}
        and not {_normal(distribution) for distribution in distributions.get(name, [name])} & declared
    }
    assert not missing


def test_the_pins_cover_every_declared_library():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    pinned = {
        _normal(line.partition("==")[0])
        for line in (CHECKOUT / "packaging" / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    assert {_normal(re.split(r"[<>=!~\[ ;]", line)[0]) for line in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


def _modules_imported(path: Path, known: set[str]) -> Iterator[str]:
    """Those of the known modules that a module imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inside)


def _imported(path: Path) -> Iterator[str]:
    """The first part of every name that a module imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
