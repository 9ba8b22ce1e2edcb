"""What is dropped opens on the page of its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from gui.dropping import place_of


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
