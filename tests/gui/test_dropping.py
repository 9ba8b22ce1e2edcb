"""What is dropped opens on the page of its kind."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

import gui.dropping
from gui.dropping import place_of
from gui.main_window import MainWindow
from tests.gui.making import drop
from tests.gui.tables_making import write_table


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.csv", b"age,died\n61,0\n", "tables"), ("a.csv.gz", b"", "tables"), ("a.xlsx", b"", "tables"),
        ("1.txt", b"Time,Parameter,Value\n00:00,Age,54\n", "stays"), ("a.tar.gz", b"", "stays"),
        ("a.nii.gz", b"", "scans"), ("a", b"DICM", "scans"), ("notes.txt", b"a\tb\n", "tables"),
    ],
)  # fmt: skip
def test_a_file_goes_where_it_belongs(tmp_path: Path, name: str, content: bytes, place: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert place_of(tmp_path / name) == place


def test_a_folder_of_stays_is_told_from_one_of_scans(tmp_path: Path) -> None:
    (tmp_path / "stays").mkdir()
    (tmp_path / "stays" / "1.txt").write_text("Time,Parameter,Value\n00:00,Age,54\n")
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "readme.txt").write_text("about these scans\n")
    assert place_of(tmp_path / "stays") == "stays"
    assert place_of(tmp_path / "dicom") == "scans"
    assert place_of(tmp_path / "gone") == "scans"


def test_doctests() -> None:
    assert doctest.testmod(gui.dropping).failed == 0


def test_of_several_tables_one_opens_and_the_others_are_named(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    drop(window, *(write_table(tmp_path / f"{name}.csv") for name in ("first", "second", "third")))
    assert window.page == "tables"
    page = window.pages["tables"]
    qtbot.waitUntil(lambda: page.opened is not None, timeout=10_000)
    assert page.opened.path.name == "first.csv"
    assert window.notice.text.startswith("Not opened: second.csv, third.csv.")
    window.close()
