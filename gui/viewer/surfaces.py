"""Surfaces for the 3D view: of the scan's outside, and of each structure, in RAS millimetres.

Imports VTK: only jobs and the 3D view import this module, and only once slices are on the screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import (
    vtkFlyingEdges3D,
    vtkPolyDataConnectivityFilter,
    vtkPolyDataNormals,
    vtkSurfaceNets3D,
)

from core.control import JobControl

Array = np.ndarray[Any, Any]
SKIN_VOXELS = 96  # per axis, after pooling
MOST_LABEL_VOXELS = 4_000_000
CROPPED = 0.35  # of the box's faces lie inside tissue: the scan is a piece of a body and has no outside


@dataclass
class Surfaces:
    """What the 3D view draws. `box_mm`: the scan's eight corners, drawn where it has no outside."""

    skin: vtkPolyData | None = None
    structures: dict[int, vtkPolyData] = field(default_factory=dict)
    box_mm: Array | None = None


def scan_surface(canonical: Array, affine_ras: Array, control: JobControl) -> vtkPolyData | None:
    """The outside of what is in a scan, or None where there is none to see."""
    control.check()
    small, affine = _pooled(canonical, affine_ras)
    if min(small.shape) < 8:
        return None
    for axis in range(3):
        small = _blurred(small, axis)
        control.check()
    level = otsu(small)
    inside = small > level
    if not inside.any() or np.mean([face.mean() for face in _faces(inside)]) > CROPPED:
        return None
    small = np.pad(small, 1, constant_values=float(small.min()))
    affine = affine @ _shift(-1)
    image = _image(small)
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, level)
    edges.ComputeNormalsOn()
    edges.ComputeScalarsOff()
    largest = vtkPolyDataConnectivityFilter()  # without the specks of noise around a head
    largest.SetInputConnection(edges.GetOutputPort())
    largest.SetExtractionModeToLargestRegion()
    largest.Update()
    control.check()
    return _placed(largest.GetOutput(), affine)


def label_surfaces(
    labels: Array, wanted: Iterable[int], affine_ras: Array, control: JobControl
) -> dict[int, vtkPolyData]:
    """The smooth surface of each wanted label of a canonical label map; a label that is not there has none."""
    from scipy.ndimage import find_objects

    boxes = find_objects(labels.astype(np.int32, copy=False))
    control.check()
    found = [(label, boxes[label - 1]) for label in wanted if 0 < label <= len(boxes)]
    return {label: _label_surface(labels, label, box, affine_ras, control) for label, box in found if box is not None}


def _label_surface(
    labels: Array, label: int, box: tuple[slice, ...], affine_ras: Array, control: JobControl
) -> vtkPolyData:
    control.check()
    cut = labels[box] == label
    step = 1
    while cut.size / step**3 > MOST_LABEL_VOXELS:
        step += 1
    cut = np.pad(cut[::step, ::step, ::step], 1).astype(np.uint8)
    affine = affine_ras @ _shift(*(part.start for part in box)) @ np.diag([step, step, step, 1.0]) @ _shift(-1)
    nets = vtkSurfaceNets3D()
    nets.SetInputData(_image(cut))
    nets.SetValue(0, 1)
    nets.SetOutputMeshTypeToTriangles()
    nets.SmoothingOn()
    nets.Update()
    control.check()
    normals = vtkPolyDataNormals()
    normals.SetInputData(_placed(nets.GetOutput(), affine))
    normals.SplittingOff()
    normals.ConsistencyOn()
    normals.AutoOrientNormalsOn()
    normals.Update()
    return normals.GetOutput()


def otsu(values: Array) -> float:
    """The threshold that parts values into two groups (Otsu 1979)."""
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    counts, edges = np.histogram(np.clip(values, low, high), 128)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    # Half of it: bone and fluid at the edge of a head are darker than its middle.
    return low + 0.6 * (float(middles[int(np.nanargmax(between))]) - low)


def _pooled(canonical: Array, affine_ras: Array) -> tuple[Array, Array]:
    """Voxels thinned out and averaged to at most SKIN_VOXELS an axis, with the affine of the result."""
    thin = [max(1, -(-n // (2 * SKIN_VOXELS))) for n in canonical.shape]
    values = canonical[tuple(slice(None, None, step) for step in thin)].astype(np.float32)
    if values.dtype.kind == "f":
        np.nan_to_num(values, copy=False)
    scale, offset = np.array(thin, float), np.zeros(3)
    for axis in range(3):
        if values.shape[axis] > SKIN_VOXELS:
            even = values.shape[axis] // 2 * 2
            first = np.take(values, range(0, even, 2), axis)
            values = (first + np.take(values, range(1, even, 2), axis)) / 2
            offset[axis] = scale[axis] / 2
            scale[axis] *= 2
    place = np.diag([*scale, 1.0])
    place[:3, 3] = offset
    return values, affine_ras @ place


def _blurred(values: Array, axis: int) -> Array:
    padded = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    size = values.shape[axis]
    parts = [np.take(padded, range(first, first + size), axis) for first in range(3)]
    return (parts[0] + 2 * parts[1] + parts[2]) / 4


def _faces(mask: Array) -> list[Array]:
    return [np.take(mask, end, axis) for axis in range(3) for end in (0, -1)]


def _shift(*by: float) -> Array:
    matrix = np.eye(4)
    matrix[:3, 3] = by if len(by) == 3 else by[0]
    return matrix


def _image(values: Array) -> vtkImageData:
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(order="F"), deep=1))
    return image


def _placed(mesh: vtkPolyData, affine_ras: Array) -> vtkPolyData:
    """The mesh with its points (and normals) moved from voxel indices to RAS millimetres."""
    placed = vtkPolyData()
    placed.DeepCopy(mesh)
    if placed.GetNumberOfPoints() == 0:
        return placed
    turn = affine_ras[:3, :3]
    points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(np.float32)
    placed.GetPoints().SetData(numpy_to_vtk((points @ turn.T + affine_ras[:3, 3]).astype(np.float32), deep=1))
    normals = mesh.GetPointData().GetNormals()
    if normals is not None:
        turned = vtk_to_numpy(normals) @ np.linalg.inv(turn)
        turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
        made = numpy_to_vtk(turned.astype(np.float32), deep=1)
        made.SetName("Normals")
        placed.GetPointData().SetNormals(made)
    return placed
