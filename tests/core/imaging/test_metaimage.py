from __future__ import annotations

import contextlib
import gzip
import zlib

import numpy as np
import pytest

from core.errors import UnreadableScan
from core.imaging.reader import is_scan, read

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
DATA = VOXELS.tobytes(order="F")
FIELDS = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "0 1 0 1 0 0 0 0 -1",
    "Offset": "10 20 30",
    "CenterOfRotation": "0 0 0",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "0.5 0.7 2",
    "DimSize": "4 5 6",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}


def codes(volume) -> set[str]:
    return {finding.code for finding in volume.findings}


def save(path, data=DATA, **changes):
    """The fields with some changed (None leaves one out), then the data."""
    fields = {**FIELDS, **changes}
    last = fields.pop("ElementDataFile")
    lines = [f"{name} = {value}\n" for name, value in {**fields, "ElementDataFile": last}.items() if value is not None]
    path.write_bytes("".join(lines).encode() + data)
    return path


def test_a_row_of_the_matrix_is_the_direction_of_a_voxel_axis_in_lps(tmp_path):
    volume = read(save(tmp_path / "scan.mha"))
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    expected = [[0, -0.7, 0, -10], [-0.5, 0, 0, -20], [0, 0, -2, 30], [0, 0, 0, 1]]
    np.testing.assert_array_equal(volume.affine_ras, expected)
    assert (volume.source.format, volume.findings) == ("MetaImage", ())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("MET_CHAR", "i1"), ("MET_UCHAR", "u1"), ("MET_SHORT", "i2"), ("MET_USHORT", "u2"), ("MET_INT", "i4"),
        ("MET_UINT", "u4"), ("MET_LONG", "i4"), ("MET_ULONG", "u4"), ("MET_LONG_LONG", "i8"),
        ("MET_ULONG_LONG", "u8"), ("MET_FLOAT", "f4"), ("MET_DOUBLE", "f8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_big", [True, False])
def test_every_type_in_either_byte_order(tmp_path, name, code, is_big):
    voxels = VOXELS.astype((">" if is_big else "<") + code)
    path = save(tmp_path / "a.mha", voxels.tobytes(order="F"), ElementType=name, BinaryDataByteOrderMSB=str(is_big))
    volume = read(path)
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.voxels.dtype == np.dtype(code)


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress])
def test_compressed_in_one_file_and_in_two(tmp_path, compress):
    data = compress(DATA)
    size = {"CompressedData": "True", "CompressedDataSize": str(len(data))}
    np.testing.assert_array_equal(read(save(tmp_path / "a.mha", data, **size)).voxels, VOXELS)
    (tmp_path / "b.zraw").write_bytes(data)
    path = save(tmp_path / "b.mhd", b"", ElementDataFile="b.zraw", **size)
    np.testing.assert_array_equal(read(path).voxels, VOXELS)


def test_voxels_after_a_header_of_another_program(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"123" + DATA)
    for size in ("3", "-1"):
        path = save(tmp_path / "a.mhd", b"", ElementDataFile="a.raw", HeaderSize=size)
        np.testing.assert_array_equal(read(path).voxels, VOXELS)


def test_voxels_written_as_text(tmp_path):
    text = " ".join(map(str, VOXELS.ravel(order="F"))).encode()
    np.testing.assert_array_equal(read(save(tmp_path / "a.mha", text, BinaryData="False")).voxels, VOXELS)
    with pytest.raises(UnreadableScan, match="no number"):
        read(save(tmp_path / "a.mha", text.replace(b"7", b"x"), BinaryData="False"))


def test_channels_become_the_last_axis_and_colours_brightness(tmp_path):
    values = np.arange(2 * 120, dtype=np.int16).reshape(2, 4, 5, 6)
    volume = read(save(tmp_path / "a.mha", values.tobytes(order="F"), ElementNumberOfChannels="2"))
    np.testing.assert_array_equal(volume.voxels, np.moveaxis(values, 0, -1))
    assert codes(volume) == {"vector"}
    colours = np.full((3, 4, 5, 6), 100, np.uint8)
    path = save(tmp_path / "b.mha", colours.tobytes(), ElementNumberOfChannels="3", ElementType="MET_UCHAR_ARRAY")
    volume = read(path)
    assert (volume.voxels == 100).all()
    assert volume.shape == (4, 5, 6)


