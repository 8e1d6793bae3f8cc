"""Frames of a video: the sharpest of each interval, by the variance of the Laplacian."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import laplace

from nerfloss.data.errors import DataError
from nerfloss.data.ffmpeg import require_ffmpeg
from nerfloss.files import atomic_write

VIDEO_ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".mts")


def is_video(path: Path) -> bool:
    """Tell by its ending if a file is a video."""
    return path.suffix.lower() in VIDEO_ENDINGS


def sharpness(grey: Float[np.ndarray, "height width"]) -> float:
    """Return the variance of the Laplacian, in squared grey values; blur makes it small.

    Reference: Pech-Pacheco et al. 2000, Diatom autofocusing in brightfield microscopy.
    """
    return float(laplace(grey).var())


def extract_frames(
    video: Path, folder: Path, count: int, progress: Callable[[str, int, int], None]
) -> None:
    """Write about ``count`` frames of a video into a folder, as PNG in the order of time.

    The video is cut into ``count`` equal intervals; the sharpest frame of each is taken. Frames
    that are there from an earlier run are kept. Raises DataError if the video cannot be read or
    has fewer than 3 frames.
    """
    finished = folder / "frames.json"
    key = {"size": video.stat().st_size, "count": count}
    if finished.is_file() and json.loads(finished.read_text()) == key:
        return
    total, frames = _open(video)
    if total < 3:
        raise DataError(video, f"{total} frames", "record at least some seconds")
    count = min(count, total)
    folder.mkdir(parents=True, exist_ok=True)
    taken = 0
    for number, frame in sharpest_frames(frames, total, count):
        path = folder / f"frame_{number + 1:06d}.png"
        target = io.BytesIO()
        Image.fromarray(frame).save(target, "PNG", compress_level=1)
        atomic_write(path, target.getvalue())
        taken += 1
        progress("frames", taken, count)
    if taken < 3:
        raise DataError(video, f"{taken} frames could be decoded", "convert the video to MP4")
    atomic_write(finished, json.dumps(key).encode())


def sharpest_frames(
    frames: Iterator[UInt8[np.ndarray, "height width 3"]], total: int, count: int
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """Yield the number and the pixels of the sharpest frame of each of ``count`` intervals."""
    best, best_value, interval = None, -1.0, 0
    for number, frame in enumerate(frames):
        now = min(number * count // total, count - 1)
        if now != interval and best is not None:
            yield best
            best, best_value = None, -1.0
        interval = now
        value = sharpness(_small_grey(frame))
        if value > best_value:
            best, best_value = (number, frame), value
    if best is not None:
        yield best


def _small_grey(frame: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "h w"]:
    """Return green, averaged to about 500 pixels: motion blur is wider, noise is finer."""
    step = max(1, max(frame.shape[:2]) // 500)
    height, width = (n // step * step for n in frame.shape[:2])
    green = frame[:height, :width, 1].astype(np.float32)
    return green.reshape(height // step, step, width // step, step).mean((1, 3))


def _open(video: Path) -> tuple[int, Iterator[np.ndarray]]:
    """Return the number of frames, and an iterator over them."""
    imageio_ffmpeg = require_ffmpeg("videos are read by", "capture")
    try:
        total, _ = imageio_ffmpeg.count_frames_and_secs(str(video))
        reader = imageio_ffmpeg.read_frames(str(video), pix_fmt="rgb24")
        width, height = next(reader)["size"]
    except (OSError, RuntimeError, ValueError, StopIteration, KeyError) as error:
        raise DataError(video, "not a video that ffmpeg reads", "convert it to MP4") from error

    def frames() -> Iterator[np.ndarray]:
        for raw in reader:
            yield np.frombuffer(raw, np.uint8).reshape(height, width, 3)

    return total or 0, frames()
