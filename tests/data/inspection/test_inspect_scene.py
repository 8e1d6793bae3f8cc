"""Every suspicious thing is found in a small scene, and nothing in the right one."""

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from nerfloss.data.errors import DataError
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.inspection.epipolar import EpipolarError, epipolar_findings
from nerfloss.data.inspection.inspect_scene import inspect_scene
from nerfloss.data.inspection.inspection import Inspection


def kinds(inspection: Inspection) -> set[str]:
    return {finding.kind for finding in inspection.findings}


def found(inspection: Inspection, kind: str) -> tuple[int, ...]:
    """Return the views of the finding of one kind, after all kinds were checked to be it."""
    assert kinds(inspection) == {kind}, inspection.findings
    (finding,) = inspection.findings
    return finding.views


def values(inspection: Inspection) -> dict[str, str]:
    return {row.name: row.value for row in inspection.rows}


def test_nothing_is_suspicious_in_a_right_scene(small_scene) -> None:
    inspection = inspect_scene(small_scene.parsed)
    assert inspection.findings == ()
    np.testing.assert_allclose(inspection.region.center, [2, -1, 3], atol=0.05)
    shown = values(inspection)
    assert shown["views"].startswith("12: 10 to train, 2 to test")
    assert shown["image sizes"] == "120 x 90"
    assert "k1 -0.05" in shown["distortion"]
    assert "12 alpha" in shown["object masks"]
    assert shown["note"] == "a note"


def test_reprojection_errors_are_those_of_our_own_projection(small_scene, points) -> None:
    sparse = points(small_scene.parsed)
    moved = replace(sparse, pixels=sparse.pixels + np.array([0.3, 0.4]))
    inspection = inspect_scene(replace(small_scene.parsed, points=moved))
    assert inspection.findings == ()
    assert values(inspection)["reprojection error"].startswith("mean 0.5 px, median 0.5 px")
    assert "epipolar distance" not in values(inspection)


def test_views_that_do_not_fit_their_points_are_named(small_scene, points) -> None:
    sparse = points(small_scene.parsed)
    frames = list(small_scene.parsed.frames)
    frames[4] = replace(
        frames[4],
        camera=replace(frames[4].camera, params=(180.0, 182.0, 58.0, 47.0, 0.0, 0.0, 0.0, 0.0)),
    )
    parsed = replace(small_scene.parsed, frames=tuple(frames), points=sparse)
    inspection = inspect_scene(parsed)
    assert "reprojection" in kinds(inspection)
    assert next(f for f in inspection.findings if f.kind == "reprojection").views == (4,)


def test_points_behind_the_cameras_are_said(small_scene, points) -> None:
    sparse = points(small_scene.parsed)
    flipped = small_scene.with_poses(lambda pose: pose * np.array([1, -1, -1, 1]))
    inspection = inspect_scene(replace(flipped, points=sparse))
    assert "points_behind" in kinds(inspection)


def test_views_with_few_points_are_named(small_scene, points) -> None:
    sparse = points(small_scene.parsed)
    keep = (sparse.observations[:, 0] != 7) | (np.arange(len(sparse.observations)) % 40 == 0)
    fewer = replace(sparse, observations=sparse.observations[keep], pixels=sparse.pixels[keep])
    assert found(inspect_scene(replace(small_scene.parsed, points=fewer)), "few_points") == (7,)


def test_a_blurred_view_is_named(small_scene) -> None:
    def blur(image: np.ndarray) -> np.ndarray:
        rgb = gaussian_filter(image[..., :3].astype(float), (2.5, 2.5, 0))
        return np.concatenate([rgb, image[..., 3:]], 2)

    small_scene.edit(3, blur)
    assert found(inspect_scene(small_scene.parsed), "blurred") == (3,)


@pytest.mark.parametrize("with_points", [True, False])
def test_an_exposure_jump_is_named(small_scene, points, with_points) -> None:
    small_scene.edit(5, lambda image: image * np.array([0.4, 0.4, 0.4, 1]))
    sparse = points(small_scene.parsed) if with_points else None
    assert found(inspect_scene(replace(small_scene.parsed, points=sparse)), "exposure") == (5,)


def test_equal_images_are_named(small_scene) -> None:
    small_scene.edit(9, lambda _: small_scene.image(8))
    inspection = inspect_scene(small_scene.parsed)
    assert "duplicates" in kinds(inspection)
    assert next(f for f in inspection.findings if f.kind == "duplicates").views == (8, 9)


