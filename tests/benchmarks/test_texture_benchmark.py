"""The texture of a trained cow beside the cow's own: rendered views agree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh

pytest.importorskip("xatlas", reason="needs the extra 'export'")


@pytest.mark.slow
def test_views_of_an_exported_texture_are_those_of_the_true_one(
    repository: Path, test_data: Path, tmp_path: Path
) -> None:
    spot = test_data / "meshes" / "spot"
    if not spot.is_dir():
        pytest.skip(f"no mesh at {spot}")
    program = [sys.executable, repository / "benchmarks" / "texture.py", spot, "--steps", "1600"]
    sizes = ["--texels", "512", "--faces", "8000", "--figure", tmp_path / "figure.png"]
    done = subprocess.run(
        [*program, "--out", tmp_path, *sizes], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    scores = json.loads((tmp_path / "texture.json").read_text())
    for source in ("model", "photographs"):
        assert scores[source]["whole"] > 33, done.stdout
        assert scores[source]["object"] > 30, done.stdout
    # Without errors of the shape: half a texel's shift would cost 5 dB.
    assert scores["photographs, on the true mesh"]["object"] > 36, done.stdout
    read = trimesh.load_mesh(tmp_path / "photographs.glb")
    read = read.to_mesh() if isinstance(read, trimesh.Scene) else read
    assert read.visual.material.baseColorTexture.size == (512, 512)
    assert (tmp_path / "figure.png").is_file()
