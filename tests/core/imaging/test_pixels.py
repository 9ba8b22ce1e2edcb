from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import imagecodecs
import nibabel as nib
import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from core.errors import UnreadableScan
from core.imaging import decoder, dicomfile
from core.imaging.decoder import Decoder
from core.imaging.dicomfile import read_header
from core.imaging.geometry import to_canonical
from core.imaging.pixels import pixels_of
from core.imaging.reader import read

HEIGHTS = [2.0 * k for k in range(4)]


def codes(volume) -> set[str]:
    return {finding.code for finding in volume.findings}


def change(folder: Path, edit) -> Path:
    """Apply a change to every file of a series."""
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        edit(dataset)
        dataset.save_as(path)
    return folder


def compressed(folder: Path, syntax, encode) -> Path:
    def edit(dataset):
        dataset.PixelData = encapsulate([encode(dataset.pixel_array)])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax

    return change(folder, edit)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGLosslessSV1, lambda plane: imagecodecs.ljpeg_encode(plane.view(np.uint16), bitspersample=16)),
        (JPEGLSLossless, lambda plane: imagecodecs.jpegls_encode(plane.view(np.uint16))),
        (JPEG2000Lossless, lambda plane: imagecodecs.jpeg2k_encode(plane, codecformat="j2k", reversible=True)),
    ],
)
def test_compressed_series_are_read_exactly_with_their_signs(make_series, syntax, encode):
    plain = read(make_series([z - 3 for z in HEIGHTS]))
    assert plain.voxels.min() < 0
    folder = compressed(make_series([z - 3 for z in HEIGHTS], folder="packed"), syntax, encode)
    volume = read(folder)
    np.testing.assert_array_equal(volume.voxels, plain.voxels)
    np.testing.assert_array_equal(volume.affine_ras, plain.affine_ras)


def test_eight_bit_jpeg_is_read(make_series):
    folder = make_series(HEIGHTS, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)

    def edit(dataset):
        plane = np.full((6, 5), 100, np.uint8)
        dataset.PixelData = encapsulate([imagecodecs.jpeg8_encode(plane, level=100)])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    volume = read(change(folder, edit))
    assert volume.voxels.dtype == np.uint8
    np.testing.assert_allclose(volume.voxels, 100, atol=1)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_every_plain_encoding_is_read_exactly(make_series, syntax):
    plain = read(make_series(HEIGHTS))
    folder = make_series(HEIGHTS, folder="other")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        little = syntax != ExplicitVRBigEndian
        implicit = syntax == ImplicitVRLittleEndian
        pydicom.dcmwrite(path, dataset, implicit_vr=implicit, little_endian=little, force_encoding=True)
    np.testing.assert_array_equal(read(folder).voxels, plain.voxels)


def test_a_deflated_file_that_is_a_bomb_is_refused_without_being_inflated(make_series, monkeypatch):
    folder = make_series(HEIGHTS, PixelData=bytes(10_000_000))
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
        assert path.stat().st_size < 100_000
    monkeypatch.setattr(dicomfile, "size_limit", lambda: 1_000_000)
    with pytest.raises(UnreadableScan, match="damaged"):
        read(folder)


def test_an_encoding_that_is_not_read_is_named(make_series):
    folder = compressed(make_series(HEIGHTS), "1.2.840.10008.1.2.4.100", lambda plane: bytes(20))
    with pytest.raises(UnreadableScan, match="MPEG2"):
        read(folder)


def test_bits_beyond_the_declared_ones_are_left_out_and_told(make_series):
    """Old files keep an overlay above the bits of the pixels."""
    bits = {"BitsStored": 12, "HighBit": 11}
    plain = read(make_series(HEIGHTS, **bits))
    assert plain.findings == ()
    drawn = np.full((6, 5), 20, np.int16)
    drawn[2, 2] |= 1 << 14
    drawn[3, 3] = -5 & 0xFFF  # a sign in bit 11 alone
    volume = read(make_series(HEIGHTS, folder="drawn", vary={1: {"PixelData": drawn.tobytes()}}, **bits))
    assert "unused_bits" in codes(volume)
    assert volume.voxels[2, 2, 1] == 20
    assert volume.voxels[3, 3, 1] == -5


# -- the child process -------------------------------------------------------------------------------------------------


def decode_with(program: str, tmp_path, monkeypatch, data: bytes = b"data") -> bytes:
    """Decode one frame with another child program."""
    script = tmp_path / "child.py"
    script.write_text(program)
    monkeypatch.setattr(decoder, "_PROGRAM", script)
    with Decoder() as child:
        return child.decode(data, JPEGLSLossless, 2, 2, 1, Path("scan.dcm"))


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.abort()",
        "import sys; sys.exit(1)",
        "import sys; sys.stdin.readline(); sys.exit()",
        "print('no answer')",
        "print('3')",
        "print('{}')",
        "print('{\"length\": 4}'); print('x')",
        "print('{\"length\": -9}')",
        'print(\'{"error": "ValueError"}\')',
    ],
)
def test_a_child_that_dies_or_talks_nonsense_is_an_error_message(tmp_path, monkeypatch, program):
    with pytest.raises(UnreadableScan):
        decode_with(program, tmp_path, monkeypatch, data=bytes(1_000_000))


