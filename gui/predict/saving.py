"""The ways in which a segmentation is saved: as a label map, as DICOM, as surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.control import JobControl
from core.imaging.volume import Volume
from gui.predict.stored import Overlay, StoredPredictionError


@dataclass(frozen=True)
class SaveAs:
    """One entry of the Save menu. `filters`: what the file dialog offers, with the suffix of each."""

    key: str
    words: str
    tip: str
    filters: dict[str, str]
    dicom_only: bool = False

    @property
    def suffix(self) -> str:
        return next(iter(self.filters.values()))

    def whole_name(self, chosen: str, filter: str) -> Path:
        """The file that a person chose, with a suffix that fits."""
        fits = any(chosen.lower().endswith(suffix) for suffix in (*self.filters.values(), *self._spare))
        return Path(chosen if fits else chosen + self.filters.get(filter, self.suffix))

    @property
    def _spare(self) -> tuple[str, ...]:
        return (".nii",) if ".nii.gz" in self.filters.values() else ()


_SURFACES = {"STL (*.stl)": ".stl", "OBJ (*.obj)": ".obj", "PLY (*.ply)": ".ply"}
LABELS = SaveAs(
    "labels", "NIfTI, NRRD or MetaImage…", "The label map on the scan's own grid",
    {"NIfTI (*.nii.gz *.nii)": ".nii.gz", "NRRD (*.nrrd)": ".nrrd", "MetaImage (*.mha)": ".mha"},
)  # fmt: skip
SEG = SaveAs(
    "seg", "DICOM segmentation…", "For the archive and DICOM viewers: it belongs to the series, patient included",
    {"DICOM (*.dcm)": ".dcm"}, dicom_only=True,
)  # fmt: skip
SURFACES = SaveAs("surfaces", "Surfaces (STL, OBJ, PLY)…", "All structures in one file, in RAS millimetres", _SURFACES)
SEPARATE = SaveAs(
    "surfaces-each", "Surfaces, one file each…", "Each structure in a file of its own, in RAS millimetres", _SURFACES
)
WAYS = (LABELS, SEG, SURFACES, SEPARATE)


def save(way: SaveAs, target: Path, overlay: Overlay, scan: Volume, model: tuple[str, str], control: JobControl) -> str:
    """Write a segmentation; returns what to say of it. `model`: its name and version."""
    from core.export.labelled import Labelled, as_numbers, named

    _refuse_the_scan(target, scan)
    if way is LABELS:
        from core.imaging.writer import write_segmentation

        write_segmentation(target, overlay.labels, scan, description=" ".join(model), control=control)
        return f"Saved {target}."
    labels = as_numbers(overlay.labels, scan.source.path)
    labelled = Labelled(labels, scan.affine_ras, named(overlay.structures), *model)
    if way is SEG:
        from core.export.seg import write_seg

        write_seg(target, labelled, scan, control)
        return f"Saved {target}, with the patient's name as in the series."
    from core.export.surfaces import write_surfaces

    written = write_surfaces(target, labelled, separate=way is SEPARATE, control=control)
    return f"Saved {target}." if len(written) == 1 else f"Saved {len(written)} surfaces in {target.parent}."


def _refuse_the_scan(target: Path, scan: Volume) -> None:
    """Neither a scan's file nor one of its folder's DICOM files is ever written over."""
    from core.imaging.kind import is_dicom_file

    source = scan.source.path
    if not target.exists() or not source.exists():
        return
    own = target.resolve().is_relative_to(source.resolve()) and is_dicom_file(target)
    if own or target.samefile(source):
        raise StoredPredictionError(
            "this is the scan itself, which is never written over", where=target, mend="Choose another name."
        )
