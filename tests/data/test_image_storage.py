"""The storage of images does not change batches or their cost."""

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import assembled
from small_scenes import small_scene, write_blender, write_neus
from torch.utils._python_dispatch import TorchDispatchMode

from nerfloss.data import image_storage as storage
from nerfloss.data import views as views_module
from nerfloss.data.formats.blender import BlenderDataset
from nerfloss.data.formats.neus import NeusDataset
from nerfloss.data.image_storage import ImageStorage, storage_for
from nerfloss.data.pixel_samplers.patch import PatchSampling
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.synthetic.dataset import AnalyticDataset
from nerfloss.data.views import Views
from nerfloss.memory import OutOfMemory

META = torch.device("meta")  # a device without memory: its tensors have no data


@pytest.fixture(scope="module")
def scene():
    return small_scene("craters", views=4, test_views=1, size=20)


def mapped_files():
    """Return the unlinked temporary files that are memory-mapped."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("only Linux lists what is mapped")
    lines = (line.split() for line in maps.read_text().splitlines() if "(deleted)" in line)
    return {words[4] for words in lines if words[5].startswith(tempfile.gettempdir())}


def same(one, other):
    assert one.targets.keys() == other.targets.keys()
    for name, value in one.targets.items():
        assert (
            value == other.targets[name]
            if isinstance(value, tuple)
            else torch.equal(value, other.targets[name])
        ), name
    for name in ("origins", "directions", "pixel", "view", "background"):
        assert torch.equal(getattr(one.rays, name), getattr(other.rays, name)), name


@pytest.mark.parametrize("background", ["white", "random"])
@pytest.mark.parametrize(
    "kind", [UniformPixelSampler, PatchSampling(5, 5)], ids=["pixels", "patches"]
)
def test_batches_have_the_same_bits_from_memory_and_from_disk(scene, kind, background):
    there = scene.train.stored_in(ImageStorage(on_disk=True))
    here, away = (kind(views, background=background, seed=3) for views in (scene.train, there))
    for step in range(3):
        same(here.draw(step, 100), away.draw(step, 100))


@pytest.mark.parametrize(
    ("dataset", "write", "masks"),
    [(BlenderDataset, write_blender, True), (BlenderDataset, write_blender, False),
     (NeusDataset, write_neus, True)],
)  # fmt: skip
def test_images_are_equal_on_disk_and_leave_no_files(scene, tmp_path, dataset, write, masks):
    write(tmp_path / "scene", scene)
    settings = {"path": str(tmp_path / "scene"), "background": "white", "masks": masks}
    before = len(mapped_files())
    here = dataset(**settings, image_storage="host").load()
    assert len(mapped_files()) == before
    there = dataset(**settings, image_storage="disk").load()
    assert len(mapped_files()) > before
    for one, other in ((here.train, there.train), (here.test, there.test)):
        for name, images in one.images.items():
            assert torch.equal(images, other.images[name])
    assert not list(Path(tempfile.gettempdir()).glob("nerfloss_images*"))


def test_a_run_from_disk_takes_the_same_steps(tmp_path):
    def learned(image_storage):
        run = assembled(tmp_path / image_storage, f"dataset.image_storage={image_storage}")
        assert run.scene.train.image_storage == image_storage
        assert run.train()
        return [p.detach() for p in run.model.field.parameters()]

    for one, other in zip(learned("auto"), learned("disk"), strict=True):
        assert torch.equal(one, other)


def test_prefetching_pixels_changes_no_result(tmp_path, monkeypatch):
    def learned(name):
        run = assembled(tmp_path / name, "trainer.max_steps=6")
        batches, drawn = run.batches, []
        draw = batches.draw

        def noted(step, rays):
            drawn.append((step, run.trainer.step))
            return draw(step, rays)

        batches.draw = noted
        assert run.train()
        return drawn, [p.detach() for p in run.model.field.parameters()]

    _, usual = learned("usual")
    monkeypatch.setattr(UniformPixelSampler, "needs_transfer", True)
    drawn, streamed = learned("streamed")
    assert drawn == [(0, 0), *((step + 1, step) for step in range(6))]
    assert all(torch.equal(one, other) for one, other in zip(usual, streamed, strict=True))


def with_free(monkeypatch, free):
    monkeypatch.setattr(views_module, "free_memory", lambda _: free)
    monkeypatch.setattr(storage, "free_memory", lambda _: free)


@pytest.mark.parametrize(
    ("image_storage", "free", "goes"),
    [("auto", 10**9, True), ("auto", 10**4, False), ("auto", None, True),
     ("device", 10**4, True), ("host", 10**9, False), ("disk", 10**9, False)],
)  # fmt: skip
def test_images_move_to_the_device_if_they_fit_into_half_of_its_free_memory(
    scene, monkeypatch, caplog, image_storage, free, goes
):
    with_free(monkeypatch, free)
    views = replace(scene.train, image_storage=image_storage)
    with caplog.at_level(logging.INFO):
        settled = views.stored_for_training(META)
    assert {image.device.type for image in settled.images.values()} == {"meta" if goes else "cpu"}
    assert settled.cameras is views.cameras
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == (image_storage in ("auto", "device")), (
        "one line where something was decided"
    )
    assert all("dataset.image_storage" in line for line in lines)
    assert views.stored_for_training(torch.device("cpu")) is views


def test_only_pixels_of_another_device_are_transferred(scene):
    assert not UniformPixelSampler(scene.train).needs_transfer
    assert not PatchSampling(5, 5)(scene.train).needs_transfer
    assert UniformPixelSampler(scene.train, device=META).needs_transfer
    assert not UniformPixelSampler(scene.train.images_to(META), device=META).needs_transfer


def test_images_too_large_for_memory_are_decoded_to_disk(monkeypatch, caplog):
    with_free(monkeypatch, 1000)
    assert not storage_for("auto", 500).on_disk
    with caplog.at_level(logging.INFO):
        assert storage_for("auto", 501).on_disk
    assert "images: 501 bytes, free memory: 1 kB" in caplog.text
    assert not storage_for("host", 1000).on_disk
    assert storage_for("disk", 1).on_disk


@pytest.mark.parametrize("image_storage", ["host", "device"])
def test_images_that_must_be_in_memory_and_do_not_fit_are_refused(monkeypatch, image_storage):
    with_free(monkeypatch, 1000)
    with pytest.raises(OutOfMemory, match=r"1 kB of memory are free; set dataset.image_storage=d"):
        storage_for(image_storage, 1001)


def test_an_unknown_image_storage_is_refused():
    with pytest.raises(
        ValueError, match=r"dataset\.image_storage='gpu' is none of auto, device, host"
    ):
        AnalyticDataset(image_storage="gpu")


class Counted(TorchDispatchMode):
    """Count the elements that operations write."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        views = func.is_view if hasattr(func, "is_view") else False
        for value in found if isinstance(found, tuple | list) else (found,):
            if isinstance(value, torch.Tensor) and not views:
                self.numbers += value.numel()
        return found


