from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from core.control import JobControl
from core.errors import Cancelled, UnreadableScan
from core.imaging import bounds, gz, header
from core.imaging.info import describe
from core.imaging.reader import is_scan, read


def codes(volume) -> set[str]:
    return {finding.code for finding in volume.findings}


def save(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None, kind=nib.Nifti1Image, **fields) -> Path:
    image = kind(voxels, np.eye(4) if affine is None else affine)
    nib.save(image, path)
    return patch(path, **fields) if fields else path


def patch(path: Path, **fields) -> Path:
    """Change header fields of an uncompressed NIfTI-1 file in place, without any library's checks."""
    data = bytearray(path.read_bytes())
    header = np.frombuffer(bytes(data[:348]), nib.nifti1.header_dtype).copy()
    for name, value in fields.items():
        header[0][name] = value
    path.write_bytes(header.tobytes() + bytes(data[348:]))
    return path


@pytest.fixture
def plain(tmp_path):
    voxels = np.random.default_rng(1).integers(0, 500, (7, 6, 5)).astype(np.int16)
    return save(tmp_path / "plain.nii", voxels)


# -- formats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", ">i4", "<u4", ">i8", "<u8", "<f4", ">f4", ">f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_type_and_byte_order_is_read_exactly(tmp_path, kind, dtype, suffix):
    voxels = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(dtype)
    header = kind.header_class(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(voxels.dtype)
    image = kind(voxels, np.diag([2.0, 3, 4, 1]), header)
    nib.save(image, tmp_path / f"scan{suffix}")
    volume = read(tmp_path / f"scan{suffix}")
    assert volume.voxels.dtype == voxels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(volume.voxels, voxels)
    assert volume.spacing_mm == (2.0, 3.0, 4.0)


def test_both_files_of_a_pair_open_the_same_scan(tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    nib.save(nib.Nifti1Pair(voxels, np.eye(4)), tmp_path / "pair.img")
    for name in ("pair.hdr", "pair.img"):
        np.testing.assert_array_equal(read(tmp_path / name).voxels, voxels)
    (tmp_path / "pair.hdr").unlink()
    with pytest.raises(UnreadableScan, match=r"pair\.hdr is missing"):
        read(tmp_path / "pair.img")


def test_gzip_is_told_by_content_not_by_name(plain, tmp_path):
    wrong = tmp_path / "compressed.nii"
    wrong.write_bytes(gzip.compress(plain.read_bytes()))
    also_wrong = tmp_path / "uncompressed.nii.gz"
    also_wrong.write_bytes(plain.read_bytes())
    for path in (wrong, also_wrong):
        np.testing.assert_array_equal(read(path).voxels, read(plain).voxels)


def test_gzip_of_several_members_is_read(plain, tmp_path):
    data = plain.read_bytes()
    path = tmp_path / "members.nii.gz"
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:]))
    np.testing.assert_array_equal(read(path).voxels, read(plain).voxels)


def test_uncompressed_scan_of_200_mb_is_mapped_not_read(tmp_path):
    path = save(tmp_path / "large.nii", np.zeros((2, 2, 2), np.int16), dim=[3, 512, 512, 400, 1, 1, 1, 1])
    os.truncate(path, 352 + 512 * 512 * 400 * 2)  # a sparse file
    read(path)
    start = time.perf_counter()
    volume = read(path)
    assert time.perf_counter() - start < 0.1
    assert isinstance(volume.voxels.base, np.memmap) or isinstance(volume.voxels, np.memmap)


def test_complex_and_colour_become_magnitude_and_brightness(tmp_path):
    volume = read(save(tmp_path / "complex.nii", np.full((2, 2, 2), 3 + 4j, np.complex64)))
    assert (volume.voxels == 5).all()
    assert "complex" in codes(volume)
    colour = np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colour["G"] = 100
    volume = read(save(tmp_path / "colour.nii", colour))
    assert (volume.voxels == 59).all()
    assert volume.shape == (2, 2, 2)


