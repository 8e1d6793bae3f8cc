"""A short run on an exact scene ends below stated errors, and beats what silhouettes alone give."""

import pytest
from small_runs import composed

from nerfloss.assembly.build import assemble

SMALL = [
    "dataset.size=64", "dataset.views=40", "dataset.test_views=4", "trainer.max_steps=1200",
    "trainer.batch_size.samples=3072", "model.field.network.grid.log2_hashmap_size=15",
]  # fmt: skip


def learned(folder, *overrides):
    """Scores after a run of the default, shortened: a minute or two on two cores."""
    cfg = composed(
        "dataset.size=128", "dataset.views=60", "dataset.test_views=4", "dataset.supersampling=2",
        "trainer.max_steps=1500", "trainer.batch_size.samples=4096", "trainer.batch_size.rays=512",
        "trainer.batch_size.max_rays=8192", "initialization=auto", "eval.mesh.resolution=128",
        "model.field.network.grid.log2_hashmap_size=16", "eval.points=100000", *overrides,
    )  # fmt: skip
    run = assemble(cfg, folder)
    assert run.train()
    assert run.watchdog.seen == {}
    return run.evaluate().values


@pytest.mark.slow
def test_neus_finds_the_bowls_that_no_silhouette_shows(tmp_path):
    scores = learned(tmp_path, "dataset.scene=craters")
    assert scores["psnr"] > 28
    assert scores["chamfer_l1"] < 0.012
    assert scores["chamfer_l1"] < 0.4 * scores["hull_chamfer_l1"]
    assert scores["normal_angle"] < 14
    assert scores["mask_iou"] > 0.97


@pytest.mark.slow
def test_volsdf_finds_the_bowls_too(tmp_path):
    scores = learned(tmp_path, "model=volsdf", "loss=volsdf", "dataset.scene=craters", *SMALL)
    assert scores["psnr"] > 25
    assert scores["chamfer_l1"] < 0.5 * scores["hull_chamfer_l1"]
