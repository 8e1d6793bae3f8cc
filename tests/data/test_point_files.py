"""Sparse points from PLY files."""

import numpy as np
import pytest
import torch
import trimesh
from small_runs import assembled
from small_scenes import small_scene, write_blender, write_neus

from nerfloss.data.errors import DataError
from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.formats.neus import NeusDataset
from nerfloss.data.formats.point_files import point_quantities, read_points

PLAIN = {"target_points", "target_point_confidence"}


@pytest.fixture
def points():
    random = np.random.default_rng(0)
    found = random.normal(size=(50, 3))
    return 0.5 * found / np.linalg.norm(found, axis=1, keepdims=True)


def write_ply(path, columns, kind="ascii", types=None):
    """Write a point cloud, value by value."""
    types = types or dict.fromkeys(columns, "float")
    count = len(next(iter(columns.values())))
    header = ["ply", f"format {kind} 1.0", "comment made by a test", f"element vertex {count}"]
    header += [f"property {types[name]} {name}" for name in columns]
    header += ["element face 0", "property list uchar int vertex_indices", "end_header"]
    rows = list(zip(*columns.values(), strict=True))
    if kind == "ascii":
        body = "".join(" ".join(repr(float(v)) for v in row) + "\n" for row in rows).encode()
    else:
        order = "<" if "little" in kind else ">"
        sizes = {"float": "f4", "double": "f8", "uchar": "u1"}
        layout = np.dtype([(name, order + sizes[types[name]]) for name in columns])
        body = np.array(rows, dtype=layout).tobytes()
    path.write_bytes("\n".join(header).encode() + b"\n" + body)
    return path


def xyz(points):
    return dict(zip("xyz", points.T, strict=True))


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_every_ply_encoding_gives_the_same_points(tmp_path, points, kind):
    columns = {
        **xyz(points),
        "red": np.full(50, 7.0),
        **dict(zip(("nx", "ny", "nz"), (2 * points).T, strict=True)),
        "confidence": np.linspace(-0.2, 1.2, 50),
    }
    types = dict.fromkeys(columns, "float") | {"red": "uchar", "x": "double"}
    path = write_ply(tmp_path / "points.ply", columns, kind, types)
    found = read_points(path, np.eye(4))
    torch.testing.assert_close(
        found.positions.double(), torch.from_numpy(points), rtol=0, atol=1e-6
    )
    torch.testing.assert_close(found.normals.double(), torch.from_numpy(2 * points))
    expected = torch.linspace(-0.2, 1.2, 50).clamp(0, 1)
    torch.testing.assert_close(found.confidence, expected)
    assert point_quantities(path) == {*PLAIN, "target_point_normals"}
    assert found.visible is None


def test_a_point_cloud_exported_by_trimesh_is_read(tmp_path, points):
    path = tmp_path / "points.ply"
    trimesh.PointCloud(points).export(path)
    torch.testing.assert_close(
        read_points(path, np.eye(4)).positions, torch.from_numpy(points).float()
    )
    assert point_quantities(path) == PLAIN
    assert (read_points(path, np.eye(4)).confidence == 1).all()


def test_points_are_mapped_to_scene_units_and_dropped_outside_the_unit_ball(tmp_path, points):
    to_world = np.diag([120.0, 120.0, 120.0, 1.0])
    to_world[:3, 3] = (5.0, -20.0, 300.0)
    far = np.concatenate([points, 3 * points])
    path = write_ply(tmp_path / "points.ply", xyz(120 * far + to_world[:3, 3]))
    found = read_points(path, to_world)
    torch.testing.assert_close(found.positions, torch.from_numpy(points).float(), atol=1e-5, rtol=0)


def test_normals_rotate_with_the_scene_and_unknown_ones_stay_zero(tmp_path, points):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    to_world = np.eye(4)
    to_world[:3, :3] = 2 * turn
    normals = 2 * points
    normals[0] = 0
    columns = {
        **xyz(points @ to_world[:3, :3].T),
        **dict(zip(("nx", "ny", "nz"), (normals @ turn.T).T, strict=True)),
    }
    found = read_points(write_ply(tmp_path / "points.ply", columns), to_world)
    torch.testing.assert_close(found.normals, torch.from_numpy(normals).float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a PLY file with vertices"),
        (b"v 1 2 3\n", "not a PLY file with vertices"),
        (b"ply\nformat ascii 1.0\nelement face 0\nend_header\n", "not a PLY file with vertices"),
        (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n",
            "not a PLY file with vertices.*'y'.*have x, y and z",
        ),
        (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty list int int x\nend_header\n1 1\n",
            "not a PLY file with vertices",
        ),
        (
            b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\n0 0 0\n",
            "1 vertices of 2",
        ),
        (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\n0 zero 0\n",
            "not a PLY file with vertices",
        ),
        (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\n9 9 9\n",
            "none of its 1 points lies in the unit ball",
        ),
    ],
)
def test_a_broken_file_is_named_with_the_problem(tmp_path, content, message):
    path = tmp_path / "points.ply"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_points(path, np.eye(4))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.ply: no such file; set dataset.points to a PLY"):
        point_quantities(tmp_path / "nowhere.ply")


@pytest.mark.parametrize(
    ("dataset", "write", "kind"),
    [("blender", write_blender, BlenderDataset), ("neus", write_neus, NeusDataset)],
)
def test_a_run_trains_on_points_from_a_file(tmp_path, dataset, write, kind):
    scene = small_scene("sphere", views=6, test_views=2, size=24)
    write(tmp_path / "scene", scene)
    to_world = kind(str(tmp_path / "scene")).load().to_world
    own = scene.train.points.positions.double().numpy() @ to_world[:3, :3].T + to_world[:3, 3]
    path = write_ply(tmp_path / "points.ply", xyz(own))
    term = "+loss/term@loss.terms.points=surface_points_sdf"
    where = [f"dataset={dataset}", f"dataset.path={tmp_path / 'scene'}", f"dataset.points={path}"]
    run = assembled(tmp_path / "run", *where, term, "loss.terms.points.weight=1", dataset=dataset)
    assert run.train()
    assert run.scene.sdf is None
    assert scene.sdf(run.scene.train.points.positions).abs().max() < 0.03
    assert run.scene.train.offers == kind(str(tmp_path / "scene"), points=str(path)).offers
