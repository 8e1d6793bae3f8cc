"""The region and the test views that a training with the same settings would have."""

from dataclasses import dataclass

from nerfloss.data.camera_checks import check_cameras
from nerfloss.data.errors import DataError
from nerfloss.data.formats.build_settings import BuildSettings
from nerfloss.data.formats.image_sizes import plan_images
from nerfloss.data.formats.parsed_scene import ParsedScene
from nerfloss.data.formats.scene_region import scaled
from nerfloss.data.formats.view_selection import with_split
from nerfloss.data.hull_ball import OPAQUE
from nerfloss.data.inspection.inspection import Finding, Row
from nerfloss.data.inspection.view_pictures import ViewPicture
from nerfloss.data.posed_cameras import PosedCameras
from nerfloss.data.region import Masks, Region, choose_region
from nerfloss.data.region_settings import region_settings


@dataclass(frozen=True)
class TrainingRegion:
    """The region of interest, and the ball that is 1 in scene units, which may be larger."""

    region: Region
    scene: Region

    def rows(self, parsed: ParsedScene) -> list[Row]:
        """Return the rows on the region and its unit."""
        rows = [
            Row("region", self.scene.description.removeprefix("region: ")),
            Row("units", f"1 in scene units is {self.scene.radius:.4g} of the files' units"),
        ]
        if parsed.to_files is not None:
            rows.append(Row("", "poses were moved by a converter: results are mapped back"))
        return rows


def training_region(
    parsed: ParsedScene,
    posed: PosedCameras,
    pictures: tuple[ViewPicture, ...],
    settings: BuildSettings,
) -> tuple[TrainingRegion, list[Finding]]:
    """Return the region, and what is suspicious about it and the cameras.

    Raises DataError for a region in the settings that is none.
    """
    findings = []
    region_settings(settings.region)
    masked = settings.masks is not False and any(each.mask is not None for each in pictures)
    masks = _telling_masks(pictures if masked else (), len(posed))
    try:
        region = choose_region(
            posed.poses,
            posed.cameras,
            masks,
            parsed.points,
            stated=parsed.region,
            up=parsed.up,
            override=settings.region,
            orientation=settings.orientation,
        )
    except DataError as error:
        findings.append(Finding("region", str(error)))
        region = choose_region(posed.poses, posed.cameras)
    names = [frame.name for frame in parsed.frames]
    try:
        lines = check_cameras(
            posed.poses, posed.cameras, region, masks, names=names, path=str(parsed.folder)
        )
    except DataError as error:
        lines = [str(error)]
    findings += [Finding("cameras", line) for line in lines]
    return TrainingRegion(region, scaled(region, masked, settings.scene_scale)), findings


def _telling_masks(pictures: tuple[ViewPicture, ...], views: int) -> Masks:
    """Return the masks of all views, None where a view has none that tells anything."""
    masks = {picture.view: picture.mask for picture in pictures}
    if all(mask is None or (mask >= OPAQUE).all() for mask in masks.values()):
        return [None] * views
    return [masks.get(view) for view in range(views)]


def training_split(
    parsed: ParsedScene, region: Region, settings: BuildSettings
) -> tuple[ParsedScene, list[Finding]]:
    """Return the scene with the test views of a training, and why there are none, if so.

    Raises DataError for a rule in the settings that cannot be followed.
    """
    try:
        return with_split(parsed, region, settings.hold_out), []
    except DataError as error:
        if settings.hold_out is not None:
            raise
        return parsed, [Finding("hold_out", str(error))]


def split_text(parsed: ParsedScene, stated: bool) -> str:
    """Return the numbers of views, and the rule; ``stated``: by the files or the settings."""
    total, held = len(parsed.frames), len(parsed.test or ())
    if parsed.test is None:
        return f"{total}; none can be held out"
    rule = parsed.hold_out or "as the files say"
    text = f"{total}: {total - held} to train, {held} to test ({rule})"
    return text if stated else f"{text}; the files hold out none (dataset.hold_out chooses)"


def size_rows(parsed: ParsedScene, downscale: int) -> tuple[list[Row], list[Finding]]:
    """Return the sizes of the images in training, where they are made smaller."""
    if downscale == 1:
        return [], []
    try:
        sizes = {image.size for image in plan_images(parsed.frames, downscale)}
    except DataError as error:
        return [], [Finding("downscale", str(error))]
    shown = sorted(sizes)
    text = ", ".join(f"{width} x {height}" for width, height in shown[:4])
    more = " ..." if len(shown) > 4 else ""
    return [Row("trained at", f"{text}{more} (dataset.downscale={downscale})")], []
