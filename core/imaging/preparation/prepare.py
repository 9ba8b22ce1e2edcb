"""One subject's raw MRI and PET brought to template space, each step kept as a file that can be looked at.

    MRI: bias field (N4) -> affine registration to the ICBM 152 template -> the template's brain
    PET: rigid registration to the MRI (affine to the template where there is none) -> uptake by cerebellar grey (SUVR)

The brain mask is the template's own, carried to the scan by the affine registration: it fits a brain to a few
millimetres and takes along what lies there of a shrunken brain's surroundings. It is no segmentation of that brain.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from core import __version__
from core.control import JobControl
from core.errors import UnsuitableScan
from core.files import write_text
from core.imaging.mni import Grid, tissues
from core.imaging.normalise import on_grid, suvr
from core.imaging.preparation.bias import bias_field
from core.imaging.reader import read
from core.imaging.registration.apply import resampled
from core.imaging.registration.register import Registration, register
from core.imaging.volume import Finding, Source, Volume
from core.imaging.writer import write_segmentation, write_volume

Array = np.ndarray[Any, Any]

# Rises whenever a step is done otherwise than before: what was kept until then is made again.
VERSION = 1
GRID = Grid((182, 220, 182), (1.0, 1.0, 1.0))  # of what is kept: the whole brain at 1 mm
_MNI_CODE = 4
_MOST_FACTS = 1_000_000


@dataclass(frozen=True)
class Step:
    """One step of the preparation: what was done, the picture of it, and the picture that it is to be laid over."""

    title: str
    picture: Path
    over: Path | None = None


@dataclass
class Prepared:
    """mri, pet: in template space at 1 mm, inside of the brain mask; the PET as SUVR. steps: in their order.

    brain: the mask on the MRI's own grid, None without an MRI.
    """

    folder: Path
    mri: Path | None = None
    pet: Path | None = None
    brain: Path | None = None
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def prepare(mri: Path | None, pet: Path | None, cache_folder: Path, control: JobControl | None = None) -> Prepared:
    """Prepare what there is of a subject, in a folder named after the images' contents; what is there is kept.

    Raises UnreadableScan, RegistrationFailed, UnsuitableScan; IsocenterError where the folder cannot be written.
    """
    control = control or JobControl()
    if mri is None and pet is None:
        raise UnsuitableScan("there is neither an MRI nor a PET to prepare")
    head = None if mri is None else read(mri, control.part(0.0, 0.04).saying("Reading the MRI"))
    out = Prepared(cache_folder)
    placed: Array | None = None
    if head is not None:
        share = 0.6 if pet is not None else 1.0
        placed = _prepare_mri(head, cache_folder / _key("mri", head), out, control.part(0.04, share))
    if pet is not None:
        uptake = read(pet, control.part(0.6, 0.62).saying("Reading the PET"))
        folder = cache_folder / _key("pet", uptake, *(() if head is None else (head,)))
        _prepare_pet(uptake, head, placed, folder, out, control.part(0.62, 1.0))
    return out


def _key(kind: str, *volumes: Volume) -> str:
    """A name for what is made of these images, by their voxels and places."""
    found = hashlib.sha256(f"{VERSION} {kind}".encode())
    for volume in volumes:
        found.update(repr((volume.shape, volume.voxels.dtype.str, volume.slope, volume.intercept)).encode())
        found.update(np.ascontiguousarray(volume.voxels).tobytes())
        found.update(np.round(volume.affine_ras, 4).tobytes())
    return found.hexdigest()[:24]


# ---- MRI ------------------------------------------------------------------------------------------------------------


def _prepare_mri(volume: Volume, folder: Path, out: Prepared, control: JobControl) -> Array:
    """The MRI's steps; returns its affine in template space, 4 x 4: voxel index -> MNI mm."""
    names = {name: folder / f"{name}.nii.gz" for name in ("corrected", "template", "brain", "mask")}
    facts = _facts(folder, names.values())
    if facts is None:
        started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        control.progress(0.02, "Correcting the bias field")
        values = _numbers(volume)
        field_of = bias_field(values, volume.affine_ras, control.part(0.02, 0.3))
        range_of_field = [round(float(v), 3) for v in np.percentile(field_of[::4, ::4, ::4], (1, 50, 99))]
        control.check()
        np.divide(values, field_of, out=values)
        control.check()
        corrected = replace(volume, voxels=values, slope=1.0, intercept=0.0, source=_plain(volume.source))
        small = _small(corrected)
        control.check()
        write_volume(names["corrected"], small, description="Isocenter N4", control=control.silent())
        found = register(corrected, None, "affine", control.part(0.35, 0.85))
        placed = found.moving_to_fixed @ volume.affine_ras
        control.progress(0.87, "Bringing the MRI to the template")
        values = on_grid(replace(corrected, affine_ras=placed), GRID, control.silent())
        control.check()
        write_volume(names["template"], _in_template(values, volume), control=control.silent())
        control.progress(0.92, "Taking the brain")
        inside = tissues(GRID, control.silent()).inside
        write_volume(names["brain"], _in_template(np.where(inside, values, 0), volume), control=control.silent())
        mask = _carried_back(inside, placed, volume.grid_shape, control)
        write_segmentation(names["mask"], mask, replace(volume, source=_plain(volume.source)), control=control.silent())
        facts = {
            "seconds": round(time.monotonic() - started, 1), "affine": placed.tolist(),
            "field": range_of_field, **_told(found),
        }  # fmt: skip
        _write_facts(folder, facts)
    out.mri, out.brain = names["brain"], names["mask"]
    out.facts["mri"] = facts
    out.findings += _found(facts)
    low, _, high = facts["field"]
    out.steps += [
        Step(f"Bias field corrected ({low:g} to {high:g})", names["corrected"]),
        Step("Brain mask: the template's, carried to the MRI", names["mask"], names["corrected"]),
        Step("MRI in template space", names["template"]),
        Step("Brain of the MRI in template space", names["brain"], names["template"]),
    ]
    return np.array(facts["affine"], float)


