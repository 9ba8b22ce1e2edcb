"""Scans damaged at random, the same ones for the same seed, and what may be said of reading one."""

from __future__ import annotations

import random
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from core.errors import UnreadableScan
from core.imaging.info import describe
from core.imaging.reader import read
from core.imaging.volume import Source, Volume
from core.imaging.writer import write_volume
from tests.core.imaging.conftest import make_slice

SECONDS = 10.0
_MAGIC_NUMBERS = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0x7F800000,
    0x7FC00000,
)
_HEADERS = (348, 512, 2048)
_VOXELS = np.random.default_rng(0).integers(-1000, 1000, (12, 13, 14)).astype(np.int16)
_AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])


@dataclass(frozen=True)
class Outcome:
    """What came of one mutant: "read", "refused" with a typed error, or the "failure" that `detail` tells."""

    kind: str
    seconds: float
    detail: str = ""


def originals(format: str) -> list[tuple[str, bytes]]:
    """The sound files of a format that are damaged, with the names they must have."""
    with tempfile.TemporaryDirectory() as folder:
        return list(_MAKERS[format](Path(folder)))


def mutant(data: bytes, rng: random.Random) -> bytes:
    """A file with one to sixteen places damaged: bits, numbers that break things, cuts, pieces doubled or taken out."""
    damaged = bytearray(data)
    head = min(len(damaged), rng.choice((*_HEADERS, len(damaged))))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not damaged:
            break
        place = min(rng.randrange(max(head, 1)), len(damaged) - 1)
        kind = rng.randrange(7)
        if kind == 0:
            damaged[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[place] = rng.randrange(256)
        elif kind in (2, 3):
            width, code = ((4, "I"), (2, "H"))[kind - 2]
            number = rng.choice(_MAGIC_NUMBERS) & (256**width - 1)
            damaged[place : place + width] = struct.pack(rng.choice("<>") + code, number)
        elif kind == 4:
            del damaged[rng.randrange(len(damaged) + 1) :]
        elif kind == 5:
            damaged[place:place] = damaged[place : place + rng.randrange(1, 64)]
        else:
            del damaged[place : place + rng.randrange(1, 64)]
    return bytes(damaged)


def mutants(format: str, seed: int, count: int, first: int = 0) -> Iterator[tuple[int, str, bytes]]:
    """The numbered mutants of a format: each depends on the seed and its own number alone."""
    whole = originals(format)
    for number in range(first, count):
        name, data = whole[number % len(whole)]
        yield number, name, mutant(data, random.Random(f"{format} {seed} {number}"))


def outcome(path: Path) -> Outcome:
    """Read a file that may be damaged: only a sound scan and a typed refusal that says how to mend are good ends."""
    start = time.perf_counter()
    kind, detail = "read", ""
    try:
        _check(read(path))
    except UnreadableScan as error:
        kind = "refused" if error.what and error.mend else "failure"
        detail = error.what
    except Exception as error:
        kind, detail = "failure", f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    if seconds > SECONDS:
        kind, detail = "failure", f"took {seconds:.1f} s"
    return Outcome(kind, seconds, detail)


def _check(volume: Volume) -> None:
    """A scan that was read must be sound enough for the window."""
    facts = describe(volume)
    if not np.isfinite(volume.affine_ras).all() or abs(np.linalg.det(volume.affine_ras)) == 0:
        raise ValueError("the affine is no affine")
    if volume.voxels.ndim not in (3, 4) or volume.voxels.dtype.kind not in "iuf":
        raise ValueError("these are no voxels")
    if any(not finding["message"] for finding in facts["findings"]):
        raise ValueError("a finding says nothing")


def _nifti(folder: Path) -> Iterator[tuple[str, bytes]]:
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        image = kind(_VOXELS, _AFFINE)
        image.set_qform(_AFFINE, 1)
        for name in ("scan.nii", "scan.nii.gz"):
            nib.save(image, folder / name)
            yield name, (folder / name).read_bytes()


def _written(folder: Path, name: str) -> bytes:
    write_volume(folder / name, Volume(_VOXELS, _AFFINE, Source(folder, "NIfTI-1")))
    return (folder / name).read_bytes()


def _nrrd(folder: Path) -> Iterator[tuple[str, bytes]]:
    packed = _written(folder, "scan.nrrd")
    header = packed[: packed.index(b"\n\n") + 2]
    yield "scan.nrrd", packed
    yield "scan.nrrd", header.replace(b"gzip", b"raw") + _VOXELS.tobytes(order="F")
    text = " ".join(map(str, _VOXELS.ravel(order="F"))).encode()
    yield "scan.nrrd", header.replace(b"gzip", b"text") + text
    yield "scan.nhdr", header.replace(b"encoding", b"data file: voxels.raw\nencoding").replace(b"gzip", b"raw")


def _metaimage(folder: Path) -> Iterator[tuple[str, bytes]]:
    packed = _written(folder, "scan.mha")
    header = packed[: packed.index(b"LOCAL\n") + 6].replace(b"CompressedData = True", b"CompressedData = False")
    yield "scan.mha", packed
    yield "scan.mha", header + _VOXELS.tobytes(order="F")
    yield "scan.mhd", header.replace(b"LOCAL", b"voxels.raw")


def _dicom(folder: Path) -> Iterator[tuple[str, bytes]]:
    path = folder / "scan.dcm"
    plane = np.random.default_rng(0).integers(-1000, 1000, (40, 48)).astype(np.int16)
    for syntax in (None, None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless):
        dataset = make_slice((1, 2, 3), 1, plane)
        if syntax in (RLELossless,):
            dataset.compress(syntax)
        elif syntax == JPEG2000Lossless:
            import imagecodecs

            data = imagecodecs.jpeg2k_encode(plane, codecformat="j2k", reversible=True)
            dataset.PixelData = pydicom.encaps.encapsulate([data])
            dataset["PixelData"].VR = "OB"
            dataset.file_meta.TransferSyntaxUID = syntax
        elif syntax is not None:
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.set_original_encoding(syntax == ImplicitVRLittleEndian, True)
        pydicom.dcmwrite(
            path, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, force_encoding=True
        )
        yield "scan.dcm", path.read_bytes()


_MAKERS: dict[str, Callable[[Path], Iterator[tuple[str, bytes]]]] = {
    "nifti": _nifti,
    "nrrd": _nrrd,
    "mha": _metaimage,
    "dicom": _dicom,
}
FORMATS = tuple(_MAKERS)
