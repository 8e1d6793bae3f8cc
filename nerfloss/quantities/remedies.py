"""Remedies for data that lacks a quantity: where it comes from, and what trains without it."""

from collections.abc import Mapping

_ESTIMATE = "nerfloss priors FOLDER --model MODEL --kind"

# By the source of the quantities, as the vocabulary has it.
REMEDIES: Mapping[str, str] = {
    "datasets with masks": (
        "give the scene object masks (files, or an alpha channel of the images: "
        "docs/scenes.md#masks), read its ignore masks as such with dataset.mask_meaning=object, or "
        "train without: loss=photos_sdf background=contracted (a surface), or loss=photos "
        "model=nerf background=contracted (a density)"
    ),
    "datasets with depth": (
        "give the scene depth maps in the units of the poses (docs/scenes.md); those that "
        "'nerfloss priors' estimates have no scale, and serve the terms relative_depth and "
        "disparity alone"
    ),
    "datasets with depth that has a confidence": (
        "give a confidence in the files of the depth or beside them (docs/scenes.md)"
    ),
    "datasets with normals": (
        f"give the scene normal maps (docs/scenes.md), or estimate them: {_ESTIMATE} normal"
    ),
    "datasets with relative depth (nerfloss priors)": f"estimate it: {_ESTIMATE} depth",
    "datasets with disparity (nerfloss priors)": f"estimate it: {_ESTIMATE} disparity",
    "datasets with observed surface points": (
        "take the points of structure from motion ('nerfloss capture', or any COLMAP model), or "
        "name a PLY file: dataset.points=FILE; for dataset=analytic dataset.points=2000"
    ),
    "datasets with labels": (
        "take dataset=analytic, or a dataset of your own that offers them: no layout of files has "
        "labels"
    ),
}
