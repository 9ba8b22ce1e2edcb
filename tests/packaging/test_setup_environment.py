"""The private environment is renewed when something changed and resumed after a broken download."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import setup_environment
from setup_console import Console, SetupFailed
from setup_environment import Environment, PipState


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A checkout with an environment that was installed without extras."""
    (tmp_path / "packaging").mkdir()
    (tmp_path / "packaging" / "constraints.txt").write_text("numpy==2.4.6\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    environment = Environment(tmp_path)
    python = Path(environment.python)
    python.parent.mkdir(parents=True)
    python.touch()
    marker = {"fingerprint": environment._fingerprint(), "extras": []}
    (environment.folder / "isocenter-installed.json").write_text(json.dumps(marker))
    return environment


def test_an_installed_environment_is_ready(environment: Environment):
    assert environment.is_ready(())


@pytest.mark.parametrize("name", ["packaging/constraints.txt", "pyproject.toml"])
def test_a_changed_pin_or_setting_asks_for_a_new_install(environment: Environment, name: str):
    (environment.root / name).write_text("other")
    assert not environment.is_ready(())


def test_tools_for_the_tests_are_asked_for_once_they_are_needed(environment: Environment):
    assert not environment.is_ready(("dev",))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fingerprint": 1}'])
def test_a_torn_marker_asks_for_a_new_install(environment: Environment, text: str):
    (environment.folder / "isocenter-installed.json").write_text(text)
    assert not environment.is_ready(())


def _answers(monkeypatch, environment: Environment, answers: list[tuple[int, list[str]]]) -> list[float]:
    """Let pip give these answers, one a call. Returns the waits between them."""
    waits: list[float] = []
    left = iter(answers)
    monkeypatch.setattr(environment, "_follow", lambda command, console: next(left))
    monkeypatch.setattr(setup_environment.time, "sleep", waits.append)
    return waits


BROKEN = (1, ["ERROR: Could not install packages due to an OSError: HTTPSConnectionPool: Read timed out."])


def test_a_broken_download_is_tried_again_after_a_pause(environment: Environment, monkeypatch):
    waits = _answers(monkeypatch, environment, [BROKEN, BROKEN, (0, [])])
    environment._pip(["numpy"], Console())
    assert waits == list(setup_environment.WAITS_SECONDS[:2])


def test_a_network_that_stays_away_is_told_with_what_to_do(environment: Environment, monkeypatch):
    _answers(monkeypatch, environment, [BROKEN] * 4)
    with pytest.raises(SetupFailed, match="Run the same command again"):
        environment._pip(["numpy"], Console())


def test_an_error_that_waiting_cannot_mend_is_told_at_once(environment: Environment, monkeypatch):
    output = ["Collecting pytest-timeout", "ERROR: No matching distribution found for numpy==9"]
    waits = _answers(monkeypatch, environment, [(1, output)])
    with pytest.raises(SetupFailed, match="No matching distribution found for numpy==9"):
        environment._pip(["numpy==9"], Console())
    assert not waits


def test_a_full_disk_is_named(environment: Environment, monkeypatch):
    _answers(monkeypatch, environment, [(1, ["ERROR: Could not install: [Errno 28] No space left on device"])])
    with pytest.raises(SetupFailed, match="disk is full"):
        environment._pip(["torch"], Console())


def test_lines_of_a_child_process_are_followed_to_its_end(environment: Environment):
    script = (
        "print('Collecting a'); print('Installing collected packages: a, b'); print('Successfully installed a-1 b-2')"
    )
    status, output = environment._follow([sys.executable, "-c", script], Console())
    assert status == 0
    assert output[-1] == "Successfully installed a-1 b-2"
    log = (environment.folder / "isocenter-install.log").read_text()
    assert "Collecting a" in log


def test_pip_is_retold_in_plain_words():
    state = PipState()
    assert str(state) == "looking at what is there"
    state.read("Collecting torch==2.13.0 (from isocenter)")
    assert str(state) == "1 package found, now torch"
    state.read("Collecting typing_extensions>=4 (from torch)")
    state.read("  Downloading typing_extensions-4.16.0-py3-none-any.whl (45 kB)")
    assert str(state) == "2 packages found, now typing-extensions (45 kB)"
    state.read("Installing collected packages: torch, typing-extensions")
    assert str(state) == "putting 2 packages in place"


def test_programs_of_the_environment_are_found_on_this_system(environment: Environment):
    name = Path(environment.script("isocenter")).name
    assert name == ("isocenter.exe" if os.name == "nt" else "isocenter")
