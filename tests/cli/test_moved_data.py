"""A run whose data has moved: its error says what to type, and that works."""

import shutil
from pathlib import Path

import pytest
from programs import program, scores
from small_runs import tiny
from small_scenes import small_scene, write_blender


@pytest.mark.slow
def test_data_that_has_moved_is_found_by_the_advice_of_the_error(tmp_path: Path) -> None:
    old, run = write_blender(tmp_path / "old", small_scene()), tmp_path / "run"
    quick = [*tiny(dataset="blender"), "eval.mesh=null", "eval.images=false"]
    program("train.py", "dataset=blender", f"dataset.path={old}", *quick, f"hydra.run.dir={run}")
    shutil.move(old, tmp_path / "new")
    assert "set dataset.path to where" in program("eval.py", f"run={run}", succeeds=False)
    program("eval.py", f"run={run}", f"dataset.path={tmp_path / 'new'}")
    assert scores(run / "eval")["psnr"] == scores(run)["psnr"]
