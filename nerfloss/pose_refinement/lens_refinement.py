"""Focal lengths and radial distortion as parameters: corrections of the lenses of the views."""

from collections.abc import Mapping
from typing import Any, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nerfloss.data.cameras.cameras import Cameras
from nerfloss.geometry import Rays
from nerfloss.pose_refinement.camera_deltas import refocused_rays
from nerfloss.pose_refinement.gradient_clipping import with_clipped_gradient
from nerfloss.pose_refinement.radial_corrections import (
    radially_corrected,
    radially_corrected_rays,
)
from nerfloss.pose_refinement.refined_lenses import Sharing, camera_groups, refocused


class LensRefinement(nn.Module):
    """Learn factors of focal lengths, and two coefficients of radial distortion.

    Each is ``fixed``, one ``per_view``, or one ``per_camera``: shared by the views with the same
    intrinsics in the files. All corrections are 0 at the start. Raises ValueError for another word.
    """

    log_focal: nn.Parameter
    radial: nn.Parameter
    axes: Tensor
    focal_group: Tensor
    radial_group: Tensor
    sampled_focal: Tensor
    sampled_radial: Tensor

    def __init__(self, *, focal: Sharing = "fixed", distortion: Sharing = "fixed") -> None:
        super().__init__()
        for name, sharing in {"focal": focal, "distortion": distortion}.items():
            if sharing not in get_args(Sharing):
                choices = ", ".join(get_args(Sharing))
                raise ValueError(f"cameras.{name}={sharing!r} is none of {choices}")
        self.focal: Sharing = focal
        self.distortion: Sharing = distortion
        self.allocate(0, 0, 0)

    def set_cameras(self, cameras: Cameras, device: torch.device | str) -> None:
        """Set the cameras whose lenses are corrected; all corrections become 0.

        Raises ValueError for lenses that cannot be corrected.
        """
        focal = camera_groups(cameras, self.focal, "focal")
        radial = camera_groups(cameras, self.distortion, "distortion")
        self.allocate(len(cameras), int(focal.max()) + 1, int(radial.max()) + 1, device)
        self.axes.copy_(cameras.poses[:, :, 2])
        self.focal_group.copy_(focal)
        self.radial_group.copy_(radial)

    def allocate(
        self, views: int, focal: int, radial: int, device: torch.device | str = "cpu"
    ) -> None:
        """Make parameters and buffers of 0 for so many views and corrections."""
        self.log_focal = nn.Parameter(torch.zeros(focal, device=device), self.focal != "fixed")
        learned = self.distortion != "fixed"
        self.radial = nn.Parameter(torch.zeros(radial, 2, device=device), learned)
        self.register_buffer("axes", torch.zeros(views, 3, device=device))
        for name in ("focal_group", "radial_group"):
            self.register_buffer(name, torch.zeros(views, dtype=torch.int64, device=device))
        self.register_buffer("sampled_focal", torch.zeros(focal, device=device))
        self.register_buffer("sampled_radial", torch.zeros(radial, 2, device=device))

    @property
    def log_scales(self) -> Float[Tensor, "views"]:
        """The logarithms of the factors of the focal lengths, per view."""
        return self.log_focal.index_select(0, self.focal_group)

    @property
    def radial_of_views(self) -> Float[Tensor, "views 2"]:
        """The corrections of the radial distortion, per view."""
        return self.radial.index_select(0, self.radial_group)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters that are learned, by the name of their optimizer settings."""
        learned = {
            "focal_lengths": (self.focal, self.log_focal),
            "distortion": (self.distortion, self.radial),
        }
        return {name: [value] for name, (sharing, value) in learned.items() if sharing != "fixed"}

    def corrected_rays(
        self, rays: Rays, clip: float | int | None, *, sampled: bool = False
    ) -> Rays:
        """Return rays as corrected now or, if ``sampled``, at the last `refresh`.

        ``clip`` limits the gradients of single rays (`with_clipped_gradient`).
        """
        log_focal = self.sampled_focal if sampled else self.log_focal
        radial = self.sampled_radial if sampled else self.radial
        if self.focal == self.distortion == "fixed":
            return rays
        axes = self.axes.index_select(0, rays.view)
        if self.focal != "fixed":
            scales = _per_ray(log_focal[:, None], self.focal_group, rays.view)
            rays = refocused_rays(rays, with_clipped_gradient(scales, clip)[:, 0], axes)
        if self.distortion != "fixed":
            corrections = _per_ray(radial, self.radial_group, rays.view)
            rays = radially_corrected_rays(rays, with_clipped_gradient(corrections, clip), axes)
        return rays

    @torch.no_grad()
    def refresh(self) -> None:
        """Copy the corrections for ``sampled`` rays."""
        self.sampled_focal.copy_(self.log_focal)
        self.sampled_radial.copy_(self.radial)

    def corrected(self, cameras: Cameras) -> Cameras:
        """Return the cameras with their lenses as corrected now."""
        device = cameras.poses.device
        if self.focal != "fixed":
            cameras = refocused(cameras, self.log_scales.to(device).exp())
        if self.distortion != "fixed":
            cameras = radially_corrected(cameras, self.radial_of_views.to(device))
        return cameras

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        """Size an unsized module as the state is, before it is loaded."""
        if len(self.axes) == 0 and f"{prefix}axes" in state_dict:
            sizes = [len(state_dict[f"{prefix}{n}"]) for n in ("axes", "log_focal", "radial")]
            self.allocate(sizes[0], sizes[1], sizes[2], self.log_focal.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)  # type: ignore[misc]


def _per_ray(
    values: Float[Tensor, "groups n"], group: Int[Tensor, "views"], view: Int[Tensor, "rays"]
) -> Float[Tensor, "rays n"]:
    return values.index_select(0, group.index_select(0, view))
