"""``nerfloss report`` over seeds and scenes: significances against a baseline, and ablations."""

import csv
from pathlib import Path

import pytest
from written_runs import rows_of, write_run, write_sweep

from nerfloss.cli.main import main
from nerfloss.experiments.report.runs import find_runs
from nerfloss.experiments.report.variants import choose_baseline, scores, variants_of

SEEDS = [30.0, 30.7, 31.4]


def shifted(by: float, *wobble: float) -> list[float]:
    """The baseline's scores plus an effect and something for each seed."""
    return [value + by + w for value, w in zip(SEEDS, wobble or (0.05, -0.05, 0.0), strict=True)]


def reported(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    capsys.readouterr()
    assert main(["report", str(folder), "-f", "markdown", *options]) == 0
    return capsys.readouterr().out


def test_an_variant_over_seeds_has_an_interval_and_a_significance(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(1), "1": shifted(0, 0.3, -0.2, -0.3)})
    said = reported(capsys, tmp_path)
    base, better, noise = rows_of(said, "Against eikonal.weight=0")
    assert base["mean ± std"] == "30.7 ± 0.7"
    assert base["95 % interval of the mean"] == "28.96 to 32.44"
    assert (base["difference"], base["significance"]) == ("", "")
    assert (better["difference"], better["significance"]) == ("+1", "better")
    assert noise["significance"] == "not significant"
    assert "significance by paired t over 3 pairs" in said
    assert "corrected (Holm) for 2 variants" in said


def test_a_score_that_is_better_lower_is_judged_so(tmp_path, capsys) -> None:
    for weight, scale in (("0", 1.0), ("0.1", 0.5)):
        for seed in range(3):
            write_run(
                tmp_path / f"{weight},{seed}",
                {"chamfer_l1": scale * (0.03 + 0.001 * seed)},
                f"loss.terms.eikonal.weight={weight}",
                seed=seed,
            )
    _, less = rows_of(reported(capsys, tmp_path), "Against")
    assert (less["score"], less["significance"]) == ("chamfer_l1 ↓", "better")


def test_two_seeds_are_too_few_to_say(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS[:2], "0.1": [33.0, 34.0]})
    said = reported(capsys, tmp_path)
    assert rows_of(said, "Against")[1]["significance"] == "too few runs"
    assert "use at least 3 seeds, as in seeds=[0,1,2], better 6" in said


def test_six_seeds_are_judged_by_a_test_that_assumes_nothing(tmp_path, capsys) -> None:
    six = [30.0, 31.0, 30.5, 30.2, 31.3, 30.9]
    write_sweep(tmp_path, {"0": six, "0.1": [value + 0.5 for value in six]})
    assert "significance by sign flips over 6 pairs" in reported(capsys, tmp_path)


def test_one_seed_each_is_answered_by_advice(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS[:1], "0.1": [33.0]})
    said = reported(capsys, tmp_path)
    assert "### Against" not in said
    assert "one seed each: no test of the differences is possible" in said


def test_a_gain_on_one_scene_only_is_called_that(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(1)}, scene="craters")
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(0, 0.2, -0.3, 0.1)}, scene="rings")
    said = reported(capsys, tmp_path)
    significances = {
        row["scene"]: row["significance"] for row in rows_of(said, "Against") if row["significance"]
    }
    assert significances["craters"] == "better"
    assert significances["rings"] == "not significant"
    assert significances.keys() == {"craters", "rings", "all"}
    assert "psnr: eikonal.weight=0.1 is better on craters only; not significant on rings" in said


def test_over_all_scenes_pairs_are_matched_by_scene_and_seed(tmp_path, capsys) -> None:
    """The scenes are ten decibels apart: unmatched, that would drown everything."""
    for scene, level in (("craters", 0.0), ("rings", 10.0)):
        base = [value + level for value in SEEDS]
        more = [value + level for value in shifted(0.5)]
        write_sweep(tmp_path, {"0": base, "0.1": more}, scene=scene)
    pooled = rows_of(reported(capsys, tmp_path), "Against")[-1]
    assert (pooled["scene"], pooled["runs"], pooled["significance"]) == ("all", "6", "better")
    assert "±" not in pooled["mean ± std"], "a deviation would be that of the scenes"


