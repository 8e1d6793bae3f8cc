"""One focal length per image size: photographs of one camera that were cropped one by one."""

from collections import Counter
from typing import Any

# With fewer images of a size its focal length is too uncertain: they keep the shared one.
FEWEST = 5


def refine_per_size(
    pycolmap: Any, model: Any, sizes: dict[str, tuple[int, int]], threads: int
) -> Any:
    """Return the model after a bundle adjustment in which each image size has a focal length.

    Sizes that differ by a few pixels come from undistortion: each photograph is cropped to its
    valid pixels and resampled to one width, which scales its focal length. The lens parameters
    stay. Sizes of fewer than 5 registered images keep one camera together; a model in which no
    camera has two such groups is returned as it is, and so is None.

    ``sizes`` are width and height before padding, by the image's name in the model.
    """
    if model is None:
        return None
    images = [image for image in model.images.values() if image.has_pose]
    keys = camera_keys({i.name: i.camera_id for i in images}, sizes)
    if len(set(keys.values())) == len({image.camera_id for image in images}):
        return model
    split = _with_cameras(pycolmap, model, keys)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_extra_params = options.refine_principal_point = False
    options.print_summary = False
    options.ceres.solver_options.num_threads = threads
    pycolmap.bundle_adjustment(split, options)
    split.update_point_3d_errors()
    return split


def camera_keys(
    cameras: dict[str, int], sizes: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, tuple[int, int] | None]]:
    """Return camera and size of each image; None as the size where it has too few images."""
    counts = Counter((camera, sizes[name]) for name, camera in cameras.items())
    return {
        name: (camera, sizes[name] if counts[camera, sizes[name]] >= FEWEST else None)
        for name, camera in cameras.items()
    }


def _with_cameras(pycolmap: Any, model: Any, keys: dict[str, Any]) -> Any:
    """Return a copy of the model with a camera per key, which starts from the shared one."""
    split = pycolmap.Reconstruction()
    numbers = {key: number for number, key in enumerate(sorted(set(keys.values()), key=str), 1)}
    shared = {keys[i.name]: i.camera for i in model.images.values() if i.name in keys}
    for key, number in numbers.items():
        of = shared[key]
        camera = pycolmap.Camera(
            camera_id=number,
            model=of.model.name,
            width=of.width,
            height=of.height,
            params=of.params,
        )
        split.add_camera_with_trivial_rig(camera)
    for image in model.images.values():
        if image.name in keys:
            copy = pycolmap.Image(
                name=image.name, camera_id=numbers[keys[image.name]], image_id=image.image_id
            )
            seen = [pycolmap.Point2D(point.xy) for point in image.points2D]
            copy.points2D = pycolmap.Point2DList(seen)
            split.add_image_with_trivial_frame(copy, image.cam_from_world())
    for point in model.points3D.values():
        split.add_point3D(point.xyz, point.track, point.color)
    return split
