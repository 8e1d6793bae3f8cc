"""A scene read from a folder, in any layout."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from nerfloss.data.depth_files import find_confidence
from nerfloss.data.formats.build_settings import BuildSettings
from nerfloss.data.formats.detection import detect_layout, layout_module
from nerfloss.data.formats.parsed_scene import Frame, ParsedScene, ParseSettings
from nerfloss.data.formats.scene_builder import build_scene
from nerfloss.data.image_headers import read_header
from nerfloss.data.priors.prior_files import with_priors
from nerfloss.data.scene import Scene, check_masked_background
from nerfloss.data.settings import FileSettings, SceneSettings

log = logging.getLogger(__name__)

MASK_MEANINGS = ("auto", "object", "ignore")
MISSING = ("refuse", "skip")


@dataclass(frozen=True)
class FolderDataset(SceneSettings, FileSettings):
    """A scene in any layout of `nerfloss.data.formats.detection`.

    ``layout`` names it, or is ``auto``. ``images`` names the folder of the images where the layout
    does not. ``missing`` is ``refuse`` or ``skip``: what to do with views whose image or pose is
    missing. ``mask_meaning`` says what mask files mark: the ``object``, the pixels that count
    (``ignore`` those that are 0), or ``auto``: as the layout defines. ``region`` overrides the
    region of interest: a mapping of ``center``, ``radius`` and ``up`` in the coordinates of the
    files. ``orientation`` is ``files``, ``up`` or ``auto`` (`choose_region`), ``scene_scale`` a
    factor or ``auto`` (`scene_region`). ``scene_radius`` is short for a region about the origin.
    With ``priors`` the maps that lie in the folders of `with_priors` are read. ``outside`` permits
    files of a scene to name images, masks and maps outside of its folder.

    Raises ValueError for a value that is not among the choices.
    """

    layout: str = "auto"
    masks: bool | str = "auto"
    images: str | None = None
    missing: str = "refuse"
    mask_meaning: str = "auto"
    region: Mapping[str, Any] | None = None
    orientation: str = "auto"
    scene_scale: float | int | str = "auto"
    scene_radius: float | int | None = None
    priors: bool = True
    outside: bool = False

    content: ClassVar[str] = "a scene (images with poses: transforms.json, COLMAP, NeuS ...)"
    mask_choices: ClassVar[tuple[bool | str, ...]] = (True, False, "auto")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout != "auto":
            layout_module(self.layout)
        check_masked_background(self.background, self.masks)
        choices = {"mask_meaning": MASK_MEANINGS, "missing": MISSING}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise ValueError(f"dataset.{name}={value!r} is none of {', '.join(known)}")
        scale = self.scene_scale
        named = scale in ("auto", "background")
        if not named and not (isinstance(scale, int | float) and scale > 0):
            raise ValueError(
                f"dataset.scene_scale must be positive, auto or background, got {scale}"
            )
        radius = self.scene_radius
        if radius is not None and not (isinstance(radius, int | float) and radius > 0):
            raise ValueError(f"dataset.scene_radius must be positive, got {radius}")
        if not isinstance(self.downscale, int) or self.downscale < 1:
            raise ValueError(f"dataset.downscale must be an integer >= 1, got {self.downscale}")

    @property
    def offers(self) -> frozenset[str]:
        """Names of the quantities, known from the headers of files."""
        parsed = self.parsed
        alpha = read_header(parsed.frames[0].image).has_alpha
        masks = alpha or any(frame.object_mask for frame in parsed.frames)
        offered = self.offered(masks=bool(self.masks) and masks)
        maps = ("depth", "depth_confidence", "relative_depth", "disparity", "normal")
        for name in maps:
            if any(getattr(frame, name) for frame in parsed.frames):
                offered |= {f"target_{name}"}
        if self.points is None and parsed.points is not None and len(parsed.points.positions):
            offered |= {"target_points", "target_point_confidence"}
            offered |= {"target_point_normals"} if parsed.points.normals is not None else set()
        return offered

    @cached_property
    def parsed(self) -> ParsedScene:
        """What the files say, without the images. Raises DataError."""
        folder = self.folder()
        name = detect_layout(folder) if self.layout == "auto" else self.layout
        settings = ParseSettings(
            downscale=self.downscale,
            images=self.images,
            missing=self.missing,
            masks=self.masks,
            scene_radius=None if self.scene_radius is None else float(self.scene_radius),
            own_split=self.hold_out is not None,
            outside=self.outside,
        )
        parsed = layout_module(name).parse(folder, settings)
        if self.scene_radius is not None and parsed.region is None:
            radius = float(self.scene_radius)
            parsed = replace(parsed, region=np.diag([radius, radius, radius, 1.0]))
        frames = tuple(_with_confidence(self._with_meaning(frame)) for frame in parsed.frames)
        parsed = replace(parsed, frames=frames)
        return with_priors(parsed) if self.priors else parsed

    @property
    def build_settings(self) -> BuildSettings:
        """The settings with which the scene is built."""
        return BuildSettings(
            background=self.background,
            masks=self.masks,
            downscale=self.downscale,
            hold_out=self.hold_out,
            region=self.region,
            orientation=self.orientation,
            scene_scale=self.scene_scale,
            image_storage=self.image_storage,
        )

    def load(self) -> Scene:
        ground_truth = self.load_mesh()
        if self.layout == "auto":
            log.info("layout: %s (dataset.layout)", self.parsed.layout)
        settings = self.build_settings
        return build_scene(
            self.parsed, settings, points=self.load_points, ground_truth=ground_truth
        )

    def _with_meaning(self, frame: Frame) -> Frame:
        """Return the frame with its mask files in the place of their meaning."""
        both = (frame.object_mask, frame.ignore_mask)
        if self.mask_meaning == "auto" or both.count(None) != 1:
            return frame
        mask = next(path for path in both if path is not None)
        if self.mask_meaning == "object":
            return replace(frame, object_mask=mask, ignore_mask=None)
        return replace(frame, object_mask=None, ignore_mask=mask)


def _with_confidence(frame: Frame) -> Frame:
    """Return the frame with the file of the confidence of its depth, if there is one."""
    found = None if frame.depth is None else find_confidence(frame.depth)
    return frame if found is None else replace(frame, depth_confidence=found)
