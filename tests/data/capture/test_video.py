"""Frames of a real video file: the sharpest of each interval."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from nerfloss.data.capture.photographs import collect_photographs
from nerfloss.data.capture.video import extract_frames
from nerfloss.data.errors import DataError

# imageio-ffmpeg leaves the pipes of an ffmpeg that has ended to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SHARP = (2, 13, 17, 28)


def write_video(path: Path, count: int = 32) -> None:
    """Write a video of a blurred texture that is sharp in the frames ``SHARP``."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    texture = np.random.default_rng(0).uniform(0, 255, (96, 128, 1)).repeat(3, 2)
    texture = gaussian_filter(texture, (1, 1, 0))
    texture = (texture - texture.min()) / np.ptp(texture) * 255
    writer = ffmpeg.write_frames(str(path), (128, 96), fps=16, macro_block_size=16, quality=9)
    writer.send(None)
    for number in range(count):
        blur = 0 if number in SHARP else 3
        frame = gaussian_filter(texture, (blur, blur, 0)).round().astype(np.uint8)
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def test_the_sharpest_frame_of_each_interval_of_a_video_is_written(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4")
    told = []
    extract_frames(tmp_path / "walk.mp4", tmp_path / "f", 4, lambda *each: told.append(each))
    names = [each.name for each in collect_photographs(tmp_path / "f")]
    assert names == [f"frame_{number + 1:06d}.png" for number in SHARP]
    assert told[-1] == ("frames", 4, 4)
    with Image.open(tmp_path / "f" / names[0]) as frame:
        assert frame.size == (128, 96)


def test_frames_that_are_there_are_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4")
    told = []
    for _ in range(2):
        extract_frames(tmp_path / "walk.mp4", tmp_path / "f", 4, lambda *each: told.append(each))
    assert len(told) == 4


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    (tmp_path / "walk.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match="not a video that ffmpeg reads"):
        extract_frames(tmp_path / "walk.mp4", tmp_path / "f", 4, lambda *_: None)
