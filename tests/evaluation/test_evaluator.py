"""An evaluation of an exact model: scores, conventions, reasons, and what is rendered."""

import functools
import io
import json
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest
import torch
import trimesh
from exact_ball import RADIUS, Ball, ToyBatch, model_of, view_of
from rich.console import Console

from nerfloss.evaluation import mesh_extraction
from nerfloss.evaluation.evaluator import Evaluator
from nerfloss.evaluation.image_grid import image_grid
from nerfloss.evaluation.image_rendering import View
from nerfloss.evaluation.mesh_extraction import MeshExtraction
from nerfloss.evaluation.metrics import geometry
from nerfloss.evaluation.metrics.image import mask_iou, ms_ssim, psnr, psnr_masked, ssim
from nerfloss.evaluation.metrics.lpips import Lpips
from nerfloss.evaluation.metrics.normal import normal_angle
from nerfloss.evaluation.score_table import score_table
from nerfloss.losses.pretrained import weight_files

IMAGE = {"psnr": psnr, "ssim": ssim, "mask_iou": mask_iou, "normal_angle": normal_angle}
SURFACE = {
    "chamfer_l1": geometry.chamfer_l1,
    "fscore_loose": functools.partial(geometry.fscore, threshold=0.1),
    "volume_iou": geometry.volume_iou,
}


def small(**settings):
    given = {"metrics": IMAGE, "geometry": SURFACE, "points": 2000, "exact_points": 200}
    return Evaluator(**{**given, "mesh": MeshExtraction(resolution=32), **settings})


def darker(view, factor=0.9):
    targets = {**view.batch.targets, "target_rgb": factor * view.batch.targets["target_rgb"]}
    return View("dark", ToyBatch(view.batch.rays, targets), view.height, view.width)


def test_a_perfect_model_scores_perfectly(ball, ground_truth):
    found = small()(model_of(ball), [view_of(ball)], ground_truth).values
    assert found["ssim"] == pytest.approx(1)
    assert found["mask_iou"] == 1
    assert found["normal_angle"] == pytest.approx(0, abs=1e-2)
    assert found["volume_iou"] > 0.98
    assert found["chamfer_l1"] < 0.03
    assert found["fscore_loose"] == 1


def test_a_score_is_the_mean_over_views_and_each_view_has_a_row(ball, ground_truth):
    views = [darker(view_of(ball), f) for f in (0.9, 0.7)]
    result = small(geometry={}, mesh=None)(model_of(ball), views, ground_truth)
    rows = [row["psnr"] for row in result.views]
    assert result.values["psnr"] == pytest.approx(sum(rows) / 2)
    assert rows[0] > rows[1]


def test_an_infinite_value_is_null_with_its_reason_and_not_in_the_mean(ball, ground_truth):
    views = [view_of(ball), darker(view_of(ball))]
    result = small(geometry={}, mesh=None)(model_of(ball), views, ground_truth)
    content = result.as_json()
    assert content["views"][0]["psnr"] is None
    assert content["psnr"] == content["views"][1]["psnr"]
    assert "1 of 2 views: the value is inf" in content["reasons"]["psnr"]
    assert content["conventions"]["psnr"]["views"] == 1


def test_metrics_json_is_valid_and_has_conventions_and_reasons(ball, ground_truth, tmp_path):
    evaluator = small(metrics={**IMAGE, "ms_ssim": ms_ssim})
    evaluator(model_of(ball), [darker(view_of(ball))], ground_truth).write(tmp_path)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    content = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)
    assert isinstance(content["psnr"], float)
    assert content["ms_ssim"] is None
    assert "161 pixels" in content["reasons"]["ms_ssim"]
    about = content["conventions"]
    assert about["psnr"]["split"] == "test"
    assert about["psnr"]["units"] == "dB"
    assert about["psnr"]["better"] == "higher"
    assert about["psnr"]["background"] == "white"
    assert about["ssim"]["window"] == 11
    assert about["chamfer_l1"]["points"] == 2000
    assert about["chamfer_l1"]["seed"] == 0
    assert about["fscore_loose"]["threshold"] == 0.1
    assert about["fscore_loose"]["better"] == "higher"
    assert (tmp_path / "mesh.ply").is_file()
    assert (tmp_path / "mesh.glb").is_file()


def test_two_evaluations_agree_to_the_last_digit(ball, ground_truth):
    first, second = (
        small()(model_of(ball), [darker(view_of(ball))], ground_truth).as_json() for _ in range(2)
    )
    assert first == second


