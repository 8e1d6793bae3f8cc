"""Frames as a video file (H.264 in MP4) and as an animated GIF."""

import io
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nerfloss.data.ffmpeg import require_ffmpeg
from nerfloss.files import WriteError, atomic_write

Picture = UInt8[np.ndarray, "height width 3"]
QUALITY = 17  # constant rate factor of H.264: 0 is lossless, 23 is ffmpeg's default
GIF_RATE = 20  # frames per second at most
PALETTE_FRAMES = 8  # from which the colours of a GIF are chosen


def ffmpeg_program() -> str:
    """Return the path of ffmpeg. Raises ModuleNotFoundError if the extra ``video`` is missing."""
    return require_ffmpeg("videos are written by", "video").get_ffmpeg_exe()


def write_mp4(path: Path, frames: Iterable[Picture], fps: float) -> None:
    """Write a video atomically; pictures of an odd size are continued by one row or column.

    Raises WriteError, with the words of ffmpeg, where it cannot be written.
    """
    pictures = (_even(frame) for frame in frames)
    first = next(pictures)
    height, width = first.shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    command = [ffmpeg_program(), "-y", "-loglevel", "error", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"]
    # yuv420p and the index at the start: what browsers play.
    command += ["-c:v", "libx264", "-crf", str(QUALITY), "-pix_fmt", "yuv420p"]
    command += ["-movflags", "+faststart", "-f", "mp4", str(unfinished)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(first.tobytes())
            for frame in pictures:
                process.stdin.write(frame.tobytes())
        except BrokenPipeError:  # its message is read below
            pass
        _, said = process.communicate()
    if process.returncode:
        unfinished.unlink(missing_ok=True)
        words = said.decode(errors="replace").strip() or "no reason given"
        raise WriteError(f"{path} could not be written: ffmpeg: {words.splitlines()[-1]}")
    os.replace(unfinished, path)


def write_gif(path: Path, frames: Sequence[Picture], fps: float) -> float:
    """Write an endless GIF atomically, and return its frames per second, at most 20.

    All frames share 256 colours, so that flat areas do not flicker. A GIF counts time in
    hundredths of a second.
    """
    step = int(np.ceil(fps / GIF_RATE - 1e-9))
    pictures = [Image.fromarray(frame) for frame in frames[::step]]
    delay = max(2, round(100 * step / fps))
    every = max(1, len(pictures) // PALETTE_FRAMES)
    sample = np.concatenate([np.asarray(each) for each in pictures[::every]], axis=1)
    palette = Image.fromarray(sample).quantize(256)
    indexed = [each.quantize(palette=palette) for each in pictures]
    target = io.BytesIO()
    indexed[0].save(
        target,
        "GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=10 * delay,
        loop=0,
    )
    atomic_write(path, target.getvalue())
    return 100 / delay


def _even(frame: Picture) -> UInt8[np.ndarray, "even_height even_width 3"]:
    """Return a picture of even width and height: the colours of yuv420p are per two pixels."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
