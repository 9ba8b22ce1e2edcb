"""Long compressed scans are handed over while they are still being decoded, and only what is decoded of them."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging import payload
from core.imaging.partial import PartialVolume
from core.imaging.reader import read
from core.imaging.volume import Volume
from core.imaging.writer import write_volume

SHAPE = (16, 12, 40)
SLICE = 16 * 12 * 2  # bytes of int16
AFFINE_RAS = np.array([[0.0, 0, 2, -5], [-1, 0, 0, 7], [0, -3, 0, 1], [0, 0, 0, 1]])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file goes the way of a large one: three slices at a time, handed over after eight."""
    monkeypatch.setattr(payload, "_PIECE", 3 * SLICE)
    monkeypatch.setattr(payload, "EARLY_BYTES", 8 * SLICE)


def voxels(shape: tuple[int, ...] = SHAPE, dtype: str = "<i2") -> np.ndarray:
    return np.random.default_rng(3).integers(1, 9000, shape).astype(dtype)


def save(path: Path, numbers: np.ndarray) -> Path:
    header = nib.Nifti1Header(endianness=">" if numbers.dtype.str[0] == ">" else "<")
    header.set_data_dtype(numbers.dtype)
    nib.save(nib.Nifti1Image(numbers, AFFINE_RAS, header), path)
    return path


def watched(path: Path) -> tuple[list[PartialVolume], list[tuple[int, np.ndarray]], Volume | None]:
    """What was handed over, how many slices were whole at each piece and what they held then, and the scan."""
    early: list[PartialVolume] = []
    seen: list[tuple[int, np.ndarray]] = []

    def listen(_fraction: float | None, _message: str) -> None:
        for partial in early:
            slices = partial.slices()
            seen.append((slices.shape[2], slices.copy()))

    try:
        return early, seen, read(path, JobControl(listen), early=early.append)
    except UnreadableScan:
        return early, seen, None


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nrrd", "scan.mha"])
def test_decoded_slices_are_shown_early_and_lie_where_the_whole_scan_does(tmp_path: Path, name: str):
    whole = read(save(tmp_path / "first.nii.gz", voxels()))
    write_volume(tmp_path / name, whole)
    early, seen, volume = watched(tmp_path / name)
    assert volume is not None
    assert len(early) == 1
    assert early[0].grid_shape == volume.grid_shape
    assert early[0].source == volume.source
    np.testing.assert_array_equal(early[0].affine_ras, volume.affine_ras)
    counts = [count for count, _ in seen]
    assert counts[0] == 9  # the third piece of three
    assert counts == sorted(counts)
    assert counts[-1] == SHAPE[2]
    for count, slices in seen:
        np.testing.assert_array_equal(slices, voxels()[:, :, :count])


def test_the_whole_scan_is_in_the_memory_that_was_looked_at(tmp_path: Path):
    early, _, volume = watched(save(tmp_path / "scan.nii.gz", voxels()))
    assert volume is not None
    assert np.shares_memory(early[0].slices(), volume.voxels)


def test_what_is_handed_over_cannot_be_written_to(tmp_path: Path):
    early, _, _ = watched(save(tmp_path / "scan.nii.gz", voxels()))
    with pytest.raises(ValueError, match="read-only"):
        early[0].slices()[0, 0, 0] = 1


def test_a_slice_is_there_only_once_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(payload, "_PIECE", SLICE + SLICE // 2)
    _, seen, _ = watched(save(tmp_path / "scan.nii.gz", voxels()))
    assert [count for count, _ in seen[:3]] == [9, 10, 12]


def test_time_points_fill_one_after_the_other(tmp_path: Path):
    numbers = voxels((16, 12, 10, 4))
    times: list[list[int]] = []

    def early(partial: PartialVolume) -> None:
        times.append([partial.slices(time).shape[2] for time in range(4)])
        assert partial.shape == (16, 12, 10, 4)

    read(save(tmp_path / "scan.nii.gz", numbers), early=early)
    assert times == [[9, 0, 0, 0]]


def test_numbers_of_the_other_byte_order_are_shown_as_what_they_are(tmp_path: Path):
    _, seen, _ = watched(save(tmp_path / "scan.nii.gz", voxels(dtype=">i2")))
    count, slices = seen[0]
    np.testing.assert_array_equal(slices.astype(int), voxels()[:, :, :count])


def test_short_plain_and_complex_files_are_not_handed_over(tmp_path: Path):
    for path in (
        save(tmp_path / "short.nii.gz", voxels((16, 12, 15))),
        save(tmp_path / "plain.nii", voxels()),
        save(tmp_path / "complex.nii.gz", voxels().astype("<c8")),
    ):
        early, _, volume = watched(path)
        assert volume is not None
        assert not early


@pytest.mark.parametrize("damage", ["cut", "checksum"])
def test_a_file_that_turns_out_damaged_is_an_error_after_all(tmp_path: Path, damage: str):
    path = save(tmp_path / "scan.nii.gz", voxels())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4] if damage == "cut" else data[:-8] + b"\1\2\3\4" + data[-4:])
    early, _, volume = watched(path)
    assert early
    assert volume is None