@pytest.mark.parametrize("asked", ["loss.terms.eikonal.weight=0.10", "eikonal.weight=0.1"])
def test_the_baseline_is_the_one_asked_for(tmp_path, capsys, asked) -> None:
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(1)})
    said = reported(capsys, tmp_path, "--baseline", asked)
    assert rows_of(said, "Against eikonal.weight=0.1")[1]["significance"] == "worse"


def test_a_baseline_that_is_no_variant_is_refused_with_the_choices(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(1)})
    assert main(["report", str(tmp_path), "--baseline", "eikonal.weight=7"]) == 2
    error = capsys.readouterr().err
    assert "'eikonal.weight=7' matches no variant: choose from eikonal.weight=0; eikon" in error


@pytest.mark.parametrize(
    ("values", "plain"),
    [(["gradnorm", "none"], "none"), (["1", "0.1", "0"], "0"), (["l1", "huber"], "l1")],
)
def test_without_a_word_the_baseline_is_the_plainest_variant(tmp_path, values, plain) -> None:
    for value in values:
        write_run(tmp_path / value, {"psnr": 1.0}, f"loss/balancer={value}")
    variants = variants_of(find_runs(tmp_path))
    # Folders are read in alphabetical order, and l1 comes after huber.
    wanted = plain if plain != "l1" else "huber"
    assert choose_baseline(variants).settings["loss/balancer"] == wanted


def test_weights_are_listed_by_size(tmp_path) -> None:
    write_sweep(tmp_path, {"1": SEEDS, "1e-4": SEEDS, "0.1": SEEDS})
    names = [variant.name for variant in variants_of(find_runs(tmp_path))]
    assert names == ["eikonal.weight=1e-4", "eikonal.weight=0.1", "eikonal.weight=1"]


def test_settings_that_go_together_make_one_name(tmp_path) -> None:
    for kind, size in (("a", 1), ("b", 2)):
        asked = [f"trainer.max_steps={size}", f"loss={kind}", f"trainer.batch_size.rays={size}"]
        write_run(tmp_path / kind, {"psnr": 1.0}, *asked)
    assert [variant.name for variant in variants_of(find_runs(tmp_path))] == ["loss=a", "loss=b"]


def test_a_run_that_was_made_twice_is_not_two_draws(tmp_path) -> None:
    write_run(tmp_path / "first", {"psnr": 30.0}, "loss=a", seed=1)
    write_run(tmp_path / "again", {"psnr": 31.0}, "loss=a", seed=1)
    (variant,) = variants_of(find_runs(tmp_path))
    assert scores(variant, "psnr") == {("craters", "1"): 30.5}


