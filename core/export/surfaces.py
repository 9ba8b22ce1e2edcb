"""Surfaces of structures as STL, OBJ and PLY files.

Coordinates are RAS millimetres (x to the patient's right, y to the front, z to the head), or LPS on request. The files
say which in a comment, `SPACE=RAS`, that 3D Slicer reads; a program that reads no such comment often takes LPS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from core.control import JobControl
from core.errors import IsocenterError
from core.export.labelled import Labelled, check_not_empty
from core.export.mesh import Mesh, meshes
from core.files import whole_file

Space = Literal["RAS", "LPS"]
Array = np.ndarray[Any, Any]

_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_PLY_POINT = np.dtype([("place", "<f4", 3), ("label", "<i4")])
_PLY_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_surfaces(
    path: Path, labelled: Labelled, *, separate: bool = False, space: Space = "RAS", control: JobControl | None = None
) -> list[Path]:
    """Write the surface of every structure, into one file or into one each (`name_structure.stl`).

    STL keeps no names: of several structures in one file it makes one shape. Returns the files.
    Raises IsocenterError for a suffix other than .stl, .obj or .ply, and where nothing is marked.
    """
    control = control or JobControl()
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise IsocenterError("surfaces are written as STL, OBJ or PLY", where=path, mend="End the name with .stl.")
    values = check_not_empty(labelled, path)
    made = meshes(labelled, values, control.part(0, 0.9))
    parts = [(_own_path(path, mesh, made), [mesh]) for mesh in made] if separate else [(path, made)]
    for target, inside in parts:
        control.progress(0.9, f"Writing {target.name}")
        with whole_file(target) as file:
            write(file, inside, space)
            control.check()
    return [target for target, _ in parts]


def _own_path(path: Path, mesh: Mesh, all_meshes: Sequence[Mesh]) -> Path:
    """A file named after its structure; equal names are told apart by their label."""
    slugs = [_slug(one.name) for one in all_meshes]
    slug = _slug(mesh.name)
    if not slug or slugs.count(slug) > 1:
        slug = f"{slug}_{mesh.label}".strip("_")
    return path.with_name(f"{path.stem}_{slug}{path.suffix}")


def _slug(name: str) -> str:
    """A name for a file.

    >>> _slug("Anterior hippocampus, left")
    'anterior_hippocampus_left'
    """
    return re.sub(r"\W+", "_", name.lower()).strip("_")[:60]


def _placed(mesh: Mesh, space: Space) -> Array:
    return mesh.points_ras_mm * np.array([-1, -1, 1], np.float32) if space == "LPS" else mesh.points_ras_mm


def _said(space: Space) -> str:
    return f"Isocenter, millimetres, SPACE={space}, research use only"


def _write_stl(file: IO[bytes], made: Sequence[Mesh], space: Space) -> None:
    file.write(_said(space).encode().ljust(80))
    file.write(np.uint32(sum(len(mesh.triangles) for mesh in made)).astype("<u4").tobytes())
    for mesh in made:
        rows = np.zeros(len(mesh.triangles), _STL_TRIANGLE)
        corners = rows["corners"] = _placed(mesh, space)[mesh.triangles]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        rows["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        file.write(rows.tobytes())


def _write_obj(file: IO[bytes], made: Sequence[Mesh], space: Space) -> None:
    file.write(f"# {_said(space)}\n".encode())
    first = 1  # OBJ counts from 1, through all objects
    for mesh in made:
        file.write(f"o {' '.join(mesh.name.split())}\n".encode())
        for start in range(0, len(mesh.points_ras_mm), 10_000):
            points = _placed(mesh, space)[start : start + 10_000].tolist()
            file.write("".join(f"v {x:.5f} {y:.5f} {z:.5f}\n" for x, y, z in points).encode())
        for start in range(0, len(mesh.triangles), 10_000):
            corners = (mesh.triangles[start : start + 10_000] + first).tolist()
            file.write("".join(f"f {a} {b} {c}\n" for a, b, c in corners).encode())
        first += len(mesh.points_ras_mm)


def _write_ply(file: IO[bytes], made: Sequence[Mesh], space: Space) -> None:
    names = [f"comment label {mesh.label} is {' '.join(mesh.name.split())}" for mesh in made]
    head = [
        "ply", "format binary_little_endian 1.0", f"comment {_said(space)}", *names,
        f"element vertex {sum(len(mesh.points_ras_mm) for mesh in made)}",
        "property float x", "property float y", "property float z", "property int label",
        f"element face {sum(len(mesh.triangles) for mesh in made)}",
        "property list uchar int vertex_indices", "end_header", "",
    ]  # fmt: skip
    file.write("\n".join(head).encode())
    for mesh in made:
        points = np.zeros(len(mesh.points_ras_mm), _PLY_POINT)
        points["place"], points["label"] = _placed(mesh, space), mesh.label
        file.write(points.tobytes())
    first = 0
    for mesh in made:
        faces = np.zeros(len(mesh.triangles), _PLY_FACE)
        faces["count"], faces["corners"] = 3, mesh.triangles + first
        file.write(faces.tobytes())
        first += len(mesh.points_ras_mm)


_WRITERS: dict[str, Callable[[IO[bytes], Sequence[Mesh], Space], None]] = {
    ".stl": _write_stl,
    ".obj": _write_obj,
    ".ply": _write_ply,
}
