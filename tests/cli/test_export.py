"""``nerfloss export``: what a run has learned, opened by a second program."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
import trimesh
from omegaconf import OmegaConf
from scipy.spatial import KDTree
from small_runs import composed, untrained_run
from small_scenes import small_scene, write_blender

from nerfloss.assembly.export.camera_export import export_cameras
from nerfloss.assembly.export.mesh_culling import cull_mesh
from nerfloss.assembly.export.mesh_export import export_mesh
from nerfloss.assembly.export.mesh_settings import Axes, MeshSettings
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.point_export import export_points
from nerfloss.assembly.export.upward import file_transform
from nerfloss.assembly.export.view_export import export_views
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.formats.point_files import read_vertices
from nerfloss.evaluation.mesh_files import write_mesh

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_run(tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="module")
def opened(folder: Path) -> OpenedRun:
    """The run in a world that is moved, turned and three times as large."""
    opened = OpenedRun(folder, "cpu")
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    to_world = np.eye(4)
    to_world[:3, :3], to_world[:3, 3] = 3 * turn, [10.0, 20, 30]
    opened.run.scene = replace(opened.run.scene, to_world=to_world)
    return opened


def mesh_of(path: Path) -> trimesh.Trimesh:
    read = trimesh.load_mesh(path)
    return read.to_mesh() if isinstance(read, trimesh.Scene) else read


@pytest.mark.parametrize("ending", ["ply", "obj", "glb", "stl"])
def test_a_mesh_is_written_in_the_coordinates_of_the_files(opened, tmp_path, ending):
    path = tmp_path / "new" / f"mesh.{ending}"
    notes = export_mesh(opened, path, MeshSettings(watertight=True))
    mesh = mesh_of(path)
    assert np.abs(mesh.vertices.mean(0) - [10, 20, 30]).max() < 0.2
    assert mesh.is_watertight
    assert mesh.volume > 0, "normals point outward"
    assert "resolution 32, since the run has no mesh.ply" in notes[0]
    assert (mesh.visual.kind == "vertex") == (ending != "stl")


def test_axes_units_and_faces_are_those_asked_for(opened, tmp_path):
    pytest.importorskip("fast_simplification", reason="needs the extra 'export'")
    plain, turned = tmp_path / "plain.ply", tmp_path / "turned.ply"
    export_mesh(opened, plain, MeshSettings(resolution=16))
    axes = Axes(up="-y", unit_scale=100.0)
    notes = export_mesh(opened, turned, MeshSettings(resolution=16, faces=100, axes=axes))
    assert any("up in the files is z" in note and "becomes -y" in note for note in notes)
    before, after = mesh_of(plain), mesh_of(turned)
    assert len(before.faces) > 100 >= len(after.faces)
    assert after.volume == pytest.approx(1e6 * before.volume, rel=0.05)
    assert after.vertices[:, 1].mean() == pytest.approx(-100 * before.vertices[:, 2].mean(), 0.01)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("model", "a texture of 64 x 64, of the model's colours"),
        ("photographs", "a texture of 64 x 64, of the photographs, and of the model's colours"),
    ],
)
def test_a_texture_holds_the_colours_of_its_source(opened, tmp_path, source, said):
    pytest.importorskip("xatlas", reason="needs the extra 'export'")
    path = tmp_path / "mesh.glb"
    settings = MeshSettings(resolution=16, texture=64, texture_from=source)
    green, scene = OpenedRun(opened.folder, "cpu"), opened.run.scene
    rgb = torch.zeros_like(scene.train.rgb) + torch.tensor([0, 255, 0], dtype=torch.uint8)
    green.run.scene = replace(scene, train=replace(scene.train, rgb=rgb))
    notes = export_mesh(green, path, settings)
    mesh = mesh_of(path)
    image = mesh.visual.material.baseColorTexture
    assert image.size == (64, 64)
    assert np.abs(mesh.vertices.mean(0) - [10, 20, 30]).max() < 0.5
    assert any(said in note for note in notes)
    greens = (np.asarray(image.convert("RGB")) == [0, 255, 0]).all(-1).mean()
    assert (greens > 0.3) == (source == "photographs")


def test_a_mesh_of_many_faces_is_said_to_be_unwrapped_slowly(opened, tmp_path, monkeypatch, caplog):
    pytest.importorskip("xatlas", reason="needs the extra 'export'")
    monkeypatch.setattr("nerfloss.assembly.export.texture_export.MANY_FACES", 100)
    export_mesh(opened, tmp_path / "mesh.glb", MeshSettings(resolution=16, texture=64))
    assert "faces takes minutes: give --faces, too" in caplog.text


def test_a_glb_with_a_texture_is_what_the_format_asks_for(opened, tmp_path):
    pytest.importorskip("xatlas", reason="needs the extra 'export'")
    gltf = pytest.importorskip("pygltflib", reason="needs the package pygltflib")
    path = tmp_path / "mesh.glb"
    settings = MeshSettings(resolution=16, texture=64, texture_from="photographs")
    export_mesh(opened, path, settings)
    read = gltf.GLTF2().load(str(path))
    (primitive,) = read.meshes[0].primitives
    assert primitive.attributes.TEXCOORD_0 is not None
    assert primitive.attributes.NORMAL is not None
    material = read.materials[primitive.material].pbrMetallicRoughness
    assert (material.metallicFactor, material.roughnessFactor) == (0, 1)
    texture = read.textures[material.baseColorTexture.index]
    picture = read.bufferViews[read.images[texture.source].bufferView]
    start = picture.byteOffset or 0
    data = read.binary_blob()[start : start + picture.byteLength]
    assert iio.imread(data, extension=".png").shape[:2] == (64, 64)
    uv = read.accessors[primitive.attributes.TEXCOORD_0]
    assert uv.count == read.accessors[primitive.attributes.POSITION].count


def test_culls_cut_what_their_rule_names(opened, tmp_path):
    path = tmp_path / "mesh.ply"
    whole = export_mesh(opened, path, MeshSettings(cull=("none",)))
    area = mesh_of(path).area
    for rule in ("masks", "region"):
        notes = export_mesh(opened, path, MeshSettings(cull=(rule,)))
        assert f"--cull {rule} cut" in notes[1]
        assert mesh_of(path).area <= area
    assert len(whole) == 2


def with_masks(opened: OpenedRun, masks: torch.Tensor | None) -> OpenedRun:
    """The run with other masks of the training views."""
    moved, scene = OpenedRun(opened.folder, "cpu"), opened.run.scene
    moved.run.scene = replace(scene, train=replace(scene.train, mask=masks))
    return moved


def test_masks_cut_a_part_that_a_view_sees_outside_of_them(opened):
    mesh = trimesh.creation.icosphere(3, 2.1).apply_translation([10, 20, 30])
    masks = torch.full_like(opened.scene.train.mask, 255)
    assert cull_mesh(mesh, with_masks(opened, masks), "masks")[0].area == pytest.approx(mesh.area)
    masks[0, :, :12] = 0
    half, note = cull_mesh(mesh, with_masks(opened, masks), "masks")
    assert 0.3 < half.area / mesh.area < 0.8, "the margin of 3 pixels is kept"
    assert "--cull masks cut" in note
    with pytest.raises(ValueError, match="--cull masks leaves nothing"):
        cull_mesh(mesh, with_masks(opened, 0 * masks), "masks")
    with pytest.raises(ValueError, match="has no masks; use --cull views or region"):
        cull_mesh(mesh, with_masks(opened, None), "masks")


def test_what_lies_beyond_the_region_and_what_no_view_sees_is_cut(opened):
    mesh = trimesh.creation.icosphere(3, 1.0).apply_translation([10, 20, 33])
    half, _ = cull_mesh(mesh, opened, "region")
    assert 30 < half.vertices[:, 2].max() < 33.01
    box = trimesh.creation.icosphere(2, 0.1).apply_translation([10, 20, 30])
    with pytest.raises(ValueError, match="--cull views leaves nothing"):
        cull_mesh(box, opened, "views")


def test_the_mesh_that_the_run_wrote_is_taken_and_its_holes_closed(folder, tmp_path):
    mesh = trimesh.creation.icosphere(2)
    mesh = trimesh.Trimesh(mesh.vertices, mesh.faces[:-1], process=False)
    mesh.visual.vertex_colors = np.full((len(mesh.vertices), 4), [10, 20, 30, 255], dtype=np.uint8)
    write_mesh(mesh, folder / "mesh.ply")
    try:
        opened, path = OpenedRun(folder, "cpu"), tmp_path / "mesh.ply"
        with pytest.raises(ValueError, match="it has a hole of size"):
            export_mesh(opened, path, MeshSettings(watertight=True))
        assert not path.exists()
        notes = export_mesh(opened, path, MeshSettings(watertight=True, fill_holes=1.0))
        assert "the mesh that the run wrote" in notes[0]
        assert "1 hole of at most 1 was closed" in notes[1]
        assert mesh_of(path).is_watertight
        assert (mesh_of(path).visual.vertex_colors == [10, 20, 30, 255]).all()
        assert "run" not in vars(opened), "neither data nor model are needed"
    finally:
        (folder / "mesh.ply").unlink()


def test_points_lie_on_the_surface_and_keep_its_normals_and_colours(opened, tmp_path):
    path = tmp_path / "points.ply"
    notes = export_points(opened, path, 600, Axes(unit_scale=2.0))
    columns = read_vertices(path)
    points = np.stack([columns[axis] for axis in "xyz"], 1)
    mesh = tmp_path / "mesh.ply"
    export_mesh(opened, mesh, MeshSettings(axes=Axes(unit_scale=2.0)))
    surface = mesh_of(mesh)
    distance, nearest = KDTree(surface.vertices).query(points)
    assert 100 < len(points) <= 600
    # The untrained field is soft: the median lies a little before its zero level.
    assert np.median(distance) < 0.6, "a tenth of a scene unit"
    normals = np.stack([columns[f"n{axis}"] for axis in "xyz"], 1)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
    assert np.median((normals * surface.vertex_normals[nearest]).sum(1)) > 0.9
    assert columns["confidence"].min() >= 0.5
    assert "points with colours, normals, confidence" in notes[-1]
    read = trimesh.load(path)
    assert read.vertices.shape == points.shape
    assert read.colors.shape == (len(points), 4)


def test_cameras_see_the_exported_points_where_the_runs_cameras_see_them(opened, tmp_path):
    path = tmp_path / "cameras.json"
    axes = Axes(up="x", unit_scale=10.0)
    export_cameras(opened, path, axes)
    frames = json.loads(path.read_text())["frames"]
    assert [frame["file_path"] for frame in frames[:6]] == list(opened.scene.train.names)
    assert len(frames) == 6 + 2
    transform, _ = file_transform(opened, axes)
    point = torch.tensor([[0.1, -0.2, 0.3]])
    moved = transform @ opened.to_files @ np.append(point[0].double().numpy(), 1)
    for index, frame in enumerate(frames[:6]):
        x, y, z, _ = np.linalg.inv(np.array(frame["transform_matrix"])) @ moved
        pixel = [frame["cx"] - frame["fl_x"] * x / z, frame["cy"] + frame["fl_y"] * y / z]
        expected, _ = opened.scene.train.cameras.project(point, index)
        np.testing.assert_allclose(pixel, expected[0].numpy(), atol=1e-3)


def test_cameras_of_files_are_read_back_by_a_reader_of_nerfstudio(tmp_path):
    write_blender(tmp_path / "lego", small_scene("sphere", views=4, test_views=1, size=24))
    data = ["dataset=blender", f"dataset.path={tmp_path / 'lego'}"]
    cfg = composed(*data, dataset="blender")
    folder = tmp_path / "run"
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    notes = export_cameras(OpenedRun(folder, "cpu"), tmp_path / "transforms.json", Axes())
    assert "the run refined none" in notes[0]
    read = FolderDataset(path=str(tmp_path), layout="nerfstudio", outside=True).parsed
    given = FolderDataset(path=str(tmp_path / "lego")).parsed
    assert len(read.frames) == len(given.frames) == 5
    originals = {frame.image.resolve(): frame for frame in given.frames}
    for mine in read.frames:
        theirs = originals[mine.image.resolve()]
        np.testing.assert_allclose(mine.pose, theirs.pose, atol=1e-9)
        assert mine.camera.fx == pytest.approx(theirs.camera.fx)


def test_views_are_rendered_as_png(opened, tmp_path):
    notes = export_views(opened, tmp_path / "views", "test")
    images = sorted((tmp_path / "views").iterdir())
    assert notes == ["2 test views"]
    assert len(images) == 2
    assert iio.imread(images[0]).shape == (24, 24, 3)


def ball_of(field, radius):
    """The field, its density replaced by that of a solid ball."""
    forward = field.forward

    def ball(points, needs, *more, **named):
        found = dict(forward(points, needs, *more, **named))
        if "densities" in needs:
            found["densities"] = 500.0 * (points.norm(dim=-1) < radius).to(points.dtype)
        return found

    return ball


def test_a_density_is_fused_from_rendered_depth(tmp_path, monkeypatch):
    opened = OpenedRun(
        untrained_run(tmp_path / "nerf", "model=nerf", "loss=nerf", model="nerf"), "cpu"
    )
    assert not opened.is_distance
    field = opened.run.model.field
    monkeypatch.setattr(field, "forward", ball_of(field, 0.5))
    notes = export_mesh(opened, tmp_path / "mesh.ply", MeshSettings(resolution=32))
    assert "the rendered depth of the training views, fused at resolution 32" in notes[0]
    mesh = mesh_of(tmp_path / "mesh.ply")
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert abs(np.median(radius) - 0.5) < 0.05
    assert mesh.visual.kind == "vertex"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to export: give --mesh FILE, --points FILE, --cameras"),
        (["--mesh", "a.fbx"], "--mesh a.fbx: the ending says the format, one of .ply, .obj"),
        (["--cameras", "a.txt"], "--cameras a.txt: cameras are written as .json"),
        (["--points", "a.obj"], "--points a.obj: points are written as .ply"),
        (["--points", "a.ply", "--point-count", "0"], "--point-count must be at least 1"),
        (["--mesh", "a.ply", "--texture", "64"], "--texture: a.ply holds none; write .glb or .obj"),
        (["--mesh", "a.glb", "--texture-from", "photographs"], "--texture-from needs --texture N"),
        (["--mesh", "a.glb", "--texture", "2"], "--texture must be 16 to 16384 texels, got 2"),
        (["--mesh", "a.ply", "--faces", "2"], "--faces must be at least 4, got 2"),
        (["--mesh", "a.ply", "--resolution", "0"], "--resolution must be at least 1"),
        (["--mesh", "a.ply", "--fill-holes", "nan"], "--fill-holes must be at least 0"),
        (["--mesh", "a.ply", "--up", "w"], "--up w is none of x, y, z, -x, -y, -z"),
        (["--mesh", "a.ply", "--unit-scale", "0"], "--unit-scale must be a positive number"),
        (["--mesh", "a.ply", "--cull", "none", "--cull", "views"], "--cull none cuts nothing"),
        (["--mesh", "a.ply"], "nowhere is no run: it has no .hydra/config.yaml"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(command: Command, words, message) -> None:
    status, _, err = command("export", "nowhere", *words)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("option", "package"), [("--faces", "fast_simplification"), ("--texture", "xatlas")]
)
def test_a_missing_package_is_named_before_anything_is_read(
    command: Command, folder: Path, monkeypatch, option, package
) -> None:
    find = importlib.util.find_spec
    hidden = lambda name, *more: None if name == package else find(name, *more)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    monkeypatch.setattr(OpenedRun, "config", property(lambda _: pytest.fail("was read")))
    status, _, err = command("export", str(folder), "--mesh", "a.glb", option, "100")
    assert status == 2
    named = package.replace("_", "-")
    assert f"the package {named}: pip install 'nerfloss[export]'" in err
    assert "Traceback" not in err


def test_the_command_says_what_it_wrote(command: Command, folder: Path) -> None:
    status, out, err = command("export", str(folder), "--mesh", "mesh.glb", "--device", "cpu")
    assert (status, "Traceback" in err) == (0, False)
    assert "wrote mesh.glb" in out
    assert "note: a mesh extracted at resolution 32" in out
    assert mesh_of(Path("mesh.glb")).is_watertight
