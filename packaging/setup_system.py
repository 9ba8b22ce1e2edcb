"""What the operating system must bring: libraries of Qt and VTK, a font, and Python's own venv module."""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from setup_console import Console, SetupFailed

FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
MESA_DRIVERS = ("*/dri/*_dri.so", "*/libgallium-*.so", "dri/*_dri.so", "libgallium-*.so")


@dataclass(frozen=True)
class Need:
    """Something of the system, and the Debian package that brings it."""

    name: str
    package: str
    display: bool = False  # needed only where a window is shown


LIBRARIES = (
    Need("libEGL.so.1", "libegl1"),
    Need("libGL.so.1", "libgl1"),
    Need("libOpenGL.so.0", "libopengl0"),
    Need("libxkbcommon.so.0", "libxkbcommon0"),
    Need("libfontconfig.so.1", "libfontconfig1"),
    Need("libfreetype.so.6", "libfreetype6"),
    Need("libdbus-1.so.3", "libdbus-1-3"),
    Need("libglib-2.0.so.0", "libglib2.0-0"),
    Need("libX11.so.6", "libx11-6"),
    Need("libgomp.so.1", "libgomp1"),
    # Qt's X11 platform plugin
    Need("libX11-xcb.so.1", "libx11-xcb1", display=True),
    Need("libxcb-cursor.so.0", "libxcb-cursor0", display=True),
    Need("libxcb-glx.so.0", "libxcb-glx0", display=True),
    Need("libxcb-icccm.so.4", "libxcb-icccm4", display=True),
    Need("libxcb-image.so.0", "libxcb-image0", display=True),
    Need("libxcb-keysyms.so.1", "libxcb-keysyms1", display=True),
    Need("libxcb-randr.so.0", "libxcb-randr0", display=True),
    Need("libxcb-render-util.so.0", "libxcb-render-util0", display=True),
    Need("libxcb-shape.so.0", "libxcb-shape0", display=True),
    Need("libxcb-xfixes.so.0", "libxcb-xfixes0", display=True),
    Need("libxcb-xkb.so.1", "libxcb-xkb1", display=True),
    Need("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", display=True),
)
DRIVERS = Need("a software OpenGL driver (Mesa)", "libgl1-mesa-dri")
FONT = Need("a font", "fonts-dejavu-core")


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    import ctypes  # here, since a minimal Python may lack it

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_font() -> bool:
    folders = [Path(folder).expanduser() for folder in FONT_FOLDERS]
    return any(next(folder.rglob(pattern), None) for folder in folders for pattern in ("*.[to]tf", "*.ttc"))


def has_driver() -> bool:
    folders = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib")]
    return any(next(folder.glob(pattern), None) for folder in folders for pattern in MESA_DRIVERS)


def missing(*, display: bool) -> list[Need]:
    """What is not there, of all that the program needs on Linux."""
    needs = [need for need in LIBRARIES if (display or not need.display) and not loads(need.name)]
    if not has_driver():
        needs.append(DRIVERS)
    if not has_font():
        needs.append(FONT)
    return needs


def ensure_libraries(console: Console, *, display: bool) -> None:
    """Install the system libraries that are missing, or name the command that does; never ends the set-up."""
    if not sys.platform.startswith("linux"):
        return
    needs = missing(display=display)
    if not needs:
        return
    console.say(f"Missing on this system: {', '.join(need.name for need in needs)}.")
    packages = [need.package for need in needs]
    if install_packages(console, packages):
        needs = missing(display=display)
        if not needs:
            return
        console.say(f"Still missing: {', '.join(need.name for need in needs)}.")
    console.problem(
        f"Install them with:\n    {install_command(needs)}\nGoing on; without them the window may not open."
    )


def ensure_venv(console: Console) -> None:
    """See that Python can make environments. Debian and Ubuntu split that off into a package of its own."""
    if all(importlib.util.find_spec(module) for module in ("venv", "ensurepip", "ctypes")):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    console.say("This Python lacks the part that makes private environments.")
    if not install_packages(console, [package]):
        raise SetupFailed(
            f"Install it with:\n    {apt_command([package])}\n"
            "or use a Python from python.org; then run the same command again."
        )


def can_install() -> bool:
    """Whether this is Debian or a relative, and we may install."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


def install_packages(console: Console, packages: Sequence[str]) -> bool:
    """Install Debian packages where that may be done without asking. Returns whether it worked."""
    if not can_install():
        return False
    console.say(f"Installing from the system's packages: {' '.join(packages)} ...")
    install = ["install", "-y", "--no-install-recommends", *packages]
    # A fresh machine has no package lists; one that has them is spared the wait.
    if not apt_get(install):
        return True
    apt_get(["update"])
    complaint = apt_get(install)
    if complaint:
        console.say(f"That did not work: {complaint}")
    return not complaint


def apt_get(arguments: Sequence[str]) -> str:
    """Run apt-get quietly. Returns its complaint, empty when all went well."""
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(["apt-get", *arguments], env=settings, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    return " ".join(errors) or f"apt-get ended with code {done.returncode}"


def install_command(needs: Sequence[Need]) -> str:
    """The command a person would give for these needs on this system."""
    if shutil.which("apt-get"):
        return apt_command([need.package for need in needs])
    bits = "()(64bit)" if platform.architecture()[0] == "64bit" else ""
    libraries = [f"{need.name}{bits}" for need in needs if need.name.startswith("lib")]
    if shutil.which("dnf"):
        others = [
            package for need, package in ((DRIVERS, "mesa-dri-drivers"), (FONT, "dejavu-sans-fonts")) if need in needs
        ]
        return shlex.join(["sudo", "dnf", "install", *libraries, *others])
    return f"your system's package manager; it has {', '.join(need.name for need in needs)}"


def apt_command(packages: Sequence[str]) -> str:
    return shlex.join(["sudo", "apt-get", "install", "-y", *packages])
