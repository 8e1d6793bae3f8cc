"""Pixels drawn by the errors of their blocks: which, how often, and from when on."""

import pytest
import torch
from small_runs import assembled
from small_scenes import small_scene

from nerfloss.data.pixel_samplers.error_guided import KEEP, ErrorGuidedSampling
from nerfloss.data.pixel_samplers.pixel_blocks import PixelBlocks
from nerfloss.data.pixel_samplers.pixel_runs import PixelRuns
from nerfloss.data.pixel_samplers.uniform import UniformPixelSampler

BRIEF = {"refresh_every": 2, "near_mask": 1}


@pytest.fixture(scope="module")
def views():
    return small_scene("craters", views=4, test_views=1, size=22).train


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def flat_pixels(batch, views):
    """Return the flat indices of the pixels of a batch."""
    column, row = (batch.rays.pixel - 0.5).round().long().unbind(-1)
    cameras = views.cameras
    return (batch.rays.view * cameras.height + row) * cameras.width + column


def block_of_each_pixel(shape, edge):
    """Number the blocks, enlarge every number to a block of pixels, and crop to the images."""
    views, height, width = shape
    rows, columns = len(range(0, height, edge)), len(range(0, width, edge))
    numbers = torch.arange(views * rows * columns).reshape(views, rows, columns)
    enlarged = numbers.repeat_interleave(edge, 1).repeat_interleave(edge, 2)
    return enlarged[:, :height, :width].reshape(-1)


@pytest.mark.parametrize("edge", [1, 3, 4, 8, 64])
@pytest.mark.parametrize("near", [None, 0, 3])
def test_blocks_count_the_pixels_that_can_be_drawn(views, edge, near):
    runs = PixelRuns.everywhere(views)
    if near is not None:
        runs = PixelRuns.near_masks(views.mask, near, views=views)
    shape = (4, 22, 22)
    blocks = PixelBlocks.of(runs, shape, edge=edge, most=10**6)
    everything = torch.arange(4 * 22 * 22)
    drawable = everything[runs.contains(everything)]
    listed = [
        pixel
        for start, begin, end in zip(
            runs.starts.tolist(), runs.bounds[:-1].tolist(), runs.bounds[1:].tolist(), strict=True
        )
        for pixel in range(start, start + end - begin)
    ]
    assert drawable.tolist() == listed
    expected = block_of_each_pixel(shape, edge)[drawable]
    assert torch.equal(blocks.of_pixels(drawable), expected)
    count = torch.bincount(expected, minlength=len(blocks.counts))
    assert torch.equal(blocks.counts, count.float())


def test_images_of_several_sizes_have_no_pixels_beyond_their_borders():
    runs = PixelRuns(torch.tensor([0, 22, 484]), torch.tensor([0, 5, 12, 34]), 34)
    blocks = PixelBlocks.of(runs, (4, 22, 22), edge=6, most=10**6)
    assert blocks.counts.sum() == 34
    assert blocks.counts[0] == 5 + 6
    assert blocks.counts[1] == 1
    outside = torch.tensor([-1, 5, 21, 29, 483, 506])
    assert not runs.contains(outside).any()


def test_a_pixel_of_a_block_is_drawn_uniformly_from_those_in_the_runs(views):
    runs = PixelRuns.near_masks(views.mask, 0, views=views)
    blocks = PixelBlocks.of(runs, (4, 22, 22), edge=4, most=10**6)
    partial = (blocks.counts > 8) & (blocks.counts < 16)
    block = int(partial.nonzero()[0, 0])
    drawn = blocks.draw(torch.full((8000,), block), generator())
    inside = blocks.of_pixels(drawn) == block
    assert runs.contains(drawn).all()
    # Four tries miss the runs with probability (1 - 9 / 16)^4 at most.
    assert inside.float().mean() > 0.95
    times = torch.bincount(drawn[inside])
    times = times[times > 0].float()
    assert len(times) == blocks.counts[block]
    expected = inside.sum() / len(times)
    assert (times - expected).abs().max() < 5 * expected.sqrt()


