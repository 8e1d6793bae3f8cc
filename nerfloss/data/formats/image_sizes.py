"""How the stored image of a frame fits the size that its camera states, and the size to read."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from nerfloss.data.cameras.camera import Camera
from nerfloss.data.errors import DataError
from nerfloss.data.formats.parsed_scene import Frame
from nerfloss.data.image_headers import ImageHeader, conversion_note, read_header


@dataclass(frozen=True)
class PlannedImage:
    """A frame whose ``camera`` fits the image as it will be read, and how to read it.

    ``upright`` applies the EXIF orientation. ``notes`` are what had to be assumed.
    """

    frame: Frame
    camera: Camera
    upright: bool
    has_alpha: bool
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height to which the image is read."""
        return self.camera.width, self.camera.height


def plan_images(frames: Sequence[Frame], downscale: int) -> list[PlannedImage]:
    """Return how to read each frame's image, ``downscale`` times smaller than its camera states.

    Raises DataError, with the path of the image, for a size that its camera cannot have.
    """
    with ThreadPoolExecutor(max_workers=4) as pool:
        headers = list(pool.map(lambda frame: read_header(frame.image), frames))
    planned = (_plan(*pair, downscale) for pair in zip(frames, headers, strict=True))
    return list(planned)


def counted(notes: Iterable[str], views: int) -> list[str]:
    """Return each note once, with the number of views that it is about unless it is all."""
    count = Counter(notes)
    return [note if n == views else f"{note} ({n} of {views} views)" for note, n in count.items()]


def _plan(frame: Frame, header: ImageHeader, downscale: int) -> PlannedImage:
    notes = [note] if (note := conversion_note(header)) else []
    upright, turn_note = _orientation(frame, header)
    notes += [turn_note] if turn_note else []
    stored = header.upright_size if upright else (header.width, header.height)
    stated = frame.camera if frame.states_size else replace(frame.camera)
    camera = stated if (stated.width, stated.height) == stored else stated.resized(*stored)
    wanted = [max(1, round(side / downscale)) for side in (stated.width, stated.height)]
    if frame.states_size and downscale == 1 and camera is not stated:
        ratio = stored[0] / stated.width
        notes.append(f"intrinsics are scaled to the size of the images, {ratio:.3g} of the stated")
    if all(has > want + 1 for has, want in zip(stored, wanted, strict=True)):
        # A reduced image of its own size, by the true ratio of each axis.
        smaller = [max(1, side // downscale) for side in stored]
        exact = downscale > 1 and (stated.width, stated.height) == stored
        camera = camera.resized(*(smaller if exact else wanted))
    elif downscale > 1 and any(has < want - 1 for has, want in zip(stored, wanted, strict=True)):
        found = f"{stored[0]} x {stored[1]} pixels, smaller than dataset.downscale={downscale} of"
        remedy = "lower dataset.downscale"
        raise DataError(frame.image, f"{found} {stated.width} x {stated.height}", remedy)
    return PlannedImage(frame, camera, upright, header.has_alpha, tuple(notes))


def _orientation(frame: Frame, header: ImageHeader) -> tuple[bool, str | None]:
    """Return whether to apply the EXIF orientation, and what that assumes."""
    stored, turned = (header.width, header.height), header.upright_size
    tag = header.orientation
    if not frame.states_size:
        if tag == 1:
            return False, None
        found = f"EXIF orientation {tag}: shown turned, and no file states the size of the images"
        remedy = "write upright images without the tag (mogrify -auto-orient), or state w and h"
        raise DataError(frame.image, found, remedy)
    if _fits(frame.camera, stored):
        if tag == 1:
            return False, None
        return False, f"EXIF orientation {tag} is not applied: the stored pixels fit the camera"
    if tag != 1 and _fits(frame.camera, turned):
        return True, f"turned upright by EXIF orientation {tag}, as the stated size asks"
    exif = f" (EXIF orientation {tag})" if tag != 1 else ""
    found = f"{stored[0]} x {stored[1]} pixels{exif}, but its camera is for "
    found += f"{frame.camera.width} x {frame.camera.height}, which has another aspect ratio"
    raise DataError(frame.image, found, "restore the image, or correct the stated size")


def _fits(camera: Camera, size: tuple[int, int]) -> bool:
    """Return whether an image is the camera's, or a copy of another size up to rounding."""
    ratios = (size[0] / camera.width, size[1] / camera.height)
    # Each side may have been rounded by up to a pixel, in the smaller of the two images.
    small = min(ratios[0], ratios[1], 1.0)
    difference = abs(ratios[0] - ratios[1]) * min(camera.width, camera.height)
    return difference <= (1.0 if small < 1 else max(ratios)) + 1e-9