def test_only_what_a_metric_needs_is_rendered(ball, ground_truth):
    view = view_of(ball)
    ball.asked.clear()
    small(metrics={"psnr": psnr})(model_of(ball), [view], ground_truth)
    assert {needs for _, needs in ball.asked} == {frozenset({"rgb"})}


def test_inputs_of_a_metric_that_cannot_be_computed_are_not_rendered(ball, ground_truth):
    view = view_of(ball)
    bare = View(
        "bare",
        ToyBatch(view.batch.rays, {"target_rgb": view.batch.targets["target_rgb"]}),
        view.height,
        view.width,
    )
    ball.asked.clear()
    result = small(geometry={}, mesh=None)(model_of(ball), [bare], ground_truth)
    assert {needs for _, needs in ball.asked} == {frozenset({"rgb"})}
    assert result.scores["mask_iou"].value is None
    assert "needs 'target_mask', which only datasets with masks provide" in str(
        result.scores["mask_iou"].reason
    )


def test_a_model_without_normals_gets_a_reason_for_the_normal_metrics(ball, ground_truth):
    model = replace(model_of(ball), offers=frozenset({"rgb", "opacity", "depth"}))
    result = small(geometry={}, mesh=None)(model, [view_of(ball)], ground_truth)
    assert "needs 'normal', which only SDF fields provide" in str(
        result.scores["normal_angle"].reason
    )


def test_rays_are_rendered_a_chunk_at_a_time(ball, ground_truth):
    view = view_of(ball)
    ball.asked.clear()
    small(chunk=1000, mesh=None, geometry={})(model_of(ball), [view], ground_truth)
    assert max(rays for rays, _ in ball.asked) <= 1000
    assert sum(rays for rays, _ in ball.asked) == 64 * 64


def test_a_users_metric_is_any_function_of_quantities(ball, ground_truth):
    def brightness(rgb):
        return rgb.mean()

    metrics = {"brightness": brightness}
    result = small(metrics=metrics, mesh=None)(model_of(ball), [view_of(ball)], ground_truth)
    expected = ball.render(view_of(ball).batch.rays, ["rgb"])["rgb"].mean().item()
    assert result.values["brightness"] == pytest.approx(expected, abs=1e-6)


def test_a_misspelt_quantity_gets_a_suggestion(ball, ground_truth):
    def mine(rgb, target_msk):
        return (rgb[..., 0] * target_msk).mean()

    result = small(metrics={"mine": mine}, mesh=None)(model_of(ball), [view_of(ball)], ground_truth)
    assert "did you mean 'target_mask'" in str(result.scores["mine"].reason)


def test_an_empty_surface_is_no_crash_but_a_reason(ground_truth, tmp_path):
    nothing = Ball(radius=-1.0)
    result = small(metrics={})(model_of(nothing), [], ground_truth)
    result.write(tmp_path)
    assert result.mesh is None
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["chamfer_l1"] is None
    assert "no surface at level 0 inside the box" in content["reasons"]["chamfer_l1"]
    assert not (tmp_path / "mesh.ply").exists()


def test_without_a_true_mesh_the_reason_says_how_to_give_one(ball, ground_truth):
    result = small(metrics={})(model_of(ball), [], replace(ground_truth, mesh=None))
    assert "dataset.mesh=<file>" in str(result.scores["chamfer_l1"].reason)
    assert result.mesh is not None


def test_a_baseline_is_scored_under_its_name(ball, ground_truth):
    hull = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS + 0.2)
    result = small(metrics={})(
        model_of(ball), [], replace(ground_truth, baselines={"hull": lambda: hull})
    )
    assert result.values["hull_chamfer_l1"] == pytest.approx(0.2, abs=0.02)
    assert result.values["chamfer_l1"] < 0.03
    assert result.scores["hull_chamfer_l1"].conventions["baseline"] == "hull"


def test_no_baseline_is_sampled_where_no_mesh_was_asked_for(ball, ground_truth):
    def unasked():
        raise AssertionError("nothing compares with it")

    given = replace(ground_truth, mesh=unasked, baselines={"hull": unasked})
    result = small(metrics={}, mesh=None)(model_of(ball), [], given)
    for name in ("chamfer_l1", "hull_chamfer_l1"):
        assert result.scores[name].reason == "no mesh was asked for (eval.mesh=null)"