def test_five_true_dimensions_are_refused(tmp_path):
    with pytest.raises(UnreadableScan, match="more than four dimensions"):
        read(save(tmp_path / "five.nii", np.zeros((2, 2, 2, 3, 3), np.int16)))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(header.NIFTI1, nib.nifti1.header_dtype), (header.NIFTI2, nib.nifti2.header_dtype)]
)
def test_header_fields_lie_where_nibabel_has_them(ours, theirs):
    grouped = {"quatern": "quatern_b", "qoffset": "qoffset_x", "srow": "srow_x"}
    assert ours.itemsize == theirs.itemsize
    for name in ours.names:
        kind, offset = theirs.fields[grouped.get(name, name)][:2]
        assert ours.fields[name][1] == offset, name
        assert ours.fields[name][0].base.kind == kind.base.kind, name
        assert name == "magic" or ours.fields[name][0].base.itemsize == kind.base.itemsize, name


# -- the transform -----------------------------------------------------------------------------------------------------


def test_sform_wins_and_a_disagreement_is_told(tmp_path):
    image = nib.Nifti1Image(np.ones((4, 4, 4), np.int16), np.eye(4))
    image.set_sform(np.diag([1.0, 1, 1, 1]), 2)
    image.set_qform(np.diag([-1.0, 1, 1, 1]), 1)
    nib.save(image, tmp_path / "scan.nii")
    volume = read(tmp_path / "scan.nii")
    assert volume.orientation == "RAS"
    assert "forms_disagree" in codes(volume)


def test_qform_alone_matches_nibabel_with_mirrored_third_axis(tmp_path):
    affine = np.array([[0, -1.1, 0, 3], [0.9, 0, 0, -5], [0, 0, -2.0, 7], [0, 0, 0, 1.0]])
    affine[:3, 2] *= -1  # a left-handed grid
    image = nib.Nifti1Image(np.ones((4, 5, 6), np.int16), None)
    image.set_qform(affine, 1)
    image.set_sform(None, 0)
    nib.save(image, tmp_path / "scan.nii")
    np.testing.assert_allclose(read(tmp_path / "scan.nii").affine_ras, affine, atol=1e-5)


def test_scan_without_orientation_is_centred_and_warned_about(plain):
    volume = read(patch(plain, sform_code=0, qform_code=0))
    assert "no_orientation" in codes(volume)
    np.testing.assert_allclose(volume.affine_ras, nib.load(plain).affine)


@pytest.mark.parametrize(("unit", "factor"), [(1, 1000.0), (3, 0.001), (2, 1.0), (0, 1.0)])
def test_lengths_come_out_in_millimetres(tmp_path, unit, factor):
    affine = np.diag([2 / factor, 2 / factor, 2 / factor, 1])
    volume = read(save(tmp_path / "scan.nii", np.ones((3, 3, 3), np.int16), affine, xyzt_units=unit))
    assert volume.spacing_mm == pytest.approx((2, 2, 2), rel=1e-5)


def test_metres_that_cannot_be_are_read_as_millimetres(tmp_path):
    volume = read(save(tmp_path / "scan.nii", np.ones((3, 3, 3), np.int16), xyzt_units=1))
    assert volume.spacing_mm == (1, 1, 1)
    assert "units_wrong" in codes(volume)


def test_damaged_qform_is_passed_over_where_the_sform_is_good(plain):
    volume = read(patch(plain, qform_code=1, quatern_b=5.0))
    assert "qform_damaged" in codes(volume)
    with pytest.raises(UnreadableScan, match="qform"):
        read(patch(plain, sform_code=0))


# -- damage and danger -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_no_truncated_file_ever_gives_voxels(oblique_scan, tmp_path, suffix):
    data = gzip.decompress(oblique_scan.read_bytes()) if suffix == ".nii" else oblique_scan.read_bytes()
    path = tmp_path / f"cut{suffix}"
    for cut in np.linspace(0, len(data) - 1, 20).astype(int):
        path.write_bytes(data[:cut])
        with pytest.raises(UnreadableScan):
            read(path)


