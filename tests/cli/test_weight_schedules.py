"""``nerfloss schedules``: what every term weighs over training."""

import xml.etree.ElementTree as xml

import pytest

from nerfloss.cli.main import main
from nerfloss.cli.reference.weight_schedules import term_weights, weight_table

FULL = [
    "loss=neus_full",
    "trainer.max_steps=2000",
    "loss.terms.curvature.weight=0.5",
    "+loss.terms.distortion.schedule="
    "{_target_: nerfloss.recipe.schedules.window, begin: 10, end: 20}",
    "loss.terms.distortion.weight=3.0",
]


def test_the_weights_are_those_of_the_terms_at_every_step():
    found = term_weights(FULL)
    assert found.steps.tolist() == list(range(2001))
    assert found.weights["rgb"].unique().tolist() == [10]
    assert found.weights["curvature"][[0, 500, 1000, 2000]].tolist() == [0, 0.25, 0.5, 0.5]
    assert not found.weights["sparsity"].any()


def test_the_table_says_when_a_term_acts_and_what_it_weighs():
    table = weight_table(term_weights(FULL))
    assert table.columns[2:] == ("at 0", "at 500", "at 1000", "at 1500", "at 2000")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["rgb"] == ("all", "10", "10", "10", "10", "10")
    assert rows["curvature"] == ("1 to 2000", "0", "0.25", "0.5", "0.5", "0.5")
    assert rows["distortion"][0] == "10 to 19"
    assert rows["sparsity"][0] == "never"


def test_a_term_of_some_steps_says_of_how_many(capsys):
    table = weight_table(term_weights(["loss=photos_masked", "trainer.max_steps=1000"]))
    acts, *weights = {row[0]: row[1:] for row in table.rows}["patches"]
    assert weights == ["0", "0", "0.2", "0.2", "0.2"]
    assert acts.endswith("in 25% of them")
    assert 250 <= int(acts.split()[0]) < 260
    assert main(["terms", "photos_masked"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "one_in(interval=4, schedule=by_progress(schedule=after(begin=0.25), max_steps=" in shown


def test_schedules_over_progress_follow_the_length_of_the_run():
    long = term_weights(["loss=steik", "trainer.max_steps=100000"])
    assert len(long.steps) == 2001
    assert float(long.weights["divergence"][600]) == pytest.approx(50)


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_plot_has_a_part_for_each_term_that_acts(tmp_path, capsys, ending):
    if ending == "png":
        pytest.importorskip("matplotlib")
    path = tmp_path / "deep" / f"weights.{ending}"
    assert main(["schedules", *FULL, "-o", str(path)]) == 0
    assert "curvature" in capsys.readouterr().out
    if ending == "svg":
        drawn = xml.fromstring(path.read_text())
        assert [panel.findall("{*}text")[-1].text for panel in drawn] == [
            "rgb",
            "eikonal",
            "mask",
            "curvature",
            "distortion",
        ]
    else:
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["loss=nues"], "nues"),
        (["loss=neus", "loss.terms.rgb.wieght=3"], "wieght"),
        (["loss=neus", "-o", "weights.pdf"], "written as .svg or .png, got weights.pdf"),
        (
            ["loss=neus", "loss.terms.rgb.weight=0", "loss.terms.eikonal.weight=0", "-o", "a.svg"],
            "no term of this recipe has a weight",
        ),
    ],
)
def test_what_cannot_be_done_is_said(capsys, arguments, said):
    assert main(["schedules", *arguments]) == 2
    assert said in capsys.readouterr().err
