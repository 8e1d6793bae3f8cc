"""Backgrounds: contraction, the division at the unit sphere, and what they learn."""

import pytest
import torch
from small_runs import assembled

from nerfloss.backgrounds.background import Background
from nerfloss.backgrounds.inverted_sphere import InvertedSphere
from nerfloss.data.pixel_samplers.batch import image_batch
from nerfloss.fields.appearance import RadianceColor
from nerfloss.fields.density import DensityField
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.geometry import Rays, intersect_sphere
from nerfloss.maths.contraction import contract, disparity_midpoints, inverse_radius, uncontract

SPHERE = ["dataset.surroundings=sphere", "dataset.masks=false"]


BATCH = {"samples": 4096, "rays": 512, "max_rays": 8192}


def rays_from(origin, count=64):
    generator = torch.Generator().manual_seed(2)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    origins = torch.tensor(origin).expand(count, 3)
    index = torch.zeros(count, dtype=torch.int64)
    return Rays(origins, directions, torch.zeros(count, 2), index, torch.zeros(count, 3))


def background(grid=None, **settings):
    torch.manual_seed(0)
    grid = grid or HashGrid(levels=4, log2_hashmap_size=10, max_resolution=32)
    appearance = RadianceColor(embedding=16, hidden=1, width=16)
    field = DensityField(grid, appearance, embedding=16, width=16)
    return Background(field, **{"resolution": 16, **settings})


def test_contraction_keeps_the_unit_ball_and_maps_the_rest_into_radius_2():
    inside = torch.tensor([[0.3, -0.4, 0.1]])
    assert torch.equal(contract(inside), inside)
    far = torch.tensor([[0.0, 3.0, 4.0]])
    assert torch.allclose(contract(far), torch.tensor([[0.0, 0.6, 0.8]]) * (2 - 1 / 5))
    assert torch.allclose(inverse_radius(contract(far)), torch.tensor([0.2]))
    points = torch.randn(200, 3, dtype=torch.float64) * 5
    assert torch.allclose(uncontract(contract(points)), points)
    assert torch.autograd.gradcheck(contract, points[:8].requires_grad_())


def test_disparity_midpoints_halve_the_inverse_distance():
    starts, ends = torch.tensor([[2.0, 1.0]]), torch.tensor([[6.0, 1.0]])
    assert torch.allclose(disparity_midpoints(starts, ends), torch.tensor([[3.0, 1.0]]))


@pytest.mark.parametrize("generator", [None, torch.Generator().manual_seed(0)])
def test_intervals_begin_where_a_ray_leaves_the_ball(generator):
    behind = background(samples=5, eval_samples=7)
    rays = rays_from((0.2, 0.0, 0.1))
    placed = behind.place(rays, generator)
    starts, ends = placed["background_t_starts"], placed["background_t_ends"]
    assert starts.shape == (64, 7 if generator is None else 5)
    assert torch.equal(starts[:, 1:], ends[:, :-1])
    assert (ends >= starts).all()
    assert (starts >= intersect_sphere(rays)[1][:, None] - 1e-5).all()


def test_a_ray_that_misses_the_ball_is_empty_near_the_camera():
    behind = background(near=0.5)
    rays = rays_from((0.0, 0.0, -4.0))
    closest = -(rays.origins * rays.directions).sum(-1)
    enter, leave = intersect_sphere(rays)
    beside = (leave == enter) & (closest > 0)
    assert 3 < beside.sum() < 64
    starts = behind.place(rays)["background_t_starts"]
    assert (starts[beside] >= 0.5 * closest[beside, None] - 1e-5).all()
    assert (starts[beside, 0] < closest[beside]).any()


@pytest.mark.parametrize("grid", [None, InvertedSphere(frequencies=3)])
def test_what_the_foreground_lets_pass_has_a_colour_and_the_rest_costs_nothing(grid):
    behind = background(grid)
    rays = rays_from((0.0, 0.0, -3.0))
    placed = behind.place(rays, torch.Generator().manual_seed(0))
    opacity = torch.linspace(0, 1, len(rays)).requires_grad_()
    evaluated = []
    behind.field.register_forward_hook(lambda *call: evaluated.append(len(call[1][0])))
    colors = behind(rays.origins, rays.directions, opacity, **placed)
    assert evaluated == [8 * int((opacity < 1 - 1e-3).sum())]
    assert (colors[opacity == 1] == 0).all()
    # The last interval is opaque: weights sum to 1, and colours of an untrained network are near
    # one half.
    assert (colors[opacity < 0.99] > 0.05).all()
    assert (colors <= 1).all()
    colors.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in behind.parameters())


