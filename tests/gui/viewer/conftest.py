"""Views of one scene, without the window around them."""

from __future__ import annotations

import pytest

from gui.context import AppContext
from gui.viewer.scene import Scene
from gui.viewer.slice_grid import SliceGrid


@pytest.fixture
def grid(qtbot: object, app_context: AppContext, dark: None) -> SliceGrid:
    made = SliceGrid(app_context, Scene())
    qtbot.addWidget(made, before_close_func=lambda grid: grid.close_views())
    made.resize(800, 640)
    made.show()
    qtbot.waitExposed(made)
    return made
