"""Score images and meshes that any program has made, by the metrics of conf/eval."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import trimesh
from omegaconf import OmegaConf
from torch import Tensor

from nerfloss.assembly.config_files import conf_dir, read_yaml
from nerfloss.assembly.instantiation import build
from nerfloss.evaluation.scores import Score, mean_score
from nerfloss.evaluation.surface_samples import Surface, SurfacePair
from nerfloss.evaluation.surface_scores import score_surface
from nerfloss.evaluation.view_scores import score_view

Metrics = Sequence[str] | Mapping[str, Callable[..., Any]]
PROTOCOLS = ("samples",)


def evaluate_images(
    predicted: Tensor,
    target: Tensor,
    *,
    masks: Tensor | None = None,
    predicted_masks: Tensor | None = None,
    metrics: Metrics = ("psnr", "ssim"),
) -> dict[str, float]:
    """Return the mean of each metric over pairs of images.

    Images are ``[images, height, width, 3]`` with colours in [0, 1], masks ``[images, height,
    width]``.

    ``metrics`` are names of conf/eval (``psnr``, ``psnr_masked``, ``ssim``, ``lpips_alex``,
    ``mask_iou`` ...), or your own functions by name, of ``rgb``, ``target_rgb``, ``target_mask``
    and ``opacity``. ``masks`` are observed, ``predicted_masks`` the rendered opacity.

    Raises ValueError for images or masks of another shape or type, for an unknown metric, and for
    one that has no value on these images.
    """
    if not (isinstance(predicted, Tensor) and isinstance(target, Tensor)):
        raise ValueError("predicted and target must be tensors: use torch.from_numpy")
    if predicted.shape != target.shape or predicted.ndim != 4 or predicted.shape[-1] != 3:
        raise ValueError(
            f"predicted and target must have one shape [images, height, width, 3], got "
            f"{list(predicted.shape)} and {list(target.shape)}"
        )
    if not (predicted.dtype.is_floating_point and target.dtype.is_floating_point):
        raise ValueError(
            f"images are floating-point tensors in [0, 1], got {predicted.dtype} and "
            f"{target.dtype}: divide 8-bit images by 255"
        )
    for name, mask in {"masks": masks, "predicted_masks": predicted_masks}.items():
        if mask is not None and mask.shape != target.shape[:3]:
            raise ValueError(
                f"{name} must have the shape {list(target.shape[:3])}, got {list(mask.shape)}"
            )
    columns: dict[str, Tensor] = {"rgb": predicted, "target_rgb": target}
    columns |= {} if masks is None else {"target_mask": masks}
    columns |= {} if predicted_masks is None else {"opacity": predicted_masks}
    functions = _functions("metrics", metrics)
    rows = []
    for index in range(len(predicted)):
        with torch.no_grad():
            row = score_view(functions, {name: each[index] for name, each in columns.items()})
        rows.append(row)
    return _values({name: mean_score([row[name] for row in rows], {}) for name in functions})


def evaluate_mesh(
    mesh: trimesh.Trimesh,
    truth: trimesh.Trimesh,
    *,
    protocol: str = "samples",
    metrics: Metrics = ("accuracy", "completeness", "chamfer_l1", "fscore", "normal_consistency"),
    points: int = 200_000,
    seed: int = 0,
) -> dict[str, float]:
    """Return scores of a surface against the true one, in the units of the meshes.

    ``protocol="samples"`` draws ``points`` from both surfaces, uniformly by area, and measures
    distances between nearest samples. ``metrics`` are names of conf/eval (geometry), or your own
    functions by name, of what `nerfloss.evaluation.surface_samples.SurfacePair` offers.

    Raises ValueError for an unknown protocol or metric, for what is no mesh, and for a mesh without
    a surface.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol='{protocol}' does not exist: take {' or '.join(PROTOCOLS)}")
    if points < 1:
        raise ValueError(f"points must be at least 1, got {points}")
    for name, each in {"mesh": mesh, "truth": truth}.items():
        if not isinstance(each, trimesh.Trimesh):
            raise ValueError(
                f"{name} must be a trimesh.Trimesh, got {type(each).__name__}: "
                f"trimesh.load_mesh reads a file as one"
            )
    functions = _functions("geometry", metrics)
    # Different seeds: with one, equal meshes are sampled at equal points.
    pair = SurfacePair(Surface(mesh, points, seed), Surface(truth, points, seed + 1))
    return _values(score_surface(functions, pair, reason=None, conventions={}))


def _functions(section: str, metrics: Metrics) -> dict[str, Callable[..., Any]]:
    """Return metrics by name, with the settings that runs are evaluated with."""
    if isinstance(metrics, Mapping):
        return dict(metrics)
    if isinstance(metrics, str):
        raise ValueError(f"metrics is a list of names: write ['{metrics}']")
    known = metrics_of(section)
    unknown = [name for name in metrics if name not in known]
    if unknown:
        raise ValueError(f"no metric is called '{unknown[0]}': there are {', '.join(known)}")
    return {name: known[name] for name in metrics}


def metrics_of(section: str) -> dict[str, Callable[..., Any]]:
    """Return the ``metrics`` of images or of ``geometry`` that runs are evaluated with, by name."""
    whole = OmegaConf.create({"eval": read_yaml(conf_dir() / "eval" / "default.yaml")})
    return {str(name): build(node) for name, node in whole.eval[section].items()}


def _values(scores: Mapping[str, Score]) -> dict[str, float]:
    missing = [f"{name}: {score.reason}" for name, score in scores.items() if score.value is None]
    if missing:
        raise ValueError("these metrics have no value:\n  " + "\n  ".join(missing))
    return {name: score.value for name, score in scores.items() if score.value is not None}
