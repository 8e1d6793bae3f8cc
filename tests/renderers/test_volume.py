"""The renderer computes only requested quantities, at samples of non-zero length."""

from types import MappingProxyType

import pytest
import torch

from nerfloss.geometry import Rays, Samples
from nerfloss.maths.compositing import density_alphas
from nerfloss.maths.sdf_opacity import neus_alphas
from nerfloss.renderers.volume import VolumeRenderer


class CountingAppearance(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.points = 0

    def forward(self, directions, normals):
        self.points += len(directions)
        return (normals + 1) / 2


class CountingSphere:
    """SDF of a sphere of radius 0.5 that records evaluated points and requested names."""

    heads = MappingProxyType({})
    offers = frozenset({"sdf", "gradients", "embeddings"})
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])

    def __init__(self):
        self.appearance = CountingAppearance()
        self.points, self.requested = 0, set()

    def __call__(self, points, needs):
        self.points += len(points)
        self.requested |= set(needs)
        length = points.norm(dim=-1)
        values = {"sdf": length - 0.5, "gradients": points / length[:, None], "embeddings": points}
        return {name: values[name] for name in needs}

    def constants(self):
        return {"sharpness": torch.tensor(200.0)}


def samples(rays=3, count=64, empty=0):
    """Return rays from distance 2 to the centre; the last ``empty`` samples have no length."""
    directions = torch.nn.functional.normalize(torch.randn(rays, 3), dim=-1)
    edges = torch.linspace(1, 3, count - empty + 1)
    edges = torch.cat([edges, edges[-1:].expand(empty)]).expand(rays, -1)
    index = torch.zeros(rays, dtype=torch.int64)
    bundle = Rays(-2 * directions, directions, torch.zeros(rays, 2), index, torch.ones(rays, 3))
    return Samples(bundle, edges[:, :-1], edges[:, 1:])


@pytest.fixture
def renderer():
    return VolumeRenderer({"alphas": neus_alphas})


def test_depth_and_normal_of_a_sphere_are_exact_up_to_the_samples(renderer):
    s = samples(count=400)
    out = renderer(CountingSphere(), s, {"depth", "normal", "opacity"}, given={"progress": 1.0})
    torch.testing.assert_close(out["depth"], torch.full((3,), 1.5), atol=2e-3, rtol=0)
    torch.testing.assert_close(out["normal"], -s.rays.directions, atol=1e-2, rtol=0)
    torch.testing.assert_close(out["opacity"], torch.ones(3), atol=2e-3, rtol=0)


def test_without_needs_the_field_is_not_evaluated(renderer):
    field = CountingSphere()
    renderer(field, samples(), set(), given={"progress": 1.0})
    assert field.points == 0


def test_opacity_does_not_evaluate_colours(renderer):
    field = CountingSphere()
    renderer(field, samples(), {"opacity"}, given={"progress": 1.0})["opacity"]
    assert field.requested == {"sdf", "gradients"}
    assert field.appearance.points == 0


def test_sdf_alone_does_not_need_gradients(renderer):
    field = CountingSphere()
    renderer(field, samples(), {"sdf"})["sdf"]
    assert field.requested == {"sdf"}


def test_the_field_is_evaluated_once_and_only_where_samples_have_length(renderer):
    field = CountingSphere()
    out = renderer(
        field,
        samples(rays=3, count=20, empty=12),
        {"rgb", "depth", "normal"},
        given={"progress": 1.0},
    )
    for name in ("rgb", "depth", "normal"):
        assert out[name].isfinite().all()
    assert field.points == 3 * 8
    assert (out["weights"][:, 8:] == 0).all()


def test_colours_are_evaluated_only_above_the_weight_threshold(renderer):
    field = CountingSphere()
    out = renderer(field, samples(count=256), {"rgb"}, given={"progress": 1.0})
    out["rgb"]
    assert field.appearance.points == int((out["weights"] > 1e-4).sum()) < 3 * 256 / 4


def test_background_is_visible_where_nothing_is_hit(renderer):
    s = samples()
    away = Samples(s.rays, s.t_starts + 5, s.t_ends + 5)
    out = renderer(CountingSphere(), away, {"rgb", "depth"}, given={"progress": 1.0})
    torch.testing.assert_close(out["rgb"], torch.ones(3, 3), atol=1e-5, rtol=0)


def test_rays_without_samples_have_the_background_colour(renderer):
    s = samples()
    nowhere = Samples(s.rays, s.t_starts * 0, s.t_starts * 0)
    out = renderer(CountingSphere(), nowhere, {"rgb"}, given={"progress": 1.0})
    assert (out["rgb"] == 1).all()


def test_space_quantities_are_at_random_points_of_the_box_and_evaluated_together(renderer):
    field = CountingSphere()
    generator = torch.Generator().manual_seed(0)
    needs = {"space_sdf", "space_gradients", "space_points"}
    out = renderer(field, samples(), needs, generator=generator)
    assert field.points == 1024
    torch.testing.assert_close(out["space_sdf"], out["space_points"].norm(dim=-1) - 0.5)
    assert out["space_points"].abs().max() <= 1


def test_space_quantities_without_a_generator_are_refused(renderer):
    with pytest.raises(ValueError, match="pass a generator"):
        renderer(CountingSphere(), samples(), {"space_sdf"})


def test_offers_depend_on_those_of_the_field(renderer):
    offers = renderer.offers(CountingSphere(), {"target_depth"})
    assert {"rgb", "normal", "space_gradients", "target_depth_known", "colors"} <= offers
    assert "laplacian" not in offers
    assert "target_depth_known" not in renderer.offers(CountingSphere())


def test_a_user_defined_quantity_can_use_any_other():
    def glare(rgb, target_rgb):
        return (rgb - target_rgb).relu()

    mine = VolumeRenderer({"alphas": neus_alphas, "glare": glare})
    given = {"progress": 1.0, "target_rgb": torch.zeros(3, 3)}
    out = mine(CountingSphere(), samples(), {"glare"}, given=given)
    assert torch.equal(out["glare"], out["rgb"])


def test_a_renderer_without_a_rule_for_opacity_is_refused():
    with pytest.raises(ValueError, match="rule for 'alphas'"):
        VolumeRenderer({"densities": density_alphas})
