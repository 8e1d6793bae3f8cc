"""The vocabulary: all quantities of loss terms and metrics, by name.

Singular is one per ray (``normal``), plural one per sample (``normals``); ``target_`` is observed,
``space_`` is at random points of the scene's box, ``patch_`` is laid out as images. Distances are
in scene units along rays of unit length, directions and normals in the world frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quantity:
    """Meaning, shape and source of a quantity.

    ``shape`` names the axes as jaxtyping does (``""`` is a scalar); ``source`` is a plural noun for
    the parts that provide it, followed in brackets by the option that selects such a part.
    """

    shape: str
    meaning: str
    source: str
    kind: Literal["float", "int", "bool", "object"] = "float"

    @property
    def provision(self) -> str:
        """Return the source as a clause: ``which only SDF fields provide (model=neus)``."""
        who, bracket, remedy = self.source.partition(" (")
        return f"which only {who} provide{bracket}{remedy}"


_RAYS = "batches of rays"
_SAMPLERS = "samplers"
_RENDERERS = "renderers"
_DENSITY = "density fields (model=nerf, model=volsdf)"
_SDF = "SDF fields (model=neus, model=volsdf)"
_PATCHES = "batches of patches (batch=patch)"
_IMAGES = "datasets"
_MASKS = "datasets with masks"
_DEPTHS = "datasets with depth"
_CONFIDENCES = "datasets with depth that has a confidence"
_NORMALS = "datasets with normals"
_RELATIVE_DEPTHS = "datasets with relative depth (nerfloss priors)"
_DISPARITIES = "datasets with disparity (nerfloss priors)"
_POINTS = "datasets with observed surface points"
_LABELS = "datasets with labels"
_SEMANTIC = "models with a semantic head (+model/head=semantic)"
_FEATURES = "models with a feature head (+model/head=features)"
_PROPOSALS = "samplers with proposals (sampler=proposal)"
_EXPOSURES = "per-image colour corrections (appearance=affine, appearance=bilateral)"
_AFFINE = "affine colour corrections per image (appearance=affine)"
_BILATERAL = "bilateral grids per image (appearance=bilateral)"
_EMBEDDINGS = "embeddings per image (appearance=embedding)"
_CAMERAS = "models with refined cameras (cameras=refine)"
_BACKGROUNDS = "models with a background (background=contracted)"
_RUN = "training runs"
# Intervals that the sampler of a background adds to those of the foreground.
BACKGROUND_SAMPLES = ("background_t_starts", "background_t_ends")

VOCABULARY: Mapping[str, Quantity] = {
    # rays and samples
    "origins": Quantity("rays 3", "origin of a ray", _RAYS),
    "directions": Quantity("rays 3", "unit direction of a ray", _RAYS),
    "viewing_directions": Quantity(
        "rays 3", "`directions`, in training with `model.renderer.direction_noise`", _RAYS
    ),
    "pixel": Quantity("rays 2", "column and row of the pixel's centre, in pixels", _RAYS),
    "view": Quantity("rays", "index of the image a ray belongs to", _RAYS, "int"),
    "axis_cosine": Quantity("rays", "cosine between a ray and its camera's optical axis", _RAYS),
    "background": Quantity("rays 3", "colour behind the scene, in [0, 1]", _RAYS),
    "t_starts": Quantity("rays samples", "near end of a sample's interval", _SAMPLERS),
    "t_ends": Quantity("rays samples", "far end of a sample's interval", _SAMPLERS),
    "occupied": Quantity(
        "rays samples",
        "True where a sample's interval has length; the rest is padding",
        _SAMPLERS,
        "bool",
    ),
    "positions": Quantity("rays samples 3", "mid-points of the intervals", _SAMPLERS),
    "proposal_t_starts": Quantity("rays proposals", "t_starts of the proposal", _PROPOSALS),
    "proposal_t_ends": Quantity("rays proposals", "t_ends of the proposal", _PROPOSALS),
    "proposal_weights": Quantity("rays proposals", "weights of the proposal", _PROPOSALS),
    "background_t_starts": Quantity("rays behind", "t_starts of the background", _BACKGROUNDS),
    "background_t_ends": Quantity("rays behind", "t_ends of the background", _BACKGROUNDS),
    # the field at the samples
    "densities": Quantity("rays samples", "volume density, per scene unit", _DENSITY),
    "colors": Quantity("rays samples 3", "emitted colour, in [0, 1]", _RENDERERS),
    "embeddings": Quantity(
        "rays samples embedding", "input features of the colour network", _RENDERERS
    ),
    "sdf": Quantity("rays samples", "signed distance, negative inside", _SDF),
    "gradients": Quantity("rays samples 3", "spatial gradient of the SDF, not normalised", _SDF),
    "normals": Quantity("rays samples 3", "unit gradient of the SDF, outward", _SDF),
    "hessian_gradients": Quantity("rays samples 3", "Hessian of the SDF times its gradient", _SDF),
    "laplacian": Quantity("rays samples", "trace of the Hessian of the SDF", _SDF),
    "sharpness": Quantity("", "learned slope of opacity across the surface", _SDF),
    # composited along rays
    "alphas": Quantity("rays samples", "opacity of a sample, in [0, 1]", _RENDERERS),
    "weights": Quantity("rays samples", "compositing weight of a sample, in [0, 1]", _RENDERERS),
    "rgb": Quantity("rays 3", "composited colour, background included, in [0, 1]", _RENDERERS),
    "rgb_foreground": Quantity("rays 3", "composited colour of the foreground alone", _RENDERERS),
    "opacity": Quantity("rays", "sum of the weights, in [0, 1]", _RENDERERS),
    "opacity_foreground": Quantity(
        "rays", "opacity: the background, if any, has the rest", _RENDERERS
    ),
    "background_rgb": Quantity(
        "rays 3", "colour behind the foreground, of the background model if any", _RENDERERS
    ),
    "depth": Quantity("rays", "expected distance along the ray", _RENDERERS),
    "depth_z": Quantity("rays", "depth along the camera's optical axis", _RENDERERS),
    "disparity": Quantity("rays", "opacity over depth_z; 0 where nothing is hit", _RENDERERS),
    "normal": Quantity("rays 3", "composited normal; shorter where normals disagree", _SDF),
    "surface_distance": Quantity("rays", "distance to surface_points; 0 without one", _SDF),
    "surface_points": Quantity("rays 3", "first zero crossing of the SDF along a ray", _SDF),
    "surface_hit": Quantity("rays", "True where a ray crosses the surface", _SDF, "bool"),
    "hit_points": Quantity("hits 3", "surface_points of the rays that hit", _SDF),
    "features": Quantity("rays channels", "composited features", _FEATURES),
    "logits": Quantity("rays classes", "composited semantic logits", _SEMANTIC),
    # the appearance of single images
    "exposure": Quantity("rays 3 4", "affine colour transform of a ray's image", _EXPOSURES),
    "rgb_uncorrected": Quantity(
        "rays 3", "colour of what was photographed, before the correction", _EXPOSURES
    ),
    "image_exposures": Quantity("images 3 4", "transform of each training image", _AFFINE),
    "bilateral_grids": Quantity(
        "images luminances rows columns 3 4", "transforms of each training image", _BILATERAL
    ),
    "image_sizes": Quantity("images 2", "width and height of training images", _BILATERAL),
    "image_embeddings": Quantity("images code", "vector of each training image", _EMBEDDINGS),
    "image_embedding": Quantity("rays code", "vector of a ray's image", _EMBEDDINGS),
    # the field at random points of the scene's box
    "space_points": Quantity("points 3", "random points of the box", _RENDERERS),
    "space_sdf": Quantity("points", "signed distance at space_points", _SDF),
    "space_gradients": Quantity("points 3", "gradient of the SDF at space_points", _SDF),
    "space_hessian_gradients": Quantity("points 3", "hessian_gradients at space_points", _SDF),
    "space_laplacian": Quantity("points", "laplacian at space_points", _SDF),
    # patches
    "patch_shape": Quantity("", "height and width of the patches", _PATCHES, "object"),
    "patch_origins": Quantity("patches height width 3", "origins, as patches", _PATCHES),
    "patch_directions": Quantity("patches height width 3", "directions, as patches", _PATCHES),
    "patch_rgb": Quantity("patches height width 3", "rgb, as patches", _PATCHES),
    "patch_depth": Quantity("patches height width 1", "depth, as patches", _PATCHES),
    "patch_normal": Quantity("patches height width 3", "normal, as patches", _PATCHES),
    "patch_opacity": Quantity("patches height width 1", "opacity, as patches", _PATCHES),
    "patch_target_rgb": Quantity("patches height width 3", "target_rgb, as patches", _PATCHES),
    "patch_target_mask": Quantity("patches height width 1", "target_mask, as patches", _PATCHES),
    "patch_target_depth": Quantity("patches height width 1", "target_depth, as patches", _PATCHES),
    "patch_target_normal": Quantity(
        "patches height width 3", "target_normal, as patches", _PATCHES
    ),
    # observed
    "target_rgb": Quantity("rays 3", "observed colour, in [0, 1]", _IMAGES),
    "target_mask": Quantity("rays", "1 on the object, 0 off it", _MASKS),
    "target_depth": Quantity("rays", "observed distance along the ray; 0 = unknown", _DEPTHS),
    "target_depth_known": Quantity("rays", "True where target_depth is known", _DEPTHS, "bool"),
    "target_depth_confidence": Quantity(
        "rays", "confidence of target_depth, [0, 1]; 0 = unknown depth", _CONFIDENCES
    ),
    "target_relative_depth": Quantity(
        "rays", "depth_z up to a scale and shift per view; 0 = unknown", _RELATIVE_DEPTHS
    ),
    "target_relative_depth_known": Quantity(
        "rays", "True where target_relative_depth is known", _RELATIVE_DEPTHS, "bool"
    ),
    "target_disparity": Quantity(
        "rays", "disparity up to a scale and shift per view; 0 = unknown", _DISPARITIES
    ),
    "target_disparity_known": Quantity(
        "rays", "True where target_disparity is known", _DISPARITIES, "bool"
    ),
    "target_normal": Quantity("rays 3", "observed unit normal; 0 = unknown", _NORMALS),
    "target_normal_known": Quantity("rays", "True where target_normal is known", _NORMALS, "bool"),
    "target_label": Quantity("rays", "observed semantic class", _LABELS, "int"),
    "target_label_known": Quantity("rays", "True where target_label is known", _LABELS, "bool"),
    "target_instance": Quantity("rays", "observed instance", _LABELS, "int"),
    "target_instance_known": Quantity("rays", "True where an object is observed", _LABELS, "bool"),
    "target_points": Quantity("observed 3", "observed surface points", _POINTS),
    "target_point_normals": Quantity("observed 3", "unit normals at target_points", _POINTS),
    "target_point_confidence": Quantity("observed", "confidence of target_points, [0, 1]", _POINTS),
    # all training views, for terms that compare them
    "view_images": Quantity("views height width 3", "every image, 0 to 255", _IMAGES, "int"),
    "view_masks": Quantity("views height width", "every mask, 0 to 255", _MASKS, "int"),
    "view_projections": Quantity(
        "views 3 4", "from homogeneous scene points to (u w, v w, w), u and v in pixels", _IMAGES
    ),
    "view_neighbours": Quantity(
        "views sources", "the views with the nearest cameras, nearest first", _IMAGES, "int"
    ),
    # refined cameras of the training views
    "camera_twists": Quantity(
        "views 6", "correction of a pose: rotation in radians, translation", _CAMERAS
    ),
    "camera_log_focal": Quantity(
        "views", "logarithm of the correction of a focal length", _CAMERAS
    ),
    "camera_radial": Quantity(
        "views 2",
        "correction of radial distortion: of offset times its square, 4th power",
        _CAMERAS,
    ),
    # the run itself
    "field": Quantity("", "field(points, needs): quantities at any points", _RENDERERS, "object"),
    "box": Quantity("2 3", "corners of the scene's box", _RENDERERS),
    "generator": Quantity("", "source of randomness, a torch.Generator", _RUN, "object"),
    "step": Quantity("", "training step, from 0", _RUN, "int"),
    "progress": Quantity("", "step over max_steps, in [0, 1]", _RUN),
}
