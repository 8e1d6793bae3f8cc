"""Every command line of the documentation works as it is printed, from a folder of the user's own.

The fast tests run the programs in this process up to the training itself. The slow ones type each
line into a shell; runs are made small by the environment variable ``NERFLOSS_TEST_OVERRIDES``.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmark_scenes import write_blendedmvs, write_tanks_and_temples
from documented_commands import Command, documented_commands
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from judged_inputs import write_folders, write_meshes
from omegaconf import OmegaConf
from simulated_runs import ROOT, run
from small_runs import TINY, TINY_DENSITY, TINY_SCENE, TINY_SDF, untrained_run
from small_scenes import small_scene, write_blender, write_neus
from written_runs import write_run

import nerfloss.assembly.viewer.view_run as viewing
from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.dataset_choice import dataset_overrides
from nerfloss.assembly.environment_overrides import VARIABLE
from nerfloss.assembly.hydra_resolvers import register_resolvers
from nerfloss.cli.main import main
from nerfloss.data.camera_paths.camera_path import CameraPath
from nerfloss.data.camera_paths.path_file import write_path
from nerfloss.data.formats.folder_dataset import FolderDataset
from nerfloss.data.priors.write_priors import write_priors
from nerfloss.experiments.launchers.ray import RayLauncher
from nerfloss.experiments.launchers.submitit import SubmititLauncher
from nerfloss.experiments.sweeps.jobs import Jobs

RUN = "outputs/analytic/neus_eikonal/today"
# Parts of a line that a reader replaces, and by what; the first that fits.
PLACEHOLDERS = {
    "outputs/.../<time>": RUN,
    "run=... ": f"run={RUN} ",
    "outputs/...": RUN,
    "outputs/<one>": "outputs/analytic/neus",
    "outputs/<other>": "outputs/analytic/neus_eikonal",
    "some/last.pt": f"{RUN}/checkpoints/last.pt",
    "2025-01-01_12-00-00": "today",
    "2026-01-31_12-00-00": "today",
    "<time>": "today",
    "<date>": "today",
    "<folder>": RUN,
    "<name>": "eikonal",
    "where/the/data/lies/now": "data/lego",
}
VIEW_RUN = viewing.view_run
# Lines that no test can run, by a part of them.
EXEMPT = {
    "--rdzv_backend=c10d": "needs several machines",
    "/failure.pt": "needs a failed step: tests/diagnostics and tests/cli run it",
}
# Not run by the slow test, which types the lines.
NOT_TYPED = {
    "nerfloss bench terms": "measures every term for minutes",
    "hydra.launcher.address=auto": "needs a running Ray cluster",
    "hydra.launcher.slurm": "needs a SLURM queue",
    "hydra.launcher.gpus": "needs a GPU",
    "nerfloss capture": "needs photographs, and minutes",
    "nerfloss weights fetch": "needs a network",
}
# Typed by the fast tests, too: one of each kind.
REPRESENTATIVE = (
    "nerfloss train -m loss.terms.eikonal.weight=0,0.1 seeds=[0,1,2]",
    "nerfloss train -m ablate=all seeds=[0,1,2] loss=neus_mask",
    "nerfloss train -m hydra/sweeper=optuna "
    "'loss.terms.eikonal.weight=tag(log, interval(0.001, 1))'",
)
# The term that docs/first_study.md has the reader write.
OPAQUE = """
def opaque(opacity, target_mask, *, margin=0.1):
    return target_mask * (1 - margin - opacity).clamp_min(0)
"""
ESTIMATOR = "mylab.networks:estimate"
# A network that docs/your_photographs.md has the reader bring.
NETWORK = """
import numpy as np

def estimate(image):
    normal = np.zeros(image.shape)
    normal[..., 2] = -1
    return {"depth": image.mean(-1), "normal": normal}
