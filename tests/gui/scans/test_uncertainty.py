from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel

from core.imaging.volume import Source, Volume
from gui.scans.layers import LayersPanel
from gui.scans.uncertainty_row import UncertaintyRow
from gui.viewer.overlays import Overlay, UncertaintyMap
from gui.viewer.pictures import SlicePictures, heat
from gui.viewer.planes import AXIAL
from gui.viewer.scene import OpenedScan, Scene

SHAPE = (6, 7, 5)


@pytest.fixture
def scene() -> Scene:
    voxels = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.int16)
    made = Scene()
    made.show(OpenedScan.prepare(Volume(voxels, np.eye(4), Source(Path("scan.nii"), "NIfTI-1"))))
    steps = np.zeros(SHAPE, np.uint8)
    steps[1, 2, :] = 128
    made.set_overlay(Overlay(np.ones(SHAPE, np.uint8), [{"label": 1, "name": "All"}], {1: (9, 9, 9)}))
    made.set_uncertainty(UncertaintyMap(steps))
    return made


def test_the_map_is_drawn_where_it_is_unsure_and_nowhere_else(qtbot, scene: Scene):
    pictures = SlicePictures(scene, AXIAL)
    assert pictures.uncertainty() is None  # until it is asked for
    scene.show_uncertainty(True)
    image = pictures.uncertainty()
    seen = {(x, y) for x in range(SHAPE[0]) for y in range(SHAPE[1]) if image.pixelColor(x, y).alpha() > 0}
    assert seen == {(SHAPE[0] - 1 - 1, SHAPE[1] - 1 - 2)}  # radiological: the patient's right on the left


def test_the_layer_follows_the_scene_and_says_its_scale(qtbot, scene: Scene):
    panel = LayersPanel(scene)
    qtbot.addWidget(panel)
    scene.set_uncertainty(scene.uncertainty)
    check = panel._uncertainty_check
    scene.show_uncertainty(True)
    assert check.isChecked()
    check.setChecked(False)
    assert not scene.uncertainty.shown


@pytest.mark.parametrize("calibrated", [False, True])
def test_the_layer_says_whether_it_is_calibrated(qtbot, scene: Scene, calibrated: bool):
    scene.uncertainty.calibrated = calibrated
    row = UncertaintyRow(scene)
    qtbot.addWidget(row)
    assert ("not calibrated" in row.toolTip()) != calibrated
    texts = [one.text() for one in row.findChildren(QLabel)]
    assert ("1 − probability, calibrated" in texts) == calibrated


def test_a_map_on_another_grid_is_refused(scene: Scene):
    with pytest.raises(ValueError, match="grid"):
        scene.set_uncertainty(UncertaintyMap(np.zeros((2, 2, 2), np.uint8)))


def test_another_scan_takes_the_map_off(scene: Scene):
    scene.show(scene.opened)
    assert scene.uncertainty is None


def test_colours_run_from_clear_to_solid(qtbot):
    alphas = heat(1 / 255 / 0.5) >> 24
    assert alphas[0] == 0 and (np.diff(alphas.astype(int)) >= 0).all() and alphas[-1] == alphas[128] > 200