def test_geometry_is_measured_in_scene_units_and_the_mesh_is_in_world_units(ball, ground_truth):
    to_world = np.diag([10.0, 10, 10, 1])
    to_world[:3, 3] = [1, 2, 3]
    world = ground_truth.mesh()
    world.apply_transform(to_world)
    here = small(metrics={})(model_of(ball), [], ground_truth)
    there = small(metrics={})(
        model_of(ball), [], replace(ground_truth, mesh=lambda: world, to_world=to_world)
    )
    assert there.values["chamfer_l1"] == pytest.approx(here.values["chamfer_l1"], rel=1e-6)
    np.testing.assert_allclose(there.mesh.bounds.mean(0), [1, 2, 3], atol=1e-2)
    assert np.ptp(there.mesh.bounds, axis=0) == pytest.approx(20 * RADIUS, rel=0.01)
    assert there.mesh.visual.kind == "vertex"


def test_an_image_grid_per_view_is_written_unless_it_is_turned_off(ball, ground_truth, tmp_path):
    evaluator = small(metrics={}, geometry={}, mesh=None)
    evaluator(model_of(ball), [view_of(ball)], ground_truth, tmp_path)
    image = iio.imread(tmp_path / "images" / "front.png")
    assert image.shape == (128 + 16, 5 * (128 + 4) - 4, 3)
    replace(evaluator, images=False)(
        model_of(ball), [view_of(ball)], ground_truth, tmp_path / "none"
    )
    assert not (tmp_path / "none").exists()


def test_an_image_grid_shows_the_available_quantities(ball):
    view = view_of(ball, size=128)
    rgb = view.as_image(ball.render(view.batch.rays, ["rgb"])["rgb"])
    alone = image_grid({"rgb": rgb})
    assert alone.shape == (128 + 16, 128, 3)
    np.testing.assert_array_equal(alone[16:], (rgb * 255).round().byte().numpy())
    two = image_grid({"rgb": rgb, "target_rgb": rgb})
    assert (two[16:, -128:] == [0, 0, 4]).all(), "no error is the darkest colour of the map"


def test_the_table_has_a_column_per_baseline_and_reasons_below(ball, ground_truth):
    hull = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS + 0.2)
    metrics = {"psnr_masked": psnr_masked, "ms_ssim": ms_ssim}
    result = small(metrics=metrics)(
        model_of(ball),
        [darker(view_of(ball))],
        replace(ground_truth, baselines={"hull": lambda: hull}),
    )
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(score_table(result.as_json()))
    text = console.export_text()
    assert "hull: scores of the visual hull" in text
    assert "no ms_ssim: ms_ssim needs images of at least 161 pixels" in text
    assert "hull_chamfer_l1" not in text
    row = next(line for line in text.splitlines() if "chamfer_l1" in line)
    assert f"{result.values['hull_chamfer_l1']:.4g}" in row


def test_brackets_in_a_reason_are_printed_and_not_taken_for_markup():
    content = {"a": None, "conventions": {"a": {}}, "reasons": {"a": "install nerfloss[stlpips]"}}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(score_table(content))
    assert "no a: install nerfloss[stlpips]" in console.export_text()


def test_a_view_that_lacks_pixels_is_refused(ball):
    with pytest.raises(ValueError, match="64 x 65 pixels but has 4096 rays"):
        View("short", view_of(ball).batch, 64, 65)


