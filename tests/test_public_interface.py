"""The public interface: what ``import nerfloss`` gives, used from a folder outside of the clone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import trimesh
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.version import getbase
from omegaconf import OmegaConf

import nerfloss
from nerfloss.assembly.config_files import conf_dir

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "own_trainer.md").read_text()
CODE = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


def outside(folder: Path, code: str) -> str:
    """Run code in a process of its own, in a folder outside of the clone; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_loop_of_the_page_trains(tmp_path: Path) -> None:
    printed = outside(tmp_path, CODE)
    assert "'rgb'" in printed
    assert "'mask'" in printed
    assert "'psnr'" in printed
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_importing_the_package_loads_no_other(tmp_path: Path) -> None:
    code = "import sys, nerfloss; print(sorted({'torch', 'hydra', 'numpy'} & set(sys.modules)))"
    assert outside(tmp_path, code) == "[]\n"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in nerfloss.__all__:
        assert getattr(nerfloss, name) is not None
        if name != "__version__":
            assert name in PAGE
    assert set(nerfloss.__all__) <= set(dir(nerfloss))
    with pytest.raises(AttributeError, match="no attribute 'load_recipes'"):
        nerfloss.load_recipes  # noqa: B018


def test_a_recipe_takes_overrides_relative_to_itself() -> None:
    recipe = nerfloss.load_recipe(
        "neus_eikonal",
        overrides=[
            "terms.eikonal.weight=0.05",
            "+term@terms.tv=depth_tv",
            "balancer=gradnorm",
            "term@terms.rgb=rgb_charbonnier",
        ],
    )
    assert list(recipe.terms) == ["rgb", "eikonal", "tv"]
    assert recipe.terms["eikonal"].weight == 0.05
    assert type(recipe.balancer).__name__ == "GradNorm"
    assert "charbonnier" in str(recipe.terms["rgb"].fn)
    assert list(nerfloss.load_recipe("neus_eikonal", ["~terms.eikonal"]).terms) == ["rgb"]


def test_a_recipe_of_a_users_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "own_package")
    recipe = nerfloss.load_recipe("mylab", searchpath=["pkg://mylab.conf"])
    assert "spread" in recipe.terms


def test_the_hydra_of_a_caller_is_left_alone() -> None:
    before, resolvers = getbase(), OmegaConf.has_resolver("run_folder")
    nerfloss.load_recipe("nerf")
    assert not GlobalHydra.instance().is_initialized()
    assert OmegaConf.has_resolver("run_folder") == resolvers
    with initialize_config_dir(str(conf_dir() / "trainer"), version_base="1.2"):
        mine = GlobalHydra.instance().hydra
        nerfloss.load_recipe("nerf")
        assert GlobalHydra.instance().hydra is mine
        assert str(getbase()) == "1.2"
        assert compose("default").max_steps > 0
    assert before is None or getbase() is not None


def test_images_are_scored_by_the_metrics_of_runs() -> None:
    target = torch.rand(3, 16, 16, 3)
    predicted = target + 0.1
    scores = nerfloss.evaluate_images(predicted, target, metrics=["psnr", "ssim"])
    assert scores["psnr"] == pytest.approx(20.0, abs=1e-3)
    masks = torch.ones(3, 16, 16)
    assert nerfloss.evaluate_images(predicted, target, masks=masks, metrics=["psnr_masked"])
    own = {"error": lambda rgb, target_rgb: (rgb - target_rgb).abs().mean()}
    assert nerfloss.evaluate_images(predicted, target, metrics=own)["error"] == pytest.approx(0.1)


def test_what_cannot_be_scored_is_refused() -> None:
    images = torch.rand(1, 16, 16, 3)
    with pytest.raises(ValueError, match="no metric is called 'psrn': there are psnr"):
        nerfloss.evaluate_images(images, images, metrics=["psrn"])
    with pytest.raises(ValueError, match="psnr_masked: needs 'target_mask'"):
        nerfloss.evaluate_images(images, images * 0.5, metrics=["psnr_masked"])
    with pytest.raises(ValueError, match="one shape"):
        nerfloss.evaluate_images(images, images[0])
    sphere = trimesh.creation.icosphere()
    with pytest.raises(ValueError, match="protocol='dtu' does not exist: take samples"):
        nerfloss.evaluate_mesh(sphere, sphere, protocol="dtu")


def test_meshes_are_scored_in_their_own_units() -> None:
    truth, larger = trimesh.creation.icosphere(radius=1.0), trimesh.creation.icosphere(radius=1.1)
    scores = nerfloss.evaluate_mesh(larger, truth, points=5000)
    assert scores["chamfer_l1"] == pytest.approx(0.1, abs=0.02)
    assert scores["normal_consistency"] > 0.95


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predicted": torch.zeros(1, 16, 16, 3, dtype=torch.uint8)}, "divide 8-bit images by 255"),
        ({"target": torch.rand(1, 8, 16, 3)}, "must have one shape"),
        ({"masks": torch.ones(1, 16, 16, 1)}, r"masks must have the shape \[1, 16, 16\]"),
        ({"predicted_masks": torch.ones(16, 16)}, "predicted_masks must have the shape"),
        ({"metrics": "psnr"}, r"write \['psnr'\]"),
    ],
)
def test_images_of_a_wrong_kind_are_refused_in_words(changed, message) -> None:
    fed = {"predicted": torch.rand(1, 16, 16, 3), "target": torch.rand(1, 16, 16, 3)} | changed
    with pytest.raises(ValueError, match=message):
        nerfloss.evaluate_images(**fed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"points": 0}, "points must be at least 1"),
        ({"protocol": "none"}, "protocol='none' does not exist"),
    ],
)
def test_a_mesh_of_a_wrong_kind_is_refused_in_words(changed, message) -> None:
    ball = trimesh.creation.icosphere(1)
    with pytest.raises(ValueError, match=message):
        nerfloss.evaluate_mesh(**({"mesh": ball, "truth": ball} | changed))
