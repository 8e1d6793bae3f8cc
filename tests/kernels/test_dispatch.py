"""A kernel is chosen by name and device, and says so when it cannot run."""

import pytest
import torch

from nerfloss.kernels import cpu, reference
from nerfloss.kernels.hash_grid import encode, kernel
from nerfloss.kernels.layout import GridLayout

LAYOUT = GridLayout(levels=2, log2_table=8, base=2, finest=4)


def test_the_fastest_kernel_that_can_run_is_chosen() -> None:
    assert kernel("auto", torch.empty(4, 2)) is cpu
    assert kernel("auto", torch.empty(4, 2, dtype=torch.bfloat16)) is reference
    assert kernel("auto", torch.empty(4, 2, device="meta")) is reference
    assert kernel("reference", torch.empty(4, 2)) is reference


def test_a_name_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="'gpu', there are auto, reference, cpu"):
        kernel("gpu", torch.empty(4, 2))


def test_a_kernel_that_cannot_run_there_says_where_it_can() -> None:
    with pytest.raises(ValueError, match=r"CPU memory, the table is torch.float32 on meta"):
        kernel("cpu", torch.empty(4, 2, device="meta"))
    with pytest.raises(ValueError, match=r"the table is torch.float16 on cpu"):
        kernel("cpu", torch.empty(4, 2, dtype=torch.float16))


def test_more_levels_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 active levels, the grid has 2"):
        encode(torch.rand(1, 3), torch.zeros(LAYOUT.entries, 2), LAYOUT, 3)


def test_points_outside_have_the_features_of_the_border() -> None:
    table = torch.randn(LAYOUT.entries, 2)
    points = torch.rand(20, 3) * 3 - 1
    torch.testing.assert_close(
        encode(points, table, LAYOUT), encode(points.clamp(0, 1), table, LAYOUT)
    )