def test_the_table_of_variants_can_be_had_alone_and_by_machines(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(1)})
    assert main(["report", str(tmp_path), "-f", "csv", "--only", "variants"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert float(rows[1]["difference"]) == pytest.approx(1.0)
    assert float(rows[1]["p_sign_flips"]) == 0.25
    assert rows[1]["significance"] == "better"


def test_variants_alone_are_refused_where_there_are_none(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS[:1], "0.1": [33.0]})
    assert main(["report", str(tmp_path), "--only", "variants"]) == 2
    assert "there is no table of variants: one seed each" in capsys.readouterr().err


def write_ablation(root: Path, effects: dict[str, float], scene: str) -> None:
    """Runs of a recipe of rgb, eikonal and mask; ``effects`` are what the terms add to the PSNR."""
    kinds = {
        "full": ("full", [], ["eikonal", "mask"], []),
        "without_eikonal": ("without", ["eikonal"], ["mask"], ["alone_mask"]),
        "without_mask": ("without", ["mask"], ["eikonal"], ["alone_eikonal"]),
        "base": ("base", [], [], []),
    }
    for number, (name, (kind, terms, acting, same)) in enumerate(kinds.items()):
        content = {"kind": kind, "terms": terms, "base": ["rgb"], "same_as": same}
        for seed, base in enumerate(SEEDS):
            wobble = 0.01 * ((seed * 7 + number * 3) % 5)
            value = base + sum(effects[term] for term in acting) + wobble
            folder = root / f"{scene},{name},{seed}"
            override = f"ablate={name}"
            write_run(folder, {"psnr": value}, override, seed=seed, scene=scene, ablation=content)


def test_an_ablation_says_of_each_term_whether_it_helps(tmp_path, capsys) -> None:
    write_ablation(tmp_path, {"eikonal": 1.0, "mask": -0.5}, "craters")
    said = reported(capsys, tmp_path)
    rows = {row["recipe"]: row for row in rows_of(said, "Ablation")}
    assert list(rows) == [
        *("full", "without eikonal", "without mask"),
        *("base", "alone mask", "alone eikonal"),
    ]
    assert (rows["without eikonal"]["significance"], rows["without eikonal"]["effect"]) == (
        "worse",
        "eikonal helps",
    )
    assert rows["without mask"]["effect"] == "mask hurts"
    assert (rows["alone eikonal"]["against"], rows["alone eikonal"]["effect"]) == (
        "base",
        "eikonal helps",
    )
    assert rows["alone eikonal"]["mean ± std"] == rows["without mask"]["mean ± std"]


def test_a_term_that_helps_on_one_scene_only_is_called_that(tmp_path, capsys) -> None:
    write_ablation(tmp_path, {"eikonal": 1.0, "mask": 1.0}, "craters")
    write_ablation(tmp_path, {"eikonal": 0.0, "mask": 1.0}, "rings")
    said = reported(capsys, tmp_path)
    assert (
        "psnr: eikonal helps on craters only; is not significant on rings "
        "(without it, against the full recipe)" in said
    )
    assert "psnr: mask helps" not in said, "it helps on both: the table says so"


def test_an_ablation_beside_another_setting_is_several_tables(tmp_path, capsys) -> None:
    for steps in ("100", "200"):
        for kind in ("full", "base"):
            for seed in range(3):
                write_run(
                    tmp_path / f"{steps},{kind},{seed}",
                    {"psnr": 30.0 + seed + 0.1 * len(kind)},
                    f"trainer.max_steps={steps}",
                    f"ablate={kind}",
                    seed=seed,
                    ablation={"kind": kind, "terms": [], "base": ["rgb"]},
                )
    said = reported(capsys, tmp_path)
    for steps in ("100", "200"):
        assert rows_of(said, f"Ablation, trainer.max_steps={steps}")


def test_a_sweep_keeps_the_table_of_variants_too(tmp_path) -> None:
    write_sweep(tmp_path, {"0": SEEDS, "0.1": shifted(1)})
    (tmp_path / "multirun.yaml").write_text("hydra: {}\n")
    assert main(["report", str(tmp_path)]) == 0
    assert "### Against eikonal.weight=0" in (tmp_path / "report.md").read_text()
    rows = list(csv.DictReader((tmp_path / "variants.csv").read_text().splitlines()))
    assert [row["variant"] for row in rows] == ["eikonal.weight=0", "eikonal.weight=0.1"]


def test_jobs_that_a_sweep_noted_and_never_began_are_counted(tmp_path, capsys) -> None:
    write_sweep(tmp_path, {"0": SEEDS})
    (tmp_path / "multirun.yaml").write_text("hydra: {overrides: {task: ['ablate=all']}}\n")
    names = [f"craters,weight=0,seed={seed}" for seed in range(5)]
    jobs = ", ".join(f'"{name}": []' for name in names)
    (tmp_path / "sweep.json").write_text(f'{{"jobs": {{{jobs}}}}}')
    assert "2 more runs of this sweep never started" in reported(capsys, tmp_path)
