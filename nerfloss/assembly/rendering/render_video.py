"""Render the frames of a camera path with a model, and join them into a video."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

import nerfloss.assembly.rendering.video_files as video_files
from nerfloss.assembly.rendering.frame_store import FrameStore, fingerprint
from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.camera_paths.path_file import write_path
from nerfloss.data.cameras.cameras import Cameras, pixel_centers
from nerfloss.data.pixel_samplers.backgrounds import background_colors
from nerfloss.data.pixel_samplers.batch import Batch
from nerfloss.data.scene import Scene
from nerfloss.evaluation.frame_pictures import (
    check_modes,
    depth_percentiles,
    picture,
    quantities_of,
    side_by_side,
    wipe,
    wipe_share,
)
from nerfloss.evaluation.image_rendering import View, render_view
from nerfloss.evaluation.inputs import EvaluatedModel
from nerfloss.evaluation.oom_retry import ChunkSize

log = logging.getLogger(__name__)

# The range of depth is that of some small frames: percentiles need no more.
RANGE_FRAMES, RANGE_SIZE = 8, 48
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VideoSettings:
    """What a video shows, and the files that are written.

    ``show`` are modes (`nerfloss.evaluation.frame_pictures.MODES`), side by side, or with ``wipe``
    the second uncovered by a bar that moves over the first. ``depth_range`` is (near, far) in scene
    units; None: 1 % and 99 % quantiles over the path. ``mp4`` and ``gif`` join the frames. Raises
    ValueError for settings that exclude each other.
    """

    show: tuple[str, ...] = ("rgb",)
    wipe: bool = False
    mp4: bool = True
    gif: bool = False
    depth_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.wipe and len(self.show) != 2:
            got = ",".join(self.show)
            raise ValueError(f"--wipe needs two modes, as in --show rgb,normal, got {got}")
        if len(set(self.show)) < len(self.show):
            raise ValueError(f"--show {','.join(self.show)} names a mode twice")
        if self.depth_range is not None:
            near, far = self.depth_range
            if not 0 <= near < far:
                raise ValueError(f"--depth-range needs 0 <= NEAR < FAR, got {near:g} {far:g}")


@dataclass(frozen=True)
class RenderedVideo:
    """The files of a video, and how many of its frames were ``kept`` from an earlier call.

    ``depth_range`` is that of its colours, None where it shows no depth.
    """

    folder: Path
    files: tuple[Path, ...]
    frames: int
    kept: int
    depth_range: tuple[float, float] | None


@dataclass(frozen=True)
class VideoRenderer:
    """A model, with the scene that says what lies behind it, and the rays rendered at once."""

    subject: EvaluatedModel
    scene: Scene
    state: Any
    chunk: ChunkSize

    def __call__(
        self,
        path: CameraPath,
        folder: Path,
        settings: VideoSettings,
        progress: Progress = lambda *_: None,
    ) -> RenderedVideo:
        """Render what is missing of a path, which is in scene units, and write the files.

        Frames that a call with the same model, path and settings has written are kept.
        """
        check_modes(settings.show, self.subject.offers)
        if settings.mp4:
            video_files.ffmpeg_program()
        store, key = FrameStore(folder), self._key(path, settings)
        facts = store.begin(key)
        near_far = facts.get("depth_range") or settings.depth_range
        if near_far is None and "depth" in settings.show:
            near_far = self._depth_range(path)
        facts = {**facts, "depth_range": near_far, "depth_unit": "scene units", "fps": path.fps}
        facts["data_units_per_scene_unit"] = float(np.linalg.norm(self.scene.to_world[:3, 0]))
        store.record(key, facts)
        write_path(folder / "camera_path.json", path.mapped(self.scene.to_world))
        cameras, kept = path.cameras(), 0
        for frame in range(len(path)):
            modes = store.missing(settings.show, frame)
            kept += not modes
            if modes:
                self._write_frame(store, cameras, frame, modes, near_far)
            progress(frame + 1, len(path))
        files = _join(store, path, settings)
        span = None
        if near_far is not None and "depth" in settings.show:
            span = (float(near_far[0]), float(near_far[1]))
        return RenderedVideo(folder, files, len(path), kept, span)

    def _key(self, path: CameraPath, settings: VideoSettings) -> dict[str, Any]:
        numbers = [path.poses.round(9), path.fov.round(9)]
        shape = [path.width, path.height, path.camera_type]
        return {
            "model": fingerprint(self.state),
            "path": fingerprint([*numbers, *shape]),
            "background": self._background,
            "appearance": self.subject.image_conventions.get("appearance"),
            "depth_range": None if settings.depth_range is None else [*settings.depth_range],
        }

    @property
    def _background(self) -> str:
        """Return the colour behind the scene: where photographs have their own, none is known."""
        kind = self.scene.background
        return "white" if kind in ("random", "auto", "inpainted") else kind

    def _write_frame(
        self,
        store: FrameStore,
        cameras: Cameras,
        frame: int,
        modes: list[str],
        near_far: tuple[float, float] | None,
    ) -> None:
        images, directions = self._render(cameras, frame, quantities_of(modes))
        for mode in modes:
            pixels = picture(mode, images, directions, near_far or (0.0, 1.0))
            store.write(mode, frame, pixels)

    def _render(
        self, cameras: Cameras, frame: int, needs: frozenset[str]
    ) -> tuple[dict[str, Tensor], Float[Tensor, "height width 3"]]:
        """Return the images of one frame, and the directions of its rays."""
        width, height = cameras.size(frame)
        pixels = pixel_centers(width, height)
        colors = background_colors(self._background, len(pixels), None, torch.device("cpu"))
        assert colors is not None
        rays = cameras.rays(torch.full((len(pixels),), frame), pixels, colors)
        rays = replace(rays, view=torch.zeros_like(rays.view))
        view = View(f"frame {frame}", Batch(rays, {}), height, width)
        images = render_view(self.subject.render_of(view), view, needs, chunk=self.chunk)
        return images, view.as_image(rays.directions)

    def _depth_range(self, path: CameraPath) -> tuple[float, float]:
        """Return quantiles of depth over the path; of the unit ball where nothing is hit."""
        scale = min(1.0, RANGE_SIZE / max(path.width, path.height))
        width, height = (max(1, round(scale * side)) for side in (path.width, path.height))
        cameras = replace(path, width=width, height=height).cameras()
        chosen = np.linspace(0, len(path) - 1, min(RANGE_FRAMES, len(path))).round().astype(int)
        images = [
            self._render(cameras, frame, frozenset({"depth", "opacity"}))[0]
            for frame in chosen.tolist()
        ]
        depth, opacity = (torch.stack([each[n] for each in images]) for n in ("depth", "opacity"))
        found = depth_percentiles(depth, opacity)
        if found is not None:
            return found
        distance = float(np.linalg.norm(path.poses[:, :, 3], axis=1).mean())
        return max(0.0, distance - 1), distance + 1


def _join(store: FrameStore, path: CameraPath, settings: VideoSettings) -> tuple[Path, ...]:
    """Write the video and the GIF, named by what they show, and return their paths."""
    name = ("_wipe_" if settings.wipe else "_").join(settings.show)
    files = []
    if settings.mp4:
        files.append(store.folder / f"{name}.mp4")
        video_files.write_mp4(files[-1], _pictures(store, len(path), settings), path.fps)
    if settings.gif:
        files.append(store.folder / f"{name}.gif")
        pictures = [*_pictures(store, len(path), settings)]
        rate = video_files.write_gif(files[-1], pictures, path.fps)
        log.debug("the GIF shows %.3g frames per second", rate)
    return tuple(files)


def _pictures(
    store: FrameStore, frames: int, settings: VideoSettings
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    for frame in range(frames):
        pictures = [store.read(mode, frame) for mode in settings.show]
        if settings.wipe:
            yield wipe(pictures[0], pictures[1], wipe_share(frame, frames))
        else:
            yield side_by_side(pictures)
