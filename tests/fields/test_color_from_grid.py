"""The colour network gets the grid's features, unless it is told not to, or the run is older."""

import pytest
import torch
from omegaconf import OmegaConf
from small_runs import assembled, composed

from nerfloss.assembly.build import build_model
from nerfloss.fields.appearance import RadianceColor
from nerfloss.fields.density import DensityField
from nerfloss.fields.hash_grid import HashGrid

# Setting, channels of the network's embedding, and further inputs of the colour network.
SETTING = {
    "nerf": ("model.field.color_from_grid", 16, 16),
    "neus": ("model.field.network.color_from_grid", 15, 16 + 3),
    "volsdf": ("model.field.network.color_from_grid", 15, 16 + 3),
}
LOSS = {"nerf": ["loss=nerf"], "neus": [], "volsdf": ["loss=volsdf"]}


@pytest.mark.parametrize("model", SETTING)
@pytest.mark.parametrize("passed", [True, False])
def test_the_colour_network_has_as_many_inputs_as_it_is_given(tmp_path, model, passed):
    name, embedding, further = SETTING[model]
    words = [] if passed else [f"{name}=false"]
    run = assembled(tmp_path, f"model={model}", *LOSS[model], *words, model=model)
    field = run.model.field
    grid = field.grid if model == "nerf" else field.network.grid
    inputs = field.appearance.network.layers[0].in_features
    assert inputs == embedding + further + (grid.channels if passed else 0)
    assert run.train()


@pytest.mark.parametrize("model", SETTING)
def test_a_configuration_that_gives_the_number_of_channels_builds_as_before(model):
    cfg = composed(f"model={model}", *LOSS[model], model=model)
    name, embedding, further = SETTING[model]
    OmegaConf.set_struct(cfg, False)
    owner = OmegaConf.select(cfg, name.rpartition(".")[0])
    del owner["color_from_grid"]
    del cfg.model.field.appearance["_partial_"]
    cfg.model.field.appearance.embedding = embedding
    field = build_model(cfg, torch.device("cpu")).field
    assert field.appearance.network.layers[0].in_features == embedding + further
    needs = {"embeddings"}
    assert field(torch.zeros(2, 3), needs)["embeddings"].shape == (2, embedding)


def test_features_follow_the_outputs_of_a_density_field_and_are_trained():
    torch.manual_seed(0)
    grid = HashGrid(levels=3, log2_hashmap_size=6, base_resolution=2, max_resolution=8)
    torch.nn.init.normal_(grid.table)
    field = DensityField(
        grid, RadianceColor(embedding=4 + 6), embedding=4, width=8, color_from_grid=True
    )
    points = torch.rand(7, 3) * 2 - 1
    values = field(points, {"densities", "embeddings"})
    torch.testing.assert_close(values["embeddings"][:, 4:], grid(points))
    torch.testing.assert_close(values["embeddings"][:, 0].exp(), values["densities"])
    weights = torch.randn(7, 6)
    (found,) = torch.autograd.grad((weights * values["embeddings"][:, 4:]).sum(), grid.table)
    (expected,) = torch.autograd.grad((weights * grid(points)).sum(), grid.table)
    torch.testing.assert_close(found, expected)
