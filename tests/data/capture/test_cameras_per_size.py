"""Image sizes of one camera get focal lengths of their own, where there are enough images."""

import numpy as np
import pytest

from nerfloss.data.capture.cameras_per_size import FEWEST, camera_keys, refine_per_size

SIZES = {0: (400, 300), 1: (400, 302)}


def test_a_size_of_few_images_keeps_the_shared_camera() -> None:
    cameras = {f"{number}.png": 1 for number in range(FEWEST + 2)}
    sizes = {name: SIZES[0] if n < FEWEST else SIZES[1] for n, name in enumerate(cameras)}
    keys = camera_keys(cameras, sizes)
    assert list(keys.values()) == [(1, SIZES[0])] * FEWEST + [(1, None)] * 2


def test_equal_sizes_of_two_cameras_stay_apart() -> None:
    cameras = {f"{n}.png": 1 + n // FEWEST for n in range(2 * FEWEST)}
    keys = camera_keys(cameras, dict.fromkeys(cameras, SIZES[0]))
    assert set(keys.values()) == {(1, SIZES[0]), (2, SIZES[0])}


def test_crops_of_one_lens_get_their_own_focal_lengths() -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model, sizes = shared_model(pycolmap, focal={0: 500.0, 1: 515.0}, shared=507.0)
    refined = refine_per_size(pycolmap, model, sizes, threads=1)
    found = {i.name: i.camera.params[0] for i in refined.images.values()}
    ratio = found["1.png"] / found["0.png"]
    assert ratio == pytest.approx(515 / 500, rel=1e-3)
    assert all(point.error < 1e-2 for point in refined.points3D.values())


def test_images_of_one_size_stay_as_they_are() -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model, sizes = shared_model(pycolmap, focal={0: 500.0, 1: 500.0}, shared=500.0)
    same = dict.fromkeys(sizes, SIZES[0])
    assert refine_per_size(pycolmap, model, same, threads=1) is model
    assert refine_per_size(pycolmap, None, same, threads=1) is None


def shared_model(pycolmap, focal, shared):
    """Return a model with one camera, of views on an arc whose focal lengths alternate."""
    points = np.random.default_rng(0).uniform(-1, 1, (60, 3))
    model = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        camera_id=1, model="SIMPLE_RADIAL", width=400, height=304, params=[shared, 200, 152, 0]
    )
    model.add_camera_with_trivial_rig(camera)
    tracks = [pycolmap.Track() for _ in points]
    for number, angle in enumerate(np.linspace(-0.8, 0.8, 2 * FEWEST)):
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        seen = points @ turn.T + [0, 0, 6]
        pixels = focal[number % 2] * seen[:, :2] / seen[:, 2:] + [200, 152]
        image = pycolmap.Image(name=f"{number}.png", camera_id=1, image_id=number + 1)
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D(pixel) for pixel in pixels])
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(turn), np.array([0.0, 0, 6]))
        model.add_image_with_trivial_frame(image, pose)
        for index, track in enumerate(tracks):
            track.add_element(number + 1, index)
    for point, track in zip(points, tracks, strict=True):
        model.add_point3D(point, track, np.zeros(3, np.uint8))
    return model, {f"{number}.png": SIZES[number % 2] for number in range(2 * FEWEST)}
