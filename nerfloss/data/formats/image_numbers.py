"""Which camera of a NeuS archive belongs to which image, by the numbers in the images' names."""

from collections.abc import Sequence
from pathlib import Path

from nerfloss.data.errors import DataError
from nerfloss.data.formats.image_pairs import varying_numbers
from nerfloss.data.formats.neus_cameras import NeusCameras


def camera_of_image(images: Sequence[Path], cameras: NeusCameras, notes: list[str]) -> list[int]:
    """Return the index of each image's camera; ``images`` are in natural order.

    As in NeuS and IDR, world_mat_i is the camera of the i-th image, whatever its name. Where the
    cameras' numbers have gaps, they are those of the images. Raises DataError where counts differ,
    and for images whose numbers are those of cameras, but not in this order: one is missing.
    """
    numbers, count = cameras.numbers, len(images)
    named = _numbers(images)
    if len(numbers) != count:
        found = f"{len(numbers)} cameras (world_mat_i) for {count} images"
        remedy = "cameras and images must match one to one, in order"
        raise DataError(cameras.path, found, remedy)
    if sorted(numbers) == list(range(count)):
        if named is not None:
            _check_order(images, named, cameras.path)
        notes += _order_notes(images, named)
        return list(range(count))
    if named is not None and set(numbers) == set(named):
        notes.append("cameras belong to the images of their numbers, which have gaps")
        return [numbers.index(number) for number in named]
    missing = next(number for number in range(count) if number not in numbers)
    found = f"world_mat_{missing} is missing, and the images have other numbers than the cameras"
    raise DataError(cameras.path, found, "number the cameras from 0 without gaps")


def _numbers(images: Sequence[Path]) -> list[int] | None:
    """Return the one number that tells the images apart, None if there is no such number."""
    found = varying_numbers(images)
    if any(len(each) != 1 for each in found) or len(set(found)) < len(images):
        return None
    return [each[0] for each in found]


def _check_order(images: Sequence[Path], named: Sequence[int], path: Path) -> None:
    """Refuse numbers that contradict the order; an offset, and times of a clock, do not."""
    count, first = len(images), named[0]
    wrong = next((i for i, number in enumerate(named) if number != first + i), None)
    # Numbers of cameras, or nearly as dense as these; those of a clock are neither.
    are_indices = min(named) < count or max(named) - min(named) < 2 * count
    if wrong is None or not are_indices:
        return
    found = (
        f"{count} images for world_mat_0 to world_mat_{count - 1}, but their numbers have gaps: "
        f"{images[wrong].name} is number {wrong} in order"
    )
    remedy = (
        "restore the missing image, or name the images 000, 001 ... in the order of the cameras, "
        "or the cameras by the images' numbers"
    )
    raise DataError(path, found, remedy)


def _order_notes(images: Sequence[Path], named: Sequence[int] | None) -> list[str]:
    if sorted(images, key=lambda path: path.name) != list(images):
        natural = "cameras follow the natural order of the images' names (2 before 10)"
        return [f"{natural}; the order as text is another"]
    if named is not None and list(named) != list(range(len(images))):
        return [f"cameras follow the order of the images: world_mat_0 is of {images[0].name}"]
    return []