"""
COMMANDS = [
    command for command in documented_commands() if not any(part in command.line for part in EXEMPT)
]


def title(command: Command) -> str:
    return f"{command.source}: {' '.join(command.words)[:100]}"


def filled(line: str) -> str:
    """The line with its placeholders replaced."""
    for part, value in PLACEHOLDERS.items():
        line = line.replace(part, value)
    return line


def fewer(words: Sequence[str]) -> list[str]:
    """Overrides that make a line short: one seed, one trial, one process; a free port."""
    shorter = ["seeds=[0]"] if any(word.startswith("seeds=") for word in words) else []
    shorter += ["hydra.sweeper.n_trials=1"] if "hydra/sweeper=optuna" in words else []
    shorter += ["viewer_port=0"] if "viewer=on" in words else []
    return shorter + (["hydra.launcher.n_jobs=1"] if "hydra/launcher=joblib" in words else [])


def small(words: Sequence[str]) -> list[str]:
    """Overrides that make the run of these words tiny: those whose setting it has."""
    register_resolvers()
    one = [re.sub(r"^([^=]+)=([^\[({,]+),.*", r"\1=\2", word) for word in words if word != "-m"]
    one = [word for word in one if "tag(" not in word and "interval(" not in word]
    if any(word.startswith(("trainer.resume=", "run=", "checkpoint=")) for word in one):
        return []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("train", [*one, *dataset_overrides(one)])
    tiny = [*TINY, *TINY_SCENE, *TINY_SDF, *TINY_DENSITY, "eval.images=false", "device=cpu"]
    tiny += ["dataset.downscale=1", "trainer.max_seconds=null"]
    tiny += ["~eval.metrics.lpips_alex", "~eval.metrics.lpips_vgg"]
    has = lambda word: OmegaConf.select(cfg, word.partition("=")[0].lstrip("~")) is not None  # noqa: E731
    return [word for word in tiny if has(word)]


@pytest.mark.parametrize("command", COMMANDS, ids=title)
def test_no_placeholder_is_left_for_the_reader_that_tests_do_not_fill(command):
    assert not re.findall(r"<[\w ]+>", filled(command.line)), "write the line out, or fill it above"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with the sweeps and runs that the lines name, and a package of their own."""
    home = tmp_path / "home"
    shutil.copytree(ROOT / "tests" / "own_package" / "mylab", home / "mylab")
    (home / "mylab" / "__init__.py").write_text(OPAQUE)
    (home / "mylab" / "networks.py").write_text(NETWORK)
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(home)
    write_sweeps(home / "multirun")
    for loss in ("neus", "neus_eikonal"):
        where = home / "outputs" / "analytic" / loss / "today"
        terms = {"rgb": {"weight": float(len(loss))}}
        write_run(where, {"psnr": 30.0}, terms=terms, views={"v0": 29.0, "v1": 31.0})
    yield home
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        del sys.modules[name]


