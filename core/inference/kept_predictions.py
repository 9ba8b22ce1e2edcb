"""The predictions of evaluated cases, kept so that they can be looked at and need not be made twice.

They lie in `evaluations/<model>/<scan>_seg.nii.gz` of the home folder. Both names are hashes: of everything in a
package that an answer depends on, and of the scan's file. So two evaluations share what is the same, and a scan or a
model that was changed is predicted anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from core import __version__
from core.control import JobControl
from core.errors import CatalogError, UnreadableScan
from core.files import sha256
from core.imaging.reader import read
from core.imaging.volume import Volume
from core.imaging.writer import write_segmentation
from core.inference.package import ModelPackage
from core.inference.predictor import segment
from core.paths import ensure_home, evaluations_folder

Array = np.ndarray[Any, Any]
# What says nothing of the network's answer.
WORDS_ONLY = {"name", "version", "title", "training", "intended_use", "forbidden_use", "graph_sha256", "likeness",
              "calibration"}  # fmt: skip
HEX = 20


class KeptPredictions:
    """The kept predictions of one package. `fresh`: make each anew, whether or not there is one."""

    def __init__(self, package: ModelPackage, *, fresh: bool = False) -> None:
        facts = package.manifest.model_dump_json(exclude=WORDS_ONLY) + __version__
        self.folder = evaluations_folder() / hashlib.sha256(facts.encode()).hexdigest()[:HEX]
        self._package = package
        self._fresh = fresh

    def predict(self, scan: Volume, device: str, control: JobControl) -> tuple[Array, Path]:
        """The label map of a scan and its file, made if it was not kept. Raises as `segment`."""
        path = self.folder / f"{_scan_hash(scan)[:HEX]}_seg.nii.gz"
        if not self._fresh and path.is_file():
            try:
                return _labels(path, scan), path
            except UnreadableScan:
                pass  # damaged since: made anew
        labels = segment(scan, self._package, device=device, control=control).labels
        self._make_folder()
        made_by = f"{self._package.name} {self._package.version}"
        write_segmentation(path, labels, scan, description=made_by, control=control)
        return labels, path

    def _make_folder(self) -> None:
        try:
            ensure_home()
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogError(
                f"the predictions cannot be kept ({error.strerror or error})", where=self.folder,
                mend="Free some space or make the folder writable.",
            ) from error  # fmt: skip


def _scan_hash(scan: Volume) -> str:
    """Of a scan's file; of several channels, of all their files."""
    hashes = [sha256(path) for path in (scan.source.path, *scan.source.further)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _labels(path: Path, scan: Volume) -> Array:
    kept = read(path)
    if kept.grid_shape != scan.grid_shape:
        raise UnreadableScan("the kept prediction is on another grid", where=path)
    return np.asarray(kept.voxels)
