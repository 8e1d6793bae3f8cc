"""Many views: no copies of their images, a disk where memory is short, bounded checks."""

import errno
import logging
import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_scenes import small_scene, write_neus

from nerfloss.data import hull_ball as hull_module
from nerfloss.data import image_storage as storage
from nerfloss.data import loading_progress
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats import scene_builder
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.hull_ball import hull_ball
from nerfloss.data.image_storage import ImageStorage, gather_rows, storage_for
from nerfloss.data.loading_progress import logged_progress
from nerfloss.data.mask_checks import check_object_masks
from nerfloss.data.pixel_samplers.pixel_runs import PixelRuns
from nerfloss.data.posed_cameras import PosedCameras
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.views import Views


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene whose files name no test views: every 8th is held out."""
    path = tmp_path_factory.mktemp("scene")
    write_neus(path, small_scene("craters", views=18, test_views=1, size=40))
    return path


def start(image):
    return image.untyped_storage().data_ptr()


@pytest.mark.parametrize("hold_out", [None, {"every": 3}, {"sector": 0.3}, ["003", "007"]])
def test_a_split_copies_no_image(folder, hold_out):
    scene = FolderDataset(path=str(folder), hold_out=hold_out).load()
    for name, image in scene.train.images.items():
        assert start(image) == start(scene.test.images[name]), name


def test_a_split_selects_the_images_of_its_names(folder):
    every = FolderDataset(path=str(folder), hold_out={"every": 4}).load()
    some = FolderDataset(path=str(folder), hold_out=["002", "005", "010"]).load()
    names = {**image_of(every.train), **image_of(every.test)}
    for views in (some.train, some.test):
        for name, (rgb, mask, pose) in image_of(views).items():
            assert torch.equal(rgb, names[name][0])
            assert torch.equal(mask, names[name][1])
            assert torch.equal(pose, names[name][2])
    assert len(some.test) == 3


def image_of(views):
    poses = views.cameras.poses
    return {
        name: (views.rgb[view], views.mask[view], poses[view])
        for view, name in enumerate(views.names)
    }


def test_another_sector_than_the_one_stored_is_copied(folder, monkeypatch):
    settings = {"path": str(folder), "hold_out": {"sector": 0.3}}
    expected = FolderDataset(**settings).load()
    monkeypatch.setattr(scene_builder, "storage_order", lambda *_: list(reversed(range(19))))
    found = FolderDataset(**settings).load()
    for one, other in ((expected.train, found.train), (expected.test, found.test)):
        assert one.names == other.names
        assert torch.equal(one.cameras.poses, other.cameras.poses)
        for name, image in one.images.items():
            assert torch.equal(image, other.images[name])


def test_views_that_are_copied_are_the_same_ones(folder):
    views = FolderDataset(path=str(folder)).load().train
    some = views.some([5, 2])
    assert some.names == (views.names[5], views.names[2])
    assert torch.equal(some.rgb, views.rgb[[5, 2]])
    assert torch.equal(some.cameras.poses, views.cameras.poses[[5, 2]])


def test_images_beyond_the_budget_are_decoded_to_a_disk(folder, monkeypatch, caplog):
    here = FolderDataset(path=str(folder)).load().train
    monkeypatch.setattr(storage, "free_memory", lambda _: 20_000)
    with caplog.at_level(logging.INFO):
        there = FolderDataset(path=str(folder)).load().train
    assert there.on_disk
    assert not here.on_disk
    lines = [line.getMessage() for line in caplog.records if "on disk" in line.getMessage()]
    assert len(lines) == 1
    assert "122 kB" in lines[0]
    assert "20 kB" in lines[0]
    for name, image in here.images.items():
        assert torch.equal(image, there.images[name])


def test_a_disk_without_enough_space_is_refused_by_name(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"1 kB of images do not fit .*TMPDIR.*dataset\.downscale"):
        ImageStorage(on_disk=True).allocate((10, 10, 10))


def test_a_folder_in_memory_is_no_disk(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\ntmpfs {tmp_path} tmpfs rw 0 0\n")
    assert storage._in_memory(tmp_path / "below", mounts)
    assert not storage._in_memory(tmp_path.parent, mounts)
    assert not storage._in_memory(tmp_path, tmp_path / "missing")
    monkeypatch.setattr(storage, "_in_memory", lambda folder: str(folder) != "/var/tmp")
    assert str(storage.disk_folder()) == "/var/tmp"
    monkeypatch.setattr(storage, "_in_memory", lambda _: True)
    with pytest.raises(OSError, match="is kept in memory, where the images do not fit: set TMPDIR"):
        ImageStorage(on_disk=True).allocate((1,))
    monkeypatch.setattr(storage, "free_memory", lambda _: 100)
    with pytest.raises(OSError, match="set TMPDIR"):
        storage_for("auto", 1000)


def test_rows_read_by_several_threads_keep_their_order():
    images = torch.arange(3000, dtype=torch.int16).reshape(1000, 3)
    index = torch.randint(1000, (101,), generator=torch.Generator().manual_seed(0))
    assert torch.equal(gather_rows(images, index, on_disk=True), images[index])
    assert torch.equal(gather_rows(images, index[:3], on_disk=True), images[index[:3]])
    assert len(gather_rows(images, index[:0], on_disk=True)) == 0


@pytest.mark.parametrize("patch", [(1, 1), (3, 5), (8, 7)])
def test_pixels_of_mixed_sizes_are_those_that_marking_them_finds(patch):
    cameras = cameras_at(fibonacci_sphere(4), size=12, fov=40.0)
    sizes = torch.tensor([[12, 9], [6, 12], [12, 12], [4, 5]])
    rgb = torch.zeros(4, 12, 12, 3, dtype=torch.uint8)
    views = Views(replace(cameras, sizes=sizes), tuple("abcd"), rgb)
    all_count = replace(views, ignore=torch.zeros(4, 12, 12, dtype=torch.uint8))
    quick, marked = (PixelRuns.everywhere(each, patch) for each in (views, all_count))
    assert torch.equal(quick.starts, marked.starts)
    assert torch.equal(quick.bounds, marked.bounds)
    assert quick.count == marked.count > 0


def test_the_masks_are_checked_one_at_a_time():
    one = np.zeros((100, 100), np.uint8)
    one[40:60, 40:60] = 255
    masks, names = [one] * 200, [f"{i}.png" for i in range(200)]
    tracemalloc.start()
    assert check_object_masks(masks, names) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * one.nbytes
    with pytest.raises(DataError, match=r"7\.png: the mask is empty"):
        check_object_masks([*masks[:7], np.zeros_like(one), *masks[8:]], names)


def test_long_loading_is_logged_and_short_is_not(monkeypatch, caplog):
    with caplog.at_level(logging.INFO):
        assert list(logged_progress(range(5), 5, "images")) == [0, 1, 2, 3, 4]
    assert not caplog.records
    monkeypatch.setattr(loading_progress, "EVERY", 0.0)
    with caplog.at_level(logging.INFO):
        assert list(logged_progress(range(3), 3, "images")) == [0, 1, 2]
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("images: 1 of 3, about")
    assert lines[-1].startswith("images: 3 of 3")


def test_masks_of_large_images_give_the_same_hull_when_reduced(monkeypatch):
    views = small_scene("craters", views=12, test_views=1, size=96).train
    size = views.cameras.width
    fx, cx = float(views.cameras.intrinsics[0, 0, 0]), float(views.cameras.intrinsics[0, 0, 2])
    camera = Camera("PINHOLE", size, size, (fx, fx, cx, cx))
    posed = PosedCameras(views.cameras.poses.double().numpy(), [camera] * len(views))
    masks = list(views.mask.numpy())
    whole = hull_ball(posed, masks).ball
    monkeypatch.setattr(hull_module, "LONGEST_SIDE", 48)
    reduced = hull_ball(posed, masks).ball
    assert reduced.radius == pytest.approx(whole.radius, rel=0.03)
    assert reduced.center == pytest.approx(whole.center, abs=0.03 * whole.radius)
    assert reduced.radius != whole.radius  # reduced masks were used