def write_sweeps(root: Path) -> None:
    """The sweeps that the pages report on."""
    swept = {
        "analytic/neus_eikonal/today": ("loss.terms.eikonal.weight", ("0", "0.03", "0.1")),
        "analytic/neus_mask/today": ("loss.terms.eikonal.weight", ("0.01", "0.1", "1.0")),
        "analytic/neus_full/today": ("loss/balancer", ("none", "normalized", "gradnorm")),
        "eikonal": ("loss.terms.eikonal.weight", ("0", "0.1")),
        "lego_eikonal": ("loss.terms.eikonal.weight", ("0", "0.1")),
        "ablation": ("ablate", ("full", "base")),
        "lego_ablation": ("ablate", ("full", "base")),
        "balancers": ("loss/balancer", ("none", "dwa")),
    }
    for name, (key, values) in swept.items():
        for number, value in enumerate(values):
            for seed in range(3):
                scores = {"psnr": 30.0 + number + seed, "chamfer_l1": 0.01 * (1 + seed)}
                scores |= {"ssim": 0.9, "normal_angle": 5.0 + number, "mask_iou": 0.9}
                write_run(root / name / f"{value},{seed}", scores, f"{key}={value}", seed=seed)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launchers of every kind run their jobs here, and of a sweep two are composed and one is run.

    Composing all of them takes minutes, and says nothing more about the line.
    """

    class Engine:
        capacity = 100

        def submit(self, jobs):
            return [job() for job in jobs]

        def wait(self, handles):
            return list(handles)

        def result(self, handle):
            return handle

        def cancel(self, handles):
            pass

    for launcher in (RayLauncher, SubmititLauncher):
        monkeypatch.setattr(launcher, "require", lambda _: None)
        monkeypatch.setattr(launcher, "engine", lambda *_: nullcontext(Engine()))
    launch, split = Jobs.launch, BasicSweeper.split_arguments
    monkeypatch.setattr(Jobs, "launch", lambda self, jobs, first=0: launch(self, jobs[:1], first))

    def first_and_last(overrides, most):
        (jobs,) = split(overrides, most)
        return [[jobs[0], jobs[-1]]]

    monkeypatch.setattr(BasicSweeper, "split_arguments", staticmethod(first_and_last))


def is_run(command: Command) -> bool:
    return bool(re.match(r"python |torchrun |nerfloss (train|eval)\b", command.line))


def in_words(line: str) -> list[str]:
    """The words of a line, from train.py, eval.py or ``nerfloss`` on."""
    words = shlex.split(filled(line), comments=True)
    programs = ("train.py", "eval.py", "nerfloss")
    return words[next(i for i, word in enumerate(words) if word in programs) :]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("command", [c for c in COMMANDS if is_run(c) and not c.output], ids=title)
def test_a_documented_run_begins_and_ends_well(command, folder, play, monkeypatch, capsys):
    if "hydra/sweeper=optuna" in command.line:
        pytest.importorskip("optuna", reason="needs the extra 'sweep'")
    words = in_words(command.line)
    if RUN in " ".join(words):
        moved = any(word.startswith("dataset.path=") for word in words)
        data = ["dataset=blender", "dataset.path=data/lego"] if moved else []
        assert run(["train.py", f"hydra.run.dir={RUN}", *data], monkeypatch) == 0
    monkeypatch.setenv(VARIABLE, shlex.join(fewer(words)))
    assert run(words, monkeypatch) == 0, capsys.readouterr().err
    if "--help" in words:
        assert "dataset" in capsys.readouterr().out
        return
    if "-m" in words:
        asked = [w.partition("=")[2] for w in words if w.startswith("hydra.sweep.dir=")]
        assert list(folder.glob(f"{asked[0] if asked else 'multirun/*/*/*'}/multirun.yaml"))
    assert play.started or "eval" in " ".join(words[:2]) or "trainer.resume" in " ".join(words)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.output], ids=title)
@pytest.mark.usefixtures("folder")
def test_a_documented_refusal_reads_as_shown(command, monkeypatch, capsys):
    assert run(in_words(command.line), monkeypatch) == 2
    said = " ".join(capsys.readouterr().err.split())
    for line in command.output.splitlines():
        assert " ".join(line.split()) in said


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [c for c in COMMANDS if not is_run(c)], ids=title)
def test_a_documented_command_of_nerfloss_succeeds(command, capsys, monkeypatch):
    if any(part in command.line for part in NOT_TYPED):
        pytest.skip("see NOT_TYPED")
    words = in_words(command.line)
    for scene in {"data/lego", "scenes/shoe"} & set(words):
        write_blender(Path(scene), small_scene("sphere", views=4, test_views=1, size=16))
    for option, package in {"--faces": "fast_simplification", "--texture": "xatlas"}.items():
        if option in words:
            pytest.importorskip(package, reason="needs the extra 'export'")
    if words[1] == "render":
        pytest.importorskip("imageio_ffmpeg", reason="needs the extra 'video'")
    if words[1] == "view":
        pytest.importorskip("viser", reason="needs the extra 'viewer'")
        monkeypatch.setattr(viewing, "view_run", viewed_at_once)
    if words[1] in ("export", "render", "maps", "view"):
        untrained_run(Path(RUN))
    for path in [Path(word) for word in words if "camera_path" in word]:
        poses = np.stack([np.eye(3, 4)] * 2)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_path(path, CameraPath(poses, np.array([50.0, 50.0]), 16, 16, 5.0))
    if words[1] == "judge" or "judged" in words:
        write_folders(Path())
        write_meshes(Path())
        if words[1] != "judge":  # it writes that folder itself
            write_run(Path("judged/nerfacto"), {"psnr": 30.0})
    assert main(words[1:]) == 0
    if "multirun" in command.line:
        assert "Against" in capsys.readouterr().out


def viewed_at_once(opened, address, say):
    """Start the viewer at a free port, and end it."""
    stop = threading.Event()
    stop.set()
    VIEW_RUN(opened, replace(address, port=0), say, stop)


def shell(line: str, folder: Path, overrides: Sequence[str]) -> None:
    """Type a line into a shell, in a folder with the programs of this repository."""
    if not (tools := folder / "bin").exists():
        tools.mkdir()
        programs = {"python": "", "nerfloss": "-m nerfloss", "torchrun": "-m torch.distributed.run"}
        for name, module in programs.items():
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
            (tools / name).chmod(0o755)
        for name in ("train.py", "eval.py", "conf"):
            (folder / name).symlink_to(ROOT / name)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{folder}",
        VARIABLE: shlex.join(overrides),
    }
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small scenes in place of those that the pages name."""
    root = tmp_path_factory.mktemp("documented") / "data"
    scene = small_scene("sphere", views=6, test_views=2, size=24)
    for name in ("lego", "lego_100", "fox_s4", "nerf_synthetic/lego"):
        write_blender(root / name, scene)
    for name in ("scan65", "dtu_scan65", "dtu/dtu_scan24", "bmvs_bear"):
        write_neus(root / name, scene)
    write_tanks_and_temples(root / "tanks_and_temples" / "Barn", scene, np.eye(4))
    write_blendedmvs(root / "blendedmvs" / "5a3ca9cb270f0e3f14d0eddb", scene)
    captured = root.parent / "scenes" / "shoe"
    for folder in (captured, root / "mipnerf360" / "garden"):
        assert main(["convert", str(root / "lego"), "--to", "colmap", "-o", str(folder)]) == 0
    estimated = FolderDataset(path=str(captured)).parsed
    write_priors(estimated, lambda image: image.mean(-1), ("depth",), name=ESTIMATOR)
    return root


