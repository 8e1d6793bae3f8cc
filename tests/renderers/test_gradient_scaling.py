"""Gradients of samples near their camera are reduced by the squared distance; values are not."""

from types import MappingProxyType

import pytest
import torch

from nerfloss.assembly.background_settings import GRADIENT_SCALING, with_background_settings
from nerfloss.assembly.composition import compose_config
from nerfloss.geometry import Rays, Samples
from nerfloss.maths.compositing import density_alphas
from nerfloss.renderers.volume import VolumeRenderer


class Constant(torch.nn.Module):
    """A density that is one parameter per sample, so that its gradient shows each sample's."""

    offers = frozenset({"densities", "embeddings"})
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    heads = MappingProxyType({})

    def __init__(self, count):
        super().__init__()
        self.each = torch.nn.Parameter(torch.full((count,), 0.3))
        self.appearance = torch.nn.Identity()

    def forward(self, points, needs):
        extra = self.each.new_full((len(points) - len(self.each),), 0.3)
        values = {"densities": torch.cat([self.each, extra]), "embeddings": points}
        return {name: values[name] for name in needs}

    def constants(self):
        return {}


def samples():
    """Return one ray with intervals around the distances 0.5, 1.5, 2.5, and one that is empty."""
    edges = torch.tensor([[0.0, 1.0, 2.0, 3.0, 3.0]])
    index, zeros = torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3)
    rays = Rays(zeros, torch.tensor([[0.0, 0, 1]]), torch.zeros(1, 2), index, zeros)
    return Samples(rays, edges[:, :-1], edges[:, 1:])


def gradient(scaling, **more):
    field = Constant(3)
    renderer = VolumeRenderer({"alphas": density_alphas}, gradient_scaling=scaling)
    quantities = renderer(field, samples(), {"opacity"}, **more)
    quantities["opacity"].sum().backward()
    return quantities["opacity"].detach(), field.each.grad


@pytest.mark.parametrize("scaling", [2.0, 1.0, 100.0])
def test_gradients_fall_with_the_squared_distance_and_values_stay(scaling):
    (opacity, whole), (same, scaled) = gradient(None), gradient(scaling)
    assert torch.equal(opacity, same)
    factor = (torch.tensor([0.5, 1.5, 2.5]) / scaling).square().clamp(max=1)
    torch.testing.assert_close(scaled, whole * factor)


def test_zero_scales_nothing():
    whole = gradient(None)[1]
    assert torch.equal(gradient(0.0)[1], whole)
    assert not torch.equal(gradient(100.0)[1], whole)


def test_a_negative_distance_is_refused():
    with pytest.raises(ValueError, match=r"model\.renderer\.gradient_scaling must not be negative"):
        VolumeRenderer({"alphas": density_alphas}, gradient_scaling=-1.0)


def test_points_in_space_keep_their_gradients():
    field = Constant(3 + 8)
    renderer = VolumeRenderer({"alphas": density_alphas}, gradient_scaling=100.0, space_points=8)
    generator = torch.Generator().manual_seed(0)
    quantities = renderer(field, samples(), {"opacity", "space_densities"}, generator=generator)
    (quantities["opacity"].sum() + quantities["space_densities"].sum()).backward()
    assert (field.each.grad[3:] == 1).all()
    assert (field.each.grad[:3] < 1e-2).all()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["background=contracted"], GRADIENT_SCALING),
        (["background=contracted", "model.renderer.gradient_scaling=0"], 0),
        (["background=sphere", "model.renderer.gradient_scaling=0.3"], 0.3),
        ([], None),
    ],
)
def test_a_background_model_scales_gradients_unless_told_otherwise(overrides, expected, caplog):
    caplog.set_level("INFO")
    cfg = with_background_settings(compose_config("train", ["model=nerf", "loss=nerf", *overrides]))
    assert cfg.model.renderer.gradient_scaling == expected
    assert ("gradient_scaling=0: none are" in caplog.text) == (expected == GRADIENT_SCALING)


def test_a_run_of_an_earlier_version_goes_on_without():
    cfg = compose_config("train", ["model=nerf", "loss=nerf", "background=contracted"])
    del cfg.model.renderer.gradient_scaling
    assert "gradient_scaling" not in with_background_settings(cfg).model.renderer