def test_edges_are_doubled_until_there_are_few_blocks(views):
    runs = PixelRuns.everywhere(views)
    blocks = PixelBlocks.of(runs, (4, 22, 22), edge=4, most=40)
    assert blocks.edge == 8
    assert len(blocks.counts) == 4 * 3 * 3
    # An image is one block at most, however many views there are.
    assert len(PixelBlocks.of(runs, (4, 22, 22), edge=4, most=2).counts) == 4


def test_pixels_are_uniform_until_errors_are_observed(views):
    sampler = ErrorGuidedSampling(**BRIEF)(views, seed=3)
    plain = UniformPixelSampler(views, seed=3, near_mask=1)
    for step in range(5):
        assert torch.equal(sampler.draw(step, 50).rays.pixel, plain.draw(step, 50).rays.pixel)


def test_a_fraction_of_the_pixels_follows_the_errors_times_the_pixels_of_their_blocks(views):
    sampler = ErrorGuidedSampling(fraction=0.75, block=11, refresh_every=1)(views)
    # 16 blocks of 121 pixels. Those of the first view have errors 0.1, 0.2, 0.3 and 0.4.
    errors = torch.tensor([0.1, 0.2, 0.3, 0.4, *12 * [0.0]])
    sampler.observe(0, 0.0, blocks=torch.arange(16), errors=errors)
    batch = sampler.draw(2, 40000)
    share = torch.bincount(sampler.blocks_of(batch), minlength=16) / 40000
    by_error = errors.clamp_min(1e-4) / errors.clamp_min(1e-4).sum()
    expected = 0.25 / 16 + 0.75 * by_error
    assert (share - expected).abs().max() < 5 * (expected / 40000).sqrt().max()
    numbers = block_of_each_pixel((4, 22, 22), 11)
    assert torch.equal(sampler.blocks_of(batch), numbers[flat_pixels(batch, views)])


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.5), (0.6, 0.2), (1.0, 0.0)])
def test_the_share_that_follows_the_errors_falls_to_none_at_the_end(views, progress, share):
    sampler = ErrorGuidedSampling(block=11, refresh_every=1)(views)
    only_third = torch.eye(16)[3]
    sampler.observe(0, progress, blocks=torch.arange(16), errors=only_third)
    drawn = sampler.blocks_of(sampler.draw(2, 20000)) == 3
    expected = share + (1 - share) / 16
    assert abs(drawn.float().mean() - expected) < 5 * (expected / 20000) ** 0.5


def test_errors_are_running_means_and_unseen_blocks_have_the_mean_of_the_others(views):
    sampler = ErrorGuidedSampling(block=11, refresh_every=2)(views)
    # As many pixels in every block, so that probabilities are those of the errors.
    observe(sampler, 0, [0, 0, 3], [0.2, 0.4, 0.5])
    observe(sampler, 1, [3], [0.7])
    errors = [0.3, *2 * [0.45], 0.6, *12 * [0.45]]
    torch.testing.assert_close(errors_by_block(sampler), torch.tensor(errors))
    observe(sampler, 2, [0], [0.1])
    observe(sampler, 3, [0, 5], [0.3, 0.9])
    first = KEEP**2 * 0.3 + (1 - KEEP**2) * 0.2
    mean = (first + 0.6 + 0.9) / 3
    errors = [first, *2 * [mean], 0.6, mean, 0.9, *10 * [mean]]
    torch.testing.assert_close(errors_by_block(sampler), torch.tensor(errors))


def observe(sampler, step, blocks, errors):
    sampler.observe(step, 0.0, blocks=torch.tensor(blocks), errors=torch.tensor(errors))


def errors_by_block(sampler):
    """Return the errors that the newest probabilities are made of."""
    bounds = sampler.state_dict()["tables"][-1][-1]
    return (bounds.diff(prepend=bounds.new_zeros(1)) / 121).float()


