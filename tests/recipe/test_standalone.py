"""The recipe and the checks of terms work without Hydra, and without fields, data or a trainer."""

import subprocess
import sys

PROGRAM = """
import sys
import torch
from nerfloss.recipe import LossRecipe
from nerfloss.testing import check_term, fake
from nerfloss.losses.eikonal import eikonal
from nerfloss.recipe.balancers.dwa import DynamicWeightAverage
from nerfloss.recipe.schedules import ramp

def photometric(rgb, target_rgb):
    return (rgb - target_rgb).abs()

check_term(eikonal)
terms = {"rgb": {"fn": photometric}, "eikonal": {"fn": eikonal, "schedule": ramp(0, 10)}}
recipe = LossRecipe(terms, DynamicWeightAverage())
for step in range(3):
    quantities = {name: fake(name) for name in recipe.needs(step)}
    quantities["rgb"].requires_grad_()
    recipe.objective(recipe(quantities, step), step, []).backward()
    recipe.after_step(step)
recipe.load_state_dict(recipe.state_dict())
rooms = ("assembly", "cli", "data", "fields", "models", "renderers", "samplers", "training")
loaded = [f"nerfloss.{room}" for room in rooms if f"nerfloss.{room}" in sys.modules]
print([*loaded, *({"hydra", "omegaconf", "lightning"} & sys.modules.keys())])
"""


def test_a_recipe_trains_in_a_program_that_imports_nothing_else(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