def test_the_shipped_configuration_builds_and_evaluates(ball, ground_truth, repository):
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    with initialize_config_dir(str(repository / "conf"), version_base="1.3"):
        cfg = compose(
            "eval/default",
            overrides=["eval.mesh.resolution=32", "eval.points=500", "eval.images=false"],
        )
    evaluator = instantiate(cfg.eval, _convert_="all")
    result = evaluator(model_of(ball), [darker(view_of(ball))], ground_truth)
    assert {"psnr", "ssim", "mask_iou", "depth_rmse", "chamfer_l1", "fscore"} <= set(result.values)
    of_mesh = {"mesh_parts", "mesh_parts_dropped", "mesh_area_dropped"}
    assert {*evaluator.metrics, *evaluator.geometry, *of_mesh} == set(result.scores)
    assert all(s.value is not None or s.reason for s in result.scores.values())
    assert torch.isfinite(torch.tensor(list(result.values.values()))).all()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            MemoryError("Unable to allocate 4.00 GiB"),
            "out of memory even with eval.mesh.chunk=8 (asked for 100)",
        ),
        (RuntimeError("index out of range"), "mesh extraction failed: RuntimeError: index out of"),
    ],
)
def test_a_failed_mesh_extraction_costs_no_image_score(
    ball, ground_truth, tmp_path, caplog, error, reason
):
    def fail(points):  # noqa: ARG001
        raise error

    model = replace(model_of(ball), field=fail)
    evaluator = small(mesh=MeshExtraction(resolution=32, chunk=100))
    evaluator(model, [darker(view_of(ball))], ground_truth).write(tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["psnr"] > 0
    assert content["chamfer_l1"] is None
    assert reason in content["reasons"]["chamfer_l1"]
    assert "Traceback" not in caplog.text


def test_a_failed_geometry_metric_costs_no_other_score(ball, ground_truth):
    def broken(to_target):
        raise MemoryError(f"Unable to allocate {len(to_target)} GiB")

    geometries = {**SURFACE, "broken": broken}
    result = small(geometry=geometries)(model_of(ball), [darker(view_of(ball))], ground_truth)
    assert result.scores["broken"].value is None
    assert "out of memory in broken: lower eval.points" in str(result.scores["broken"].reason)
    assert result.values["chamfer_l1"] < 0.03
    assert result.values["psnr"] > 0


def test_a_baseline_that_fails_has_a_reason_and_the_mesh_has_scores(ball, ground_truth):
    def empty_hull():
        raise ValueError("the visual hull is empty")

    given = replace(ground_truth, baselines={"hull": empty_hull})
    result = small(metrics={})(model_of(ball), [], given)
    assert "the visual hull is empty" in str(result.scores["hull_chamfer_l1"].reason)
    assert result.values["chamfer_l1"] < 0.03


def test_a_mesh_that_memory_cannot_hold_is_refused_before_it_is_made(
    ball, ground_truth, monkeypatch
):
    monkeypatch.setattr(mesh_extraction, "free_memory", lambda _: 4 * 10**9)
    evaluator = small(mesh=MeshExtraction(resolution=1024))
    result = evaluator(model_of(ball), [darker(view_of(ball))], ground_truth)
    reason = str(result.scores["chamfer_l1"].reason)
    assert "eval.mesh.resolution=1024 needs about 8.56 GB of memory and 4 GB are free" in reason
    assert "use eval.mesh.resolution=688" in reason
    assert result.values["psnr"] > 0


def test_what_was_dropped_from_the_mesh_is_in_the_result(ball, ground_truth):
    content = small(metrics={})(model_of(ball), [], ground_truth).as_json()
    assert content["mesh_parts"] == 1
    assert content["mesh_area_dropped"] == 0
    about = content["conventions"]
    assert about["mesh_area_dropped"]["units"] == "fraction of the extracted area"
    assert about["mesh_area_dropped"]["better"] is None
    assert about["chamfer_l1"]["components"] == "supported"


def test_a_users_metric_keeps_its_value_under_the_name_of_a_geometry_metric(ball, ground_truth):
    mine = {"accuracy": lambda rgb: rgb.mean() * 0 + 7}
    surface = {"accuracy": geometry.accuracy}
    found = small(metrics=mine, geometry=surface)(
        model_of(ball), [view_of(ball)], ground_truth
    ).scores
    assert found["accuracy"].value == 7
    assert found["accuracy"].conventions.get("better") is None
    assert found["geometry_accuracy"].conventions["better"] == "lower"


@pytest.mark.parametrize(
    ("changed", "message"), [({"split": "both"}, "no split"), ({"chunk": 0}, "at least 1")]
)
def test_a_wrong_setting_is_refused_before_anything_is_rendered(changed, message):
    with pytest.raises(ValueError, match=message):
        small(**changed)


@pytest.mark.parametrize("changed", [{"resolution": 0}, {"chunk": 0}])
def test_a_mesh_without_cells_is_refused(changed):
    with pytest.raises(ValueError, match="must be at least 1"):
        MeshExtraction(**changed)


def test_missing_weights_are_one_short_line(ball, ground_truth, monkeypatch, tmp_path):
    monkeypatch.setattr(weight_files, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(weight_files, "package_folder", lambda _: None)
    metrics = {"psnr": psnr, "lpips_alex": Lpips(), "lpips_vgg": Lpips(backbone="vgg")}
    views = [darker(view_of(ball))] * 2
    result = small(metrics=metrics, mesh=None)(model_of(ball), views, ground_truth)
    assert "eval.download=false" not in str(result.scores["lpips_alex"].reason)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(score_table(result.as_json()))
    lines = [line for line in console.export_text().splitlines() if "weights" in line]
    assert len(lines) == 1
    assert lines[0].strip() == (
        "no lpips_alex, lpips_vgg: published weights are missing: 'nerfloss weights' says where to "
        "get them"
    )
    assert "metrics.json has" not in console.export_text()


def test_downloads_can_be_refused_by_a_setting(repository):
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    with initialize_config_dir(str(repository / "conf"), version_base="1.3"):
        cfg = compose("train", ["eval.download=false"])
    metrics = instantiate(cfg.eval, _convert_="all").metrics
    assert not metrics["lpips_alex"].download
    assert "psnr" in metrics
