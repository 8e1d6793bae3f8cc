"""A benchmark's comparison of surfaces, from its files: read, culled, scored, stored with rules."""

import json

import numpy as np
import pytest
import torch
import trimesh
from scipy.io import savemat
from small_scenes import small_scene

from nerfloss.assembly.mask_culling import cull_by_masks
from nerfloss.assembly.reference_geometry import (
    dtu_files_beside,
    read_dtu,
    read_tanks,
    tanks_files_beside,
)
from nerfloss.assembly.reference_scores import check_protocol, reference_scores_of
from nerfloss.cli.main import main
from nerfloss.data.errors import DataError
from nerfloss.evaluation.errors import EmptyMesh
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.protocols.protocol import PROTOCOLS


def sphere(radius=30.0):
    return trimesh.creation.icosphere(subdivisions=4, radius=radius)


def write_dtu(root, number=65):
    """A scan of a sphere of 30 mm, observed everywhere, with the table below it."""
    points = root / "Points" / "stl" / f"stl{number:03d}_total.ply"
    points.parent.mkdir(parents=True)
    (root / "ObsMask").mkdir()
    samples = trimesh.sample.sample_surface(sphere(), 20_000, seed=0)[0]
    trimesh.PointCloud(samples).export(points)
    observed = {
        "ObsMask": np.ones((17, 17, 17), dtype=np.uint8),
        "BB": np.array([[-40.0] * 3, [40.0] * 3], dtype=np.float32),
        "Res": np.array([[5.0]]),
    }
    savemat(root / "ObsMask" / f"ObsMask{number}_10.mat", observed)
    plane = np.array([[0.0], [0], [1], [100]])
    savemat(root / "ObsMask" / f"Plane{number}.mat", {"P": plane})
    return points


