"""Every loss function is reached by its name in ``nerfloss.losses``."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import nerfloss

TERMS = sorted((Path(__file__).parents[2] / "conf" / "loss" / "term").glob("*.yaml"))
TARGETS = sorted({OmegaConf.load(path).fn._target_ for path in TERMS})


@pytest.mark.parametrize("target", [t for t in TARGETS if t.startswith("nerfloss.losses.")])
def test_a_loss_is_an_attribute_of_the_package(target):
    module, name = target.removeprefix("nerfloss.losses.").split(".")
    loss = getattr(nerfloss.losses, name)
    assert callable(loss)
    assert inspect.unwrap(loss) is inspect.unwrap(getattr(getattr(nerfloss.losses, module), name))
    assert name in dir(nerfloss.losses)


def test_a_loss_that_shares_the_name_of_its_file_is_callable_there():
    gradients = torch.tensor([[[2.0, 0.0, 0.0]]])
    assert nerfloss.losses.eikonal(gradients).item() == pytest.approx(1.0)
    assert nerfloss.losses.eikonal.eikonal(gradients).item() == pytest.approx(1.0)
    assert list(inspect.signature(nerfloss.losses.eikonal).parameters) == ["gradients"]


@pytest.mark.parametrize("path", ["eikonal", "eikonal.eikonal", "photometric.charbonnier", "huber"])
def test_a_path_is_found_in_a_fresh_interpreter(path):
    check = (
        f"from hydra.utils import get_object; assert callable(get_object('nerfloss.losses.{path}'))"
    )
    subprocess.run([sys.executable, "-c", check], check=True, timeout=300)


def test_an_unknown_loss_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no loss 'eikonall'"):
        nerfloss.losses.eikonall  # noqa: B018 (reading it is the test)


def test_the_first_access_by_name_gives_the_file_of_that_name():
    """Hydra reads ``nerfloss.losses.eikonal.eikonal`` attribute by attribute."""
    program = "import nerfloss.losses; print(nerfloss.losses.eikonal.eikonal.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "eikonal", done.stderr