def test_flipped_bits_in_a_compressed_scan_are_noticed(oblique_scan, tmp_path):
    data = oblique_scan.read_bytes()
    path = tmp_path / "flipped.nii.gz"
    for place in range(40, len(data), 61):
        path.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        with pytest.raises(UnreadableScan):
            read(path)


def test_damage_is_noticed_without_the_fast_gzip_library_too(oblique_scan, tmp_path, monkeypatch):
    monkeypatch.setattr(gz, "_gzip", gzip)
    data = oblique_scan.read_bytes()
    assert read(oblique_scan).shape == (11, 9, 7)
    for damaged in (data[:-9], data[:200] + bytes([data[200] ^ 8]) + data[201:], data[:-6] + b"\0" + data[-5:]):
        (tmp_path / "damaged.nii.gz").write_bytes(damaged)
        with pytest.raises(UnreadableScan):
            read(tmp_path / "damaged.nii.gz")


def test_random_header_damage_is_refused_or_gives_a_sound_scan(plain, tmp_path):
    rng = np.random.default_rng(5)
    data = plain.read_bytes()
    path = tmp_path / "damaged.nii"
    for _ in range(300):
        damaged = bytearray(data)
        place, width = int(rng.integers(0, 340)), int(rng.integers(1, 9))
        damaged[place : place + width] = rng.choice([b"\xff", b"\0", b"\x7f", b"\x80"]) * width
        path.write_bytes(bytes(damaged))
        try:
            volume = read(path)
        except UnreadableScan:
            continue
        assert np.isfinite(volume.affine_ras).all()
        assert volume.voxels.nbytes <= len(data)
        describe(volume)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_header_that_declares_too_much_is_refused_at_once(tmp_path, monkeypatch, name):
    monkeypatch.setattr(bounds, "size_limit", lambda: 1000)
    path = tmp_path / name
    nib.save(nib.Nifti1Image(np.zeros((10, 10, 10), np.int16), np.eye(4)), path)
    with pytest.raises(UnreadableScan, match="limit"):
        read(path)


def test_random_bytes_and_text_are_not_scans(tmp_path):
    rng = np.random.default_rng(3)
    for number in range(50):
        path = tmp_path / f"noise{number}.nii"
        path.write_bytes(rng.bytes(400))
        with pytest.raises(UnreadableScan):
            read(path)
    (tmp_path / "notes.txt").write_text("not a scan")
    with pytest.raises(UnreadableScan, match="not a scan"):
        read(tmp_path / "notes.txt")
    assert not is_scan(tmp_path / "notes.txt")


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_pipes_devices_and_links_to_them_are_refused_without_blocking(tmp_path):
    pipe = tmp_path / "pipe.nii"
    os.mkfifo(pipe)
    link = tmp_path / "link.nii"
    link.symlink_to("/dev/zero")
    folder = tmp_path / "folder.nii"
    folder.mkdir()
    for path in (pipe, link, Path("/dev/null"), folder, tmp_path / "absent.nii", Path("odd\0name.nii")):
        with pytest.raises(UnreadableScan):
            read(path)
        assert not is_scan(path)


def test_voxels_that_are_no_numbers_are_told(tmp_path):
    voxels = np.ones((4, 4, 4), np.float32)
    voxels[0, 0, 0], voxels[1, 1, 1] = np.nan, np.inf
    volume = read(save(tmp_path / "scan.nii.gz", voxels))
    (finding,) = [f for f in volume.findings if f.code == "non_finite"]
    assert finding.message.startswith("2 voxels")


def test_reading_stops_when_cancelled(tmp_path):
    path = save(tmp_path / "scan.nii.gz", np.zeros((256, 256, 128), np.int16))
    control = JobControl(listener=lambda fraction, _: control.cancel() if fraction else None)
    with pytest.raises(Cancelled):
        read(path, control)


def test_is_scan_knows_nifti_with_and_without_a_telling_name(plain, oblique_scan, tmp_path):
    nameless = tmp_path / "scan"
    nameless.write_bytes(plain.read_bytes())
    assert all(is_scan(path) for path in (plain, oblique_scan, nameless))
    assert not is_scan(tmp_path)  # a folder of NIfTI files is no single scan
