"""What a term costs: bytes that can be counted by hand, points asked, and reasons for gaps."""

import csv
import io

import pytest
import torch
from torch import Tensor

from nerfloss.cli.main import main
from nerfloss.cli.reference.profiling import cost_of
from nerfloss.losses.photometric import l2
from nerfloss.recipe.term import Term
from nerfloss.testing.quantities import SIZES

RGB = {"prediction": "rgb", "target": "target_rgb"}


def many(**sizes):
    return SIZES | sizes


def test_megabytes_are_those_of_the_tensors_that_live_at_a_time():
    cost = cost_of(Term(fn=l2, inputs=RGB), many(rays=2**18))
    one = 2**18 * 3 * 4 / 2**20
    # The difference, which the gradient needs, and its square.
    assert cost.forward_megabytes == pytest.approx(2 * one, rel=0.01)
    assert cost.backward_megabytes >= cost.forward_megabytes
    assert cost.forward_milliseconds > 0
    assert cost.backward_milliseconds > 0


def test_what_lives_only_inside_a_term_counts():
    def wasteful(rgb: Tensor) -> Tensor:
        with torch.no_grad():
            (rgb[:, None] + rgb[None, :]).sum()
        return rgb

    cost = cost_of(Term(fn=wasteful), many(rays=512))
    assert cost.forward_megabytes >= 512 * 512 * 3 * 4 / 2**20


def test_the_points_at_which_a_field_is_asked_are_counted_and_have_a_backward():
    def asks(field, space_points: Tensor) -> Tensor:
        return field(space_points, {"sdf"})["sdf"] + field(-space_points, {"sdf"})["sdf"]

    cost = cost_of(Term(fn=asks), many(points=700))
    assert cost.field_points == 1400
    assert cost.backward_milliseconds > 0


def printed(capsys, *arguments):
    small = ["--rays", "64", "--samples", "4", "--patches", "1", "--height", "8", "--width", "8"]
    status = main(["bench", "terms", *arguments, *small, "--points", "32", "-f", "csv"])
    return status, capsys.readouterr()


def test_the_command_prints_the_terms_that_were_named(capsys):
    status, said = printed(capsys, "rgb_l1", "eikonal")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert status == 0
    assert [row["term"] for row in rows] == ["rgb_l1", "eikonal"]
    assert all(float(row["forward ms"]) > 0 and float(row["forward MB"]) >= 0 for row in rows)


def test_a_term_that_cannot_run_at_a_size_stays_empty_and_says_why(capsys):
    status = main(["bench", "terms", "dssim", "--height", "4", "--width", "4"])
    said = capsys.readouterr().out
    assert status == 0
    assert "dssim: " in said


def test_a_name_that_no_term_has_and_a_size_below_one_are_refused(capsys):
    status, said = printed(capsys, "eikonall")
    assert status == 2
    assert "no term is called 'eikonall': there is eikonal" in said.err
    assert main(["bench", "terms", "--rays", "0"]) == 2
    assert "--rays must be at least 1, got 0" in capsys.readouterr().err
