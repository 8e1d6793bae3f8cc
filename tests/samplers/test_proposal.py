"""Proposal sampling: trained by `interlevel` alone; samples follow the proposal density."""

from types import MappingProxyType

import pytest
import torch
from small_runs import assembled, composed

from nerfloss.assembly.build import assemble
from nerfloss.fields.hash_grid import HashGrid
from nerfloss.fields.proposal import ProposalDensity
from nerfloss.geometry import Rays
from nerfloss.losses.volume import interlevel
from nerfloss.quantities.derived import positions
from nerfloss.recipe import RecipeError
from nerfloss.samplers.proposal import ProposalSampler

TAUGHT = ["sampler=proposal", "+loss/term@loss.terms.interlevel=interlevel"]
SMALL = ["sampler.density.grid.log2_hashmap_size=10", "sampler.proposals=24", "sampler.samples=8"]


class Box:
    """A field with a box only."""

    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    offers = frozenset({"densities"})
    appearance = None
    heads = MappingProxyType({})

    def __call__(self, points, needs):
        raise AssertionError(f"{needs} at {len(points)} points")

    def constants(self):
        return {}


def small_sampler(**settings):
    grid = HashGrid(levels=4, log2_hashmap_size=12, base_resolution=8, max_resolution=32)
    return ProposalSampler(ProposalDensity(grid), proposals=32, **settings)


def rays(count=64):
    directions = torch.nn.functional.normalize(torch.randn(count, 3), dim=-1)
    index = torch.zeros(count, dtype=torch.int64)
    return Rays(-3 * directions, directions, torch.zeros(count, 2), index, torch.ones(count, 3))


def seeded():
    return torch.Generator().manual_seed(0)


def on_shell(samples):
    """Return weights concentrated at the sphere of radius 0.5: t = 2.5."""
    holds = (samples.t_starts <= 2.5) & (samples.t_ends > 2.5)
    return holds.float()


def test_samples_are_consecutive_inside_the_box():
    samples = small_sampler(samples=12)(Box(), rays(), seeded())
    assert samples.t_starts.shape == (64, 12)
    assert torch.equal(samples.t_ends[:, :-1], samples.t_starts[:, 1:])
    assert (samples.t_ends >= samples.t_starts).all()
    points = positions(
        samples.rays.origins, samples.rays.directions, samples.t_starts, samples.t_ends
    )
    assert points.abs().max() <= 1 + 1e-5


def test_without_a_generator_sampling_is_regular_with_its_own_count():
    sampler = small_sampler(samples=12, eval_samples=20)
    bundle = rays()
    first, second = sampler(Box(), bundle), sampler(Box(), bundle)
    assert first.t_starts.shape == (64, 20)
    assert torch.equal(first.t_starts, second.t_starts)


def test_a_ray_that_misses_the_box_has_no_samples_and_no_proposals():
    bundle = rays(2)
    away = Rays(bundle.origins * 5 + 7, bundle.directions, *[getattr(bundle, n) for n in (
        "pixel", "view", "background")])  # fmt: skip
    samples = small_sampler()(Box(), away, seeded())
    assert not samples.occupied.any()
    assert (samples.more["proposal_weights"] == 0).all()


def test_trained_proposals_concentrate_at_the_surface():
    sampler, bundle = small_sampler(samples=8, anneal_steps=0), rays(256)
    sampler.refresh(Box(), 0)
    optimizer = torch.optim.Adam(sampler.parameters(), lr=0.02)

    def near():
        samples = sampler(Box(), bundle, seeded())
        middle = 0.5 * (samples.t_starts + samples.t_ends)
        return ((middle - 2.5).abs() < 0.15).float().mean().item()

    before = near()
    for step in range(80):
        samples = sampler(Box(), bundle, torch.Generator().manual_seed(step))
        weights = on_shell(samples)
        more = samples.more
        loss = interlevel(
            weights, samples.t_starts, samples.t_ends, more["proposal_weights"],
            more["proposal_t_starts"], more["proposal_t_ends"],
        ).mean()  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.25
    assert near() > 2 * before


def test_annealing_flattens_early_proposals():
    sampler = small_sampler(anneal_steps=100)
    sampler.refresh(Box(), 0)
    assert sampler.power.item() == 0
    powers = []
    for step in (10, 50, 100, 1000):
        sampler.refresh(Box(), step)
        powers.append(sampler.power.item())
    assert powers == sorted(powers)
    assert powers[-2:] == [1.0, 1.0]


@pytest.mark.parametrize("model", ["nerf", "neus"])
def test_proposals_are_trained_and_saved_with_every_model(tmp_path, model):
    more = ["loss=nerf"] if model == "nerf" else []
    settings = [f"model={model}", *more, *TAUGHT, *SMALL]
    run = assembled(tmp_path / "run", *settings, model=model)
    before = [p.detach().clone() for p in run.model.sampler.parameters()]
    assert run.train()
    after = list(run.model.sampler.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    again = assembled(tmp_path / "again", *settings, model=model)
    again.load(tmp_path / "run" / "checkpoints" / "last.pt")
    assert all(
        torch.equal(a, b) for a, b in zip(after, again.model.sampler.parameters(), strict=True)
    )


def test_proposals_without_a_term_that_trains_them_are_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"term on 'proposal_weights'.*terms\.interlevel"):
        assemble(composed("sampler=proposal"), tmp_path)


def test_another_sampler_does_not_offer_proposals(tmp_path):
    with pytest.raises(RecipeError, match=r"samplers with proposals provide \(sampler=proposal\)"):
        assemble(composed("+loss/term@loss.terms.interlevel=interlevel"), tmp_path)


@pytest.mark.parametrize(
    "setting", [{"samples": 0}, {"uniform_fraction": 0.0}, {"anneal_slope": -1.0}]
)
def test_invalid_settings_are_refused(setting):
    with pytest.raises(ValueError, match="the proposal sampler needs"):
        small_sampler(**setting)