def set_alpha(value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        return np.concatenate([image[..., :3], np.full_like(image[..., 3:], value)], 2)

    return change


def test_white_masks_are_said_and_not_used(small_scene) -> None:
    for view in range(12):
        small_scene.edit(view, set_alpha(255))
    inspection = inspect_scene(small_scene.parsed)
    assert kinds(inspection) == {"masks_white"}
    assert "dataset.masks=false" in inspection.command
    assert inspection.region.source == "cameras"


def test_an_empty_mask_is_named(small_scene) -> None:
    small_scene.edit(2, set_alpha(0))
    assert "masks_empty" in kinds(inspect_scene(small_scene.parsed))


def test_inverted_masks_are_said(small_scene) -> None:
    for view in range(12):
        small_scene.edit(
            view, lambda image: np.concatenate([image[..., :3], 255 - image[..., 3:]], 2)
        )
    inspection = inspect_scene(small_scene.parsed)
    assert "masks_inverted" in kinds(inspection)


def test_views_without_a_mask_beside_masked_ones_are_named(small_scene) -> None:
    for view in (0, 6):
        small_scene.edit(view, lambda image: image[..., :3])
    assert found(inspect_scene(small_scene.parsed), "masks_missing") == (0, 6)


@pytest.mark.parametrize(("value", "expected"), [(0, {"border_black"}), (255, set())])
def test_a_black_border_without_masks_is_said(small_scene, value, expected) -> None:
    def flatten(image: np.ndarray) -> np.ndarray:
        return np.where(image[..., 3:] > 0, image[..., :3], value)

    for view in range(12):
        small_scene.edit(view, flatten)
    inspection = inspect_scene(small_scene.parsed)
    assert kinds(inspection) == expected
    assert ("dataset.background=black" in inspection.command) == (value == 0)


def test_a_few_pairs_for_which_there_was_time_prove_nothing(small_scene, monkeypatch) -> None:
    flipped = small_scene.with_poses(lambda pose: pose * np.array([1, -1, -1, 1]))
    monkeypatch.setattr("nerfloss.data.inspection.epipolar.PROOF", 1)
    assert "epipolar" in kinds(inspect_scene(flipped))
    ticks = itertools.count(step=2)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    assert "epipolar" not in kinds(inspect_scene(flipped))


def test_flipped_axes_are_said(small_scene) -> None:
    flipped = small_scene.with_poses(lambda pose: pose * np.array([1, -1, -1, 1]))
    inspection = inspect_scene(flipped)
    assert any("flipped" in finding.text for finding in inspection.findings)


def test_matches_fit_the_right_poses(dense_scene) -> None:
    right = inspect_scene(dense_scene.parsed)
    assert right.findings == ()
    assert values(right)["epipolar distance"].startswith("median 0.")


def test_matches_contradict_poses_no_better_than_exchanged_ones() -> None:
    assert epipolar_findings(EpipolarError(0.4, 5.0, 500)) == []
    assert epipolar_findings(EpipolarError(6.0, 5.0, 50)) == []
    (finding,) = epipolar_findings(EpipolarError(6.0, 5.0, 500))
    assert finding.kind == "epipolar"


def test_images_without_a_camera_are_counted(small_scene) -> None:
    folder = small_scene.parsed.folder / "images"
    Image.new("RGB", (8, 8)).save(folder / "extra.jpg")
    Image.new("RGB", (8, 8)).save(folder / "003_depth_0001.png")
    (finding,) = inspect_scene(small_scene.parsed).findings
    assert finding.text == "1 images beside the views have no camera (extra.jpg)"


def test_broken_files_are_findings_that_name_them(small_scene) -> None:
    path: Path = small_scene.parsed.frames[1].image
    path.write_bytes(path.read_bytes()[:300])
    inspection = inspect_scene(small_scene.parsed)
    assert kinds(inspection) == {"unreadable"}
    assert "001.png" in inspection.findings[0].text
    assert len(inspection.pictures) == 11


def test_the_command_quotes_spaces_for_shell_and_hydra(small_scene) -> None:
    command = inspect_scene(small_scene.parsed, matches=False).command
    assert command.startswith("nerfloss train \"dataset.path='")
    assert command.endswith("a ball'\"")


def test_a_scene_without_views_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="no view"):
        inspect_scene(ParsedScene(tmp_path, "colmap", ()))


def test_one_view_is_enough(small_scene) -> None:
    single = replace(small_scene.parsed, frames=small_scene.parsed.frames[:1])
    assert len(inspect_scene(single).pictures) == 1


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_unit_and_place_do_not_matter(small_scene, points, scale) -> None:
    shift = np.array([4e5, 5.6e6, 120.0]) * min(scale, 1.0)

    def move(pose: np.ndarray) -> np.ndarray:
        return np.concatenate([pose[:, :3], (pose[:, 3:] * scale) + shift[:, None]], 1)

    sparse = points(small_scene.parsed)
    moved = replace(sparse, positions=sparse.positions * scale + shift)
    inspection = inspect_scene(replace(small_scene.with_poses(move), points=moved))
    assert inspection.findings == ()
    assert inspection.region.radius == pytest.approx(0.55 * scale, rel=0.15)
