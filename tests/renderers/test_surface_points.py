"""Surface points along rays: on the near side of the surface, differentiable in the SDF."""

from types import MappingProxyType

import torch

from nerfloss.geometry import Rays, Samples
from nerfloss.maths.sdf_opacity import neus_alphas
from nerfloss.renderers.volume import VolumeRenderer


class Sphere:
    """SDF of a sphere with a trainable radius."""

    heads = MappingProxyType({})
    offers = frozenset({"sdf", "gradients"})
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])

    def __init__(self, radius=0.5):
        self.radius = torch.tensor(radius, requires_grad=True)

    def appearance(self, positions):
        return positions

    def __call__(self, points, needs):
        length = points.norm(dim=-1)
        values = {"sdf": length - self.radius, "gradients": points / length[:, None]}
        return {name: values[name] for name in needs}

    def constants(self):
        return {"sharpness": torch.tensor(200.0)}


def render(field, origins, directions, needs, padding=0):
    """Render 200 samples per ray from 1 to 3, ``padding`` of them of zero length."""
    edges = torch.linspace(1, 3, 201 - padding)
    edges = torch.cat([edges, edges[-1:].expand(padding)]).expand(len(origins), -1)
    index = torch.zeros(len(origins), dtype=torch.int64)
    rays = Rays(origins, directions, torch.zeros(len(origins), 2), index, torch.ones_like(origins))
    samples = Samples(rays, edges[:, :-1], edges[:, 1:])
    renderer = VolumeRenderer({"alphas": neus_alphas})
    return renderer(field, samples, needs, given={"progress": 1.0})


def towards(offsets):
    """Return rays along z that pass the centre at the given offsets."""
    origins = torch.tensor([[x, 0.0, -2.0] for x in offsets])
    return origins, torch.tensor([[0.0, 0, 1]]).expand(len(offsets), -1)


def test_points_lie_on_the_near_side_of_the_surface():
    out = render(
        Sphere(), *towards([0.0, 0.3, -0.45]), {"surface_points", "surface_hit"}, padding=7
    )
    assert out["surface_hit"].all()
    torch.testing.assert_close(
        out["surface_points"].norm(dim=-1), torch.full((3,), 0.5), atol=1e-4, rtol=0
    )
    assert (out["surface_points"][:, 2] < 0).all()


def test_rays_that_miss_have_no_hit_and_finite_points():
    out = render(Sphere(), *towards([0.0, 0.7]), {"surface_points", "surface_hit"}, padding=7)
    assert out["surface_hit"].tolist() == [True, False]
    assert out["surface_points"].isfinite().all()


def test_distance_decreases_by_the_growth_of_the_radius():
    sphere = Sphere()
    out = render(sphere, *towards([0.0, 0.7]), {"surface_distance"})
    out["surface_distance"].sum().backward()
    torch.testing.assert_close(sphere.radius.grad, torch.tensor(-1.0), atol=1e-4, rtol=0)


def test_only_sdf_fields_offer_surface_points_and_opacity_is_not_computed():
    renderer = VolumeRenderer({"alphas": neus_alphas})
    names = {"surface_points", "surface_hit"}
    assert names <= renderer.offers(Sphere())
    out = render(Sphere(), *towards([0.0]), names)
    assert out["surface_hit"].item()
    assert "alphas" not in set(out)
