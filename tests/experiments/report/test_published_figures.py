"""Published figures beside runs: matched by scene, averaged over seeds, marked by protocol."""

import json

import pytest
from written_runs import write_run

from nerfloss.assembly.config_files import read_yaml
from nerfloss.cli.main import main
from nerfloss.experiments.report.published import column_of, published_file, published_table
from nerfloss.experiments.report.runs import find_runs


def write(root, scene, value, *, metric="psnr", protocol=None, seed=0, weight=1.0, provenance=None):
    folder = root / f"{scene}_{seed}_{weight}"
    terms = {"rgb": {"weight": weight}}
    given = {metric: value, "train_seconds": 120.0}
    write_run(folder, given, scene=scene, seed=seed, terms=terms, provenance=provenance)
    content = json.loads((folder / "metrics.json").read_text())
    content["conventions"] = {metric: {"better": "higher", "protocol": protocol}}
    (folder / "metrics.json").write_text(json.dumps(content))
    return folder


def rows(table):
    return {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_runs_stand_above_the_published_methods_with_means_over_seeds(tmp_path):
    for seed, value in enumerate((30.0, 31.0)):
        write(
            tmp_path, "lego", value, seed=seed, protocol="blender 1", provenance={"device": "GPU"}
        )
    write(tmp_path, "chair", 33.0, protocol="blender 1")
    table = published_table("nerf_synthetic", find_runs(tmp_path))
    ours, *others = table.rows
    found = dict(zip(table.columns, ours, strict=True))
    assert str(found["method"]).endswith("(3 runs)")
    assert (found["lego"], found["chair"], found["drums"]) == ("30.50", "33.00", None)
    assert found["mean"] is None, "not of all scenes"
    assert (found["time"], found["hardware"]) == ("2.0 min", "GPU")
    assert len(others) >= 11
    published = rows(table)["instant-nsr-pl NeuS with masks, 20k steps"]
    assert (published["lego"], published["mean"]) == ("33.78", "31.51")
    assert (published["hardware"], published["time"]) == ("RTX 3090", "11:44 min")
    number = str(published["source"])
    assert any(note.startswith(f"{number} bennyguo/instant-nsr-pl") for note in table.notes)
    assert not any("†" in note for note in table.notes)


def test_a_figure_by_another_protocol_is_marked(tmp_path):
    write(tmp_path, "lego", 30.0, protocol="blender_black 1")
    table = published_table("nerf_synthetic", find_runs(tmp_path))
    assert table.rows[0][table.columns.index("lego")] == "30.00 †"
    assert "†: not measured by the protocol blender: eval.protocol=blender" in table.notes


def test_runs_of_other_settings_are_rows_of_their_own(tmp_path):
    for weight in (1.0, 2.0):
        write(tmp_path, "lego", 30.0 + weight, weight=weight, protocol="blender 1")
    table = published_table("nerf_synthetic", find_runs(tmp_path))
    assert [row[table.columns.index("lego")] for row in table.rows[:2]] == ["31.00", "32.00"]


def test_scans_are_matched_by_number_and_others_by_name():
    scans = ["24", "37", "105"]
    assert column_of("scan24", scans) == "24"
    assert column_of("dtu_scan105", scans) == "105"
    assert column_of("stl037_total", scans) == "37"
    assert column_of("37", scans) == "37"
    assert column_of("scan2", scans) is None
    assert column_of("lego", scans) is None
    assert column_of("barn", ["Barn", "Truck"]) == "Barn"


def test_without_a_run_on_its_scenes_the_table_says_so(tmp_path):
    write(tmp_path, "craters", 30.0)
    table = published_table("dtu", find_runs(tmp_path))
    assert "no run here has a score 'dtu' on a scene of dtu" in table.notes
    with pytest.raises(ValueError, match="'dtv': take nerf_synthetic, mipnerf360, dtu, tanks"):
        published_table("dtv", [])


def test_the_command_prints_and_writes_the_table(tmp_path, capsys):
    write(tmp_path, "scan65", 0.7, metric="dtu", protocol="dtu 1")
    assert main(["report", str(tmp_path), "--with-published", "dtu", "-f", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "### DTU, published figures" in out
    assert "| Neuralangelo |" in out
    assert "| 0.70 |" in out
    assert main(["report", str(tmp_path), "--with-published", "dtu", "-f", "csv"]) == 0
    assert capsys.readouterr().out.startswith("method,24,37")
    assert main(["report", str(tmp_path), "--with-published", "dtv"]) == 2
    assert "no published figures are called 'dtv'" in capsys.readouterr().err


def test_every_set_names_a_score_and_a_protocol_of_ours():
    from nerfloss.evaluation.protocols.protocol import PROTOCOLS

    for each in read_yaml(published_file())["sets"]:
        assert each["eval_protocol"] in PROTOCOLS
        assert each["metric"] in ("psnr", "dtu", "tanks_fscore")


def test_scores_of_different_protocols_are_marked_in_tables_of_runs(tmp_path, capsys):
    one = write(tmp_path, "lego", 30.0, protocol="blender 1", weight=1.0)
    other = write(tmp_path, "lego", 31.0, weight=2.0)
    assert main(["report", str(tmp_path), "-f", "markdown"]) == 0
    expected = "psnr cannot be compared: its protocol is blender 1 and none"
    assert expected in capsys.readouterr().out
    assert main(["compare", str(one), str(other), "-f", "markdown"]) == 0
    assert expected in capsys.readouterr().out
