"""`isocenter snapshot`: the four views of a scan as a picture, drawn by the same widgets, with no display needed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import RESEARCH_ONLY

if TYPE_CHECKING:
    from gui.viewer.scene import Scene

SIZE = "1280x960"
WAIT_MS = 300_000  # surfaces take seconds, but a busy machine many more
LARGEST = 8000


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    words = "the four views of a scan as a picture, no display needed"
    parser = commands.add_parser("snapshot", help=words, description=words)
    parser.add_argument("scan", type=Path)
    parser.add_argument("out", type=Path, help="a .png file")
    parser.add_argument("--series", metavar="UID", help="of a DICOM folder, the series to draw")
    parser.add_argument("--overlay", type=Path, metavar="SEG", help="a segmentation on the scan's grid")
    parser.add_argument("--size", default=SIZE, metavar="WxH", help=f"in pixels, {SIZE} by default")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    width, height = _size(args.size)
    take(args.scan, args.out, args.overlay, width, height, series=args.series)
    if args.json:
        told = {"scan": str(args.scan), "picture": str(args.out), "size": [width, height]}
        sys.stdout.write(json.dumps(told) + "\n")
    return 0


def take(scan: Path, out: Path, overlay: Path | None, width: int, height: int, *, series: str | None = None) -> None:
    """Draw a scan's four views into a PNG file.

    Raises UnreadableScan for a scan or segmentation that cannot be read or does not fit, IsocenterError where the
    picture cannot be written.
    """
    from core.errors import IsocenterError
    from core.imaging.reader import read
    from gui.viewer.scene import OpenedScan, Scene

    if not out.parent.is_dir():
        raise IsocenterError("there is no such folder", where=out.parent, mend="Create it, or choose another one.")
    if out.suffix.lower() != ".png":
        raise IsocenterError("the picture is written as PNG", where=out, mend="Give it a name that ends in .png.")
    opened = OpenedScan.prepare(read(scan, series=series))
    scene = Scene()
    scene.show(opened)
    if overlay is not None:
        _lay_over(scene, overlay)
    app = _application()
    _draw(scene, out, width, height)
    app.processEvents()


def _size(text: str) -> tuple[int, int]:
    from core.errors import IsocenterError

    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and 300 <= int(part) <= LARGEST for part in parts):
        raise IsocenterError(
            f"--size {text}: not a size", mend=f"Give it as WIDTHxHEIGHT, 300 to {LARGEST}, such as {SIZE}."
        )
    return int(parts[0]), int(parts[1])


def _lay_over(scene: Scene, path: Path) -> None:
    """Put the segmentation over the scan, the cursor in its middle."""
    import numpy as np

    from core.errors import UnreadableScan
    from core.imaging.reader import read
    from gui.theme.structures import structure_colours
    from gui.viewer.overlays import Overlay

    volume, segmentation = scene.volume, read(path)
    same_shape = volume is not None and segmentation.shape == volume.grid_shape
    if volume is None or not same_shape or not np.allclose(segmentation.affine_ras, volume.affine_ras, atol=0.01):
        raise UnreadableScan(
            "the segmentation is on another grid than the scan", where=path, mend="Give the one made for this scan."
        )
    labels = np.asarray(segmentation.voxels)
    if labels.dtype.kind == "f":
        labels = np.rint(labels).astype(np.int32)
    structures = [{"label": int(n), "name": f"label {int(n)}"} for n in np.unique(labels) if n]
    colours = {label: colour.getRgb()[:3] for label, colour in structure_colours(structures).items()}
    scene.set_overlay(Overlay(labels, structures, colours))
    scene.go_to_overlay()


def _application() -> Any:
    """The application, which lives as long as someone holds it."""
    from PySide6.QtWidgets import QApplication

    from gui.theme import apply_theme

    app = QApplication.instance()
    if app is None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"  # a picture needs no display, even where there is one
        app = QApplication(["isocenter"])
        apply_theme(app, "dark")
    return app


def _draw(scene: Scene, out: Path, width: int, height: int) -> None:
    from PySide6.QtCore import QEventLoop, QSettings, QTimer
    from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

    from core.errors import IsocenterError
    from core.files import replacing
    from core.imaging.titles import title_of
    from gui.context import AppContext
    from gui.viewer.slice_grid import SliceGrid
    from gui.widgets import label

    with tempfile.TemporaryDirectory() as folder:
        context = AppContext(settings=QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat))
        grid = SliceGrid(context, scene, tools=False)
        whole = QWidget()
        whole.setProperty("role", "viewground")
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(10, 0, 10, 0)
        head.addWidget(label(title_of(scene.volume.source.path) if scene.volume else "", "viewtitle"), 1)
        head.addWidget(label(RESEARCH_ONLY, "viewtitle"))
        column.addLayout(head)
        column.addWidget(grid, 1)
        whole.resize(width, height)
        whole.show()
        QApplication.processEvents()
        if not grid.volume_view.up_to_date:
            wait = QEventLoop()
            grid.volume_view.settled.connect(wait.quit)
            waited = QTimer(singleShot=True, interval=WAIT_MS)
            waited.timeout.connect(wait.quit)
            waited.start()
            wait.exec()
            if waited.isActive():
                waited.stop()
            else:
                sys.stderr.write("warning: the 3D view took too long and is missing from the picture.\n")
        picture = whole.grab().toImage()
        grid.close_views()
        whole.close()
        context.close()
    with replacing(out) as part:
        if not picture.save(str(part), "PNG"):
            raise IsocenterError(
                "the picture cannot be written", where=out, mend="Check that the folder exists and is writable."
            )
