"""What the parts of a report's page are made of: curves, pictures, meshes, fronts, drawings."""

import base64
import re

import numpy as np
import pytest
import trimesh
from pretended_runs import photographed

from nerfloss.evaluation.image_grid import image_grid, images_by_title
from nerfloss.experiments.report.page.ground_truth_mesh import distances_to, ground_truth_mesh
from nerfloss.experiments.report.page.health import state_of
from nerfloss.experiments.report.page.mesh_packing import packed, simplified, surface_of
from nerfloss.experiments.report.page.panels import cut
from nerfloss.experiments.report.page.pareto import Point, pareto_front
from nerfloss.experiments.report.page.series import mean_curve, read_series


def test_a_line_that_a_crash_cut_is_left_out_and_words_are_kept_apart(tmp_path):
    path = tmp_path / "diagnostics.csv"
    path.write_text("step,rgb/value,health/rgb\n1,0.5,ok\n2,,dead\n3,0.25,ok\n4,0.1")
    found = read_series(path)
    assert found.steps.tolist() == [1, 2, 3]
    assert found.words["health/rgb"] == ("ok", "dead", "ok")
    steps, values = found.column("rgb/value")
    assert (steps.tolist(), values.tolist()) == ([1, 3], [0.5, 0.25])


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "step,x\n"])
def test_a_file_that_is_no_history_has_no_columns(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    assert len(read_series(tmp_path / "history.csv").steps) == 0
    assert len(read_series(tmp_path / "nowhere.csv").steps) == 0


def test_the_mean_curve_of_short_curves_is_their_mean():
    steps = np.arange(1.0, 6.0)
    at, mean, low, high = mean_curve([(steps, steps), (steps, 3 * steps)])
    assert len(at) == 5
    np.testing.assert_allclose(mean, 2 * steps)
    np.testing.assert_allclose((low, high), (steps, 3 * steps))


def test_the_mean_curve_of_a_long_curve_keeps_its_mean_in_fewer_points():
    steps = np.arange(10_000.0)
    at, mean, _, _ = mean_curve([(steps, np.sin(steps) + steps)], points=100)
    assert len(at) == 100
    assert mean.mean() == pytest.approx((np.sin(steps) + steps).mean(), rel=1e-3)
    assert (np.diff(mean) > 0).all()


@pytest.mark.parametrize("size", [32, 150])
@pytest.mark.parametrize("dropped", [(), ("normal",), ("normal", "depth")])
def test_a_panel_is_cut_into_the_pictures_it_was_made_of(size, dropped):
    quantities = {k: v for k, v in photographed(size, 0, 0).items() if k not in dropped}
    found = cut(image_grid(quantities))
    made = list(images_by_title(quantities).values())
    assert list(found)[:3] == ["rendered", "photograph", "error"]
    assert len(found) == len(made)
    for picture, before in zip(found.values(), made, strict=True):
        times = len(picture) // len(before)
        np.testing.assert_array_equal(picture, before.repeat(times, 0).repeat(times, 1))


def test_a_thinned_mesh_has_few_triangles_and_the_same_shape():
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=0.5)
    found = simplified(surface_of(mesh), 3000)
    assert 1500 < len(found.faces) <= 3000
    np.testing.assert_allclose(np.linalg.norm(found.vertices, axis=1), 0.5, atol=0.01)
    np.testing.assert_allclose(found.normals, found.vertices / 0.5, atol=0.06)
    area = trimesh.Trimesh(found.vertices, found.faces, process=False).area
    assert area == pytest.approx(np.pi, rel=0.05)


def test_a_mesh_that_is_small_enough_stays_as_it_is():
    surface = surface_of(trimesh.creation.icosphere(subdivisions=2))
    assert simplified(surface, len(surface.faces)) is surface


def test_a_packed_mesh_can_be_read_back():
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=2.0)
    center = np.array([0.5, 0.0, -0.25])
    data = packed(surface_of(mesh), center=center, radius=3.0, worst=1.0)
    positions = np.frombuffer(base64.b64decode(data["positions"]), "<i2").reshape(-1, 3)
    indices = np.frombuffer(base64.b64decode(data["indices"]), "<u2").reshape(-1, 3)
    back = positions / 32767 * 3.0 + center
    np.testing.assert_allclose(back, mesh.vertices, atol=3.0 / 32767)
    np.testing.assert_array_equal(indices, mesh.faces)
    assert not data["judged"]


def test_the_front_is_what_a_search_over_all_pairs_finds():
    draw = np.random.default_rng(0)
    places = [(float(a), float(b)) for a, b in draw.integers(0, 6, (40, 2))]
    found = [Point(str(i), "", cost, gain, ()) for i, (cost, gain) in enumerate(places)]
    beaten = {
        i
        for i, (cost, gain) in enumerate(places)
        for other_cost, other_gain in places
        if (other_cost <= cost and other_gain > gain) or (other_cost < cost and other_gain >= gain)
    }
    assert {int(point.label) for point in pareto_front(found)} == set(range(40)) - beaten


def test_the_worst_state_of_a_term_is_told_with_how_often():
    assert state_of(["ok", "", "ok"]) == ("ok", "")
    assert state_of(["ok", "dead", "dead", "exploding"])[0] == "dead"
    assert "2 of" not in state_of(["dead"])[1]
    assert state_of([]) == ("never active", "")


def test_the_true_surface_of_an_exact_scene_is_its_own():
    config = {
        "dataset": {
            "_target_": "nerfloss.data.synthetic.dataset.AnalyticDataset",
            "scene": "sphere",
        }
    }
    mesh = ground_truth_mesh(config)
    assert mesh is not None
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert np.ptp(radius) < 1e-4


def test_distances_to_a_sphere_are_right_to_a_thousandth_on_it_and_off_it():
    mesh = trimesh.creation.icosphere(subdivisions=5)
    draw = np.random.default_rng(0)
    directions = draw.standard_normal((500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radius = draw.uniform(0.7, 1.4, 500)
    radius[:100] = 1.0
    found = distances_to(mesh, directions * radius[:, None])
    np.testing.assert_allclose(found, np.abs(radius - 1), atol=1e-3)


@pytest.mark.parametrize(
    "dataset", [None, {"_target_": "x.Y"}, {"_target_": "x.Y", "mesh": "gone.ply"}]
)
def test_a_true_surface_that_is_not_to_be_had_is_none(dataset):
    assert ground_truth_mesh({"dataset": dataset}) is None


def test_no_asset_asks_for_anything_from_the_network():
    from nerfloss.experiments.report.page.page import ASSETS

    for path in ASSETS.iterdir():
        assert not re.findall(r"https?://|@import|\bfetch\(", path.read_text()), path.name
