"""Writing NIfTI, NRRD and MetaImage: a file is there whole, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.control import JobControl
from core.errors import IsocenterError
from core.files import whole_file
from core.imaging import gz, metaimage, nrrd
from core.imaging.plain import PlainValues, plain_values
from core.imaging.transform import is_sheared
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
_SUFFIXES_SAID = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
OWED_TEXT = "research use only"
_DESCRIP_BYTES = 79
_MM = 2


def write_segmentation(
    path: Path, labels: Array, like: Volume, *, description: str = "", control: JobControl | None = None
) -> str:
    """Write a label map on the scan's own grid and return the file's sha256.

    labels: (i, j, k) whole numbers 0..65535; written as uint8 where they fit, else uint16.
    description: who made it, such as a model's name and version; "research use only" is added.
    Raises IsocenterError where the file cannot be written.
    """
    if labels.shape != like.grid_shape:
        raise ValueError(f"labels of shape {labels.shape} do not fit the scan's grid {like.grid_shape}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > 65_535:
        raise ValueError(f"labels {low}..{high} do not fit into 0..65535")
    values = labels.astype(np.uint8 if high < 256 else np.uint16, copy=False)
    return _write(path, values, like, description or "Isocenter segmentation", (1.0, 0.0), control)


def write_volume(path: Path, volume: Volume, *, description: str = "", control: JobControl | None = None) -> str:
    """Write a scan as it is and return the file's sha256; the suffix of `path` chooses the format.

    NIfTI keeps the scan's type, slope and intercept. NRRD and MetaImage know no scaling: they get the true values.

    Raises IsocenterError where the file cannot be written.
    """
    scaling = (volume.slope, volume.intercept)
    return _write(path, volume.voxels, volume, description or "Isocenter", scaling, control)


def _write(
    path: Path,
    voxels: Array,
    like: Volume,
    description: str,
    scaling: tuple[float, float],
    control: JobControl | None,
) -> str:
    name = path.name.lower()
    suffix = next((s for s in SUFFIXES if name.endswith(s)), "")
    if not suffix:
        raise IsocenterError(
            "a scan is written as NIfTI, NRRD or MetaImage", where=path, mend=f"End the name with {_SUFFIXES_SAID}."
        )
    control = control or JobControl()
    with whole_file(path) as file:
        if suffix in (".nrrd", ".mha"):
            plain = plain_values(voxels, *scaling)
            (_write_nrrd if suffix == ".nrrd" else _write_mha)(file, plain, like, control)
        else:
            header = _header(voxels, like, description, scaling)
            stream = gz.writer(file) if suffix == ".nii.gz" else file
            stream.write(header.binaryblock + bytes(4))  # no extensions
            for piece in _planes(voxels, header.get_data_dtype(), control):
                stream.write(piece)
            if stream is not file:
                stream.close()
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def _planes(voxels: Array, dtype: np.dtype[Any], control: JobControl) -> Iterator[bytes]:
    """The bytes of one slice after the other, little endian, i fastest."""
    little = dtype.newbyteorder("<")
    planes = voxels.T
    for index in np.ndindex(*planes.shape[:-2]):
        control.check()
        yield np.ascontiguousarray(planes[index], little).tobytes()


def _write_nrrd(file: IO[bytes], plain: PlainValues, like: Volume, control: JobControl) -> None:
    file.write(nrrd.header_text(plain.dtype, plain.shape, like.affine_ras))
    with gz.writer(file) as stream:
        for index in plain.slices():
            control.check()
            stream.write(plain.slice_bytes(index))


def _write_mha(file: IO[bytes], plain: PlainValues, like: Volume, control: JobControl) -> None:
    # The header says how long the compressed voxels are, so it is written again when that is known.
    start = file.write(metaimage.header_text(plain.dtype, plain.shape, like.affine_ras, 0))
    compressor = gz.compressor()
    for index in plain.slices():
        control.check()
        file.write(compressor.compress(plain.slice_bytes(index)))
    file.write(compressor.flush())
    size = file.tell() - start
    file.seek(0)
    file.write(metaimage.header_text(plain.dtype, plain.shape, like.affine_ras, size))


def _header(voxels: Array, like: Volume, description: str, scaling: tuple[float, float]) -> Any:
    import nibabel as nib  # slow to import, and a window that only looks at scans never writes

    large = max(voxels.shape) > np.iinfo(np.int16).max
    header = (nib.Nifti2Header if large else nib.Nifti1Header)(endianness="<")
    header.set_data_dtype({"b": np.uint8, "f2": np.float32}.get(voxels.dtype.str[1:], voxels.dtype.newbyteorder("=")))
    header.set_data_shape(voxels.shape)
    header.set_zooms((*like.spacing_mm, *(1.0,) * (voxels.ndim - 3)))
    qform_code, sform_code = _codes(like)
    header.set_sform(like.affine_ras, sform_code)
    # A qform cannot hold shear: rather none than one that places the voxels elsewhere.
    sheared = is_sheared(like.affine_ras)
    header.set_qform(like.affine_ras, 0 if sheared else qform_code)
    header["pixdim"][1:4] = like.spacing_mm
    header["xyzt_units"] = _MM
    header["scl_slope"], header["scl_inter"] = scaling
    header["vox_offset"] = 544 if large else 352
    header["magic"] = b"n+2" if large else b"n+1"
    ending = f"; {OWED_TEXT}"
    room = _DESCRIP_BYTES - len(ending)
    header["descrip"] = description.encode("ascii", "replace")[:room] + ending.encode()
    return header


def _codes(like: Volume) -> tuple[int, int]:
    """The source's own codes, one for the other where it has only one; scanner space where it has none."""
    qform_code, sform_code = like.source.form_codes
    return qform_code or sform_code or 1, sform_code or qform_code or 1
