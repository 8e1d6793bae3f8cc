"""``nerfloss judge``: the table, the folder, and its place in reports beside runs."""

import json

import numpy as np
import pytest
import trimesh
from judged_inputs import write_folders, write_meshes
from written_runs import write_run

from nerfloss.cli.main import main


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_renders_are_judged_and_reported_beside_a_run(tmp_path, capsys):
    renders, truth = write_folders(tmp_path)
    (renders / "r_2.png").unlink()
    assert main(["judge", "--renders", str(renders), "--truth", str(truth)]) == 0
    out = capsys.readouterr().out
    assert "nerfacto, lego" in out
    assert "suspicious: 1 true images have no render: r_2.png" in out
    folder = tmp_path / "judged" / "nerfacto"
    content = json.loads((folder / "metrics.json").read_text())
    assert content["psnr"] > 25
    assert content["conventions"]["psnr"]["views"] == 3
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["status"] == "finished"
    assert any("no render" in note for note in provenance["notes"])
    write_run(tmp_path / "judged" / "own", {"psnr": 30.0}, scene="lego")
    assert main(["report", "judged", "-f", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "| nerfacto |" in out
    assert "| own |" in out
    assert main(["compare", "judged/nerfacto", "judged/own", "-f", "markdown"]) == 0
    assert "renders/nerfacto" in capsys.readouterr().out
    assert main(["report", "judged"]) == 0, "its page, too"


def test_strict_refuses_and_writes_nothing(tmp_path, capsys):
    renders, truth = write_folders(tmp_path)
    (renders / "r_2.png").unlink()
    words = ["judge", "--renders", str(renders), "--truth", str(truth), "--strict"]
    assert main(words) == 2
    assert "1 true images have no render: r_2.png" in capsys.readouterr().err
    assert not (tmp_path / "judged").exists()


def test_a_mesh_is_judged_in_its_own_units(tmp_path, capsys):
    mesh, truth = write_meshes(tmp_path)
    words = ["judge", "--mesh", str(mesh), "--truth", str(truth), "--points", "20000", "-o"]
    assert main([*words, "out"]) == 0
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    # The exact distance is 0.2; samples are the closer to it, the more there are.
    assert 0.2 <= content["chamfer_l1"] < 0.26
    assert content["point_to_surface"] == pytest.approx(0.2, abs=0.002)
    radius = 10 * np.sqrt(3)
    assert content["conventions"]["fscore"]["threshold"] == pytest.approx(0.01 * radius, rel=1e-3)
    assert content["conventions"]["chamfer_l1"]["units"] == "units of the files"
    assert content["fscore"] < 0.1
    assert content["fscore_loose"] > 0.9
    assert "suspicious" not in capsys.readouterr().out
    mesh, truth = write_meshes(tmp_path, factor=0.5)
    assert main([*words, "half"]) == 0
    assert "suspicious: the mesh's box is 0.51 times the truth's" in capsys.readouterr().out


def test_a_mesh_in_another_unit_is_refused_and_can_be_scaled(tmp_path, capsys):
    mesh, truth = write_meshes(tmp_path, factor=0.001)
    words = ["judge", "--mesh", str(mesh), "--truth", str(truth), "--points", "20000", "-o", "out"]
    assert main(words) == 2
    assert "the mesh's box is 0.00102 times the truth's" in capsys.readouterr().err
    assert main([*words, "--scale", "1000"]) == 0
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    # The exact distance is 0.2; samples are the closer to it, the more there are.
    assert 0.2 <= content["chamfer_l1"] < 0.26
    assert content["point_to_surface"] == pytest.approx(0.2, abs=0.002)
    assert "the mesh is multiplied by 1000" in capsys.readouterr().out


def test_what_cannot_be_judged_is_refused_in_one_message(tmp_path, capsys):
    mesh, truth = write_meshes(tmp_path)
    cloud = tmp_path / "cloud.ply"
    trimesh.PointCloud(np.random.default_rng(0).random((10, 3))).export(cloud)
    (tmp_path / "broken.ply").write_bytes(b"ply\nno header")
    run = write_run(tmp_path / "run", {"psnr": 1.0})
    (run / "checkpoints").mkdir()
    for words, message in [
        (["--mesh", str(mesh), "--truth", str(cloud)], "holds points and no triangles"),
        (["--mesh", "nowhere.ply", "--truth", str(truth)], "nowhere.ply: no such file"),
        (["--mesh", "broken.ply", "--truth", str(truth)], "cannot be read as a mesh"),
        (["--mesh", str(mesh), "--truth", str(truth), "-o", str(run)], "holds a trained run"),
    ]:
        assert main(["judge", *words]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert "Traceback" not in err
