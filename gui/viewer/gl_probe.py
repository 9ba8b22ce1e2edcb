"""What draws 3D here: asked once, in a child process, because a broken driver ends the process that asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings

SECONDS = 30
_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software", "swrast", "basic render")


@dataclass(frozen=True)
class GlReport:
    """`renderer` is the driver's name for itself; `problem` says in plain words why there is none."""

    works: bool
    renderer: str = ""
    problem: str = ""

    @property
    def software(self) -> bool:
        return any(word in self.renderer.lower() for word in _SOFTWARE)


def probe() -> GlReport:
    """Draw one point in a child process and report. Takes about a second."""
    root = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join(part for part in (str(root), os.environ.get("PYTHONPATH", "")) if part)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gui.viewer.gl_probe"],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        told = json.loads(done.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
        return GlReport(bool(told["works"]), str(told["renderer"]), str(told["problem"]))
    except subprocess.TimeoutExpired:
        return GlReport(False, problem="the graphics driver did not answer")
    except (OSError, ValueError, KeyError, IndexError):
        return GlReport(False, problem="the graphics driver ended the program that asked for a picture")


def remembered(settings: QSettings) -> GlReport | None:
    """The report of an earlier start on the same display."""
    if settings.value("gl/where") != _where() or settings.value("gl/works") not in (True, "true"):
        return None  # a failure is asked again: a driver may have been mended
    return GlReport(True, str(settings.value("gl/renderer", "")))


def remember(settings: QSettings, report: GlReport) -> None:
    settings.setValue("gl/where", _where())
    settings.setValue("gl/works", report.works)
    settings.setValue("gl/renderer", report.renderer)


def _where() -> str:
    return "|".join((sys.platform, sys.prefix, os.environ.get("DISPLAY", ""), os.environ.get("WAYLAND_DISPLAY", "")))


def _draw_a_point() -> dict[str, object]:
    import vtkmodules.vtkRenderingOpenGL2
    from vtkmodules.vtkCommonCore import vtkObject
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

    del vtkmodules
    vtkObject.GlobalWarningDisplayOff()
    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(8, 8)
    window.AddRenderer(vtkRenderer())
    window.Render()
    lines = (window.ReportCapabilities() or "").splitlines()
    renderer = next((line.split(":", 1)[1].strip() for line in lines if "renderer string" in line.lower()), "")
    window.Finalize()
    problem = "" if renderer else "no OpenGL was found"
    return {"works": bool(renderer), "renderer": renderer, "problem": problem}


if __name__ == "__main__":
    try:
        answer = _draw_a_point()
    except ImportError as error:
        answer = {"works": False, "renderer": "", "problem": f"VTK cannot be loaded ({error})"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # some drivers crash while they unload
