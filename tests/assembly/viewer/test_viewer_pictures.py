"""Pictures of the viewer: coarse at once, sharp in the end, abandoned when the camera moves."""

import numpy as np
import pytest
import torch
from small_runs import untrained_run

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.viewer.live_client import MESH, Display, LiveClient
from nerfloss.assembly.viewer.photograph_maps import (
    PhotographMap,
    nearest_photograph,
    small_cameras,
)
from nerfloss.assembly.viewer.progressive_rendering import ChunkRows, ViewPoint, rendered
from nerfloss.assembly.viewer.shown_model import ShownParts
from nerfloss.assembly.viewer.view_modes import ShownModel, pictures


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> ShownModel:
    folder = untrained_run(tmp_path_factory.mktemp("viewed"), "dataset.points=200")
    run = OpenedRun(folder, "cpu").run
    parts = ShownParts(run.model, run.recipe, run.scene, run.evaluator, given={})
    return parts.at(vars(run.trainer.schedule))


def training_view(shown: ShownModel, index: int = 0, aspect: float = 1.0) -> ViewPoint:
    cameras = shown.scene.train.cameras
    fov = 2 * np.degrees(np.arctan(cameras.height / 2 / float(cameras.intrinsics[index, 1, 1])))
    return ViewPoint(cameras.poses[index].double().numpy(), fov, aspect)


def last(steps):
    *_, found = steps
    return found


def test_a_picture_in_chunks_is_that_of_the_whole(shown: ShownModel) -> None:
    camera = training_view(shown).cameras(24)
    needs = {"rgb", "depth"}
    chunk = ChunkRows(100)
    many = last(rendered(shown.subject, camera, 0, needs, "white", chunk))
    whole = ChunkRows(10_000)
    whole.rows = 10_000
    once = last(rendered(shown.subject, camera, 0, needs, "white", whole))
    for name in needs:
        torch.testing.assert_close(many.quantities[name], once.quantities[name])


def test_pictures_become_sharp_from_coarse(shown: ShownModel) -> None:
    found = [
        p
        for p in pictures(shown, training_view(shown, aspect=8.0), "rgb", 300, ChunkRows(4096))
        if p
    ]
    assert [max(each.pixels.shape[:2]) for each in found] == [80, 200, 300]
    assert [each.is_coarse for each in found] == [True, False, False]
    assert [each.is_sharp for each in found] == [False, False, True]


@pytest.mark.parametrize("mode", ["rgb", "depth", "normal", "opacity", "error", "loss: rgb"])
def test_every_mode_shows_the_sphere(shown: ShownModel, mode: str) -> None:
    assert mode in shown.modes
    found = last(pictures(shown, training_view(shown), mode, 80, ChunkRows(4096)))
    assert found.pixels.shape == (80, 80, 3)
    assert found.pixels.std() > 1
    assert found.z.min() < 10 < found.z.max(), "an object before nothing"


def test_the_error_mode_is_the_rendering_less_the_photograph(shown: ShownModel) -> None:
    index = 2
    found = last(shown.maps["error"]("error", index))
    images = last(
        rendered(shown.subject, found.cameras, 0, {"rgb"}, shown.background, ChunkRows(4096))
    )
    views = shown.scene.train
    alpha = views.mask[index, ..., None].float() / 255
    photograph = alpha * views.rgb[index].float() / 255 + 1 - alpha
    expected = (images.quantities["rgb"] - photograph).abs().mean(-1)
    torch.testing.assert_close(found.values, expected, atol=1e-5, rtol=0)


def test_a_map_seen_from_its_own_camera_is_itself(shown: ShownModel) -> None:
    camera = small_cameras(shown.scene, 0, 1)
    images = last(
        rendered(shown.subject, camera, 0, {"depth", "opacity"}, "white", ChunkRows(4096))
    )
    values = torch.rand(camera.height, camera.width)
    one = PhotographMap(values, images.quantities["depth"], camera, high=1.0)
    found, seen = one.seen_from(images)
    inside = images.quantities["opacity"] > 0.9
    inside &= torch.nn.functional.avg_pool2d(inside[None].float(), 3, 1, 1)[0] == 1
    assert seen[inside].all()
    torch.testing.assert_close(found[inside], values[inside], atol=2e-3, rtol=0)


