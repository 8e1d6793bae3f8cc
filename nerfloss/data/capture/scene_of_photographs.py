"""From photographs or a video to a scene in COLMAP's layout: all stages, each of which resumes."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nerfloss.data.cameras.camera import MODELS
from nerfloss.data.capture.camera_groups import CameraGroup, camera_groups
from nerfloss.data.capture.model_arrays import Reconstruction, read_model
from nerfloss.data.capture.model_files import SearchCopy, write_colmap_model
from nerfloss.data.capture.object_masks import check_rembg, write_masks
from nerfloss.data.capture.pairs import choose_matching
from nerfloss.data.capture.photographs import Photograph, collect_photographs
from nerfloss.data.capture.report import CaptureReport, capture_notes, few_registered
from nerfloss.data.capture.scene_folder import open_scene_folder
from nerfloss.data.capture.scene_images import planned_image, write_image, write_search_copy
from nerfloss.data.capture.video import extract_frames, is_video
from nerfloss.data.capture.worker import Progress, check_pycolmap, run_worker
from nerfloss.data.errors import DataError
from nerfloss.files import atomic_write


@dataclass(frozen=True)
class CaptureSettings:
    """What a user may say about a capture; the command's options, by the same names."""

    camera_model: str = "SIMPLE_RADIAL"
    camera_per: str = "auto"
    matching: str = "auto"
    max_size: int = 1600
    frames: int = 150
    threads: int = -1
    seed: int = 0
    masks: bool = False

    def __post_init__(self) -> None:
        # Structure from motion needs a focal length; a whole sphere has none.
        known = [name for name, model in MODELS.items() if model.parameters]
        if self.camera_model not in known:
            raise ValueError(
                f"camera_model is one of {', '.join(known)}, got {self.camera_model!r}"
            )
        if self.max_size < 0 or 0 < self.max_size < 64:
            raise ValueError(f"max_size is 0 (no limit) or at least 64 pixels: {self.max_size}")
        if self.frames < 3:
            raise ValueError(f"frames must be at least 3, got {self.frames}")
        if self.threads < 1 and self.threads != -1:
            raise ValueError(f"threads must be at least 1, or -1 for all cores: {self.threads}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must lie in 0 to 2^31 - 1, got {self.seed}")
        camera_groups([], self.camera_per)
        choose_matching(0, False, self.matching)


def _silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""


def capture(
    source: Path,
    scene: Path,
    settings: CaptureSettings,
    progress: Progress = _silent,
    worker: Callable[[Path, Progress], None] = run_worker,
) -> CaptureReport:
    """Make a scene in COLMAP's layout: images/, sparse/0/ and, if asked for, masks/.

    ``source`` is a folder of photographs or a video. A capture that was killed goes on where it
    was; one that is finished is not repeated; other photographs or settings begin anew. Raises
    DataError if the photographs cannot be read, or if fewer than 3 views are registered.
    """
    source, scene = source.expanduser(), scene.expanduser()
    if worker is run_worker:
        check_pycolmap()
    if settings.masks:
        check_rembg()
    # Masks come last, and the number of threads changes no result: neither begins a capture anew.
    same = {**asdict(settings), "masks": None, "threads": None}
    work = open_scene_folder(source, scene, same)
    video = source.is_file()
    if video and not is_video(source):
        remedy = "give a folder of photographs, or a video (MP4, MOV, ...)"
        raise DataError(source, "a file that is no video", remedy)
    if video:
        extract_frames(source, work / "frames", settings.frames, progress)
    originals = collect_photographs(work / "frames" if video else source)
    planned = _write_images(originals, scene / "images", settings.max_size, progress)
    groups = camera_groups(planned, settings.camera_per)
    copies = _write_copies(planned, groups, scene / "images", work / "copies", settings, progress)
    matching = choose_matching(len(planned), video, settings.matching)
    if not (work / "model.npz").is_file():
        job = work / "job.json"
        atomic_write(job, json.dumps(_job(copies, groups, matching, settings)).encode())
        worker(job, progress)
    found = read_model(work / "model.npz")
    if len(found.names) < 3:
        _refuse(source, found, len(planned), matching)
    cameras = write_colmap_model(scene / "sparse" / "0", found, copies)
    if settings.masks:
        write_masks(scene / "images", scene / "masks", [p.name for p in planned], progress)
    report = _report(found, copies, groups, planned, originals, matching)
    report = CaptureReport(**{**vars(report), "cameras": tuple(dict.fromkeys(cameras))})
    atomic_write(work / "report.txt", "\n".join(report.lines()).encode())
    return report


