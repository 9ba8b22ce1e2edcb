"""The 3D scene itself: an off-screen VTK window whose pictures are read back into a QImage.

Imports VTK: only the 3D view imports this module, once it has something to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers the OpenGL classes)
from PySide6.QtGui import QColor, QImage
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkObject, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersSources import vtkOutlineSource
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow

from gui.viewer.surfaces import Surfaces

Array = np.ndarray[Any, Any]
# Where the camera stands and which way is up, RAS.
VIEWS = {
    "A": ((0, 1, 0), (0, 0, 1)), "P": ((0, -1, 0), (0, 0, 1)), "L": ((-1, 0, 0), (0, 0, 1)),
    "R": ((1, 0, 0), (0, 0, 1)), "S": ((0, 0, 1), (0, 1, 0)), "I": ((0, 0, -1), (0, 1, 0)),
}  # fmt: skip
FIRST_VIEW = ((0.55, 1.0, 0.32), (0, 0, 1))  # from the front, a little to the patient's right and above


class Stage:
    """Call `close` before the program ends: a live GL context crashes some drivers at exit."""

    def __init__(self, *, software: bool, ground: QColor) -> None:
        vtkObject.GlobalWarningDisplayOff()
        self._window: vtkRenderWindow | None = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0 if software else 4)
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(ground.redF(), ground.greenF(), ground.blueF())
        self._window.AddRenderer(self._renderer)
        self._skin: vtkActor | None = None
        self._box: vtkActor | None = None
        self._structures: dict[int, vtkActor] = {}

    def show(self, surfaces: Surfaces, colours: Mapping[int, tuple[int, int, int]], skin: QColor, line: QColor) -> None:
        """Put up surfaces in place of those before."""
        for actor in (self._skin, self._box, *self._structures.values()):
            if actor is not None:
                self._renderer.RemoveActor(actor)
        self._skin = self._box = None
        self._structures = {}
        for label, mesh in surfaces.structures.items():
            red, green, blue = colours.get(label, (255, 255, 255))
            self._structures[label] = self._add(mesh, QColor(red, green, blue))
        if surfaces.skin is not None:
            self._skin = self._add(surfaces.skin, skin)
        elif surfaces.box_mm is not None:
            outline = vtkOutlineSource()
            outline.SetBoxTypeToOriented()
            outline.SetCorners(surfaces.box_mm.astype(float).ravel().tolist())
            outline.Update()
            self._box = self._add(outline.GetOutput(), line)
            self._box.GetProperty().LightingOff()
        self.set_shown(frozenset(), shown=True, opacity=1.0)

    def _add(self, mesh: vtkPolyData, colour: QColor) -> vtkActor:
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(mesh)
        mapper.ScalarVisibilityOff()
        actor = vtkActor()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetColor(colour.redF(), colour.greenF(), colour.blueF())
        look.SetAmbient(0.12)
        look.SetDiffuse(0.85)
        look.SetSpecular(0.18)
        look.SetSpecularPower(24)
        self._renderer.AddActor(actor)
        return actor

    def set_shown(self, hidden: frozenset[int], *, shown: bool, opacity: float) -> None:
        """Which structures are seen; the scan's outside turns to glass while there are some."""
        for label, actor in self._structures.items():
            actor.SetVisibility(shown and label not in hidden)
        seen = shown and any(label not in hidden for label in self._structures)
        if self._skin is not None:
            look = self._skin.GetProperty()
            look.SetOpacity((0.3 if seen else 1.0) * opacity)
            look.SetBackfaceCulling(seen)
            self._skin.SetVisibility(opacity > 0.01)

    # ---- the camera ---------------------------------------------------------------------------------------------

    def look_from(self, side: str | None = None) -> None:
        """Stand at a side ("A", "P", "L", "R", "S", "I"; None: the first view) and take in everything."""
        place, up = VIEWS[side] if side else FIRST_VIEW
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(*place)
        camera.SetViewUp(*up)
        camera.SetViewAngle(24)
        self._renderer.ResetCamera()
        if self._box is None:
            camera.Zoom(1.35)  # ResetCamera leaves more air than wanted around what is round
        self._renderer.ResetCameraClippingRange()

    def orbit(self, across: float, up: float) -> None:
        """Turn by degrees."""
        camera = self._renderer.GetActiveCamera()
        camera.Azimuth(-across)
        camera.Elevation(up)
        camera.OrthogonalizeViewUp()
        self._renderer.ResetCameraClippingRange()

    def zoom(self, factor: float) -> None:
        self._renderer.GetActiveCamera().Zoom(factor)

    def axes(self) -> tuple[Array, Array]:
        """The RAS directions of the picture's right and top."""
        camera = self._renderer.GetActiveCamera()
        up = np.array(camera.GetViewUp())
        right = np.cross(np.array(camera.GetDirectionOfProjection()), up)
        return right, up

    # ---- pictures -----------------------------------------------------------------------------------------------

    def picture(self, width: int, height: int) -> QImage:
        """Draw and read back."""
        if self._window is None:
            return QImage()
        self._window.SetSize(width, height)
        # The view angle is that of the shorter side, so that nothing is cut off in a narrow pane.
        self._renderer.GetActiveCamera().SetUseHorizontalViewAngle(width < height)
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        upright = np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 4)[::-1])
        return QImage(upright.data, width, height, width * 4, QImage.Format.Format_RGBX8888).copy()

    def close(self) -> None:
        if self._window is not None:
            self._renderer.RemoveAllViewProps()
            self._window.RemoveRenderer(self._renderer)
            self._window.Finalize()
            self._window = None
