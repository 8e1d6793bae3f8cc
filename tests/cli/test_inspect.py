"""``nerfloss inspect``: its table, its files, and how it ends."""

import json

import numpy as np
import pytest
from PIL import Image

from nerfloss.cli.main import main


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
    assert out.rstrip().splitlines()[-1].strip().startswith("nerfloss train 'dataset.path=\"")
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