def _carried_back(inside: Array, placed: Array, shape: tuple[int, int, int], control: JobControl) -> Array:
    """The template's brain on the scan's own grid, uint8."""
    to_index = np.linalg.inv(GRID.affine_ras) @ placed
    found = np.empty(shape, np.uint8)
    smooth = inside.astype(np.float32)
    for start in range(0, shape[2], 32):
        control.check()
        stop = min(start + 32, shape[2])
        offset = to_index[:3, 3] + to_index[:3, 2] * start
        found[:, :, start:stop] = (
            ndimage.affine_transform(
                smooth, to_index[:3, :3], offset, output_shape=(*shape[:2], stop - start), order=1, cval=0.0
            )
            > 0.5
        )
    return found


# ---- PET ------------------------------------------------------------------------------------------------------------


def _prepare_pet(
    volume: Volume, mri: Volume | None, mri_placed: Array | None, folder: Path, out: Prepared, control: JobControl
) -> None:
    names = {name: folder / f"{name}.nii.gz" for name in ("on_mri", "template", "suvr")}
    needed = [names["template"], names["suvr"], *([names["on_mri"]] if mri is not None else [])]
    facts = _facts(folder, needed)
    if facts is None:
        started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        volume = replace(volume, source=_plain(volume.source))
        if mri is not None and mri_placed is not None:
            found = register(volume, mri, "rigid", control.part(0.0, 0.6))
            placed = mri_placed @ np.linalg.inv(mri.affine_ras) @ found.moving_to_fixed @ volume.affine_ras
            on_mri = resampled(volume, found, mri, control.part(0.6, 0.7))
            write_volume(names["on_mri"], _small(on_mri), control=control.silent())
        else:
            found = register(volume, None, "affine", control.part(0.0, 0.7))
            placed = found.moving_to_fixed @ volume.affine_ras
        control.progress(0.8, "Bringing the PET to the template")
        first = replace(volume, voxels=_numbers(volume), slope=1.0, intercept=0.0, affine_ras=placed)
        values = on_grid(first, GRID, control.silent())
        control.check()
        write_volume(names["template"], _in_template(values, volume), control=control.silent())
        control.progress(0.9, "Measuring the uptake by the cerebellum's")
        tissues(GRID, control.silent())
        told = suvr(values, GRID, volume.source.path)
        write_volume(names["suvr"], _in_template(told, volume), control=control.silent())
        level = float(values[tissues(GRID).reference].mean())
        facts = {
            "seconds": round(time.monotonic() - started, 1), "affine": placed.tolist(), "reference": level,
            "reference_ml": round(float(tissues(GRID).reference.sum()) / 1000, 1), **_told(found),
        }  # fmt: skip
        _write_facts(folder, facts)
    out.pet = names["suvr"]
    out.facts["pet"] = facts
    out.findings += _found(facts)
    if mri is not None and out.steps:
        out.steps.append(Step("PET on the MRI", names["on_mri"], out.steps[0].picture))
    over = names["template"] if out.mri is None else out.mri
    out.steps += [
        Step("PET in template space", names["template"], None if out.mri is None else out.mri),
        Step(f"Uptake relative to the cerebellum's ({facts['reference_ml']:g} ml of grey matter)", names["suvr"], over),
    ]


# ---- what is kept ---------------------------------------------------------------------------------------------------


def _numbers(volume: Volume) -> Array:
    """The values of the first time point, what is no number as 0."""
    return np.nan_to_num(volume.values(), copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _plain(source: Source) -> Source:
    """A source without what names a patient's series."""
    return replace(source, format="NIfTI-1", series="", description="", form_codes=(1, 1), frame_of_reference="")


def _small(volume: Volume) -> Volume:
    """As int16 with a slope: half the size, and no scan has more steps of brightness than that."""
    values = volume.values()
    most = max(float(np.abs(values).max()), 1e-6)
    return replace(
        volume, voxels=np.rint(values * (32_000 / most)).astype(np.int16), slope=most / 32_000, intercept=0.0
    )


def _in_template(values: Array, like: Volume) -> Volume:
    source = replace(_plain(like.source), form_codes=(_MNI_CODE, _MNI_CODE))
    return _small(Volume(values, GRID.affine_ras, source))


def _told(found: Registration) -> dict[str, Any]:
    return {
        "registered_to": found.fixed_name, "kind": found.kind, "quality": found.quality.as_dict(),
        "findings": [finding.as_dict() for finding in found.findings],
    }  # fmt: skip


def _found(facts: dict[str, Any]) -> list[Finding]:
    return [Finding(f["code"], f["severity"], f["message"]) for f in facts.get("findings", [])]


def _write_facts(folder: Path, facts: dict[str, Any]) -> None:
    write_text(folder / "facts.json", json.dumps({"program": f"Isocenter {__version__}", **facts}, indent=1) + "\n")


def _facts(folder: Path, needed: Any) -> dict[str, Any] | None:
    """What was kept of a finished preparation; None where it is not whole."""
    file = folder / "facts.json"
    try:
        if file.stat().st_size > _MOST_FACTS or not all(path.is_file() for path in needed):
            return None
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and "affine" in facts else None
