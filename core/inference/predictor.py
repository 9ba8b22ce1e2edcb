"""The predictor: a scan and a model package in, label values on the scan's own grid out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.plan import Label
from core.data.prepare import prepare
from core.files import make_folder, refuse_unwritable
from core.imaging.volume import Finding, Volume
from core.inference import checks, cost
from core.inference.classifying import segment_region, unlike_training
from core.inference.confidence import CODE, calibrated
from core.inference.mirroring import Mirror
from core.inference.package import ModelPackage
from core.inference.region_first import Windows, safe
from core.inference.runtime import load
from core.inference.sides import asymmetries

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Structure:
    """One structure that was looked for. `confidence`: mean probability over its voxels, None where it has none."""

    label: int
    name: str
    voxels: int
    volume_ml: float
    confidence: float | None

    def as_dict(self) -> dict[str, Any]:
        confidence = None if self.confidence is None else round(self.confidence, 4)
        return {"label": self.label, "name": self.name, "voxels": self.voxels, "volume_ml": round(self.volume_ml, 4),
                "confidence": confidence}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Label values and the probability of the chosen class at each voxel, both on the scan's own grid.

    The probability is calibrated where the package knows how.
    """

    labels: Array
    certainty: Array
    structures: list[Structure]
    findings: list[Finding]
    seconds: float
    device: str


@dataclass(frozen=True)
class PredictionResult:
    """A prediction that was written and recorded. `id` is its row in the catalog."""

    scan: Path
    model: str
    model_version: str
    output: Path
    structures: list[dict[str, Any]]
    findings: list[dict[str, str]]
    seconds: float
    device: str
    id: int
    series: str = ""  # of a DICOM folder, the UID of the series that was predicted
    uncertainty: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "scan": str(self.scan), "model": self.model, "model_version": self.model_version,
            "output": str(self.output), "structures": self.structures,
            "asymmetry": [one.as_dict() for one in asymmetries(self.structures)], "findings": self.findings,
            "seconds": round(self.seconds, 3), "device": self.device, "id": self.id,
            "series": self.series, **({"uncertainty": str(self.uncertainty)} if self.uncertainty else {}),
        }  # fmt: skip


def segment(
    volume: Volume, package: ModelPackage, *, device: str = "auto", mirror: Mirror = None,
    roi: bool | None = None, control: JobControl | None = None,
) -> Segmentation:  # fmt: skip
    """Predict one scan. mirror: average over mirrorings always, never, where that is cheap (None), or a few of them
    where the structures are ("structures", see core.inference.mirroring).

    roi: look at a large scan coarsely first always, never, or (None) where no structure can be overlooked by it.

    Raises UnsuitableScan where the model cannot take it, ModelError for a broken package."""
    began = time.perf_counter()
    control = control or JobControl()
    checks.refuse_unusable(volume, package.plan)
    found = checks.findings(volume, package.plan) + cost.findings(package, mirror)
    control.progress(0.0, f"Loading {package.title}")
    runtime = load(package, device)
    first, windows = safe(package.plan) if roi is None else roi, Windows()
    if package.manifest.whole_head is not None and max(checks.extent_mm(volume)) > checks.crop_limit_mm(package.plan):
        from core.inference.whole_head import segment_whole_head

        labels, certainty, named, more = segment_whole_head(volume, package, runtime, mirror, control.part(0.1, 0.95))
        upright = any(one.code == "registered_first" for one in more)  # then its tilt was taken out of the crops
        found = [one for one in found if one.code != "oblique" or not upright] + more
    elif package.pipeline is not None:
        found = package.pipeline.findings(volume, found)
        labels, certainty = package.pipeline.segment(
            volume, package, runtime, mirror, control.part(0.1, 0.95), region_first=first, windows=windows
        )
        named = package.plan.labels
    else:
        control.progress(0.1, "Preparing the scan")
        prepared = prepare(volume, package.plan)
        found += checks.larger_than_training(volume, package.plan) + unlike_training(prepared, volume, package)
        labels, certainty = segment_region(
            prepared, package, runtime, mirror, control.part(0.1, 0.95), region_first=first, windows=windows
        )
        named = package.plan.labels
    found += windows.findings()
    control.progress(0.95, "Measuring")
    certainty = calibrated(certainty, package.manifest.calibration)
    if package.manifest.calibration is not None:
        found.append(Finding(CODE, "info", package.manifest.calibration.text))
    structures = measure(labels, certainty, named, volume)
    missing = [structure.name for structure in structures if structure.voxels == 0]
    found += [Finding("structure_not_found", "warning", f"{name}: not found in this scan.") for name in missing]
    return Segmentation(labels, certainty, structures, found, time.perf_counter() - began, runtime.device)


