"""Ablations as plain values: what is expanded, what acts, what is refused."""

import pytest

from nerfloss.assembly.ablation import ablations, active_terms, as_json, read_ablation

FOUR = {"rgb": 10.0, "idle": 0.0, "eikonal": 0.1, "mask": 0.1, "depth": 1.0}
THREE = {"rgb": 1.0, "eikonal": 0.1, "mask": 0.1}


def names(asked, weights, base=None):
    return [ablation.name for ablation in ablations(asked, weights, base)]


def acting(name, weights, base=None):
    return active_terms(read_ablation(name, weights, base), weights, base)


def test_all_is_the_recipe_then_without_each_then_each_alone_beside_the_base():
    assert names("all", FOUR) == [
        "full",
        "without_eikonal",
        "without_mask",
        "without_depth",
        "alone_eikonal",
        "alone_mask",
        "alone_depth",
        "base",
    ]


def test_terms_in_which_two_ablations_agree_are_run_once():
    # Of two terms beside the base, leaving one out is the other alone.
    assert names("all", THREE) == ["full", "without_eikonal", "without_mask", "base"]
    for weights in (THREE, FOUR):
        runs = [active_terms(each, weights) for each in ablations("all", weights)]
        assert len(runs) == len(set(runs))


def test_a_list_takes_apart_these_terms_only():
    assert names(["mask"], FOUR) == ["full", "without_mask", "alone_mask", "base"]
    assert names(["rgb"], FOUR) == ["full", "without_rgb", "base"]


def test_the_base_is_the_first_term_with_a_weight_unless_others_are_named():
    assert acting("base", {"idle": 0.0, **THREE}) == ("rgb",)
    assert acting("base", FOUR, ["mask", "rgb"]) == ("rgb", "mask")
    assert names("all", THREE, ["rgb", "mask"]) == ["full", "without_eikonal"]


def test_what_acts_keeps_the_order_of_the_recipe():
    assert acting("full", FOUR) == ("rgb", "eikonal", "mask", "depth")
    assert acting("without_mask", FOUR) == ("rgb", "eikonal", "depth")
    assert acting("alone_mask", FOUR) == ("rgb", "mask")


def test_the_record_says_what_was_done_and_which_other_names_the_run_has():
    record = as_json(read_ablation("without_eikonal", THREE), THREE)
    assert record == {
        "name": "without_eikonal",
        "kind": "without",
        "terms": ["eikonal"],
        "base": ["rgb"],
        "acting": ["rgb", "mask"],
        "same_as": ["alone_mask"],
    }
    assert as_json(read_ablation("full", FOUR), FOUR)["same_as"] == []
    assert as_json(read_ablation("base", FOUR), FOUR)["terms"] == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["eikonol"], r"no term 'eikonol' with a weight .*did you mean 'eikonal'"),
        (["idle"], r"no term 'idle' with a weight \(it has rgb, eikonal, mask, depth\)"),
        ("eikonal", r"is no ablation: .*ablate=\[eikonal\]"),
        ("without_", "is no ablation"),
    ],
)
def test_terms_that_cannot_be_taken_apart_are_named(asked, words):
    with pytest.raises(ValueError, match=words):
        ablations(asked, FOUR)


def test_a_recipe_of_nothing_but_its_base_has_no_ablation():
    with pytest.raises(ValueError, match=r"removes nothing: besides its base \(rgb\)"):
        ablations("all", {"rgb": 1.0})
    with pytest.raises(ValueError, match="leaves no term"):
        read_ablation("without_rgb", {"rgb": 1.0})


def test_a_base_that_the_recipe_lacks_is_refused():
    with pytest.raises(ValueError, match="ablate_base: the recipe has no term 'colour'"):
        ablations("all", FOUR, ["colour"])


@pytest.mark.parametrize("asked", ["all", ["eikonal"]])
def test_one_run_is_no_ablation_of_several(asked):
    with pytest.raises(ValueError, match="means several runs: add -m"):
        read_ablation(asked, FOUR)
