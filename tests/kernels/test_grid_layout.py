"""A layout puts levels one behind the other and refuses what cannot be a grid."""

import pytest

from nerfloss.kernels.grid_layout import GridLayout


def test_levels_follow_one_another_without_gap_or_overlap() -> None:
    layout = GridLayout(levels=7, log2_hashmap_size=9, base_resolution=3, max_resolution=50)
    ends = [grid.offset + grid.entries for grid in layout.grids]
    assert [grid.offset for grid in layout.grids] == [0, *ends[:-1]]
    assert layout.entries == ends[-1]


def test_resolutions_grow_from_base_to_finest() -> None:
    resolutions = [
        grid.resolution for grid in GridLayout(levels=5, base_resolution=4, max_resolution=64).grids
    ]
    assert resolutions == [4, 8, 16, 32, 64]


def test_a_level_is_dense_exactly_where_its_vertices_fit_the_table() -> None:
    layout = GridLayout(levels=16, log2_hashmap_size=12, base_resolution=4, max_resolution=200)
    for grid in layout.grids:
        assert grid.dense == ((grid.resolution + 1) ** 3 <= 2**12)
        assert grid.entries == ((grid.resolution + 1) ** 3 if grid.dense else 2**12)
    assert {grid.dense for grid in layout.grids} == {True, False}


def test_a_single_level_has_the_base_resolution() -> None:
    assert GridLayout(levels=1, base_resolution=16, max_resolution=16).grids[0].resolution == 16


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"levels": 0}, "levels >= 1, got levels=0"),
        ({"features": 0}, "features >= 1"),
        ({"log2_hashmap_size": 31}, "log2_hashmap_size <= 30"),
        (
            {"base_resolution": 32, "max_resolution": 16},
            "base_resolution <= max_resolution, got base_resolution=32, max_resolution=16",
        ),
        (
            {
                "levels": 16,
                "log2_hashmap_size": 30,
                "base_resolution": 1000,
                "max_resolution": 2000,
            },
            "less than 2\\^32 rows",
        ),
    ],
)
def test_what_cannot_be_a_grid_is_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridLayout(**wrong)
