"""A run whose data has moved: its error says what to type, and that works."""

import json
import shutil
from pathlib import Path

import pytest
from small_runs import tiny
from small_scenes import small_scene, write_blender


@pytest.mark.slow
def test_data_that_has_moved_is_found_by_the_advice_of_the_error(command, tmp_path: Path) -> None:
    old = write_blender(tmp_path / "old", small_scene())
    words = [*tiny(dataset="blender"), "eval.mesh=null", "eval.images=false", "hydra.run.dir=run"]
    status, out, err = command("train", "dataset=blender", f"dataset.path={old}", *words)
    assert status == 0, out + err
    shutil.move(old, tmp_path / "new")
    status, _, err = command("eval", "run=run")
    assert status == 2
    assert "set dataset.path to where" in err
    status, out, err = command("eval", "run=run", f"dataset.path={tmp_path / 'new'}")
    assert status == 0, out + err
    first, again = (json.loads(Path(f"{f}/metrics.json").read_text()) for f in ("run", "run/eval"))
    assert again["psnr"] == first["psnr"]
