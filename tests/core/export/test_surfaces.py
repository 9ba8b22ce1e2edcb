from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from core.control import JobControl
from core.errors import Cancelled, IsocenterError
from core.export.labelled import Labelled
from core.export.mesh import Mesh, meshes
from core.export.surfaces import write_surfaces

TURN = np.linalg.qr(np.array([[0.9, 0.2, -0.1], [-0.3, 0.8, 0.4], [0.1, -0.3, 0.9]]))[0]


def affine(spacing=(0.8, 1.1, 1.6), turn=TURN, mirrored=False) -> np.ndarray:
    placed = np.eye(4)
    placed[:3, :3] = turn * spacing
    if mirrored:
        placed[:3, 0] *= -1
    placed[:3, 3] = (12, -30, 7)
    return placed


def sphere(radius_mm: float, affine_ras: np.ndarray, centre_ijk, shape=(60, 50, 40)) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) - np.array(centre_ijk)
    return np.linalg.norm(index @ affine_ras[:3, :3].T, axis=-1) <= radius_mm


def is_closed(triangles: np.ndarray) -> bool:
    """Every edge has a triangle on each side, running the other way."""
    edges = Counter(map(tuple, np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])))
    return all(edges[b, a] == count for (a, b), count in edges.items())


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_sphere_is_closed_and_keeps_its_volume_and_place(mirrored):
    placed = affine(mirrored=mirrored)
    labels = 3 * sphere(14, placed, (30, 24, 20)).astype(np.uint16)
    (mesh,) = meshes(Labelled(labels, placed, {3: "Ball"}), [3], JobControl())
    assert is_closed(mesh.triangles)
    assert mesh.volume_ml == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.02)  # positive: outside is outside
    centre = placed @ (30, 24, 20, 1)
    away = np.linalg.norm(mesh.points_ras_mm - centre[:3], axis=1)
    assert abs(away - 14).max() < 1.2
    assert (mesh.name, mesh.label) == ("Ball", 3)


@pytest.mark.parametrize("seed", range(5))
def test_ragged_structures_up_to_the_edge_are_closed_too(seed):
    labels = (np.random.default_rng(seed).random((9, 8, 7)) < 0.4).astype(np.uint16)
    (mesh,) = meshes(Labelled(labels, affine()), [1], JobControl())
    assert is_closed(mesh.triangles)


@pytest.fixture
def two(tmp_path) -> Labelled:
    placed = affine()
    labels = sphere(8, placed, (18, 20, 15)).astype(np.uint16)
    labels[sphere(6, placed, (45, 30, 25))] = 5
    return Labelled(labels, placed, {1: "Big, left", 5: "Small, right"}, "m", "1")


def read_stl(path):
    content = path.read_bytes()
    head, count = content[:80].decode(), int.from_bytes(content[80:84], "little")
    rows = np.frombuffer(content[84:], np.dtype([("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")]))
    assert len(rows) == count
    return head, rows["n"], rows["c"]


def volume_ml(corners) -> float:
    return float(np.linalg.det(corners.astype(float)).sum() / 6000)


def test_stl_holds_all_structures_in_the_space_it_names(two, tmp_path):
    assert write_surfaces(tmp_path / "a.stl", two) == [tmp_path / "a.stl"]
    head, normals, corners = read_stl(tmp_path / "a.stl")
    assert "SPACE=RAS" in head
    assert "research use only" in head
    assert not head.startswith("solid")  # some readers take that for text
    whole = sum(mesh.volume_ml for mesh in meshes(two, [1, 5], JobControl()))
    assert volume_ml(corners) == pytest.approx(whole, rel=1e-3)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-3)
    write_surfaces(tmp_path / "b.stl", two, space="LPS")
    head, _, turned = read_stl(tmp_path / "b.stl")
    assert "SPACE=LPS" in head
    np.testing.assert_array_equal(turned, corners * np.float32([-1, -1, 1]))


def test_one_file_for_each_structure_named_with_its_side(two, tmp_path):
    written = write_surfaces(tmp_path / "seg.stl", two, separate=True)
    assert [path.name for path in written] == ["seg_big_left.stl", "seg_small_right.stl"]
    ball = volume_ml(read_stl(written[1])[2])
    assert ball == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.05)
    same = Labelled(two.labels, two.affine_ras, {1: "Ball", 5: "ball"})
    assert [path.name for path in write_surfaces(tmp_path / "s.stl", same, separate=True)] == [
        "s_ball_1.stl", "s_ball_5.stl",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl"])
def test_another_program_reads_the_same_surface(two, tmp_path, suffix):
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkFiltersCore import vtkMassProperties
    from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader
    from vtkmodules.vtkIOPLY import vtkPLYReader

    (path,) = write_surfaces(tmp_path / f"a{suffix}", two)
    reader = {".obj": vtkOBJReader, ".ply": vtkPLYReader, ".stl": vtkSTLReader}[suffix]()
    reader.SetFileName(str(path))
    reader.Update()
    made = meshes(two, [1, 5], JobControl())
    points = vtk_to_numpy(reader.GetOutput().GetPoints().GetData())
    if suffix != ".stl":  # which knows no shared points
        np.testing.assert_allclose(points, np.concatenate([mesh.points_ras_mm for mesh in made]), atol=1e-4)
    measure = vtkMassProperties()
    measure.SetInputData(reader.GetOutput())
    assert measure.GetVolume() / 1000 == pytest.approx(sum(mesh.volume_ml for mesh in made), rel=1e-3)


def test_obj_and_ply_name_their_structures(two, tmp_path):
    write_surfaces(tmp_path / "a.obj", two)
    lines = (tmp_path / "a.obj").read_text().splitlines()
    assert [line for line in lines if line.startswith("o ")] == ["o Big, left", "o Small, right"]
    assert "SPACE=RAS" in lines[0]
    write_surfaces(tmp_path / "a.ply", two)
    head = (tmp_path / "a.ply").read_bytes().split(b"end_header")[0].decode()
    assert "comment label 5 is Small, right" in head
    assert "SPACE=RAS" in head


def test_refusals_and_cancelling_leave_no_file(two, tmp_path):
    with pytest.raises(IsocenterError, match="STL, OBJ or PLY"):
        write_surfaces(tmp_path / "a.vtk", two)
    with pytest.raises(IsocenterError, match="marks nothing"):
        write_surfaces(tmp_path / "a.stl", Labelled(np.zeros((4, 4, 4), np.uint16), np.eye(4)))
    control = JobControl()
    control.cancel()
    with pytest.raises(Cancelled):
        write_surfaces(tmp_path / "a.stl", two, control=control)
    assert not list(tmp_path.iterdir())


def test_volume_of_a_tetrahedron():
    points = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 10]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    assert Mesh("t", 1, points + 100, faces).volume_ml == pytest.approx(1 / 6, rel=1e-4)
