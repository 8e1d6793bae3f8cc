"""``nerfloss judge``: mistakes and contradictions end with a message, never in silence."""

import json

import numpy as np
import pytest
import trimesh
from judged_inputs import write_folders, write_meshes

from nerfloss.cli.main import main


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys):
    """Return the message with which a command is refused."""

    def run(*words: str) -> str:
        assert main(["judge", *map(str, words)]) == 2
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert "Warning" not in err
        return err

    return run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol", "dtu"], "--protocol dtu: it is of surfaces"),
        (["--protocol", "tanks_and_temples"], "--protocol tanks_and_temples: it is of surfaces"),
        (["--tile", "2"], "no --tile 2"),
        (["--tile", "0"], "--tile 0: it is 1 or more"),
        (["--downscale", "0"], "--downscale 0: it is 1 or more"),
        (["--scale", "3"], "--scale has no effect here: it is for --mesh"),
        (["--views", "x"], "--views has no effect here: it is for --mesh"),
        (["--points", "9"], "--points has no effect here: it is for --mesh"),
        (["--name", "../x"], "--name ../x: it names no folder below judged/"),
        (["-o", "file/x"], "file/x: is a file, or below one"),
    ],
)
def test_options_that_do_not_fit_renders_are_refused(tmp_path, refused, words, message):
    renders, truth = write_folders(tmp_path)
    (tmp_path / "file").touch()
    assert message in refused("--renders", renders, "--truth", truth, *words)
    assert not (tmp_path / "judged").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scale", "0"], "--scale 0: it is a positive number"),
        (["--scale", "-1"], "--scale -1: it is a positive number"),
        (["--scale", "nan"], "--scale nan: it is a positive number"),
        (["--points", "0"], "--points 0: it is a positive number"),
        (["--points", "-3"], "--points -3: it is a positive number"),
        (["--tile", "2"], "--tile has no effect here: it is for --renders"),
        (["--background", "white"], "--background has no effect here: it is for --renders"),
        (["--pair", "order"], "--pair has no effect here: it is for --renders"),
        (["--views", "x"], "--views has no effect here: it is for --protocol dtu"),
        (["--points", "9", "--protocol", "dtu"], "it is for meshes without --protocol"),
    ],
)
def test_options_that_do_not_fit_a_mesh_are_refused(tmp_path, refused, words, message):
    mesh, truth = write_meshes(tmp_path)
    assert message in refused("--mesh", mesh, "--truth", truth, *words)


TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "no triangle of it has an area"),
        (TRIANGLE, "holds points and no triangles"),
        ("", "bad.obj: "),
        (TRIANGLE + "f 1 2 99\n", "bad.obj: "),
    ],
)
@pytest.mark.parametrize("side", ["mesh", "truth"])
def test_a_file_without_a_surface_is_named(tmp_path, refused, text, message, side):
    files = dict(zip(("mesh", "truth"), write_meshes(tmp_path), strict=True))
    files[side] = tmp_path / "bad.obj"
    files[side].write_text(text)
    found = refused("--mesh", files["mesh"], "--truth", files["truth"])
    assert message in found
    assert "bad.obj" in found


def test_triangles_of_vertices_that_do_not_exist_are_named(tmp_path, refused):
    mesh, truth = write_meshes(tmp_path)
    header = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
    header += "property float z\nelement face 1\nproperty list uchar int vertex_indices\n"
    mesh.write_text(header + "end_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n")
    assert "1 triangles name vertices that it does not have" in refused(
        "--mesh", mesh, "--truth", truth
    )


def test_a_mesh_that_is_the_truth_is_suspicious(tmp_path, capsys):
    trimesh.creation.icosphere(2).export(tmp_path / "a.ply")
    words = ["judge", "--mesh", "a.ply", "--truth", "a.ply", "--points", "500"]
    assert main(words) == 0
    assert "suspicious: the mesh equals the true one" in capsys.readouterr().out
    assert main([*words, "--strict"]) == 2


def test_scores_of_another_result_are_not_overwritten(tmp_path, refused):
    renders, truth = write_folders(tmp_path)
    words = ["--renders", str(renders), "--truth", str(truth), "--name", "method"]
    assert main(["judge", *words]) == 0
    assert main(["judge", *words]) == 0, "the same again"
    before = (tmp_path / "judged" / "method" / "metrics.json").read_text()
    other = truth.rename(tmp_path / "chair")
    words[3] = str(other)
    message = refused(*words)
    assert "holds the scores of another result" in message
    assert "choose another folder: -o FOLDER" in message
    after = (tmp_path / "judged" / "method" / "metrics.json").read_text()
    assert json.loads(after) == json.loads(before)
    run = tmp_path / "run" / ".hydra"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("seed: 0\n")
    assert "holds a run" in refused(*words, "-o", "run")


def test_arrays_are_neither_empty_nor_averaged(tmp_path, refused):
    for name, shape in {"ours": (0, 48, 3), "true": (40, 48, 3)}.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", np.full(shape, 0.5))
    assert "a.npy: an array [0, 48, 3]" in refused("--renders", "ours", "--truth", "true")
    words = ["--renders", "true", "--truth", "true", "--downscale", "2"]
    assert "a.npy: an array, where images are averaged by 2" in refused(*words)