def write_tanks(root, name="Barn"):
    points = root / f"{name}.ply"
    trimesh.PointCloud(trimesh.sample.sample_surface(sphere(0.1), 20_000, seed=0)[0]).export(points)
    polygon = [[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]
    volume = {"orthogonal_axis": "Y", "axis_min": -1, "axis_max": 1, "bounding_polygon": polygon}
    points.with_suffix(".json").write_text(json.dumps(volume))
    return points


def test_the_files_of_a_scan_are_found_from_its_points_and_read(tmp_path):
    reference = read_dtu(dtu_files_beside(write_dtu(tmp_path)))
    assert reference.observed.all()
    assert reference.resolution == 5
    assert reference.plane.tolist() == [0, 0, 1, 100]
    assert len(reference.above_plane()) == 20_000


def test_missing_and_damaged_files_are_named(tmp_path):
    points = write_dtu(tmp_path)
    plane = tmp_path / "ObsMask" / "Plane65.mat"
    plane.write_bytes(b"no matrix")
    with pytest.raises(DataError, match=r"Plane65\.mat: cannot be read"):
        read_dtu(dtu_files_beside(points))
    savemat(plane, {"Q": np.eye(4)})
    with pytest.raises(DataError, match="no 'P' in it, which holds Q"):
        read_dtu(dtu_files_beside(points))
    savemat(plane, {"P": np.eye(3)})
    with pytest.raises(DataError, match="P has 9 numbers, not 4"):
        read_dtu(dtu_files_beside(points))
    plane.unlink()
    with pytest.raises(DataError, match=r"no Plane65\.mat for it"):
        dtu_files_beside(points)
    with pytest.raises(DataError, match="no number in its name"):
        dtu_files_beside(points.with_name("scan.ply"))
    barn = write_tanks(tmp_path)
    with pytest.raises(DataError, match="no threshold is known for a scene 'Shed'"):
        read_tanks(tanks_files_beside(barn), "Shed")
    barn.with_suffix(".json").unlink()
    with pytest.raises(DataError, match=r"no Barn\.json beside it"):
        tanks_files_beside(barn)


def test_a_mesh_of_anyone_is_judged_by_the_protocol_of_dtu(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    points = write_dtu(tmp_path)
    sphere(31.0).export("mesh.ply")
    words = ["judge", "--mesh", "mesh.ply", "--truth", str(points), "--protocol", "dtu"]
    assert main([*words, "-o", "out"]) == 0
    out = capsys.readouterr().out
    assert "protocol dtu 1: Jensen" in out
    assert "thinning: 0.2 mm" in out
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    # Spheres 1 mm apart; the scan's points are about 0.75 mm from each other.
    assert 1.0 <= content["dtu_completeness"] < 1.02
    assert 1.0 <= content["dtu_accuracy"] < 1.15
    assert content["dtu"] == pytest.approx(
        (content["dtu_accuracy"] + content["dtu_completeness"]) / 2
    )
    stated = content["conventions"]["dtu"]
    assert (stated["protocol"], stated["units"], stated["culled"]) == ("dtu 1", "mm", "not culled")
    assert "thinning: 0.2 mm" in stated["protocol_rules"]
    assert stated["seed"] == 0
    assert main([*words[:-1], "blender"]) == 2
    assert "the protocol 'blender' is of images" in capsys.readouterr().err


def test_a_mesh_of_anyone_is_judged_by_the_protocol_of_tanks_and_temples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    points = write_tanks(tmp_path)
    sphere(0.104).export("mesh.ply")
    words = ["judge", "--mesh", "mesh.ply", "--truth", str(points), "-o", "out"]
    assert main([*words, "--protocol", "tanks_and_temples"]) == 0
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["tanks_fscore"] > 0.99
    assert content["conventions"]["tanks_fscore"]["threshold"] == 0.01


def test_masks_cull_what_lies_outside_of_any_of_them():
    scene = small_scene("sphere", views=6, test_views=1, size=48)
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    far = trimesh.creation.icosphere(subdivisions=2, radius=0.03).apply_translation([0, 0, 0.9])
    both = trimesh.util.concatenate([ball, far])
    assert len(cull_by_masks(both, scene.train, dilation=0).faces) == len(ball.faces)
    assert len(cull_by_masks(both, scene.train, dilation=50).faces) == len(ball.faces)
    assert len(cull_by_masks(both, scene.train, dilation=1600).faces) == len(both.faces)
    with pytest.raises(EmptyMesh, match="no face lies in the masks of all views"):
        cull_by_masks(far, scene.train, dilation=0)
    none = scene.train.without_masks("white")
    assert cull_by_masks(both, none) is both


def test_a_run_that_contradicts_its_protocol_is_refused_before_training(tmp_path):
    scene = small_scene("sphere", views=4, test_views=1, size=16)
    with pytest.raises(ValueError, match="is of scenes on disk, and this one is synthetic"):
        check_protocol(scene, Evaluator(protocol="blender"))
    scene.conventions.update(background="black", downscale=2, layout="blender")
    with pytest.raises(
        ValueError, match=r"dataset\.background must be white, it is black"
    ) as error:
        check_protocol(scene, Evaluator(protocol="blender"))
    assert "dataset.downscale must be 1, it is 2" in str(error.value)
    with pytest.raises(DataError, match=r"not there: stl065_total\.ply, ObsMask65_10\.mat"):
        check_protocol(scene, Evaluator(protocol="dtu"))
    check_protocol(scene, Evaluator(protocol="dtu", reference=str(write_dtu(tmp_path))))
    check_protocol(scene, Evaluator())
    with pytest.raises(ValueError, match=r"compares the mesh, and eval\.mesh=null extracts none"):
        check_protocol(scene, Evaluator(protocol="dtu", mesh=None))
    with pytest.raises(ValueError, match=r"eval\.protocol='dtv' does not exist: take dtu,"):
        Evaluator(protocol="dtv")


def test_a_runs_mesh_is_compared_with_the_scan_in_the_datas_coordinates(tmp_path):
    scene = small_scene("sphere", views=6, test_views=1, size=48)
    points = write_dtu(tmp_path)
    scene = type(scene)(**{**vars(scene), "to_world": np.diag([60.0, 60, 60, 1])})
    compare = reference_scores_of(scene, Evaluator(protocol="dtu", reference=str(points)))
    assert compare is not None
    found = compare(sphere(31.0))
    assert found["dtu"].value == pytest.approx(1.04, abs=0.08)
    assert found["dtu"].conventions["culled"] == "by the masks of the training views"
    nothing = compare(sphere(1.0).apply_translation([0, 0, 54.0]))
    assert nothing["dtu"].value is None
    assert "no face lies in the masks" in (nothing["dtu"].reason or "")
    assert torch.is_grad_enabled()


def test_images_of_another_size_than_the_published_ones_are_told(caplog):
    scene = small_scene("sphere", views=4, test_views=1, size=16)
    scene.conventions.update(background="white", downscale=1, layout="blender")
    check_protocol(scene, Evaluator(protocol="blender"))
    assert "images of 800 pixels a side, these have 16 x 16" in caplog.text


def test_scores_of_images_are_by_a_protocol_of_surfaces_only_where_it_fixes_them():
    assert not PROTOCOLS["dtu"].fixes_images
    assert not PROTOCOLS["tanks_and_temples"].fixes_images
    assert all(PROTOCOLS[name].fixes_images for name in ("blender", "mipnerf360", "neuralangelo"))


def test_every_protocol_has_a_version_a_source_and_rules():
    for name, protocol in PROTOCOLS.items():
        assert protocol.title == f"{name} {protocol.version}"
        assert protocol.source
        assert protocol.fixes
