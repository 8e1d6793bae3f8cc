import pytest

from nerfloss.data.synthetic.dataset import AnalyticDataset


@pytest.mark.parametrize(
    ("model", "masks", "settled"),
    [("neus", True, "random"), ("neus", False, "white"), ("nerf", True, "white")],
)
def test_what_stands_behind_masks_depends_on_the_field(model, masks, settled):
    scene = AnalyticDataset(views=3, test_views=1, size=8, masks=masks).load()
    offers = {"sdf"} if model == "neus" else {"densities"}
    learned = scene.resolve_background(offers)
    assert scene.background == "auto"
    assert learned.background == learned.conventions["background"] == settled


def test_a_background_that_was_chosen_is_kept():
    scene = AnalyticDataset(views=3, test_views=1, size=8, background="black").load()
    assert scene.resolve_background({"sdf"}) is scene
