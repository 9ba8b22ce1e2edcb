"""A scan in memory: voxels as stored, the affine that places them, and what was found while reading."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

Severity = Literal["info", "warning", "error"]

# Codes of findings that the rest of the program looks for: sides are a guess; no place in a patient
# at all; the size of a voxel is a guess.
NO_ORIENTATION, NO_PLACE, NO_SPACING = "no_orientation", "no_place", "no_spacing"


@dataclass(frozen=True)
class Finding:
    """One thing a person should know about a scan. `code` is stable; `message` is one plain sentence."""

    code: str
    severity: Severity
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "severity": self.severity, "message": self.message}


@dataclass(frozen=True)
class Source:
    """Where a volume came from. Never holds patient fields: those stay in the file."""

    path: Path
    format: str  # "NIfTI-1", "DICOM", ...
    series: str = ""  # the series' UID or number for DICOM, else empty
    modality: str = ""  # "MR", "CT", "PT" where the file says so
    description: str = ""
    form_codes: tuple[int, int] = (0, 0)  # the NIfTI qform and sform codes behind the affine; 4: template space
    frame_of_reference: str = ""  # the UID that DICOM series of one patient position share
    units: str = ""  # of the scaled values, such as "HU" or "Bq/mL", where the file says so
    further: tuple[Path, ...] = ()  # the files of its other channels, where each has one


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels with their place in the patient.

    voxels: (i, j, k) or (i, j, k, t), where t counts time points or channels, in the dtype of the file (often a
    read-only memory map).
    affine_ras: 4 x 4 float64, voxel index (i, j, k, 1) -> RAS millimetres.
    slope, intercept: the value of a voxel is `voxels * slope + intercept`.
    """

    voxels: np.ndarray[Any, Any]
    affine_ras: np.ndarray[Any, Any]
    source: Source
    slope: float = 1.0
    intercept: float = 0.0
    findings: tuple[Finding, ...] = field(default=())

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.voxels.shape)

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        i, j, k = self.shape[:3]
        return i, j, k

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        i, j, k = np.sqrt((self.affine_ras[:3, :3] ** 2).sum(axis=0))
        return float(i), float(j), float(k)

    @property
    def orientation(self) -> str:
        """The nearest axis codes of i, j, k, such as "RAS" or "LPS"; "unknown" for a picture without a place."""
        from core.imaging.geometry import orientation_codes

        if not self.is_placed:
            return "unknown"
        return orientation_codes(self.affine_ras)

    @property
    def is_placed(self) -> bool:
        """Whether the scan lies in a patient; a picture (X-ray, screenshot) does not."""
        return all(finding.code != NO_PLACE for finding in self.findings)

    @property
    def sides_known(self) -> bool:
        """Whether left and right are told by the file, rather than guessed or not there."""
        return all(finding.code not in (NO_ORIENTATION, NO_PLACE) for finding in self.findings)

    @property
    def scale_known(self) -> bool:
        """Whether lengths are told by the file; where they are not, 1 mm was assumed for each voxel."""
        return all(finding.code != NO_SPACING for finding in self.findings)

    @property
    def name(self) -> str:
        """The file's name without its scan suffixes, for titles and for the names of what is written."""
        from core.imaging.titles import stem_of

        return stem_of(self.source.path)

    @property
    def title(self) -> str:
        """How the scan is called on the screen, where a series' own description may show; never stored."""
        from core.imaging.titles import title_of

        own = self.source.description if self.source.format == "DICOM" else ""
        return own.strip() or title_of(self.source.path)

    def values(self, time: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The scaled values of one time point or channel as a new (i, j, k) float32 array."""
        voxels = self.voxels[..., time] if self.voxels.ndim == 4 else self.voxels
        values = voxels.astype(np.float32)
        if self.slope != 1.0:
            values *= np.float32(self.slope)
        if self.intercept != 0.0:
            values += np.float32(self.intercept)
        return values

    def with_findings(self, *more: Finding) -> Volume:
        return replace(self, findings=self.findings + more)
