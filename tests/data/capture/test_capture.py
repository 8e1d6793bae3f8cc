"""From photographs to a scene: collecting, grouping, pairs, resuming and reports."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.capture.camera_groups import camera_groups
from nerfloss.data.capture.model_arrays import write_model
from nerfloss.data.capture.pairs import (
    choose_matching,
    describe,
    exhaustive_pairs,
    sequential_pairs,
    similar_pairs,
    vocabulary,
)
from nerfloss.data.capture.photographs import Photograph, collect_photographs, focal_of_exif
from nerfloss.data.capture.scene_of_photographs import CaptureSettings, capture
from nerfloss.data.capture.video import sharpest_frames
from nerfloss.data.capture.worker import Progress, run_worker
from nerfloss.data.errors import DataError


def write_photographs(folder: Path, names: list[str], size: tuple[int, int] = (40, 30)) -> None:
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)


def photograph(name: str, width: int = 40, height: int = 30, **more: object) -> Photograph:
    return Photograph(name, Path(name), width, height, **more)  # type: ignore[arg-type]


def empty_reconstruction(job: Path, progress: Progress) -> None:
    progress("features", 1, 1)
    write_model(job.with_name("model.npz"), None, {})


def test_photographs_come_in_the_order_of_their_numbers_with_sub_folders(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["b/10.png", "b/9.png", "a 1/x.JPG", ".hidden/y.png"])
    names = [each.name for each in collect_photographs(tmp_path)]
    assert names == ["a 1/x.JPG", "b/9.png", "b/10.png"]


def test_an_orientation_in_exif_turns_the_size(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["1.png", "2.png"])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "3.jpg", exif=exif)
    found = collect_photographs(tmp_path)
    assert [(each.width, each.height, each.turned) for each in found][1:] == [
        (40, 30, False),
        (30, 40, True),
    ]


def test_an_empty_folder_is_refused_with_what_lies_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder is empty"):
        collect_photographs(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"only notes\.txt"):
        collect_photographs(tmp_path)


def test_all_files_that_are_no_images_are_named(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["1.png"])
    for name in ("2.png", "3.jpg"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 of 3 files.*2\.png.*3\.jpg"):
        collect_photographs(tmp_path)


@pytest.mark.parametrize("value", [0, -1, float("nan"), "wide", None, b"\0", (1, 2)])
def test_a_focal_length_that_is_none_is_left_out(value: object) -> None:
    assert focal_of_exif({41989: value, 37386: value, 41486: value}, 40, 30) is None


def test_the_equivalent_focal_length_is_that_of_the_full_frame() -> None:
    # 36 mm wide at 36 mm: as long as the frame is wide.
    focal = focal_of_exif({41989: 36}, 3000, 2000)
    assert focal is not None
    assert focal * np.hypot(3000, 2000) == pytest.approx(3000)


def test_a_cropped_photograph_has_no_known_focal_length() -> None:
    assert focal_of_exif({41989: 36, 40962: 3000, 40963: 2000}, 2000, 2000) is None


def test_sizes_that_differ_by_a_pixel_share_a_camera_and_others_do_not() -> None:
    photographs = [photograph("a"), photograph("b", 400, 300), photograph("c", 400, 301)]
    groups = camera_groups(photographs)
    assert [group.members for group in groups] == [(0,), (1, 2)]
    assert groups[1].size == (400, 301)
    assert len(camera_groups(photographs, "image")) == 3
    with pytest.raises(DataError, match="cannot share a camera"):
        camera_groups(photographs, "all")


def test_small_photographs_are_enlarged_and_large_ones_are_not() -> None:
    small, large = camera_groups([photograph("a", 250, 165), photograph("b", 1600, 1200)])
    assert (small.factor, large.factor) == (4, 1)
    assert small.canvas == (1000, 660)


def test_every_pair_is_listed_once() -> None:
    pairs = exhaustive_pairs(7, block=3)
    assert sorted(pairs) == [(a, b) for a in range(7) for b in range(a + 1, 7)]
    assert {(a, a + 1) for a in range(29)} <= set(sequential_pairs(30))
    assert choose_matching(200, video=False) == "retrieval"
    assert choose_matching(200, video=True) == "sequential"


def test_images_of_the_same_descriptors_are_similar() -> None:
    rng = np.random.default_rng(0)
    scenes = [rng.random((50, 128)) for _ in range(2)]
    images = [scenes[i % 2] + rng.normal(0, 0.01, (50, 128)) for i in range(6)]
    centres = vocabulary(np.concatenate(images), rng, words=8)
    described = np.stack([describe(image, centres) for image in images])
    assert all((a - b) % 2 == 0 for a, b in similar_pairs(described, each=2))


def test_the_sharpest_frame_of_each_interval_is_taken() -> None:
    sharp = np.indices((20, 20)).sum(0) % 2 * 255
    frames = [np.full((20, 20, 3), 100, np.uint8) for _ in range(9)]
    for number in (1, 3, 8):
        frames[number] = np.repeat(sharp[..., None], 3, 2).astype(np.uint8)
    assert [number for number, _ in sharpest_frames(iter(frames), 9, 3)] == [1, 3, 8]


def test_a_folder_that_no_capture_wrote_is_left_alone(tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", ["1.png", "2.png", "3.png"])
    scene = tmp_path / "scene"
    scene.mkdir()
    (scene / "mine.txt").write_text("")
    with pytest.raises(DataError, match="no capture wrote it"):
        capture(tmp_path / "photos", scene, CaptureSettings(), worker=empty_reconstruction)
    inside = tmp_path / "photos" / "scene"
    with pytest.raises(DataError, match="would mix"):
        capture(tmp_path / "photos", inside, CaptureSettings(), worker=empty_reconstruction)


def test_a_scene_without_registered_views_is_refused_with_what_helps(tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", ["1.png", "2.png", "3.png"])
    with pytest.raises(DataError, match=r"0 of 3 views are registered(.|\n)*overlap"):
        capture(tmp_path / "photos", tmp_path / "s", CaptureSettings(), worker=empty_reconstruction)


def test_a_worker_that_fails_is_named_with_the_end_of_its_output(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text("{}")
    code = "import sys; print('boom', file=sys.stderr); sys.exit(3)"
    with pytest.raises(DataError, match=r"exit status 3.*boom"):
        run_worker(job, lambda *_: None, [sys.executable, "-c", code])


def test_cameras_hold_for_the_images_and_not_for_their_enlarged_copies() -> None:
    from nerfloss.data.capture.model_files import SearchCopy, camera_of

    copy = SearchCopy("a.png", "SIMPLE_RADIAL", 250, 164, 4, (0, 4))
    camera = camera_of(copy, [2000.0, 500.0, 332.0, 0.1])
    assert camera == Camera("SIMPLE_RADIAL", 250, 164, (500.0, 125.0, 82.0, 0.1))


def test_another_number_of_threads_goes_on_with_a_capture(tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", ["1.png", "2.png", "3.png"])
    runs = []

    def worker(job: Path, progress: Progress) -> None:
        runs.append(job)
        empty_reconstruction(job, progress)

    for threads, seed in ((2, 0), (1, 0), (1, 1)):
        settings = CaptureSettings(threads=threads, seed=seed)
        with pytest.raises(DataError, match="0 of 3"):
            capture(tmp_path / "photos", tmp_path / "s", settings, worker=worker)
    assert len(runs) == 2
