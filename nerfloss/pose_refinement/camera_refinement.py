"""Camera poses and focal lengths as parameters: corrections of the cameras of the training views.

The number of views is known once the scene is read: `set_cameras` sizes the parameters, and so does
loading a state.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.geometry import Rays
from nerfloss.pose_refinement.camera_deltas import (
    about_pivots,
    moved_poses,
    moved_rays,
    pivots,
    refocused_rays,
    without_gauge,
)
from nerfloss.pose_refinement.gradient_clipping import with_clipped_gradient
from nerfloss.pose_refinement.refined_lenses import FocalSharing, camera_groups, refocused
from nerfloss.pose_refinement.view_fit import RenderColors, ViewFit, with_twist


class CameraRefinement(nn.Module):
    """Learn a twist per training view and, unless ``focal=fixed``, a factor per focal length.

    All are 0 at the start and until scheduled step ``delay``; their learning rates then rise over
    ``warmup_steps``. ``per_camera`` shares a focal length among the views with the same intrinsics
    in the files. The gradient of a ray to its correction is clipped to ``gradient_clip`` times the
    median of the batch (`with_clipped_gradient`). The common part of all twists is projected out.

    ``view_fit`` corrects the test views before they are scored a second time. ``tolerance`` is the
    error of orientation, in degrees, up to which the masks' visual hull must not cut the object
    where it bounds the first samples.

    Raises ValueError for settings that are out of range.

    Reference: Lin et al., "BARF: Bundle-Adjusting Neural Radiance Fields", ICCV 2021.
    """

    centers: Tensor
    axes: Tensor
    group: Tensor
    sampled_twists: Tensor
    sampled_focal: Tensor

    def __init__(
        self,
        *,
        view_fit: ViewFit,
        learning_rate: float = 1e-3,
        focal: FocalSharing = "fixed",
        focal_learning_rate: float = 1e-3,
        delay: int = 400,
        warmup_steps: int = 200,
        gradient_clip: float | int | None = 3.0,
        tolerance: float | int = 3.0,
    ) -> None:
        super().__init__()
        if focal not in get_args(FocalSharing):
            choices = ", ".join(get_args(FocalSharing))
            raise ValueError(f"cameras.focal={focal!r} is none of {choices}")
        if not (learning_rate > 0 and focal_learning_rate > 0):
            raise ValueError(
                "cameras needs learning_rate > 0 and focal_learning_rate > 0, got "
                f"{learning_rate} and {focal_learning_rate}"
            )
        if gradient_clip is not None and not gradient_clip > 0:
            raise ValueError(f"cameras.gradient_clip must be above 0 or null, got {gradient_clip}")
        if min(delay, warmup_steps, tolerance) < 0:
            raise ValueError(
                "cameras needs delay, warmup_steps and tolerance of at least 0, got "
                f"{delay}, {warmup_steps} and {tolerance}"
            )
        self.view_fit, self.delay, self.tolerance = view_fit, delay, tolerance
        self.focal: FocalSharing = focal
        self._rates = {"poses": learning_rate, "focal_lengths": focal_learning_rate}
        self._warmup_steps, self.gradient_clip = warmup_steps, gradient_clip
        self.allocate(0, 0)

    def set_cameras(self, cameras: Cameras, device: torch.device | str) -> None:
        """Set the cameras that are corrected; all corrections become 0.

        Raises ValueError for a single view, and for lenses whose focal length cannot be corrected.
        """
        if len(cameras) < 2:
            raise ValueError(
                "cameras=refine needs at least two training views: the pose of a single one is "
                "the frame of the world. Use cameras=fixed"
            )
        group = camera_groups(cameras, self.focal)
        self.allocate(len(cameras), int(group.max()) + 1, device)
        self.centers.copy_(cameras.poses[:, :, 3])
        self.axes.copy_(cameras.poses[:, :, 2])
        self.group.copy_(group)

    def allocate(self, views: int, focal_lengths: int, device: torch.device | str = "cpu") -> None:
        """Make parameters and buffers of 0 for so many views and focal lengths."""
        self.raw_twists = nn.Parameter(torch.zeros(views, 6, device=device))
        log_focal = torch.zeros(focal_lengths, device=device)
        self.log_focal = nn.Parameter(log_focal, requires_grad=self.focal != "fixed")
        for name in ("centers", "axes"):
            self.register_buffer(name, torch.zeros(views, 3, device=device))
        group = torch.zeros(views, dtype=torch.int64, device=device)
        if focal_lengths == views:
            group = torch.arange(views, device=device)
        self.register_buffer("group", group)
        self.register_buffer("sampled_twists", torch.zeros(views, 6, device=device))
        self.register_buffer("sampled_focal", torch.zeros(focal_lengths, device=device))

    @property
    def twists(self) -> Float[Tensor, "views 6"]:
        """The corrections of the poses about the world's origin, without their common part."""
        world = about_pivots(self.raw_twists, pivots(self.centers))
        return without_gauge(world, self.centers)

    @property
    def log_scales(self) -> Float[Tensor, "views"]:
        """The logarithms of the factors of the focal lengths, per view."""
        return self.log_focal.index_select(0, self.group)

    def training_rays(self, rays: Rays, step: int) -> Rays:
        """Return rays of the training views as corrected now, differentiably.

        Before scheduled step ``delay`` they are the rays themselves.
        """
        if step < self.delay:
            return rays
        return self._corrected(rays, self.twists, self.log_focal)

    @torch.no_grad()
    def sampling_rays(self, rays: Rays) -> Rays:
        """Return rays of the training views as corrected at the last `refresh`."""
        return self._corrected(rays, self.sampled_twists, self.sampled_focal)

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the corrections for `sampling_rays`, which may run while they are updated."""
        self.sampled_twists.copy_(self.twists)
        self.sampled_focal.copy_(self.log_focal)

    @torch.no_grad()
    def refined(self, cameras: Cameras) -> Cameras:
        """Return the cameras of the training views as corrected now."""
        twists = self.twists.to(cameras.poses.device)
        cameras = replace(cameras, poses=moved_poses(cameras.poses, twists))
        if self.focal == "fixed":
            return cameras
        return refocused(cameras, self.log_scales.to(cameras.poses.device).exp())

    def fit_view(
        self,
        render: RenderColors,
        rays: Rays,
        target: Float[Tensor, "rays 3"],
        pixels: Int[Tensor, "pixels"],
    ) -> Rays:
        """Return the rays of a test view after the fit of its pose to its image (`ViewFit`)."""
        return with_twist(rays, self.view_fit(render, rays, target, pixels))

    def quantities(self) -> dict[str, Tensor]:
        """Return the corrections as quantities: ``camera_twists`` and ``camera_log_focal``."""
        return {"camera_twists": self.twists, "camera_log_focal": self.log_scales}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
        focal = {} if self.focal == "fixed" else {"focal_lengths": [self.log_focal]}
        return {"poses": [self.raw_twists], **focal}

    def optimizer_settings(self) -> dict[str, dict[str, Any]]:
        """Return the optimizer's settings of the groups, by the name of the setting."""
        names = self.parameter_groups()
        return {
            "learning_rates": {name: self._rates[name] for name in names},
            "freeze_steps": dict.fromkeys(names, self.delay),
            "group_warmup_steps": dict.fromkeys(names, self._warmup_steps),
        }

    def _corrected(
        self, rays: Rays, twists: Float[Tensor, "views 6"], log_focal: Float[Tensor, "cameras"]
    ) -> Rays:
        clip, view = self.gradient_clip, rays.view
        if self.focal != "fixed":
            scales = log_focal.index_select(0, self.group.index_select(0, view))
            scales = with_clipped_gradient(scales[:, None], clip)[:, 0]
            rays = refocused_rays(rays, scales, self.axes.index_select(0, view))
        return moved_rays(rays, with_clipped_gradient(twists.index_select(0, view), clip))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Size an unsized module as the state is, before it is loaded."""
        if len(self.raw_twists) == 0 and f"{prefix}raw_twists" in state_dict:
            views, cameras = (len(state_dict[f"{prefix}{n}"]) for n in ("raw_twists", "log_focal"))
            self.allocate(views, cameras, self.raw_twists.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)  # type: ignore[misc]