def test_weights_follow_the_density():
    """A wall of known distance has its colour at that distance."""
    behind = background(samples=32, eval_samples=64, candidates=256, resolution=64)
    radius = 2.0

    class Colors(torch.nn.Module):
        def forward(self, directions, embeddings):  # noqa: ARG002
            return embeddings

    class Wall(DensityField):
        def forward(self, points, needs):  # noqa: ARG002
            outside = uncontract(points).norm(dim=-1)
            dense = 200.0 * ((outside > radius) & (outside < radius + 1))
            colors = torch.where(outside[:, None] < radius + 1, 0.25, 0.75).expand(-1, 3)
            return {"densities": dense, "embeddings": colors}

    behind.field = Wall(behind.field.grid, Colors())
    rays = rays_from((0.0, 0.3, 0.0))
    placed = behind.place(rays)
    middle = disparity_midpoints(*placed.values())
    distance = (rays.origins[:, None] + middle[..., None] * rays.directions[:, None]).norm(dim=-1)
    # Half of the samples of which the density decides lie where light ends.
    assert ((distance > 1.8) & (distance < 2.6)).float().mean() > 0.4
    colors = behind(rays.origins, rays.directions, torch.zeros(len(rays)), **placed)
    assert torch.allclose(colors, torch.full_like(colors, 0.25), atol=0.02)


@pytest.mark.parametrize("model", ["nerf", "neus", "volsdf"])
@pytest.mark.parametrize("kind", ["contracted", "sphere"])
def test_every_model_trains_with_every_background(tmp_path, model, kind):
    run = assembled(
        tmp_path, f"background={kind}", f"model={model}", f"loss={model}", *SPHERE, model=model
    )
    before = {name: value.clone() for name, value in run.model.background.named_parameters()}
    assert run.train()
    after = dict(run.model.background.named_parameters())
    assert any(not torch.equal(before[name], after[name]) for name in before)
    batch = image_batch(run.scene.test, 0, run.scene.background)
    names = {"rgb", "rgb_foreground", "opacity_foreground", "background_rgb", "opacity"}
    values = run.model(batch.rays, names, given={"step": 2, "progress": 1.0})
    left = (1 - values["opacity_foreground"])[:, None]
    assert torch.allclose(values["rgb"], values["rgb_foreground"] + left * values["background_rgb"])
    assert torch.equal(values["opacity"], values["opacity_foreground"])


@pytest.mark.parametrize("sampler", ["occupancy", "uniform", "hierarchical", "proposal"])
def test_samples_of_the_foreground_stay_in_the_unit_ball(tmp_path, sampler):
    more = ["+loss/term@loss.terms.interlevel=interlevel"] if sampler == "proposal" else []
    run = assembled(
        tmp_path, f"sampler={sampler}", "background=contracted", "loss=neus", *SPHERE, *more
    )
    rays = image_batch(run.scene.train, 0, "none").rays
    samples = run.model.sampler(run.model.field, rays, torch.Generator().manual_seed(0))
    occupied = samples.occupied
    assert occupied.any()
    for t in (samples.t_starts, samples.t_ends):
        radius = (rays.origins[:, None] + t[..., None] * rays.directions[:, None]).norm(dim=-1)
        assert (radius[occupied] <= 1 + 1e-4).all()


def test_all_pixels_are_drawn_and_images_are_as_stored(tmp_path):
    run = assembled(tmp_path, "background=contracted", "loss=neus_mask")
    assert run.scene.background == "none"
    assert run.batches.positions == 6 * 24 * 24


def test_a_random_background_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"dataset\.background=random.*background=none"):
        assembled(tmp_path, "background=contracted", "dataset.background=random")


@pytest.mark.slow
def test_a_textured_far_sphere_is_learned(tmp_path):
    """Test views of a scene with surroundings: far better with a background model than without."""
    settings = ["dataset.size=48", "dataset.views=60", "trainer.max_steps=300", "eval.mesh=null"]
    settings += ["model.field.grid.log2_hashmap_size=16"]
    settings += [f"trainer.batch_size.{k}={v}" for k, v in BATCH.items()]
    score = {}
    for kind in ("none", "contracted"):
        run = assembled(
            tmp_path / kind,
            f"background={kind}",
            "model=nerf",
            "loss=nerf",
            *SPHERE,
            *settings,
            model="nerf",
        )
        assert run.train()
        score[kind] = run.evaluate().values["psnr"]
    assert score["contracted"] > score["none"] + 3
