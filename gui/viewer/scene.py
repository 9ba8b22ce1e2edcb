"""What the views show: scan, cursor, window, time and overlay. Plain Python; the widgets listen and draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from core.imaging.geometry import index_to_ras_mm, ras_mm_to_index, to_canonical
from core.imaging.volume import Volume
from gui.viewer.arriving import ArrivingScan
from gui.viewer.content import content_of, middle_of
from gui.viewer.lines import MeasuredLines
from gui.viewer.overlays import Overlay, UncertaintyMap
from gui.viewer.window_level import WindowLevel, auto_window, first_window, full_window, looks_like_ct, sample

Array = np.ndarray[Any, Any]
Change = Literal["volume", "cursor", "window", "time", "side", "overlay", "look", "tool", "lines", "arriving"]
Tool = Literal["cursor", "measure"]
OBLIQUE_DEGREES = 1.0
BLEND = 0.5  # how strongly a scan that is compared with another is drawn at first


@dataclass(frozen=True, eq=False)
class OpenedScan:
    """A volume with what a first picture needs, worked out beside the window."""

    volume: Volume
    values: Array  # a strided sample of scaled values, native axes
    window: WindowLevel
    content: tuple[tuple[int, int], ...]  # canonical index range per axis that holds the patient
    is_ct: bool = False  # whether values are Hounsfield units
    lines: MeasuredLines = field(default_factory=MeasuredLines)  # what was measured in it
    under: OpenedScan | None = None  # a scan on the same grid that it is compared with, drawn beneath it

    @classmethod
    def prepare(cls, volume: Volume, under: Volume | None = None) -> OpenedScan:
        """`under` has to be on the grid of `volume`."""
        values = sample(volume)
        is_ct = looks_like_ct(volume, values)
        window, content = first_window(values, is_ct=is_ct), content_of(volume, values)
        if under is None:
            return cls(volume, values, window, content, is_ct)
        beneath = cls.prepare(under)
        if beneath.volume.grid_shape != volume.grid_shape:
            raise ValueError("the scan to compare with is not on the same grid")
        both = tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(content, beneath.content, strict=True))
        return cls(volume, values, window, both, is_ct, under=beneath)


class Scene:
    """The state of one viewer. Change it only through its methods: they tell the listeners what changed."""

    def __init__(self) -> None:
        self.opened: OpenedScan | None = None
        self.arriving: ArrivingScan | None = None  # in place of `opened` while its file is still being decoded
        self.canonical: Array = np.zeros((1, 1, 1), np.uint8)
        self.affine_ras = np.eye(4)  # of the canonical grid
        self.index: tuple[int, int, int] = (0, 0, 0)  # the cursor, canonical
        self.time = 0
        self.window = WindowLevel(1, 0.5)
        self.radiological = True
        self.tool: Tool = "cursor"
        self.scan_opacity = 1.0
        self.overlay: Overlay | None = None
        self.labels_canonical: Array | None = None  # the overlay's, of whichever volume it is
        self.truth: Overlay | None = None  # what the overlay is compared with: drawn as outlines
        self.truth_canonical: Array | None = None
        self.uncertainty: UncertaintyMap | None = None
        self._uncertainty_canonical: Array | None = None
        self.under_canonical: Array | None = None
        self._untouched = self.index, self.window  # where the program put them itself while a scan arrives
        self.revision = 0  # counts scans and overlays, for caches
        self._turn = to_canonical(np.eye(4))
        self._listeners: list[Callable[[Change], None]] = []

    # ---- listening ----------------------------------------------------------------------------------------------

    def listen(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def _tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)

    # ---- the scan -----------------------------------------------------------------------------------------------

    @property
    def volume(self) -> Volume | None:
        """The scan shown; None while one is still arriving, so that nothing is measured in it or computed from it."""
        return self.opened.volume if self.opened else None

    @property
    def sides_known(self) -> bool:
        return self.volume is None or self.volume.sides_known

    @property
    def is_placed(self) -> bool:
        """False for a picture, whose planes have no names."""
        return self.volume is None or self.volume.is_placed

    @property
    def scale_known(self) -> bool:
        return self.volume is None or self.volume.scale_known

    @property
    def showing(self) -> bool:
        """Whether there is anything to look at, be it a scan that is still arriving."""
        return self.opened is not None or self.arriving is not None

    @property
    def shape(self) -> tuple[int, int, int]:
        i, j, k = self.canonical.shape[:3]
        return i, j, k

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        i, j, k = np.sqrt((self.affine_ras[:3, :3] ** 2).sum(axis=0))
        return float(i), float(j), float(k)

    @property
    def times(self) -> int:
        return self.canonical.shape[3] if self.canonical.ndim == 4 else 1

    @property
    def tilt_degrees(self) -> float:
        """How far the scan's axes stand off the patient's."""
        directions = self.affine_ras[:3, :3] / np.asarray(self.spacing_mm)
        return float(np.degrees(np.arccos(np.clip(np.diag(directions), -1, 1)).max()))

    @property
    def oblique(self) -> bool:
        return self.showing and self.tilt_degrees > OBLIQUE_DEGREES

    @property
    def sheared(self) -> bool:
        """Whether the voxel axes are not square to each other, as with a tilted gantry."""
        directions = self.affine_ras[:3, :3] / np.asarray(self.spacing_mm)
        return bool(np.abs(directions.T @ directions - np.eye(3)).max() > np.sin(np.radians(OBLIQUE_DEGREES)))

    def show(self, opened: OpenedScan | None) -> bool:
        """Put up a scan (None: nothing), with the cursor in its middle and no overlay.

        Where it takes the place of the same scan while that arrived, cursor, window and time stay as its user set them.
        Returns whether the cursor stayed.
        """
        before, cursor, window, time = self.arriving, self.index, self.window, self.time
        self.arriving = None
        self.opened = opened
        self._clear()
        if opened is None:
            self.canonical = np.zeros((1, 1, 1), np.uint8)
            self.affine_ras = np.eye(4)
        else:
            volume = opened.volume
            self._turn = to_canonical(volume.affine_ras)
            self.canonical = self._turn.apply(volume.voxels)
            self.affine_ras = self._turn.affine(volume.affine_ras, volume.grid_shape)
            self.window = opened.window
        self.under_canonical = self._turn.apply(opened.under.volume.voxels) if opened and opened.under else None
        self.scan_opacity = 1.0 if self.under_canonical is None else BLEND
        self.index = middle_of(opened.content) if opened else (0, 0, 0)
        stays = False
        if before is not None and opened is not None and before.partial.source == opened.volume.source:
            self.time = time
            self.window = self.window if window == self._untouched[1] else window
            stays = cursor != self._untouched[0]
            self.index = cursor if stays else self.index
        self._tell("volume")
        return stays

    def show_arriving(self, arriving: ArrivingScan) -> None:
        """Put up what is there of a scan that is still being decoded; tell `more_arrived` as it goes on."""
        self.opened, self.arriving = None, arriving
        self._clear()
        partial = arriving.partial
        self._turn = arriving.turn
        # Nothing but its size is asked of these zeros: the pictures are made from what is there alone.
        self.canonical = self._turn.apply(np.broadcast_to(np.uint8(0), partial.shape))
        self.affine_ras = self._turn.affine(partial.affine_ras, partial.grid_shape)
        self.under_canonical, self.scan_opacity = None, 1.0
        self.index, self.window = arriving.index(), arriving.window
        self._untouched = self.index, self.window
        self._tell("volume")

    def more_arrived(self) -> None:
        arriving = self.arriving
        if arriving is None:
            return
        arriving.choose_window()
        index, window = self._untouched
        if self.index == index:
            index = self.index = arriving.index()
        if self.window == window:
            window = self.window = arriving.window
        self._untouched = index, window
        self._tell("arriving")

    def _clear(self) -> None:
        self.overlay = self.labels_canonical = None
        self.truth = self.truth_canonical = None
        self.uncertainty = self._uncertainty_canonical = None
        self.time = 0
        self.revision += 1

    def frame(self) -> Array:
        """The canonical voxels of the time shown."""
        return self.canonical[..., self.time] if self.canonical.ndim == 4 else self.canonical

    def set_time(self, time: int) -> None:
        time = min(max(time, 0), self.times - 1)
        if time != self.time:
            self.time = time
            self._tell("time")

    # ---- the cursor ---------------------------------------------------------------------------------------------

    def set_index(self, index: Sequence[float]) -> None:
        """Move the cursor to the voxel nearest to a canonical index."""
        moved = [min(max(round(float(n)), 0), size - 1) for n, size in zip(index, self.shape, strict=True)]
        if tuple(moved) != self.index:
            self.index = (moved[0], moved[1], moved[2])
            self._tell("cursor")

    def go_to(self, point_ras_mm: Array) -> bool:
        """Move the cursor to a point of the patient; False, and no move, where the scan does not reach."""
        index = ras_mm_to_index(self.affine_ras, point_ras_mm)
        if self.opened is None or (index < -0.5).any() or (index > np.asarray(self.shape) - 0.5).any():
            return False
        self.set_index(index)
        return True

    def step(self, axis: int, by: int) -> None:
        moved = list(self.index)
        moved[axis] += by
        self.set_index(moved)

    def point_ras_mm(self) -> Array:
        return index_to_ras_mm(self.affine_ras, np.asarray(self.index))

    def index_ijk(self) -> tuple[int, int, int]:
        """The cursor in the file's own voxel order."""
        native = [0, 0, 0]
        for axis, (order, flip) in enumerate(zip(self._turn.order, self._turn.flips, strict=True)):
            native[order] = self.shape[axis] - 1 - self.index[axis] if flip else self.index[axis]
        return native[0], native[1], native[2]

    def value(self) -> float:
        """The scaled value at the cursor."""
        volume = self.volume
        if volume is None:
            return float("nan")
        return float(self.frame()[self.index]) * volume.slope + volume.intercept

    def structure(self) -> int:
        """The label at the cursor, 0 where there is none."""
        return 0 if self.overlay_canonical is None else int(self.overlay_canonical[self.index])

    # ---- how it looks -------------------------------------------------------------------------------------------

    def set_window(self, window: WindowLevel) -> None:
        if window != self.window:
            self.window = window
            self._tell("window")

    def auto_window(self) -> None:
        if self.opened:
            self.set_window(auto_window(self.opened.values))

    def full_window(self) -> None:
        if self.opened:
            self.set_window(full_window(self.opened.values))

    def set_radiological(self, radiological: bool) -> None:
        if radiological != self.radiological:
            self.radiological = radiological
            self._tell("side")

    def set_tool(self, tool: Tool) -> None:
        """What a left drag in a slice does: move the cursor, or measure a length."""
        if tool != self.tool:
            self.tool = tool
            self._tell("tool")

    @property
    def lines(self) -> MeasuredLines:
        """The lengths measured in the scan that is shown."""
        return self.opened.lines if self.opened else MeasuredLines()

    def lines_changed(self) -> None:
        self._tell("lines")

    def set_scan_opacity(self, opacity: float) -> None:
        self.scan_opacity = opacity
        self._tell("look")

    @property
    def under(self) -> OpenedScan | None:
        """The scan that is drawn beneath the one shown, to compare the two."""
        return self.opened.under if self.opened else None

    def flicker(self) -> None:
        """Show the one scan, then the other: what does not lie well jumps."""
        if self.under is not None:
            self.set_scan_opacity(0.0 if self.scan_opacity == 1.0 else 1.0)

    # ---- the overlay --------------------------------------------------------------------------------------------

    @property
    def overlay_in_time(self) -> bool:
        """Whether what lies over the scan belongs to the volume that is shown: over another one it would lie."""
        return self.overlay is None or self.overlay.time in (None, self.time)

    @property
    def overlay_canonical(self) -> Array | None:
        """The labels over the volume that is shown; None where there are none, or they are another volume's."""
        return self.labels_canonical if self.overlay_in_time else None

    @property
    def uncertainty_canonical(self) -> Array | None:
        """The steps of the uncertainty map, as `overlay_canonical`."""
        return self._uncertainty_canonical if self.overlay_in_time else None

    def set_overlay(self, overlay: Overlay | None) -> None:
        """Lay a segmentation over the scan. Raises ValueError if it is on another grid."""
        if overlay is not None and (self.volume is None or overlay.labels.shape != self.volume.grid_shape):
            raise ValueError("the segmentation is not on the scan's grid")
        self.overlay = overlay
        self.lines.settle()
        self.labels_canonical = None if overlay is None else self._turn.apply(overlay.labels)
        self.revision += 1
        self._tell("overlay")

    def set_truth(self, truth: Overlay | None) -> None:
        """Lay the truth over the scan, as outlines beside the overlay's filled structures. Errors as `set_overlay`."""
        if truth is not None and (self.volume is None or truth.labels.shape != self.volume.grid_shape):
            raise ValueError("the truth is not on the scan's grid")
        self.truth = truth
        self.truth_canonical = None if truth is None else self._turn.apply(truth.labels)
        self.revision += 1
        self._tell("overlay")

    def show_truth(self, shown: bool) -> None:
        if self.truth is not None:
            self.truth.shown = shown
            self._tell("look")

    def set_uncertainty(self, uncertainty: UncertaintyMap | None) -> None:
        """Lay an uncertainty map over the scan, or take it off. Raises ValueError if it is on another grid."""
        if uncertainty is not None and (self.volume is None or uncertainty.steps.shape != self.volume.grid_shape):
            raise ValueError("the uncertainty map is not on the scan's grid")
        self.uncertainty = uncertainty
        self._uncertainty_canonical = None if uncertainty is None else self._turn.apply(uncertainty.steps)
        self.revision += 1
        self._tell("overlay")

    def show_uncertainty(self, shown: bool) -> None:
        if self.uncertainty is not None:
            self.uncertainty.shown = shown
            self._tell("look")

    def go_to_overlay(self) -> None:
        """Bring the cursor to the middle of the largest structure, unless it stands in a structure already."""
        labels = self.overlay_canonical
        if labels is None or self.structure():
            return
        # Every third voxel along each axis finds the large ones at a fraction of the time; all are looked at if not.
        for stride in (3, 1):
            some = labels[::stride, ::stride, ::stride]
            where = np.flatnonzero(some)
            if len(where):
                values = some.ravel()[where]
                found, counts = np.unique(values, return_counts=True)
                largest = where[values == found[counts.argmax()]]
                # A voxel of the structure itself: its centre of mass may lie outside where it is curved.
                inside = np.stack(np.unravel_index(largest, some.shape), axis=1)
                nearest = ((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()
                self.set_index(inside[nearest] * stride)
                return

    def set_overlay_look(self, *, opacity: float | None = None, shown: bool | None = None) -> None:
        if self.overlay is not None:
            self.overlay.opacity = self.overlay.opacity if opacity is None else opacity
            self.overlay.shown = self.overlay.shown if shown is None else shown
            self._tell("look")

    def set_structure_shown(self, label: int, shown: bool) -> None:
        if self.overlay is not None:
            (self.overlay.hidden.discard if shown else self.overlay.hidden.add)(label)
            self._tell("look")
