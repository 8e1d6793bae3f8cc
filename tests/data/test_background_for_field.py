import pytest

from nerfloss.data.synthetic.dataset import AnalyticDataset


@pytest.mark.parametrize(
    ("model", "masks", "settled"),
    [("neus", True, "random"), ("neus", False, "white"), ("nerf", True, "white")],
)
def test_automatic_background_depends_on_field_and_masks(model, masks, settled):
    scene = AnalyticDataset(views=3, test_views=1, size=8, masks=masks).load()
    offers = {"sdf"} if model == "neus" else {"densities"}
    learned = scene.resolve_background(offers)
    assert scene.background == "auto"
    assert learned.background == learned.conventions["background"] == settled


def test_an_explicit_background_is_kept():
    scene = AnalyticDataset(views=3, test_views=1, size=8, background="black").load()
    assert scene.resolve_background({"sdf"}) is scene