def measure(labels: Array, certainty: Array, named: Sequence[Label], volume: Volume) -> list[Structure]:
    """Voxels, volume and confidence of each structure; a region counts all the labels that belong to it."""
    voxel_ml = abs(float(np.linalg.det(volume.affine_ras[:3, :3]))) / 1000
    counts = np.bincount(labels.ravel(), minlength=max(label.value for label in named) + 1)
    sums = np.bincount(labels.ravel(), weights=certainty.ravel(), minlength=len(counts))
    structures = []
    for label in named:
        values = [value for value in set(label.values) if value < len(counts)]
        voxels = int(counts[values].sum())
        confidence = float(sums[values].sum()) / voxels if voxels else None
        structures.append(Structure(label.value, label.name, voxels, voxels * voxel_ml, confidence))
    return structures


def predict_file(
    scan: Path, package: ModelPackage, out_dir: Path, *, further: Sequence[Path] = (), series: str | None = None,
    name: str = "", device: str = "auto", mirror: Mirror = None, roi: bool | None = None,
    uncertainty: bool = False, time_point: int | None = None, overwrite: bool = False,
    control: JobControl | None = None,
) -> PredictionResult:  # fmt: skip
    """Read a scan, predict it, write `<stem>_seg.nii.gz` into `out_dir` and record it in the catalog.

    uncertainty: write `<stem>_uncertainty.nii.gz` too, see core.inference.uncertainty.
    further: the files of the other channels, for a model of several; those beside `scan` are found by their names.
    series: the UID of the series to predict of a DICOM folder; without it the one with most images.
    name: stands for the stem of the scan's file.
    time_point: of a scan of several volumes, the one that is predicted, counted from 0.
    overwrite: also where a person drew or corrected the label map that is there, see core.inference.handmade.
    Raises IsocenterError (bad scan, bad model, a folder that cannot be written) with nothing half-written.
    """
    from core.catalog import Catalog
    from core.imaging.channels import one_of
    from core.imaging.writer import write_segmentation
    from core.inference.handmade import refuse_handmade
    from core.inference.uncertainty import write_uncertainty

    began = time.perf_counter()
    control = control or JobControl()
    # What cannot be written is found out before the work, not after it.
    refuse_unwritable(out_dir)
    with Catalog() as catalog:
        control.progress(0.0, "Reading the scan")
        volume = _read(scan, further, package, series, control.part(0.0, 0.05))
        if time_point is not None:
            volume = one_of(volume, time_point)
            name = f"{name or _name(volume)}_t{time_point + 1}"
        output = out_dir / f"{name or _name(volume)}_seg.nii.gz"
        if not overwrite:
            refuse_handmade(output, catalog)
        answer = segment(volume, package, device=device, mirror=mirror, roi=roi, control=control.part(0.05, 0.97))
        control.progress(0.97, "Writing the segmentation")
        make_folder(out_dir)
        made_by = f"{package.name} {package.version}"
        sha256 = write_segmentation(output, answer.labels, volume, description=made_by, control=control.silent())
        map_ = None
        if uncertainty:
            map_ = write_uncertainty(output, answer.certainty, volume, made_by, control.silent())
        structures = [structure.as_dict() for structure in answer.structures]
        findings = [finding.as_dict() for finding in answer.findings]
        seconds = time.perf_counter() - began
        row = catalog.add_prediction(
            scan=Path(scan).absolute(), model=package.name, model_version=package.version, output=output.absolute(),
            sha256=sha256, structures=structures, findings=findings, seconds=seconds, device=answer.device,
            series=volume.source.series, given={} if time_point is None else {"time": time_point},
        )  # fmt: skip
    return PredictionResult(
        Path(scan), package.name, package.version, output, structures, findings, seconds, answer.device, row,
        volume.source.series, map_,
    )  # fmt: skip


def _read(
    scan: Path, further: Sequence[Path], package: ModelPackage, series: str | None, control: JobControl
) -> Volume:  # fmt: skip
    """The scan; for a model of several channels all of them, those beside it where only one is given."""
    from core.imaging.channels import channels_of, files_of_subject, read_subject
    from core.imaging.reader import read

    if further:
        return read_subject([scan, *further], control)
    volume = read(scan, control, series=series or None)
    names = package.plan.named_channels
    if len(names) == 1 or channels_of(volume) == len(names) or not volume.is_placed:
        return volume
    return read_subject(files_of_subject(scan, names), control)


def _name(volume: Volume) -> str:
    """What a result is called: by the case, not by its first channel."""
    from core.imaging.channels import numbered

    part = numbered(volume.name) if volume.source.further else None
    return part[0] if part else volume.name
