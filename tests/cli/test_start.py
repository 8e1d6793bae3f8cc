"""What a training loads before its first step, and before its settings are accepted."""

from programs import program

REFUSED = """
import sys
from nerfloss.cli.main import main
status = main(["train", "nosuch=1"])
print(status, sorted({"torch", "numba", "scipy"} & set(sys.modules)))
"""
# Loaded at the end of a run, or where they are asked for.
LATER = (
    "nerfloss.assembly.export",
    "nerfloss.assembly.loss_maps",
    "nerfloss.assembly.rendering",
    "nerfloss.assembly.viewer.shown_model",
    "nerfloss.assembly.viewer.training_viewer",
    "nerfloss.data.camera_paths",
    "nerfloss.data.capture",
    "nerfloss.experiments",
    "matplotlib",
    "optuna",
    "pandas",
    "scipy.stats",
    "tensorboard",
    "torch.utils.tensorboard",
    "viser",
)
LOADED = f"""
import gc, sys
from nerfloss.cli.run_imports import import_run_modules
import_run_modules()
assert "torch" in sys.modules
print(sorted(name for name in sys.modules if name.startswith({LATER})))
print(gc.isenabled())
gc.disable()
import_run_modules()
print(gc.isenabled())
"""


def test_a_refused_setting_waits_for_no_large_package() -> None:
    printed = program("-c", REFUSED)
    assert "nosuch" in printed
    assert "2 []" in printed


def test_a_run_loads_only_what_it_needs_before_its_first_step() -> None:
    loaded, after_first, after_second = program("-c", LOADED).splitlines()
    assert loaded == "[]"
    assert (after_first, after_second) == ("True", "False"), "the collector is as it was before"
