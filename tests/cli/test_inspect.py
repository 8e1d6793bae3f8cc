"""``nerfloss inspect``: its table, its files, and how it ends."""

import json
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from nerfloss.cli.main import main
from nerfloss.cli.scene_options import scene_dataset


@pytest.fixture
def folder(tmp_path):
    """Three views in nerfstudio's layout."""
    scene = tmp_path / "my scene"
    (scene / "images").mkdir(parents=True)
    frames = []
    for view in range(3):
        noise = np.random.default_rng(view).integers(0, 255, (36, 48, 3), dtype=np.uint8)
        Image.fromarray(noise).save(scene / "images" / f"{view}.png")
        matrix = np.eye(4)
        matrix[:3, 3] = [0.3 * view, 0, 3]
        name = f"images/{view}.png"
        frames.append({"file_path": name, "transform_matrix": matrix.tolist()})
    camera = {"w": 48, "h": 36, "fl_x": 50.0, "fl_y": 50.0, "cx": 24.0, "cy": 18.0}
    (scene / "transforms.json").write_text(json.dumps({**camera, "frames": frames}))
    return scene


def test_table_files_and_command(folder, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", str(folder), "--matches", "off", "--layout", "nerfstudio"]) == 0
    out = capsys.readouterr().out
    assert "48 x 36" in out
    assert out.rstrip().splitlines()[-1].strip().startswith("nerfloss train \"dataset.path='")
    assert (tmp_path / "inspect" / "my scene" / "overview.png").stat().st_size > 1000
    assert (tmp_path / "inspect" / "my scene" / "overview.html").stat().st_size > 1000


def test_a_folder_that_is_not_there(tmp_path, capsys) -> None:
    assert main(["inspect", str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no such file or folder" in error


def test_what_training_would_refuse_is_said_with_the_setting(folder, tmp_path, capsys) -> None:
    (folder / "images" / "1.png").unlink()
    words = ["inspect", str(folder), "--matches", "off", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "refused without dataset.missing=skip" in out
    assert out.rstrip().endswith("dataset.missing=skip")
    assert main([*words, "--missing", "refuse"]) == 2


def test_settings_of_training_are_shown_and_in_the_line(folder, tmp_path, capsys) -> None:
    region = "dataset.region={center: [0.5, 0, 0], radius: 2}"
    words = [region, "--matches", "off", "dataset.hold_out=['2']", "dataset.scene_scale=3"]
    assert main(["inspect", *words, str(folder), "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "3: 2 to train, 1 to test (1 views by name)" in out
    assert "centre (0.5, 0, 0), radius 2" in out
    assert "1 in scene units is 6 of" in out
    typed = shlex.split(out.rstrip().splitlines()[-1])
    without_masks = ["background=contracted", "loss=photos_sdf"]
    assert typed[3:] == [region, "dataset.hold_out=['2']", "dataset.scene_scale=3", *without_masks]


def test_short_options_are_in_the_line(folder, tmp_path, capsys) -> None:
    words = [str(folder), "--matches", "off", "-o", str(tmp_path / "out"), "--images", "images"]
    assert main(["inspect", *words, "--layout", "nerfstudio"]) == 0
    line = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert "dataset.layout=nerfstudio dataset.images=images" in line


REFUSED = {
    "dataset.hold_outt=2": "no setting and no group is called 'dataset.hold_outt'.*hold_out",
    "dataset.hold_out=0": "hold_out=0 is not a rule",
    "dataset.hold_out=[nine]": "no view has the name 'nine'",
    "dataset.region={radius: -1}": "dataset.region.radius: -1",
    "dataset.orientation=sideways": "'sideways' is none of",
    "dataset.layout=none": "dataset.layout='none' is none of",
    "dataset.path=elsewhere": "the folder is the first argument",
    "dataset=photos": "nerfloss capture",
    "dataset=analytic": "a synthetic scene has no files",
    "dataset.missing=skip": "--missing and dataset.missing are the same setting",
}


@pytest.mark.parametrize("word", REFUSED)
@pytest.mark.parametrize("command", ["inspect", "convert"])
def test_settings_are_refused_by_name(command, word, folder, tmp_path, capsys, monkeypatch) -> None:
    more = ["--missing", "skip"] if "missing" in word else []
    more += ["--to", "colmap"] if command == "convert" else ["--matches", "off"]
    words = [command, str(folder), "-o", str(tmp_path / "out"), *more, word]
    monkeypatch.setattr("sys.argv", ["nerfloss", *words])
    assert main(words) == 2
    error = capsys.readouterr().err
    training_only = command == "convert" and "orientation" in word
    expected = "files do not hold this setting" if training_only else REFUSED[word]
    assert re.search(expected, error), error
    assert error.count("\n") == 1


def test_a_conversion_holds_region_and_test_views(folder, tmp_path, capsys) -> None:
    words = ["dataset.region={center: [0.5, 0, 0], radius: 2}", "dataset.hold_out=2"]
    for target in ("colmap", "neus", "nerfstudio"):
        out = tmp_path / target
        assert main(["convert", str(folder), "--to", target, "-o", str(out), *words]) == 0
        line = shlex.split(capsys.readouterr().out.rstrip().splitlines()[-1])
        assert line[2] == f"dataset.path={out}"
        read = scene_dataset(out, line[3:])
        scene, stated = read.load(), scene_dataset(folder, words).load()
        assert len(scene.test) == len(stated.test) == 2
        np.testing.assert_allclose(scene.to_world[:3, 3], [0.5, 0, 0], atol=1e-6)
        assert np.linalg.norm(scene.to_world[:3, 0]) == pytest.approx(2)


BACKGROUND = "background=contracted loss=photos_sdf"


@pytest.mark.parametrize(
    ("alpha", "masks", "ending"),
    [
        (False, "auto", BACKGROUND),
        (False, "false", f"dataset.masks=false {BACKGROUND}"),
        (True, "false", f"dataset.masks=false {BACKGROUND}"),
        (True, "auto", "/out"),
    ],
)
def test_a_conversion_trains_with_a_background_where_no_masks_are(
    folder, tmp_path, capsys, alpha, masks, ending
):
    for path in (folder / "images").iterdir() if alpha else ():
        opaque = Image.open(path).convert("RGBA")
        opaque.paste((0, 0, 0, 0), (0, 0, 20, 20))
        opaque.save(path)
    words = ["convert", str(folder), "--to", "nerfstudio", "-o", str(tmp_path / "out")]
    assert main([*words, f"dataset.masks={masks}"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.endswith(f"/out {ending}" if ending != "/out" else ending)