@pytest.fixture(scope="session")
def trained(data: Path) -> Path:
    """A trained run for the lines that evaluate or resume one."""
    words = ["model=nerf", "loss=nerf", "dataset=blender", "dataset.path=data/lego"]
    line = shlex.join(["nerfloss", "train", *words, f"hydra.run.dir={RUN}"])
    shell(line, data.parent, small(words))
    return data.parent / RUN


def typed(command: Command, folder: Path, data: Path, overrides: Sequence[str]) -> None:
    """Type a documented line into a shell, in the folder of a user."""
    for name in ("data", "scenes"):
        (folder / name).symlink_to(data.parent / name)
    shell(filled(command.line), folder, overrides)


def test_every_scene_of_a_documented_run_has_a_small_one_in_its_place(data):
    paths = {
        path
        for command in COMMANDS
        if is_run(command) and not command.output
        for word in in_words(command.line)
        if word.startswith("dataset.path=")
        for path in word.partition("=")[2].split(",")
    }
    assert paths
    assert not [path for path in sorted(paths) if not (data.parent / path).exists()]


@pytest.mark.parametrize("line", REPRESENTATIVE)
def test_a_representative_line_can_be_typed(line, folder, data):
    if "hydra/sweeper=optuna" in line:
        pytest.importorskip("optuna", reason="needs the extra 'sweep'")
    command = next(command for command in COMMANDS if command.words == shlex.split(line))
    words = command.words[2:]
    typed(command, folder, data, [*small(words), *fewer(words), "trainer.max_steps=1"])
    (sweep,) = folder.glob("multirun/analytic/*/20*")
    assert main(["report", str(sweep)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        command
        for command in COMMANDS
        if is_run(command)
        and not command.output
        and not any(part in command.line for part in NOT_TYPED)
    ],
    ids=title,
)
def test_every_line_can_be_typed(command, folder, data, request):
    words = in_words(command.line)[1 + command.line.startswith("nerfloss") :]
    if RUN in " ".join(words):
        shutil.rmtree(folder / RUN)
        shutil.copytree(request.getfixturevalue("trained"), folder / RUN)
    overrides = [] if "--help" in words else [*small(words), *fewer(words)]
    typed(command, folder, data, overrides)


@pytest.mark.parametrize("part", [*EXEMPT, *NOT_TYPED])
def test_an_exempt_line_is_still_documented(part):
    assert any(part in command.line for command in documented_commands())