def test_a_fourth_dimension_is_time(tmp_path):
    values = np.arange(240, dtype=np.int16).reshape(4, 5, 6, 2)
    four = {
        "NDims": "4", "DimSize": "4 5 6 2", "Offset": "1 2 3 0", "ElementSpacing": "1 1 2 9",
        "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", "CenterOfRotation": "0 0 0 0",
    }  # fmt: skip
    volume = read(save(tmp_path / "a.mha", values.tobytes(order="F"), **four))
    np.testing.assert_array_equal(volume.voxels, values)
    assert codes(volume) == {"time_series"}
    assert volume.spacing_mm == (1, 1, 2)


def test_missing_orientation_and_spacing_are_told(tmp_path):
    volume = read(save(tmp_path / "a.mha", TransformMatrix=None, ElementSpacing=None))
    assert codes(volume) == {"no_orientation", "no_spacing"}
    assert volume.orientation == "LPS"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ObjectType": "Tube"}, "no image"),
        ({"NDims": None}, "NDims"),
        ({"NDims": "11"}, "size"),
        ({"DimSize": "4 5"}, "size"),
        ({"DimSize": "4 5 0"}, "size"),
        ({"DimSize": "4 5 x"}, "DimSize"),
        ({"DimSize": "99999 99999 99999"}, "limit"),
        ({"ElementType": "MET_STRING"}, "voxel type"),
        ({"ElementType": None}, "voxel type"),
        ({"ElementSpacing": "1 1"}, "ElementSpacing"),
        ({"ElementSpacing": "1 1 0"}, "singular"),
        ({"ElementSpacing": "1 1 -1"}, "negative"),
        ({"ElementSpacing": "1 1 nan"}, "no numbers"),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0"}, "TransformMatrix"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "singular"),
        ({"Offset": "1 2 inf"}, "no numbers"),
        ({"Offset": "1 2"}, "Offset"),
        ({"ElementNumberOfChannels": "0"}, "Channels"),
        ({"ElementNumberOfChannels": "99999999999"}, "limit"),
        ({"ElementDataFile": "absent.raw"}, "missing"),
        ({"ElementDataFile": "slice%03d.raw 1 6 1"}, "several files"),
        ({"ElementDataFile": "LIST"}, "several files"),
        ({"ElementDataFile": "../scan.raw"}, "beside it"),
        ({"ElementDataFile": "/etc/hostname"}, "beside it"),
    ],
)
def test_damaged_headers_are_refused(tmp_path, changes, says):
    with pytest.raises(UnreadableScan, match=says):
        read(save(tmp_path / "scan.mha", **changes))


@pytest.mark.parametrize("compressed", [True, False])
def test_no_truncated_file_ever_gives_voxels(tmp_path, compressed):
    data = zlib.compress(DATA) if compressed else DATA
    whole = save(tmp_path / "whole.mha", data, CompressedData=str(compressed)).read_bytes()
    path = tmp_path / "cut.mha"
    for cut in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:cut])
        with pytest.raises(UnreadableScan):
            read(path)


def test_a_flipped_bit_in_compressed_voxels_is_noticed(tmp_path):
    whole = save(tmp_path / "whole.mha", zlib.compress(DATA), CompressedData="True").read_bytes()
    path = tmp_path / "flipped.mha"
    for place in range(len(whole) - 60, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with contextlib.suppress(UnreadableScan):
            np.testing.assert_array_equal(read(path).voxels, VOXELS)  # a bit between the last block and its sum


def test_it_is_known_by_its_content(tmp_path):
    path = save(tmp_path / "scan")
    assert is_scan(path)
    assert read(path).source.format == "MetaImage"
