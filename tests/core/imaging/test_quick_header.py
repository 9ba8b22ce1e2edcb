"""The quick reading of headers gives what the library's gives, or nothing."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.sequence import Sequence

from core.imaging import dicomfile
from core.imaging.dicomfile import read_header
from core.imaging.elements import _ELEMENTS
from core.imaging.quick_header import BYTES, quick_header
from tests.benchmarks.mutation import mutant
from tests.core.imaging.conftest import make_slice

FILES = sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*"))
PLAIN = [name for name, (_, kind) in _ELEMENTS.items() if kind != "items"]


def facts(file) -> dict[str, object]:
    """All that is taken from a header; what cannot be taken is told as such."""
    found: dict[str, object] = {"syntax": file.syntax, "pixels": file.pixels, "directory": file.is_directory}
    for name in PLAIN:
        try:
            found[name] = file.header.get(name)
        except Exception as error:
            found[name] = type(error)
    return found


def compare(path: Path, monkeypatch) -> bool:
    """Read a file both ways. Returns whether the quick way read it."""
    quick = read_header(path) if quick_header(path.read_bytes()[:BYTES]) is not None else None
    if quick is None:
        return False
    with monkeypatch.context() as patch:
        patch.setattr(dicomfile, "quick_header", lambda _data: None)
        slow = read_header(path)
    assert slow is not None
    assert facts(quick) == facts(slow), path
    return True


def test_the_librarys_own_files_are_the_same_in_both_ways(monkeypatch):
    assert sum(compare(path, monkeypatch) for path in FILES if path.is_file()) > 60


def test_real_files_are_the_same_in_both_ways(data_folder, monkeypatch):
    for part in ("dicom_transfer_syntaxes", "dicom_hippocrop", "dicom_ct_gantry_tilt", "dicom_enhanced_multiframe"):
        paths = sorted((data_folder / part).rglob("*.dcm")) or sorted((data_folder / part).rglob("GE_human_head/*"))
        quick = [compare(path, monkeypatch) for path in paths[:30]]
        assert quick, part
        assert any(quick) or part == "dicom_enhanced_multiframe"


def test_sequences_with_and_without_a_length_are_passed_over(tmp_path, monkeypatch):
    inner = pydicom.Dataset()
    inner.Rows = 99  # never that of the image
    inner.ReferencedImageSequence = Sequence([pydicom.Dataset()])
    inner["ReferencedImageSequence"].is_undefined_length = True
    for undefined in (False, True):
        dataset = make_slice((1, 2, 3), 1, np.zeros((4, 5), np.int16), SeriesDescription="T1 Übersicht")
        dataset.SpecificCharacterSet = "ISO_IR 192"
        item = pydicom.Dataset()
        item.update(inner)
        item.is_undefined_length_sequence_item = undefined
        dataset.ReferencedStudySequence = Sequence([item])
        dataset["ReferencedStudySequence"].is_undefined_length = undefined
        dataset.save_as(tmp_path / "a", enforce_file_format=True)
        assert compare(tmp_path / "a", monkeypatch)
        file = read_header(tmp_path / "a")
        assert file.header.get("Rows") == 4
        assert file.header.get("SeriesDescription") == "T1 Übersicht"


def test_damaged_headers_are_never_read_otherwise_than_by_the_library(tmp_path, monkeypatch):
    """A header that the quick way takes is one that the library takes, too, with the same values."""
    make_slice((1, 2, 3), 1, np.zeros((4, 5), np.int16)).save_as(tmp_path / "sound", enforce_file_format=True)
    data = (tmp_path / "sound").read_bytes()
    quick = 0
    for number in range(200):
        (tmp_path / "a").write_bytes(mutant(data, random.Random(number)))
        quick += compare(tmp_path / "a", monkeypatch)
    assert quick > 20


@pytest.mark.parametrize("depth", [3, 40])
def test_sequences_without_end_do_not_go_on_for_ever(depth):
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    meta = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    assert quick_header(bytes(128) + b"DICM" + meta + (sequence + item) * depth) is None
