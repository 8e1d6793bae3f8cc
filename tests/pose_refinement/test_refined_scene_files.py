"""``nerfloss convert`` writes refined cameras in the coordinates of the files."""

import numpy as np
import pytest
import torch
from small_scenes import small_scene, write_blender

from nerfloss.cli.main import main
from nerfloss.data.formats.detection import parse_any
from nerfloss.data.formats.parsed_scene import ParseSettings
from nerfloss.pose_refinement.camera_deltas import (
    about_pivots,
    moved_poses,
    pivots,
    position_basis,
    without_gauge,
)
from nerfloss.pose_refinement.radial_corrections import radially_corrected_camera
from nerfloss.pose_refinement.refined_lenses import refocused_camera

RADIUS = 1.5  # of the scene, in units of the files
QUICK = [
    "device=cpu",
    "model=nerf",
    "loss=nerf",
    "dataset=blender",
    "trainer.max_steps=2",
    "trainer.optimizer.warmup_steps=0",
    "trainer.batch_size.samples=256",
    "trainer.batch_size.rays=64",
    "trainer.batch_size.max_rays=64",
    "model.field.grid.log2_hashmap_size=10",
    "eval.mesh=null",
    "eval.images=false",
    "cameras.delay=0",
    "cameras.warmup_steps=0",
    "cameras.view_fit.steps=1",
]


def train(folder, scene, *overrides):
    words = ["train", *QUICK, *overrides, f"dataset.path={scene}", f"hydra.run.dir={folder}"]
    assert main(words) in (0, None)


def test_refined_cameras_are_written_where_the_files_are(tmp_path):
    scene = write_blender(tmp_path / "scene", small_scene())
    run = tmp_path / "run"
    learned = ("cameras.focal=per_view", "cameras.distortion=per_view")
    train(run, scene, "cameras=refine", *learned, "cameras.learning_rate=0.1")
    assert main(["convert", str(run), "--to", "nerfstudio", "-o", str(tmp_path / "new")]) == 0
    given = {each.name: each for each in parse_any(scene, ParseSettings()).frames}
    found = parse_any(tmp_path / "new", ParseSettings())
    state = torch.load(run / "checkpoints" / "last.pt", weights_only=True)["state"]["model"]
    cameras = state["cameras"]
    linear = position_basis(cameras["centers"]) @ cameras["linear_twists"]
    twists = about_pivots(cameras["raw_twists"] + linear, pivots(cameras["centers"]))
    twists = without_gauge(twists, cameras["centers"]).double()
    moved = 0
    for frame in found.frames:
        before, scaled = given[frame.name], given[frame.name].pose.copy()
        scaled[:, 3] /= RADIUS
        nearest = (cameras["centers"] - torch.from_numpy(scaled[:, 3])).norm(dim=-1)
        index = int(nearest.argmin())
        if nearest[index] > 1e-4:  # a test view
            assert np.allclose(frame.pose, before.pose)
            continue
        expected = moved_poses(torch.from_numpy(scaled)[None], twists[index][None])[0].numpy()
        expected[:, 3] *= RADIUS
        assert np.allclose(frame.pose, expected, atol=1e-5)
        factor = float(cameras["lenses.log_focal"][index].exp())
        assert frame.camera.fx == pytest.approx(factor * before.camera.fx, rel=1e-5)
        radial = cameras["lenses.radial"][index]
        assert radial.abs().max() > 0
        refocused = refocused_camera(before.camera, factor)
        exact = radially_corrected_camera(refocused, radial.double())
        assert frame.camera.model == exact.model == "OPENCV"
        assert frame.camera.params == pytest.approx(exact.params, rel=1e-4, abs=1e-6)
        moved += not np.allclose(frame.pose, before.pose, atol=1e-3)
    assert moved == len(twists) > 1


def test_a_run_without_refinement_is_refused(tmp_path, capsys):
    scene = write_blender(tmp_path / "scene", small_scene())
    words = [word for word in QUICK if not word.startswith("cameras.")]
    settings = [f"dataset.path={scene}", f"hydra.run.dir={tmp_path / 'run'}"]
    assert main(["train", *words, *settings]) in (0, None)
    line = ["convert", str(tmp_path / "run"), "--to", "colmap", "-o", str(tmp_path / "new")]
    assert main(line) != 0
    assert "cameras=fixed" in capsys.readouterr().err


@pytest.mark.slow
def test_half_a_degree_of_noise_is_reduced_threefold(tmp_path):
    from small_runs import composed

    from nerfloss.assembly.build import assemble
    from nerfloss.assembly.refined_evaluation import camera_errors

    settings = ["dataset.pose_noise.degrees=0.5", "cameras=refine", "initialization=auto"]
    settings += ["dataset.size=128", "dataset.views=60", "trainer.max_steps=2400"]
    settings += ["trainer.batch_size.samples=4096", "trainer.batch_size.rays=512"]
    settings += ["trainer.batch_size.max_rays=8192", "trainer.preview_every=100000"]
    settings += ["model.field.network.grid.log2_hashmap_size=16", "dataset.points=0"]
    run = assemble(composed("model=neus", "loss=neus_eikonal", *settings), tmp_path)
    assert run.train()
    errors = camera_errors(run.scene, run.model)
    given, left = (errors[f"camera_rotation_error{name}"].value for name in ("_given", ""))
    assert left < given / 3
