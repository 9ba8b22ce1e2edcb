"""`isocenter doctor`: what works on this computer. It reports and never fails."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from core.commands.console import answer, answer_json

PACKAGES = (
    "PySide6-Essentials", "torch", "lightning", "monai", "openvino", "nibabel", "pydicom", "pyqtgraph", "vtk",
    "sqlite-utils", "numpy", "scipy", "pydantic", "safetensors", "nilearn",
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `facts` are for JSON, `message` is for a person."""

    name: str
    ok: bool
    message: str
    facts: dict[str, Any] = field(default_factory=dict)


def add(commands: Any) -> None:
    parser = commands.add_parser("doctor", help="what works here: versions, devices, catalog, display")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    checks = [_safely(check) for check in CHECKS]
    if args.json:
        answer_json({"ok": all(check.ok for check in checks), "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            answer(f"{'ok  ' if check.ok else 'LOOK'}  {check.name:10}{check.message}")
    return 0


def _safely(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        return Check(check.__name__.strip("_"), False, f"could not be looked at ({type(error).__name__}: {error})")


def _program() -> Check:
    import core

    facts = {"isocenter": core.__version__, "python": platform.python_version(), "platform": platform.platform()}
    supported = sys.version_info >= (3, 11)
    return Check("program", supported, "Isocenter {isocenter}, Python {python}, {platform}".format(**facts), facts)


def _packages() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    missing = [name for name, there in found.items() if there is None]
    text = f"missing: {', '.join(missing)}" if missing else ", ".join(f"{n} {v}" for n, v in found.items())
    return Check("packages", not missing, text, found)


def _computer() -> Check:
    import psutil

    from core.training.devices import threads

    memory = psutil.virtual_memory()
    facts = {
        "cores": threads(beside_window=False),
        "memory_gb": round(memory.total / 1e9, 1),
        "free_memory_gb": round(memory.available / 1e9, 1),
    }
    text = "{cores} cores, {memory_gb} GB memory, {free_memory_gb} GB free".format(**facts)
    return Check("computer", True, text, facts)


def _devices() -> Check:
    import torch

    from core.training.devices import cpu_has_bf16

    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    mps = bool(torch.backends.mps.is_available())
    bf16 = cpu_has_bf16()
    facts = {"cpu": True, "cuda": cuda, "mps": mps, "cpu_bf16": bf16}
    gpu = ", ".join(cuda) or ("Apple GPU" if mps else "no GPU")
    text = f"CPU ({'with' if bf16 else 'without'} bf16 arithmetic), {gpu}"
    return Check("devices", True, text, facts)


def _sqlite() -> Check:
    # Versions before 3.51.3 can corrupt a write-ahead log, so the catalog never uses one.
    facts = {"version": sqlite3.sqlite_version, "journal": "truncate", "synchronous": "full"}
    return Check("sqlite", True, "SQLite {version}, rollback journal, every write synced".format(**facts), facts)


def _home() -> Check:
    import shutil

    from core.errors import CatalogError
    from core.paths import ensure_home, home

    facts: dict[str, Any] = {"path": str(home()), "set_by_user": "ISOCENTER_HOME" in os.environ, "writable": True}
    try:
        ensure_home()
    except CatalogError as error:
        return Check("home", False, str(error), {**facts, "writable": False})
    facts["free_gb"] = round(shutil.disk_usage(home()).free / 1e9, 1)
    return Check("home", facts["free_gb"] > 1, "{path}, {free_gb} GB free".format(**facts), facts)


def _catalog() -> Check:
    from core.catalog import Catalog

    with Catalog() as catalog:
        facts = {"path": str(catalog.path), "runs": len(catalog.runs()), "predictions": len(catalog.predictions())}
    return Check("catalog", True, "{runs} runs, {predictions} predictions".format(**facts), facts)


def _models() -> Check:
    from core.inference.package import list_packages

    names = [f"{package.name} {package.version}" for package in list_packages()]
    return Check("models", bool(names), ", ".join(names) or "none; import or publish one", {"models": names})


# The window adds its own: fonts, display, OpenGL.
CHECKS: list[Callable[[], Check]] = [_program, _packages, _computer, _devices, _sqlite, _home, _catalog, _models]