def test_a_child_that_never_ends_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(decoder, "_BASE_SECONDS", 0.2)
    start = time.perf_counter()
    with pytest.raises(UnreadableScan, match="too long"):
        decode_with("while True: pass", tmp_path, monkeypatch)
    assert time.perf_counter() - start < 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory of a child is limited on Linux only")
def test_a_child_cannot_take_all_memory(monkeypatch):
    picture = np.zeros((20_000, 20_000), np.uint8)
    data = imagecodecs.jpegls_encode(picture)
    assert len(data) < 1_000_000
    monkeypatch.setattr(decoder, "_BASE_BYTES", 500 * 2**20)
    with Decoder() as child, pytest.raises(UnreadableScan):
        child.decode(data, JPEGLSLossless, 100, 100, 1, Path("scan.dcm"))


def test_a_new_child_serves_after_one_died(tmp_path):
    good = imagecodecs.jpegls_encode(np.full((4, 4), 7, np.uint8))
    with Decoder() as child:
        assert child.decode(good, JPEGLSLossless, 4, 4, 1, Path("a")) == bytes([7] * 16)
        child._process.kill()
        child._process.wait()
        with pytest.raises(UnreadableScan, match="crashed"):
            child.decode(good, JPEGLSLossless, 4, 4, 1, Path("a"))
        assert child.decode(good, JPEGLSLossless, 4, 4, 1, Path("a")) == bytes([7] * 16)
        process = child._process
    assert process.poll() is not None


def test_damaged_compressed_pixels_are_refused_quickly(make_series):
    rng = np.random.default_rng(4)
    folder = make_series(HEIGHTS[:1])
    (path,) = folder.iterdir()
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless)
    dataset.save_as(path)
    data = path.read_bytes()
    start = data.index(b"\xe0\x7f\x10\x00")
    for _ in range(20):
        place = int(rng.integers(start + 12, len(data)))
        path.write_bytes(data[:place] + rng.bytes(4) + data[place + 4 :])
        with contextlib.suppress(UnreadableScan):
            assert read(folder).shape == (5, 6, 1)


def test_the_child_imports_none_of_the_program():
    program = (
        "import runpy, sys\n"
        "runpy.run_path(sys.argv[1], run_name='child')\n"
        "from imagecodecs import jpegls_decode\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('core', 'gui', 'torch', 'pydicom')])\n"
    )
    command = [sys.executable, "-P", "-c", program, str(decoder._PROGRAM)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


# -- real files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 10))
def test_one_mosaic_in_nine_encodings_is_the_reference_volume(data_folder, tmp_path, number):
    folder = data_folder / "dicom_transfer_syntaxes"
    (tmp_path / "scan").write_bytes((folder / "In" / f"{number}.dcm").read_bytes())
    volume = read(tmp_path)
    reference = nib.load(folder / "Ref" / "1.nii")
    assert volume.findings == ()
    assert volume.source.modality == "MR"
    turn, other = to_canonical(volume.affine_ras), to_canonical(reference.affine)
    np.testing.assert_array_equal(turn.apply(volume.voxels), other.apply(np.asarray(reference.dataobj)))
    np.testing.assert_allclose(
        turn.affine(volume.affine_ras, volume.grid_shape),
        other.affine(reference.affine, reference.shape),
        atol=1e-4,
    )


FILES = Path(pydicom.data.__file__).parent / "test_files"
# What no decoder of the library reads, so that there is nothing to compare with.
EXTENDED = {"JPEG-lossy.dcm", "JPGExtended.dcm"}
# Segmentations of one bit a pixel, and a file with 1A frames.
NOT_SCANS = {"liver_1frame.dcm", "liver_expb_1frame.dcm", "badVR.dcm"}


@pytest.mark.parametrize("path", sorted(FILES.glob("*.dcm")), ids=lambda path: path.name)
def test_the_librarys_own_files_are_read_as_it_reads_them_or_refused(path):
    file = read_header(path)
    try:
        pixels = pixels_of(file) if file is not None else None
    except UnreadableScan:
        pixels = None
    if pixels is None:
        dataset = pydicom.dcmread(path, force=True)
        is_grey = "MONOCHROME" in str(dataset.get("PhotometricInterpretation", "")) and "PixelData" in dataset
        assert not is_grey or path.name in NOT_SCANS
        return
    try:
        with Decoder() as child:
            ours = np.stack([pixels.frame(index, child) for index in range(pixels.frames)])
    except UnreadableScan:
        with pytest.raises((ValueError, AttributeError, RuntimeError)):
            pydicom.dcmread(path).pixel_array  # noqa: B018
        return
    if path.name in EXTENDED:
        assert ours.max() > 100
        return
    theirs = pydicom.dcmread(path, force=True).pixel_array
    np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs)
