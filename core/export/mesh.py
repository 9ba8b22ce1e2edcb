"""From a structure's voxels to a closed surface, in millimetres.

Marching cubes (Lewiner et al. 2003, in scikit-image) finds the surface; Taubin's smoothing (1995), which shrinks
nothing, takes the steps of the voxels off it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.control import JobControl
from core.export.labelled import Labelled

Array = np.ndarray[Any, Any]

_ROUNDS = 10
_SHRINK, _GROW = 0.5, -0.53


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed surface. points_ras_mm: (n, 3) float32; triangles: (m, 3) int32, counter-clockwise seen from outside."""

    name: str
    label: int
    points_ras_mm: Array
    triangles: Array

    @property
    def volume_ml(self) -> float:
        """The volume inside."""
        corners = self.points_ras_mm.astype(np.float64)[self.triangles]
        return float(np.linalg.det(corners - corners.mean(axis=(0, 1))).sum() / 6000)


def meshes(labelled: Labelled, values: list[int], control: JobControl) -> list[Mesh]:
    """The surface of each of these labels, in their order."""
    from scipy.ndimage import find_objects

    boxes = find_objects(labelled.labels.astype(np.int32))
    made = []
    for done, value in enumerate(values):
        control.progress(done / len(values), f"Surface of {labelled.name_of(value)}")
        box = boxes[value - 1]
        points_ijk, triangles = _surface(labelled.labels[box] == value)
        control.check()
        points_ijk += [part.start for part in box]
        points = _smoothed(points_ijk @ labelled.affine_ras[:3, :3].T + labelled.affine_ras[:3, 3], triangles, control)
        if np.linalg.det(labelled.affine_ras[:3, :3]) < 0:  # a mirrored grid turns the surface inside out
            triangles = triangles[:, ::-1]
        made.append(Mesh(labelled.name_of(value), value, points.astype(np.float32), triangles.astype(np.int32)))
    return made


def _surface(inside: Array) -> tuple[Array, Array]:
    """Points in voxel indices and triangles, outside first; closed also where the structure touches the edge."""
    from skimage.measure import marching_cubes

    points, triangles, _, _ = marching_cubes(np.pad(inside, 1).astype(np.float32), 0.5, gradient_direction="descent")
    return points.astype(np.float64) - 1, triangles[:, ::-1]  # the library goes clockwise


def _smoothed(points: Array, triangles: Array, control: JobControl) -> Array:
    """Each point moved towards the mean of its neighbours and back again, some rounds."""
    from scipy.sparse import coo_matrix, diags

    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    ends = np.concatenate([ends, ends[:, ::-1]])
    near = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(points), len(points))).tocsr()
    near.data[:] = 1  # both triangles of an edge named it
    mean = diags(1 / near.sum(axis=1).A1) @ near
    for _ in range(_ROUNDS):
        for share in (_SHRINK, _GROW):
            control.check()
            points = points + share * (mean @ points - points)
    return points
