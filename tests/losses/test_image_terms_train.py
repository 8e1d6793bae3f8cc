"""Terms on colours, masks, depths and rankings train a field from composed configs."""

import pytest
from small_runs import TINY_PATCHES, assembled

ON_RAYS = [
    "rgb_relative_l2",
    "s3im",
    "mask_focal",
    "mask_hinge",
    "mask_iou",
    "mask_dice",
    "ray_entropy",
    "line_of_sight",
    "scale_shift_depth",
    "depth_ranking",
    "depth_listnet",
    "depth_listmle",
]
ON_PATCHES = [
    "dssim",
    "ms_ssim",
    "image_gradient",
    "rgb_fourier",
    "focal_frequency",
    "depth_smoothness",
    "depth_tv",
]


def trained(folder, terms, *overrides, model):
    added = [f"+loss/term@loss.terms.{name}={name}" for name in terms]
    run = assembled(folder, f"model={model}", *added, *overrides, model=model)
    assert run.train()
    report, _ = run.trainer._train_step()
    return report


@pytest.mark.parametrize(("model", "loss"), [("neus", "neus_eikonal"), ("nerf", "nerf")])
@pytest.mark.parametrize(
    ("terms", "batch"), [(ON_RAYS, []), (ON_PATCHES, TINY_PATCHES)], ids=["rays", "patches"]
)
def test_every_term_takes_part_in_two_steps(tmp_path, model, loss, terms, batch):
    report = trained(tmp_path, terms, f"loss={loss}", *batch, model=model)
    assert set(terms) <= report.values.keys()
    assert all(report.values[name].isfinite() for name in terms)
    assert all(report.values[name].requires_grad for name in terms)


@pytest.mark.parametrize(
    ("recipe", "model", "batch"),
    [
        ("s3im", "nerf", []),
        ("combined", "nerf", TINY_PATCHES),
        ("combined", "neus", TINY_PATCHES),
        ("sparse_views", "nerf", TINY_PATCHES),
        ("monosdf", "neus", []),
    ],
)
def test_a_recipe_of_these_terms_takes_two_steps(tmp_path, recipe, model, batch):
    report = trained(tmp_path, [], f"loss={recipe}", *batch, model=model)
    assert report.total.isfinite()
