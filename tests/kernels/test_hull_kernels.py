"""Carving of the visual hull, compared with naive loops."""

import pytest
import torch

from nerfloss.kernels.numba.visual_hull import VIEWS, carve


def rings_of_cameras(count, away, seed=0):
    """From cell indices of a 20^3 grid over [-1, 1]^3 to pixels of 24 x 16 images, all around."""
    generator = torch.Generator().manual_seed(seed)
    turns = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator, dtype=torch.float64))[0]
    focal = torch.tensor([[22.0, 0, 12.2], [0, 21, 7.7], [0, 0, 1]], dtype=torch.float64)
    seen = torch.cat([turns, torch.tensor([0, 0, away]).expand(count, 3)[..., None]], -1)
    to_scene = torch.eye(4, dtype=torch.float64) * 0.1
    to_scene[:3, 3], to_scene[3, 3] = -0.95, 1
    return focal @ seen @ to_scene


def blotches(count, seed=0):
    """Masks with large and small features, grey edges between."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 1, 4, 6, generator=generator) - 0.1
    smooth = torch.nn.functional.interpolate(coarse, (16, 24), mode="bilinear")[:, 0]
    return (128 + 300 * smooth).clamp(0, 255).to(torch.uint8)


def carved_cell_by_cell(masks, to_pixels, resolution, dilate):
    height, width = masks.shape[1:]
    index = torch.cartesian_prod(*[torch.arange(resolution)] * 3).double()
    inside = torch.ones(len(index), dtype=torch.bool)
    for mask, matrix in zip(masks, to_pixels, strict=True):
        column, row, depth = (index @ matrix[:, :3].T + matrix[:, 3]).unbind(-1)
        for cell in (depth > 0).nonzero()[:, 0].tolist():
            i = int((row[cell] / depth[cell]).floor())
            k = int((column[cell] / depth[cell]).floor())
            if 0 <= i < height and 0 <= k < width:
                near = mask[
                    max(i - dilate, 0) : i + dilate + 1, max(k - dilate, 0) : k + dilate + 1
                ]
                inside[cell] &= bool((near >= 128).any())
    return inside.reshape(resolution, resolution, resolution)


@pytest.mark.parametrize("dilate", [0, 1, 3])
@pytest.mark.parametrize("away", [3.0, 1.2, 0.1], ids=["in_view", "in_part", "from_inside"])
def test_carving_by_blocks_is_carving_cell_by_cell(away, dilate):
    masks, to_pixels = blotches(4), rings_of_cameras(4, away)
    expected = carved_cell_by_cell(masks, to_pixels, 20, dilate)
    assert 0 < expected.float().mean() < 0.999
    assert torch.equal(carve(masks, to_pixels, 20, opaque=128, dilate=dilate), expected)


def test_carving_in_batches_uses_every_view():
    count = VIEWS + 3
    masks, to_pixels = blotches(count), rings_of_cameras(count, 3.0)
    whole = carve(masks, to_pixels, 20, opaque=128, dilate=2)
    one_by_one = [carve(masks[[i]], to_pixels[[i]], 20, opaque=128, dilate=2) for i in range(count)]
    assert torch.equal(whole, torch.stack(one_by_one).all(0))
    assert not torch.equal(whole, torch.stack(one_by_one[:VIEWS]).all(0))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_carving_is_the_same_on_any_number_of_threads(threads):
    masks, to_pixels = blotches(5), rings_of_cameras(5, 3.0)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = carve(masks, to_pixels, 60, opaque=128)
    finally:
        torch.set_num_threads(before)
    assert found.sum() == carve(masks, to_pixels, 60, opaque=128).sum()
