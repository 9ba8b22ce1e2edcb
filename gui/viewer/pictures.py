"""Slices as Qt images: the grey picture, and the coloured structures over it. Each is made once and kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QLineF
from PySide6.QtGui import QImage

from gui.theme import theme
from gui.viewer.overlays import Overlay
from gui.viewer.planes import Plane
from gui.viewer.scene import Scene
from gui.viewer.window_level import to_grey

Array = np.ndarray[Any, Any]
Edges = list[tuple[tuple[int, int, int], list[QLineF]]]
MOST_EDGES = 6000  # beyond this an outline is clutter, and slow


class SlicePictures:
    """The images of one plane; asks the scene, and works only when something it shows has changed."""

    def __init__(self, scene: Scene, plane: Plane) -> None:
        self._scene = scene
        self._plane = plane
        self._grey_key: tuple[Any, ...] | None = None
        self._grey: QImage | None = None
        self._under_key: tuple[Any, ...] | None = None
        self._under: QImage | None = None
        self._label_key: tuple[Any, ...] | None = None
        self._labels: tuple[QImage, int, int] | None = None
        self._edges: Edges = []
        self._truth_key: tuple[Any, ...] | None = None
        self._truth: Edges = []
        self._uncertainty_key: tuple[Any, ...] | None = None
        self._uncertainty: QImage | None = None

    def grey(self) -> QImage | None:
        """The slice at the cursor as an 8-bit grey image, top row first."""
        scene = self._scene
        volume = scene.volume
        if volume is None:
            return None
        index = scene.index[self._plane.normal]
        key = (scene.revision, index, scene.time, scene.window, scene.radiological)
        if key != self._grey_key:
            picture = self._plane.picture(scene.frame(), index, scene.radiological)
            grey = to_grey(picture, scene.window, volume.slope, volume.intercept)
            rows, columns = grey.shape
            # copy(): the image must not point into an array that goes away
            self._grey = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
            self._grey_key = key
        return self._grey

    def arriving(self) -> tuple[QImage, int, int] | None:
        """What is there of the slice while the scan arrives, grey, and its first column and row. None: nothing yet."""
        scene, plane = self._scene, self._plane
        if scene.arriving is None:
            return None
        (voxels, first), axis = scene.arriving.there(scene.time), scene.arriving.axis
        last = first + voxels.shape[axis]
        index = scene.index[plane.normal]
        if first == last or (axis == plane.normal and not first <= index < last):
            return None
        picture = plane.picture(voxels, index - first if axis == plane.normal else index, scene.radiological)
        partial = scene.arriving.partial
        grey = to_grey(picture, scene.window, partial.slope, partial.intercept)
        rows, columns = grey.shape
        image = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
        left = top = 0
        if axis == plane.across:
            left = scene.shape[axis] - last if plane.mirrored(scene.radiological) else first
        if axis == plane.up:
            top = scene.shape[axis] - last
        return image, left, top

    def under(self) -> QImage | None:
        """The same slice of the scan beneath, grey; None where there is none."""
        scene = self._scene
        beneath = scene.under
        if beneath is None or scene.under_canonical is None:
            return None
        index = scene.index[self._plane.normal]
        key = (scene.revision, index, scene.radiological)
        if key != self._under_key:
            voxels = scene.under_canonical[..., 0] if scene.under_canonical.ndim == 4 else scene.under_canonical
            picture = self._plane.picture(voxels, index, scene.radiological)
            grey = to_grey(picture, beneath.window, beneath.volume.slope, beneath.volume.intercept)
            rows, columns = grey.shape
            self._under = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
            self._under_key = key
        return self._under

    def labels(self) -> tuple[QImage, int, int] | None:
        """The structures of the slice as an image with alpha, and its first column and row. None: nothing there."""
        self._make_labels()
        return self._labels

    def edges(self) -> Edges:
        """Colour and outline of each structure, in picture coordinates (voxel corners at whole numbers).

        None beside a truth: there outlines are the truth's.
        """
        self._make_labels()
        return [] if self._scene.truth is not None else self._edges

    def truth_edges(self) -> Edges:
        """Colour and outline of each structure of the truth, as `edges`."""
        scene, truth = self._scene, self._scene.truth
        if truth is None or scene.truth_canonical is None or not truth.shown:
            return []
        index = scene.index[self._plane.normal]
        key = (scene.revision, index, scene.radiological)
        if key != self._truth_key:
            self._truth_key, self._truth = key, []
            picture = self._plane.picture(scene.truth_canonical, index, scene.radiological)
            box = _box(picture)
            if box is not None:
                top, bottom, left, right = box
                self._truth = _outlines(picture[top:bottom, left:right], truth, left, top)
        return self._truth

    def uncertainty(self) -> QImage | None:
        """The uncertainty of the slice as an image with alpha; None where none is shown."""
        scene, shown = self._scene, self._scene.uncertainty
        if shown is None or scene.uncertainty_canonical is None or not shown.shown:
            return None
        index = scene.index[self._plane.normal]
        key = (scene.revision, index, scene.radiological)
        if key != self._uncertainty_key:
            picture = self._plane.picture(scene.uncertainty_canonical, index, scene.radiological)
            pixels = np.ascontiguousarray(heat(1 / 255 / shown.highest)[picture])
            rows, columns = pixels.shape
            form = QImage.Format.Format_ARGB32_Premultiplied
            self._uncertainty = QImage(pixels.data, columns, rows, columns * 4, form).copy()
            self._uncertainty_key = key
        return self._uncertainty

    def _make_labels(self) -> None:
        scene, overlay = self._scene, self._scene.overlay
        if overlay is None or scene.overlay_canonical is None or not overlay.shown:
            self._label_key, self._labels, self._edges = None, None, []
            return
        index = scene.index[self._plane.normal]
        key = (scene.revision, index, scene.radiological, overlay.opacity, frozenset(overlay.hidden))
        if key == self._label_key:
            return
        self._label_key, self._labels, self._edges = key, None, []
        picture = self._plane.picture(scene.overlay_canonical, index, scene.radiological)
        box = _box(picture)
        if box is not None:
            top, bottom, left, right = box
            cut = np.ascontiguousarray(picture[top:bottom, left:right])
            self._labels = (_coloured(cut, overlay), left, top)
            self._edges = _outlines(cut, overlay, left, top)


def _box(picture: Array) -> tuple[int, int, int, int] | None:
    """First and past-last row and column that hold a label."""
    rows = np.flatnonzero(picture.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(picture[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _coloured(cut: Array, overlay: Overlay) -> QImage:
    """Labels -> premultiplied ARGB; hidden and unknown labels are clear."""
    values, inverse = np.unique(cut, return_inverse=True)
    table = np.zeros(values.size, np.uint32)
    for place, value in enumerate(values):
        if value and int(value) not in overlay.hidden:
            red, green, blue = overlay.colour_of(int(value))
            alpha = overlay.opacity
            channels = (round(255 * alpha), round(red * alpha), round(green * alpha), round(blue * alpha))
            table[place] = (channels[0] << 24) | (channels[1] << 16) | (channels[2] << 8) | channels[3]
    pixels = np.ascontiguousarray(table[inverse].reshape(cut.shape))
    rows, columns = pixels.shape
    return QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied).copy()


def heat(step: float) -> Array:
    """Premultiplied ARGB of the 256 steps of an uncertainty map: clear at 0, solid at 1 / `step` steps and beyond."""
    low, high = (
        np.array(colour.getRgb()[:3], float) for colour in (theme().color("heat_low"), theme().color("heat_high"))
    )
    share = np.minimum(np.arange(256) * step, 1.0)[:, None]
    alpha = 0.85 * np.sqrt(share)
    red, green, blue = np.rint(alpha * (low + (high - low) * share)).astype(np.uint32).T
    return (np.rint(255 * alpha[:, 0]).astype(np.uint32) << 24) | (red << 16) | (green << 8) | blue


def _outlines(cut: Array, overlay: Overlay, left: int, top: int) -> Edges:
    """The voxel edges where one structure ends."""
    padded = np.pad(cut, 1)
    outlines = []
    for value in np.unique(cut):
        if not value or int(value) in overlay.hidden:
            continue
        inside = padded == value
        across = np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1])  # edges between a row and the one above
        along = np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1])
        if len(across) + len(along) > MOST_EDGES:
            continue
        lines = [QLineF(left + c, top + r, left + c + 1, top + r) for r, c in across.tolist()]
        lines += [QLineF(left + c, top + r, left + c, top + r + 1) for r, c in along.tolist()]
        outlines.append((overlay.colour_of(int(value)), lines))
    return outlines
