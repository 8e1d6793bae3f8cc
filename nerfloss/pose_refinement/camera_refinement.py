"""Camera poses and lenses as parameters: corrections of the cameras of the training views.

The number of views is known once the scene is read: `set_cameras` sizes the parameters, and so does
loading a state.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

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
    position_basis,
    without_gauge,
)
from nerfloss.pose_refinement.gradient_clipping import with_clipped_gradient
from nerfloss.pose_refinement.lens_refinement import LensRefinement
from nerfloss.pose_refinement.refined_lenses import Sharing
from nerfloss.pose_refinement.view_fit import RenderColors, ViewFit, with_twist


class CameraRefinement(nn.Module):
    """Learn a twist per training view and, unless ``fixed``, ``focal`` lengths and ``distortion``.

    The twist of a view is the sum of its own and of one that is linear in the position of the
    camera and learns from all rays: images hardly show an error that neighbouring views share. All
    are 0 at the start and until scheduled step ``delay``; their learning rates then rise over
    ``warmup_steps``. ``per_camera`` shares a lens among the views with the same intrinsics in the
    files, ``per_view`` does not. The gradient of a ray to its correction is clipped to
    ``gradient_clip`` times the median of the batch (`with_clipped_gradient`). The common part of
    all twists is projected out.

    ``view_fit`` corrects the test views before they are scored a second time. ``tolerance`` is the
    error of orientation, in degrees, up to which the masks' visual hull must not cut the object
    where it bounds the first samples; the box and an SDF's first shape allow for a third of it.

    Raises ValueError for settings that are out of range.

    Reference: Lin et al., "BARF: Bundle-Adjusting Neural Radiance Fields", ICCV 2021.
    """

    centers: Tensor
    sampled_twists: Tensor

    def __init__(
        self,
        *,
        view_fit: ViewFit,
        learning_rate: float = 1e-3,
        focal: Sharing = "fixed",
        focal_learning_rate: float = 1e-3,
        distortion: Sharing = "fixed",
        distortion_learning_rate: float = 1e-3,
        delay: int = 400,
        warmup_steps: int = 200,
        gradient_clip: float | int | None = 3.0,
        tolerance: float | int = 3.0,
    ) -> None:
        super().__init__()
        rates = (learning_rate, focal_learning_rate, distortion_learning_rate)
        if not min(rates) > 0:
            raise ValueError(
                "cameras needs learning_rate > 0, focal_learning_rate > 0 and "
                "distortion_learning_rate > 0, got {}, {} and {}".format(*rates)
            )
        if gradient_clip is not None and not gradient_clip > 0:
            raise ValueError(f"cameras.gradient_clip must be above 0 or null, got {gradient_clip}")
        if min(delay, warmup_steps, tolerance) < 0:
            raise ValueError(
                "cameras needs delay, warmup_steps and tolerance of at least 0, got "
                f"{delay}, {warmup_steps} and {tolerance}"
            )
        self.view_fit, self.delay, self.tolerance = view_fit, delay, tolerance
        names = ("poses", "focal_lengths", "distortion")
        self._rates: dict[str, float] = dict(zip(names, rates, strict=True))
        self._warmup_steps, self.gradient_clip = warmup_steps, gradient_clip
        self.lenses = LensRefinement(focal=focal, distortion=distortion)
        self.allocate(0)

    def set_cameras(self, cameras: Cameras, device: torch.device | str) -> None:
        """Set the cameras that are corrected; all corrections become 0.

        Raises ValueError for a single view, and for lenses that cannot be corrected.
        """
        if len(cameras) < 2:
            raise ValueError(
                "cameras=refine needs at least two training views: the pose of a single one is "
                "the frame of the world. Use cameras=fixed"
            )
        self.lenses.set_cameras(cameras, device)
        self.allocate(len(cameras), device)
        self.centers.copy_(cameras.poses[:, :, 3])

    def allocate(self, views: int, device: torch.device | str = "cpu") -> None:
        """Make parameters and buffers of 0 for the poses of so many views."""
        self.raw_twists = nn.Parameter(torch.zeros(views, 6, device=device))
        self.linear_twists = nn.Parameter(torch.zeros(3, 6, device=device))
        self.register_buffer("centers", torch.zeros(views, 3, device=device))
        self.register_buffer("sampled_twists", torch.zeros(views, 6, device=device))

    @property
    def twists(self) -> Float[Tensor, "views 6"]:
        """The corrections of the poses about the world's origin, without their common part."""
        twists = self.raw_twists + position_basis(self.centers) @ self.linear_twists
        world = about_pivots(twists, pivots(self.centers))
        return without_gauge(world, self.centers)

    def training_rays(self, rays: Rays, step: int) -> Rays:
        """Return rays of the training views as corrected now, differentiably.

        Before scheduled step ``delay`` they are the rays themselves.
        """
        if step < self.delay:
            return rays
        rays = self.lenses.corrected_rays(rays, self.gradient_clip)
        return self._moved(rays, self.twists)

    @torch.no_grad()
    def sampling_rays(self, rays: Rays) -> Rays:
        """Return rays of the training views as corrected at the last `refresh`."""
        rays = self.lenses.corrected_rays(rays, self.gradient_clip, sampled=True)
        return self._moved(rays, self.sampled_twists)

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the corrections for `sampling_rays`, which may run while they are updated."""
        self.sampled_twists.copy_(self.twists)
        self.lenses.refresh()

    @torch.no_grad()
    def refined(self, cameras: Cameras) -> Cameras:
        """Return the cameras of the training views as corrected now."""
        twists = self.twists.to(cameras.poses.device)
        return self.lenses.corrected(replace(cameras, poses=moved_poses(cameras.poses, twists)))

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
        """Return the corrections as quantities, per view."""
        return {
            "camera_twists": self.twists,
            "camera_log_focal": self.lenses.log_scales,
            "camera_radial": self.lenses.radial_of_views,
        }

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by the name for which the optimizer has settings."""
        return {"poses": [self.raw_twists, self.linear_twists], **self.lenses.parameter_groups()}

    def optimizer_settings(self) -> dict[str, dict[str, Any]]:
        """Return the optimizer's settings of the groups, by the name of the setting."""
        names = self.parameter_groups()
        return {
            "learning_rates": {name: self._rates[name] for name in names},
            "freeze_steps": dict.fromkeys(names, self.delay),
            "group_warmup_steps": dict.fromkeys(names, self._warmup_steps),
        }

    def _moved(self, rays: Rays, twists: Float[Tensor, "views 6"]) -> Rays:
        twists = with_clipped_gradient(twists.index_select(0, rays.view), self.gradient_clip)
        return moved_rays(rays, twists)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Size an unsized module as the state is, before it is loaded."""
        if len(self.raw_twists) == 0 and f"{prefix}raw_twists" in state_dict:
            self.allocate(len(state_dict[f"{prefix}raw_twists"]), self.raw_twists.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)  # type: ignore[misc]
