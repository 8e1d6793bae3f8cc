"""What was trained with one kernel can be looked at where only others run."""

import logging
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from programs import program, scores
from small_runs import assembled, composed, tiny

from nerfloss.assembly.build import assemble, rebuild
from nerfloss.assembly.checkpoint_portability import loadable
from nerfloss.assembly.saved_config import saved_config
from nerfloss.kernels import backend_availability as availability

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Every package installed, but no GPU, and nothing is interpreted."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(availability, "_installed", lambda _: True)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    return monkeypatch


def test_a_kernel_that_cannot_run_here_is_left_to_auto_with_one_line(caplog) -> None:
    cfg = composed("kernels.backend=triton")
    with caplog.at_level(logging.INFO):
        found = loadable(cfg, CPU)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "kernels.backend=triton cannot run here, auto is used instead: it needs a CUDA" in line
    assert found.model.field.network.grid.backend == found.sampler.backend == "auto"
    assert cfg.kernels.backend == "triton", "what the run was told stays as it was"


def test_a_kernel_that_a_part_names_itself_is_found_too() -> None:
    cfg = composed("model.field.network.grid.backend=tcnn")
    assert loadable(cfg, CPU).model.field.network.grid.backend == "auto"


def test_what_can_run_and_what_is_not_ours_stays(caplog) -> None:
    cfg = composed("kernels.backend=reference", "+quantities.mine._target_=own.thing")
    OmegaConf.update(cfg, "quantities.mine.backend", "triton", force_add=True)
    with caplog.at_level(logging.INFO):
        assert loadable(cfg, CPU) == cfg
    assert not caplog.records


def test_a_run_for_the_cpu_is_loadable_on_a_gpu(no_gpu) -> None:
    no_gpu.setattr(torch.cuda, "is_available", lambda: True)
    found = loadable(composed("kernels.backend=cpu"), torch.device("cuda", 0))
    assert found.kernels.backend == "auto"


@pytest.fixture
def trained_on_a_gpu(tmp_path: Path) -> Path:
    """The folder of a run that says that Triton trained it."""
    run = assembled(tmp_path)
    run.save()
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(composed("kernels.backend=triton"), tmp_path / ".hydra" / "config.yaml")
    return tmp_path


def test_a_trained_run_is_loaded_and_one_to_be_trained_is_refused(trained_on_a_gpu: Path) -> None:
    saved = saved_config(trained_on_a_gpu, [])
    run = assemble(loadable(saved, CPU), trained_on_a_gpu)
    run.load(trained_on_a_gpu / "checkpoints" / "last.pt")
    with pytest.raises(ValueError, match="'triton' cannot run: it needs a CUDA device and there"):
        assemble(saved, trained_on_a_gpu)


def test_a_failed_step_can_be_made_again_without_its_kernel() -> None:
    config = OmegaConf.to_yaml(composed("kernels.backend=triton"))
    model, _ = rebuild(config, CPU)
    assert model.field.network.grid.backend == "auto"


@pytest.mark.slow
def test_the_programs_evaluate_what_they_would_not_train(tmp_path: Path) -> None:
    program("train.py", *tiny(), "eval.mesh=null", f"hydra.run.dir={tmp_path}")
    path = tmp_path / ".hydra" / "config.yaml"
    path.write_text(path.read_text().replace("backend: auto", "backend: triton"))
    assert "backend: triton" in path.read_text()
    said = program("eval.py", f"run={tmp_path}", "device=cpu")
    assert said.count("kernels.backend=triton cannot run here, auto is used instead") == 1
    assert scores(tmp_path / "eval") == scores(tmp_path)
    said = program("train.py", f"trainer.resume={tmp_path}", "device=cpu", succeeds=False)
    assert "kernels.backend 'triton' cannot run: it needs a CUDA device" in said