@pytest.mark.parametrize(
    "kind", [UniformPixelSampler, PatchSampling(5, 5, near_mask=2)], ids=["uniform", "patches"]
)
def test_the_cost_of_a_batch_does_not_grow_with_the_number_of_images(kind):
    def numbers(count):
        cameras = cameras_at(fibonacci_sphere(count), size=16, fov=40.0)
        masks = torch.full((count, 16, 16), 255, dtype=torch.uint8)
        rgb = masks[..., None].repeat(1, 1, 1, 3)
        batches = kind(Views(cameras, tuple(map(str, range(count))), rgb, masks))
        batches.draw(0, 100)  # warm-up: fills the caches
        with Counted() as counted:
            batches.draw(1, 100)
        return counted.numbers

    assert numbers(4) == numbers(400) > 0


def test_the_cost_of_drawing_points_does_not_grow_with_unused_views():
    from nerfloss.data.sparse_points import SparsePoints

    torch.manual_seed(0)
    seen = torch.rand(400, 50) < 0.02
    looked = torch.tensor([3, 3, 17, 399])
    points = SparsePoints(torch.rand(50, 3), torch.ones(50), visible=seen)
    expected = seen[looked].any(0).nonzero()[:, 0]
    with Counted() as counted:
        assert torch.equal(points.visible_from(looked), expected)
    assert counted.numbers < 400