def _write_images(
    originals: list[Photograph], folder: Path, max_size: int, progress: Progress
) -> list[Photograph]:
    planned = [planned_image(original, max_size) for original in originals]
    for done, (original, image) in enumerate(zip(originals, planned, strict=True)):
        progress("images", done, len(planned))
        if not (folder / image.name).is_file():
            write_image(original, image, folder / image.name)
    progress("images", len(planned), len(planned))
    return planned


def _write_copies(
    planned: list[Photograph],
    groups: list[CameraGroup],
    images: Path,
    folder: Path,
    settings: CaptureSettings,
    progress: Progress,
) -> dict[str, SearchCopy]:
    """Write the copies in which features are searched; return where each image lies in its own."""
    folder.mkdir(parents=True, exist_ok=True)
    copies, done = {}, 0
    for group in groups:
        for index in group.members:
            image = planned[index]
            plain = group.factor == 1 and (image.width, image.height) == group.size
            ending = Path(image.name).suffix.lower() if plain else ".png"
            name = f"{index + 1:06d}{ending}"
            offset = write_search_copy(images / image.name, group, folder / name)
            size = image.width, image.height
            copies[name] = SearchCopy(
                image.name, settings.camera_model, *size, group.factor, offset
            )
            done += 1
            progress("copies", done, len(planned))
    return dict(sorted(copies.items()))


def _job(
    copies: dict[str, SearchCopy],
    groups: list[CameraGroup],
    matching: str,
    settings: CaptureSettings,
) -> dict:
    camera = {index: number for number, group in enumerate(groups) for index in group.members}
    cameras = [
        {
            "model": settings.camera_model,
            "width": group.canvas[0],
            "height": group.canvas[1],
            "focal": group.focal,
            "known": group.known,
            "factor": group.factor,
        }
        for group in groups
    ]
    images = [
        {"name": name, "camera": camera[index], "size": (copy.width, copy.height)}
        for index, (name, copy) in enumerate(copies.items())
    ]
    return {
        "images": images,
        "cameras": cameras,
        "matching": matching,
        "threads": settings.threads,
        "seed": settings.seed,
    }


def _refuse(source: Path, found: Reconstruction, views: int, matching: str) -> None:
    pairs = sum(found.matched.values()) // 2
    text = f"{len(found.names)} of {views} views are registered ({pairs} pairs of views match)"
    raise DataError(source, text, "\n".join(few_registered(matching)))


def _report(
    found: Reconstruction,
    copies: dict[str, SearchCopy],
    groups: list[CameraGroup],
    planned: list[Photograph],
    originals: list[Photograph],
    matching: str,
) -> CaptureReport:
    registered = set(found.names)
    missing = [(c.name, found.matched.get(n, 0)) for n, c in copies.items() if n not in registered]
    factor = float(np.mean([copies[name].factor for name in found.names]))
    return CaptureReport(
        views=len(planned),
        registered=len(found.names),
        missing=tuple(missing),
        points=len(found.positions),
        error=float(found.errors.mean()) / factor if len(found.errors) else 0.0,
        cameras=(),
        known_focal=sum(group.known for group in groups),
        matching=matching,
        notes=tuple(capture_notes(groups, planned, originals, matching)),
    )
