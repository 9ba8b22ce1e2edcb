"""A subject put to a risk model through its kind, and the maps of its reasons made ready to lie over the scans."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import ModelError
from core.files import write_text
from core.inference.answers import record
from core.inference.package import AnyPackage
from gui.risk.values import as_tree
from gui.viewer.overlays import Overlay
from gui.viewer.scene import OpenedScan

DATA_KIND = "cohort"
IMAGES = ("mri", "pet")
# The voxels that are shown: this part of those with the largest sizes. Fainter ones say little and hide the scan.
SHOWN_SHARE = 0.03
RAISES, LOWERS = 1, 2
STRUCTURES = [{"label": RAISES, "name": "Raises the score"}, {"label": LOWERS, "name": "Lowers the score"}]


@dataclass(frozen=True)
class Subject:
    """What is given of a subject; any part may be missing."""

    name: str
    mri: Path | None
    pet: Path | None
    values: Mapping[str, float]

    @property
    def first(self) -> Path | None:
        """The image that stands for the subject in the list of predictions."""
        return self.mri or self.pet

    def as_given(self) -> dict[str, Any]:
        """As plain values, for the catalog."""
        images = {kind: str(path) for kind in IMAGES if (path := getattr(self, kind)) is not None}
        return {"subject": self.name, **images, "values": dict(self.values)}


@dataclass(frozen=True)
class Answer:
    """A model's prediction as its kind gives it, and the reasons over each image as labels."""

    prediction: dict[str, Any]
    maps: dict[str, np.ndarray[Any, Any]]


def ask(package: AnyPackage, subject: Subject, out: Path, explain: bool, control: JobControl) -> Answer:
    """Predict a subject, its reasons included, and record the answer. Raises IsocenterError."""
    from core.inference.kinds import kind_of_package

    kind = kind_of_package(package)
    if kind is None:
        raise ModelError(f"{package.name} is a model for scans", mend="Choose a model of risk.")
    options: dict[str, Any] = {"explain": explain, "device": "auto"}
    options |= {name: path for name in IMAGES if (path := getattr(subject, name)) is not None}
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        if subject.values:
            options["clinical"] = Path(folder) / "subject.json"
            write_text(options["clinical"], json.dumps(as_tree(subject.name, subject.values)))
        found = kind.predict(package, [], out, options, control)
    record(package, found, source=subject.first, given=subject.as_given())
    prediction = found["predictions"][0]
    files = (prediction.get("explanation") or {}).get("maps") or {}
    return Answer(prediction, read_maps({name: Path(path) for name, path in files.items()}, control))


def read_maps(paths: Mapping[str, Path], control: JobControl) -> dict[str, np.ndarray[Any, Any]]:
    """Maps of reasons as labels on their own grids: the strongest voxels of all, by whether they raise or lower it.

    One strength for all images, so that one that hardly counts shows hardly anything.
    """
    from core.imaging.reader import read

    values = {}
    for name, path in paths.items():
        control.progress(None, f"Reading {path.name}")
        values[name] = read(path, control).values()
    sizes = np.concatenate([np.abs(one).ravel() for one in values.values()]) if values else np.zeros(1)
    least = max(float(np.quantile(sizes, 1 - SHOWN_SHARE)), 1e-12)
    labels = {name: np.zeros(one.shape, np.uint8) for name, one in values.items()}
    for name, one in values.items():
        labels[name][one >= least] = RAISES
        labels[name][one <= -least] = LOWERS
    return labels


def open_image(path: Path, control: JobControl) -> OpenedScan:
    """Read a scan for the views. Raises UnreadableScan."""
    from core.imaging.reader import read

    control.progress(None, f"Reading {path.name}")
    return OpenedScan.prepare(read(path, control))


def overlay_of(labels: np.ndarray[Any, Any], colours: dict[int, tuple[int, int, int]]) -> Overlay:
    """The reasons as a layer over their scan."""
    return Overlay(labels, STRUCTURES, colours, "What the score rests on", 0.5)