def test_what_the_photograph_does_not_see_has_no_value(shown: ShownModel) -> None:
    camera = small_cameras(shown.scene, 0, 1)
    own = last(rendered(shown.subject, camera, 0, {"depth", "opacity"}, "white", ChunkRows(4096)))
    one = PhotographMap(torch.ones(24, 24), own.quantities["depth"], camera, high=1.0)
    # From the other side: turned by 180 degrees around the vertical axis of the camera.
    pose = training_view(shown).pose
    turn = np.eye(3) - 2 * np.outer(pose[:, 0], pose[:, 0]) - 2 * np.outer(pose[:, 2], pose[:, 2])
    behind = ViewPoint(turn @ pose, training_view(shown).fov, 1.0).cameras(24)
    images = last(
        rendered(shown.subject, behind, 0, {"depth", "opacity"}, "white", ChunkRows(4096))
    )
    seen = one.seen_from(images)[1]
    hit = images.quantities["opacity"] > 0.9
    assert float(seen[hit].float().mean()) < 0.2


def test_the_nearest_photograph_to_a_training_camera_is_its_own(shown: ShownModel) -> None:
    for index in range(len(shown.scene.train)):
        assert nearest_photograph(training_view(shown, index).pose, shown.scene) == index


class FakeBrowser:
    """A browser whose camera a test moves, and that keeps what it is sent."""

    def __init__(self, view: ViewPoint) -> None:
        from contextlib import nullcontext
        from types import SimpleNamespace

        from scipy.spatial.transform import Rotation

        x, y, z, w = Rotation.from_matrix(view.pose[:, :3]).as_quat()
        self.camera = SimpleNamespace(
            wxyz=(w, x, y, z),
            position=view.pose[:, 3],
            fov=np.radians(view.fov),
            aspect=view.aspect,
        )
        self.sent: list[np.ndarray | None] = []
        self.scene = SimpleNamespace(
            set_background_image=lambda image, **_: self.sent.append(image)
        )
        self.atomic = nullcontext


def finish(client: LiveClient, display: Display, shown: ShownModel, limit: int = 10_000) -> None:
    while client.work(display, lambda: shown, ChunkRows(4096)):
        limit -= 1
        assert limit, "the rendering does not end"


def test_a_moved_camera_abandons_all_but_the_coarse_picture(shown: ShownModel) -> None:
    browser = FakeBrowser(training_view(shown, aspect=8.0))
    client, display = LiveClient(browser, None, lambda _: None), Display(sharp=300)
    while len(browser.sent) < 1:
        client.work(display, lambda: shown, ChunkRows(4096))
    client.work(display, lambda: shown, ChunkRows(512))  # into the middle of the next size
    client.moved()
    finish(client, display, shown)
    assert [max(each.shape) for each in browser.sent if each is not None] == [80, 80, 200, 300]
    # While the camera moves between all steps, coarse pictures still come.
    browser.sent.clear()
    for _ in range(40):
        client.moved()
        client.work(display, lambda: shown, ChunkRows(4096))
    assert len(browser.sent) > 5
    assert {max(each.shape) for each in browser.sent if each is not None} == {80}


def test_a_still_camera_costs_nothing_and_learning_renews_its_picture(shown: ShownModel) -> None:
    browser = FakeBrowser(training_view(shown))
    client, display = LiveClient(browser, None, lambda _: None), Display(sharp=80)
    assert client.awaits_picture
    finish(client, display, shown)
    assert len(browser.sent) == 1
    assert not client.awaits_picture
    finish(client, display, shown)
    assert len(browser.sent) == 1
    client.learned()
    assert not client.awaits_picture, "nobody waits for it: it has time"
    finish(client, display, shown)
    assert len(browser.sent) == 2


def test_the_mesh_takes_the_place_of_the_picture(shown: ShownModel) -> None:
    from types import SimpleNamespace

    browser, mesh = FakeBrowser(training_view(shown)), SimpleNamespace(visible=False)
    client = LiveClient(browser, mesh, lambda _: None)
    finish(client, Display(surface=MESH), shown)
    assert (browser.sent, mesh.visible) == ([None], True)
    finish(client, Display(sharp=80), shown)
    assert browser.sent[-1] is not None
    assert mesh.visible is False


def test_a_failing_picture_is_given_up_until_something_changes(shown: ShownModel) -> None:
    browser = FakeBrowser(training_view(shown))
    client, display = LiveClient(browser, None, lambda _: None), Display(sharp=80)

    def broken() -> ShownModel:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError):
        client.work(display, broken, ChunkRows(4096))
    client.give_up()
    assert not client.work(display, broken, ChunkRows(4096))
    client.changed()
    finish(client, display, shown)
    assert len(browser.sent) == 1


def test_a_view_point_fits_its_aspect() -> None:
    pose = np.eye(4)[:3]
    assert ViewPoint(pose, 50.0, 1.6).size(80) == (80, 50)
    assert ViewPoint(pose, 50.0, 0.5).size(80) == (40, 80)
