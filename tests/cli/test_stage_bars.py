"""Long stages of maps and exports are shown on a terminal, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import untrained_run

from nerfloss.assembly.export.mesh_export import export_mesh
from nerfloss.assembly.export.mesh_settings import Axes, MeshSettings
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.point_export import export_points
from nerfloss.assembly.export.view_export import export_views
from nerfloss.assembly.loss_maps.run_maps import MapRequest
from nerfloss.assembly.loss_maps.surface_export import export_surface
from nerfloss.assembly.loss_maps.write_maps import write_maps
from nerfloss.evaluation.model_mesh import mesh_of_model

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_run(tmp_path_factory.mktemp("stages") / "run")


class Stages(dict[str, list[tuple[int, int]]]):
    """What was told of each stage."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.setdefault(stage, []).append((done, total))

    def check(self, *names: str) -> None:
        """These stages, and only these, began in this order, went forward and ended."""
        assert list(self) == list(names)
        for stage, told in self.items():
            done = [each[0] for each in told]
            assert done == sorted(done), stage
            assert told[-1][0] == told[-1][1], stage


@pytest.fixture
def stages() -> Stages:
    return Stages()


@pytest.fixture
def opened(folder: Path, stages: Stages) -> OpenedRun:
    return OpenedRun(folder, "cpu", progress=stages)


def test_a_level_set_with_a_texture_tells_its_stages(opened, stages, tmp_path):
    pytest.importorskip("xatlas", reason="needs the extra 'export'")
    pytest.importorskip("fast_simplification", reason="needs the extra 'export'")
    settings = MeshSettings(resolution=16, cull=("views",), faces=100, texture=64, fill_holes=1.0)
    export_mesh(opened, tmp_path / "mesh.glb", settings)
    unwrapping = next(name for name in stages if name.startswith("unwrapping"))
    reducing = next(name for name in stages if name.startswith("reducing"))
    stages.check(
        "scene and checkpoint",
        "blocks at the surface",
        "faces and connected parts",
        "cleaning",
        "culling by views",
        "closing holes",
        reducing,
        unwrapping,
        "faces with a texture",
    )


def test_a_fusion_tells_its_views(opened, stages, tmp_path):
    export_mesh(opened, tmp_path / "mesh.ply", MeshSettings(resolution=16, method="tsdf"))
    stages.check(
        "scene and checkpoint",
        "views fused",
        "connected parts",
        "cleaning",
        "colours of vertices",
    )
    assert stages["views fused"] == [(done, 6) for done in range(7)]


def test_a_field_without_a_bound_tells_the_planes_of_its_grid(stages, tmp_path):
    density = untrained_run(tmp_path / "run", "loss=nerf", "model=nerf", model="nerf")
    opened = OpenedRun(density, "cpu", ["dataset.views=3"], progress=stages)
    mesh_of_model(opened.model, opened.run.evaluator.mesh, stages)
    assert stages["planes of the grid"][-1] == (17, 17)


def test_points_views_and_maps_tell_theirs(opened, stages, tmp_path):
    export_points(opened, tmp_path / "points.ply", 60, Axes())
    export_views(opened, tmp_path / "views", "test")
    write_maps(opened, MapRequest(views=["0"], conflicts=[("rgb", "eikonal")]), tmp_path / "maps")
    export_surface(opened, tmp_path / "mesh.ply", ["visibility", "eikonal"], resolution=16)
    blocks = next(name for name in stages if name.startswith("blocks of"))
    assert blocks.endswith(": rgb and eikonal")
    told = {name: values for name, values in stages.items() if name != "views"}
    Stages(told).check(
        "scene and checkpoint",
        "views of points",
        blocks,
        "blocks at the surface",
        "faces and connected parts",
        "quantities and terms",
        "views of the vertices",
    )


@pytest.mark.parametrize("words", [["export", "--mesh"], ["maps", "--resolution", "16", "--mesh"]])
def test_bars_are_for_a_terminal(command: Command, folder: Path, monkeypatch, words):
    name, *options = words
    line = [name, str(folder), "--device", "cpu", *options, "mesh.ply"]
    status, out, err = command(*line)
    assert (status, err) == (0, "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    status, in_terminal, err = command(*line)
    assert (status, in_terminal) == (0, out), "notes go to stdout, terminal or not"
    assert "scene and checkpoint" in err
    assert "faces and connected parts" in err
