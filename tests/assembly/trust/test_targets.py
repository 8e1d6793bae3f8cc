"""Targets that a stored configuration may name, and tricks that lead out of them."""

import ast
import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

from nerfloss.assembly.trust.targets import OPEN, fault_of_target

PARTS = [
    "nerfloss.recipe.LossRecipe",
    "nerfloss.losses.eikonal.eikonal",
    "nerfloss.losses.contrastive.InfoNCE",
    "nerfloss.evaluation.metrics.lpips.Lpips",
    "nerfloss.recipe.schedules.piecewise",
    "nerfloss.data.formats.folder_dataset.FolderDataset",
    "torch.optim.AdamW",
    "torch.optim.SGD",
]
FOREIGN = {
    "os.system": "the package os is not trusted",
    "numpy.fromfile": "the package numpy is not trusted",
    "builtins.exec": "the package builtins is not trusted",
    "torch.load": "the package torch is not trusted",
    "torch.hub.load": "the package torch is not trusted",
    "torch.nn.Linear": "the package torch is not trusted",
    "hydra.utils.instantiate": "the package hydra is not trusted",
    "mylab.losses.colour_angle": "the package mylab is not trusted",
    # Parts of nerfloss that write files, run programs or build other targets.
    "nerfloss.cli.main.main": "no configuration needs",
    "nerfloss.files.atomic_write": "no configuration needs",
    "nerfloss.assembly.instantiation.build": "no configuration needs",
    "nerfloss.data.capture.worker.run_worker": "no configuration needs",
    "nerfloss.training.checkpoint.save": "no configuration needs",
    "nerfloss.data.formats.photos.PhotosDataset": "writes files where its settings say",
    "nerfloss.losses.pretrained.downloads.download": "writes files where its settings say",
    # Walks through our modules to others.
    "nerfloss.assembly.provenance.subprocess.run": "no configuration needs",
    "nerfloss.losses.importlib.import_module": "cannot be imported|is defined in importlib",
    "nerfloss.losses.import_module": "is defined in importlib",
    "nerfloss.losses.eikonal.torch.load": "is defined in torch.serialization|cannot be imported",
    "nerfloss.losses.eikonal.Tensor.numpy": "is defined in no module|not trusted",
    "nerfloss.losses.perceptual.nn.Linear": "is defined in torch.nn",
    "nerfloss.losses.contrastive.InfoNCE.register_forward_hook": "is defined in torch.nn",
    "nerfloss.losses.perceptual.network_file": "is defined in|cannot be imported",
    "torch.optim.optimizer.torch.load": "is defined in torch.serialization",
    "torch.optim.Optimizer.__init__.__globals__": "dotted name",
    "nerfloss.losses.eikonal.__builtins__": "dotted name",
    # No names at all.
    "print": "dotted name",
    "nerfloss.losses.eikonal.": "dotted name",
    "nerfloss.losses": "neither a function nor a class",
    "${dataset.path}": "not the name",
    "nerfloss.losses.${dataset.path}": "not the name",
    7: "not the name",
    None: "not the name",
}


@pytest.mark.parametrize("target", PARTS)
def test_parts_that_configurations_need_are_built(target: str) -> None:
    assert fault_of_target(target, ()) is None


@pytest.mark.parametrize(("target", "reason"), FOREIGN.items())
def test_everything_else_is_refused_by_name(target: object, reason: str) -> None:
    fault = fault_of_target(target, ())
    assert fault is not None
    assert any(part in fault for part in reason.split("|")), fault


@pytest.fixture
def package(tmp_path, monkeypatch) -> str:
    """A user's package with a loss, and with names that belong to others."""
    (tmp_path / "ownlab.py").write_text(
        "import os\n"
        "from functools import partial\n"
        "from torch.nn import MSELoss\n"
        "from nerfloss.losses.photometric import huber\n"
        "def loss(rgb): return rgb\n"
        "class Loss:\n"
        "    def __call__(self, rgb): return rgb\n"
        "    @staticmethod\n"
        "    def of(rgb): return rgb\n"
        "called = Loss()\n"
        "bent, run, text = partial(huber, delta=0.2), partial(os.system), 'text'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "ownlab"
    sys.modules.pop("ownlab", None)


@pytest.mark.parametrize("name", ["loss", "Loss", "Loss.of", "called", "bent", "huber"])
def test_a_trusted_package_may_name_what_it_and_nerfloss_define(package, name) -> None:
    assert fault_of_target(f"{package}.{name}", [package]) is None
    assert "is not trusted" in str(fault_of_target(f"{package}.{name}", []))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("os.system", "is defined in"),
        ("run", "is defined in"),
        ("MSELoss", "is defined in torch.nn"),
        ("text", "neither a function nor a class"),
        ("missing", "cannot be imported"),
    ],
)
def test_trust_in_a_package_does_not_reach_what_it_imports(package, name, reason) -> None:
    assert reason in str(fault_of_target(f"{package}.{name}", [package]))


def test_nothing_is_imported_to_refuse_a_package(package) -> None:
    assert fault_of_target(f"{package}.loss", ["ownlaboratory"]) is not None
    assert package not in sys.modules


def _modules(root: str):
    module = importlib.import_module(root)
    yield module
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{root}."):
        if not found.name.startswith("nerfloss.losses.pretrained"):
            yield importlib.import_module(found.name)


WRITING = {"open", "exec", "system", "run", "Popen", "unlink", "rmtree", "replace_file"}
WRITING |= {"write_text", "write_bytes", "atomic_write", "mkdir", "save", "savez", "urlopen"}


@pytest.mark.parametrize("root", [root for root in OPEN if root.startswith("nerfloss.")])
def test_open_modules_write_no_files_and_run_no_programs(root: str) -> None:
    faults = [
        f"{module.__name__}:{node.lineno} calls {called}"
        for module in _modules(root)
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
        if isinstance(node, ast.Call)
        and (called := getattr(node.func, "attr", getattr(node.func, "id", ""))) in WRITING
    ]
    assert faults == []
