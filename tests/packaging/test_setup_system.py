"""What is missing on a system is installed where that may be done, and named with its command where not."""

from __future__ import annotations

from pathlib import Path

import pytest
import setup_system
from setup_console import Console, SetupFailed


@pytest.fixture
def linux_lacking_egl(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """A Linux on which one library is not found until it is taken out of the set."""
    absent = {"libEGL.so.1"}
    monkeypatch.setattr(setup_system.sys, "platform", "linux")
    monkeypatch.setattr(setup_system, "loads", lambda name: name not in absent)
    monkeypatch.setattr(setup_system, "has_font", lambda: True)
    monkeypatch.setattr(setup_system, "has_driver", lambda: True)
    return absent


def test_root_gets_a_missing_library_installed_after_an_update(linux_lacking_egl, monkeypatch, capsys):
    asked = []

    def apt_get(arguments):
        asked.append(arguments[0])
        if asked == ["install"]:
            return "E: Unable to locate package libegl1"
        if arguments[0] == "install":
            assert arguments[-1] == "libegl1"
            linux_lacking_egl.clear()
        return ""

    monkeypatch.setattr(setup_system, "can_install", lambda: True)
    monkeypatch.setattr(setup_system, "apt_get", apt_get)
    setup_system.ensure_libraries(Console(), display=False)
    assert asked == ["install", "update", "install"]
    assert "sudo" not in capsys.readouterr().err


def test_others_are_told_the_library_and_its_command_and_set_up_goes_on(linux_lacking_egl, monkeypatch, capsys):
    monkeypatch.setattr(setup_system, "can_install", lambda: False)
    monkeypatch.setattr(setup_system.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    setup_system.ensure_libraries(Console(), display=False)
    said = capsys.readouterr()
    assert "libEGL.so.1" in said.out
    assert "sudo apt-get install -y libegl1" in said.err


def test_fedora_is_told_its_own_command(monkeypatch):
    monkeypatch.setattr(setup_system.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
    monkeypatch.setattr(setup_system.platform, "architecture", lambda: ("64bit", "ELF"))
    command = setup_system.install_command([setup_system.LIBRARIES[0], setup_system.FONT])
    assert command == "sudo dnf install 'libEGL.so.1()(64bit)' dejavu-sans-fonts"


def test_what_apt_complains_of_is_passed_on(linux_lacking_egl, monkeypatch, capsys):
    monkeypatch.setattr(setup_system, "can_install", lambda: True)
    monkeypatch.setattr(setup_system, "apt_get", lambda arguments: "E: no network")
    setup_system.ensure_libraries(Console(), display=False)
    assert "E: no network" in capsys.readouterr().out


def test_libraries_of_the_x11_window_are_asked_for_only_with_a_display(linux_lacking_egl):
    linux_lacking_egl |= {"libxcb-cursor.so.0"}
    assert "libxcb-cursor0" not in [need.package for need in setup_system.missing(display=False)]
    assert "libxcb-cursor0" in [need.package for need in setup_system.missing(display=True)]


def test_a_python_without_venv_names_the_package_of_that_python(monkeypatch):
    monkeypatch.setattr(setup_system.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(setup_system, "can_install", lambda: False)
    version = f"python{setup_system.sys.version_info[0]}.{setup_system.sys.version_info[1]}"
    with pytest.raises(SetupFailed, match=f"sudo apt-get install -y {version}-venv"):
        setup_system.ensure_venv(Console())


def test_a_folder_without_fonts_counts_as_no_font(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(setup_system, "FONT_FOLDERS", (str(tmp_path), str(tmp_path / "absent")))
    assert not setup_system.has_font()
    (tmp_path / "truetype").mkdir()
    (tmp_path / "truetype" / "Inter.ttf").touch()
    assert setup_system.has_font()