def test_a_batch_that_is_drawn_one_step_ahead_is_the_same(views):
    early, late = (ErrorGuidedSampling(**BRIEF)(views) for _ in range(2))
    for step in range(8):
        ahead = early.draw(step + 1, 40)
        for sampler in (early, late):
            blocks = sampler.blocks_of(sampler.draw(step, 40))
            errors = torch.linspace(0, 1, 40) * (blocks % 5 == 0)
            sampler.observe(step, 0.1, blocks=blocks, errors=errors)
        assert torch.equal(ahead.rays.pixel, late.draw(step + 1, 40).rays.pixel)
    uniform = UniformPixelSampler(views, near_mask=1).draw(8, 40)
    assert not torch.equal(uniform.rays.pixel, late.draw(8, 40).rays.pixel)


def test_a_restored_sampler_draws_the_same_pixels(views):
    first = ErrorGuidedSampling(**BRIEF)(views)
    for step in range(5):
        blocks = first.blocks_of(first.draw(step, 40))
        first.observe(step, 0.1, blocks=blocks, errors=torch.linspace(0, 1, 40))
    second = ErrorGuidedSampling(**BRIEF)(views)
    second.load_state_dict(first.state_dict())
    for step in range(5, 9):
        for sampler in (first, second):
            blocks = sampler.blocks_of(sampler.draw(step, 40))
            sampler.observe(step, 0.1, blocks=blocks, errors=torch.linspace(1, 0, 40))
        assert torch.equal(first.draw(step, 40).rays.pixel, second.draw(step, 40).rays.pixel)


def test_errors_that_are_restored_before_the_pixels_are_restricted_are_kept(views):
    masks = torch.zeros_like(views.mask)
    masks[:, 5:15, 5:15] = 1
    first, second = (ErrorGuidedSampling(**BRIEF)(views) for _ in range(2))
    first.restrict_to(masks)
    for step in range(5):
        blocks = first.blocks_of(first.draw(step, 40))
        first.observe(step, 0.1, blocks=blocks, errors=torch.linspace(0, 1, 40))
    second.load_state_dict(first.state_dict())
    second.restrict_to(masks)
    drawn = second.draw(6, 200)
    assert torch.equal(first.draw(6, 200).rays.pixel, drawn.rays.pixel)
    assert masks.reshape(-1)[flat_pixels(drawn, views)].all()


def test_errors_of_other_images_are_refused(views):
    state = ErrorGuidedSampling(block=11)(views).state_dict()
    with pytest.raises(ValueError, match=r"16 blocks of pixels, but these images have 144: resume"):
        ErrorGuidedSampling(block=4)(views).load_state_dict(state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fraction": 1}, r"batch.fraction must be in \[0, 1\), got 1"),
        ({"block": 0}, "batch.block must be at least 1, got 0"),
        ({"refresh_every": 0}, "batch.refresh_every must be at least 1, got 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ErrorGuidedSampling(**settings)


def test_a_recipe_that_compares_no_colours_is_refused(tmp_path):
    drop = ["~loss.terms.rgb", "+loss/term@loss.terms.mask=mask_bce"]
    with pytest.raises(ValueError, match=r"no term of this recipe needs 'rgb': use batch=uniform"):
        assembled(tmp_path, "batch=error_guided", *drop)


def test_a_run_observes_the_errors_of_its_own_steps(tmp_path):
    run = assembled(tmp_path, "batch=error_guided", "batch.refresh_every=1", "batch.block=24")
    step = run.trainer.train_step()
    view, error = step.inputs.batch.rays.view, (step.quantities["rgb"] - _targets(step)).abs()
    expected = torch.stack([error[view == index].mean() for index in range(6)]).detach()
    # Each view is one block.
    assert torch.equal(run.batches.blocks_of(step.inputs.batch), view)
    torch.testing.assert_close(run.batches.state_dict()["errors"], expected)


def _targets(step):
    return step.inputs.batch.targets["target_rgb"]
