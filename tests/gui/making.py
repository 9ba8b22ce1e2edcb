"""Small scans for the tests of the window."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

from core.imaging.reader import read
from gui.viewer.scene import OpenedScan

SHAPE_RAS = (32, 40, 24)
MARKER_RAS = (25, 20, 12)  # a bright cube here, on the patient's right: canonical index
BODY, MARKER = 300, 1000


def voxels_ras() -> np.ndarray:
    """A grey box with air around it and a bright cube on the patient's right, axes right, anterior, superior."""
    voxels = np.zeros(SHAPE_RAS, np.int16)
    voxels[2:-2, 2:-2, 2:-2] = BODY
    i, j, k = MARKER_RAS
    voxels[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3] = MARKER
    return voxels


def affine_ras(spacing: float = 2.0) -> np.ndarray:
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = [-spacing * n / 2 for n in SHAPE_RAS]
    return affine


def write_scan(path: Path, codes: str = "RAS", *, tilt_degrees: float = 0.0, dtype: type = np.int16) -> Path:
    """The same patient stored in another voxel order, or tilted: it must look the same."""
    image = nib.Nifti1Image(voxels_ras().astype(dtype), affine_ras())
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(tuple(codes))
    )
    image = image.as_reoriented(turn)
    if tilt_degrees:
        angle = np.radians(tilt_degrees)
        around_x = np.eye(4)
        around_x[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        image = nib.Nifti1Image(np.asanyarray(image.dataobj), around_x @ image.affine)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def drop(widget: QWidget, *paths: Path) -> None:
    """Drag files over a widget and let them fall there, as the window system does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    given = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, QDragEnterEvent(widget.rect().center(), *given))
    QApplication.sendEvent(widget, QDropEvent(QPointF(widget.rect().center()), *given))


def opened(path: Path) -> OpenedScan:
    return OpenedScan.prepare(read(path))
