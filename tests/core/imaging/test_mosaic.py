from __future__ import annotations

import struct

import numpy as np
import pytest

from core.errors import UnreadableScan
from core.imaging.geometry import index_to_ras_mm
from core.imaging.reader import read
from tests.core.imaging.conftest import make_slice

TILE = (4, 5)  # rows, columns
SLICES = 7  # in 3 x 3 places


def csa(entries: dict[str, list[str]]) -> bytes:
    """A private header of Siemens' second kind."""
    block = b"SV10\4\3\2\1" + struct.pack("<II", len(entries), 77)
    for name, texts in entries.items():
        block += struct.pack("<64si4siii", name.encode(), len(texts), b"IS", 6, len(texts), 77)
        for text in texts:
            value = text.encode() + b"\0"
            block += struct.pack("<4i", len(value), len(value), 77, len(value)) + value + bytes(-len(value) % 4)
    return block


def csa_first(entries: dict[str, list[str]]) -> bytes:
    """A private header of the first kind: no mark of its own, and lengths with the first entry's count added."""
    block = struct.pack("<II", len(entries), 77)
    first = len(next(iter(entries.values())))
    for name, texts in entries.items():
        block += struct.pack("<64si4siii", name.encode(), len(texts), b"IS", 6, len(texts), 77)
        for text in texts:
            value = text.encode() + b"\0"
            block += struct.pack("<4i", len(value) + first, 0, 77, 0) + value + bytes(-len(value) % 4)
    return block


def save(folder, *, csa=csa, normal=("0", "0", "1"), count=str(SLICES), shift=0, name="a", private=True, **changes):
    """A mosaic whose tile k holds 10 k + shift, and 1 more at its row 1, column 2."""
    picture = np.zeros((3 * TILE[0], 3 * TILE[1]), np.int16)
    for k in range(SLICES):
        top, left = k // 3 * TILE[0], k % 3 * TILE[1]
        picture[top : top + TILE[0], left : left + TILE[1]] = 10 * k + shift
        picture[top + 1, left + 2] += 1
    # The place that is told is that of a plane as large as the picture, with the first slice's centre.
    position = (-10 - 5 * 2.0, -20 - 4 * 3.0, 30)
    dataset = make_slice(
        position, 1, picture, PixelSpacing=[3, 2], SpacingBetweenSlices=4, ImageType=["ORIGINAL", "PRIMARY", "MOSAIC"],
        **changes,
    )  # fmt: skip
    if private:
        block = dataset.private_block(0x29, "SIEMENS CSA HEADER", create=True)
        entries = {"EchoLinePosition": ["1", "", "2"], "NumberOfImagesInMosaic": [count]}
        block.add_new(0x10, "OB", csa({**entries, "SliceNormalVector": list(normal)} if normal else entries))
    dataset.save_as(folder / name, enforce_file_format=True)


@pytest.mark.parametrize("kind", [csa, csa_first])
def test_tiles_become_slices_at_their_places(tmp_path, kind):
    save(tmp_path, csa=kind)
    volume = read(tmp_path)
    assert volume.findings == ()
    assert volume.shape == (5, 4, SLICES)
    assert volume.spacing_mm == (2, 3, 4)
    for k in range(SLICES):
        assert volume.voxels[2, 1, k] == 10 * k + 1
        place = index_to_ras_mm(volume.affine_ras, np.array([0, 0, k]))
        np.testing.assert_allclose(place, [10, 20, 30 + 4 * k], atol=1e-9)


def test_slices_that_run_against_the_right_hand_keep_their_places(tmp_path):
    save(tmp_path, normal=("0", "0", "-1"))
    volume = read(tmp_path)
    values = {}
    for k in range(SLICES):
        place = index_to_ras_mm(volume.affine_ras, np.array([0, 0, k]))
        values[round(place[2])] = int(volume.voxels[0, 0, k])
    assert values == {30 - 4 * k: 10 * k for k in range(SLICES)}


def test_mosaics_of_several_times_are_a_time_series(tmp_path):
    for t in range(3):
        save(tmp_path, name=str(t), shift=t, AcquisitionNumber=t + 1, SOPInstanceUID=f"1.2.{t}")
    volume = read(tmp_path)
    assert volume.shape == (5, 4, SLICES, 3)
    np.testing.assert_array_equal(volume.voxels[0, 0, 2], [20, 21, 22])


@pytest.mark.parametrize("count", ["", "0", "-3", "x", "1000000", "26"])
def test_mosaics_without_a_good_number_of_tiles_are_refused(tmp_path, count):
    save(tmp_path, count=count)
    with pytest.raises(UnreadableScan):
        read(tmp_path)


def test_a_mosaic_without_its_private_header_is_refused_as_its_empty_tiles_are_unknown(tmp_path):
    save(tmp_path, private=False)
    with pytest.raises(UnreadableScan):
        read(tmp_path)


def test_a_damaged_private_header_is_refused(tmp_path):
    save(tmp_path)
    data = (tmp_path / "a").read_bytes()
    start = data.index(b"SV10")
    for place in range(start + 8, start + 320, 4):
        (tmp_path / "a").write_bytes(data[:place] + b"\xff\xff\xff\x7f" + data[place + 4 :])
        try:
            assert read(tmp_path).shape[:2] == (5, 4)
        except UnreadableScan:
            continue
