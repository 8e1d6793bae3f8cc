"""Presets for hardware: a CPU's is today's defaults, an experiment wins, a run keeps its own."""

import json

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nerfloss.assembly import hardware_presets as hardware
from nerfloss.assembly.build import build_model
from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.hardware_presets import fitted, preset_for, with_chunks_for_here
from nerfloss.assembly.hydra_resolvers import register_resolvers
from nerfloss.assembly.provenance import config_hash, recorded
from nerfloss.assembly.saved_config import saved_config
from nerfloss.assembly.sweep_config import plain

MODELS = ("neus", "volsdf", "nerf")


@pytest.fixture(autouse=True)
def on_a_cpu(monkeypatch):
    """As on a machine without a GPU, until a test says that there is one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def asked(*overrides):
    register_resolvers()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("train", list(overrides))


def begun(folder, *overrides):
    """A run's folder as it is when training begins, and the configuration that it begins with."""
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    cfg = asked(*overrides)
    (folder / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    made = fitted(cfg, folder, overrides)
    with recorded(folder, plain(cfg), overrides=overrides, hardware=made.hardware):
        pass
    return made


def settings(cfg):
    return {key: value for key, value in plain(cfg).items() if key != "hardware"}


@pytest.mark.parametrize("model", MODELS)
def test_on_a_cpu_auto_means_exactly_what_the_groups_say_by_default(tmp_path, model):
    made = begun(tmp_path, f"model={model}")
    assert made.hardware == "cpu"
    assert settings(made) == settings(asked(f"model={model}"))
    assert settings(made) == settings(asked(f"model={model}", "hardware=cpu"))
    assert (made.trainer.batch_size.samples, made.trainer.batch_size.rays) == (4096, 512)
    cells = 128 if model == "nerf" else 96
    assert (made.eval.chunk, made.eval.mesh.chunk, made.sampler.resolution) == (16384, 2**17, cells)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("on_a_gpu")
def test_on_a_gpu_auto_means_more_per_step_and_finer_grids(tmp_path, model):
    made, usual = begun(tmp_path, f"model={model}"), asked(f"model={model}")
    assert made.hardware == "gpu"
    assert settings(made) == settings(asked(f"model={model}", "hardware=gpu"))
    assert made.trainer.batch_size.samples == 2**18
    assert made.sampler.resolution > usual.sampler.resolution
    grids = [c.model.field.get("grid") or c.model.field.network.grid for c in (made, usual)]
    for name in ("levels", "log2_hashmap_size", "max_resolution"):
        assert grids[0][name] > grids[1][name]
    # Enough rays for that many samples, and no key that nothing reads.
    assert (
        made.trainer.batch_size.max_rays * made.sampler.samples >= made.trainer.batch_size.samples
    )
    small = [f"model.field.{'' if model == 'nerf' else 'network.'}grid.log2_hashmap_size=10"]
    build_model(asked(f"model={model}", "hardware=gpu", *small), torch.device("cpu"))


@pytest.mark.parametrize("sampler", ["uniform", "hierarchical", "proposal"])
def test_the_preset_fits_every_sampler(sampler):
    cfg = asked(
        "hardware=gpu", f"sampler={sampler}", "model.field.network.grid.log2_hashmap_size=10"
    )
    build_model(cfg, torch.device("cpu"))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("background", ["contracted", "sphere"])
@pytest.mark.usefixtures("on_a_gpu")
def test_on_a_gpu_a_background_has_more_samples_and_a_grid_as_large(tmp_path, model, background):
    words = (f"model={model}", f"background={background}")
    made, usual = begun(tmp_path, *words), asked(*words)
    assert settings(usual) == settings(asked(*words, "hardware=cpu"))
    for name in ("samples", "eval_samples", "candidates", "resolution"):
        assert made.background[name] > usual.background[name]
    if background == "contracted":
        foreground = made.model.field.get("grid") or made.model.field.network.grid
        behind = made.background.field.grid
        assert (behind.levels, behind.log2_hashmap_size) == (16, 19)
        assert behind.max_resolution >= foreground.max_resolution
    small = f"model.field.{'' if model == 'nerf' else 'network.'}grid.log2_hashmap_size=10"
    tiny = ["background.field.grid.log2_hashmap_size=10"] if background == "contracted" else []
    build_model(asked(*words, "hardware=gpu", small, *tiny), torch.device("cpu"))


@pytest.mark.usefixtures("on_a_gpu")
def test_an_experiment_with_a_background_gets_its_preset_for_a_gpu(tmp_path):
    made = begun(tmp_path, "experiment=mipnerf360", "background.samples=5")
    assert made.background.field.grid.log2_hashmap_size == 19
    assert made.background.samples == 5
    assert (
        made.background.eval_samples
        == asked("background=contracted", "hardware=gpu")["background"].eval_samples
    )


@pytest.mark.usefixtures("on_a_gpu")
def test_an_experiment_and_the_command_line_win_over_the_preset(tmp_path):
    made = begun(tmp_path, "experiment=small/sdf", "eval.chunk=100")
    assert made.trainer.batch_size.samples == 2048
    assert made.model.field.network.grid.log2_hashmap_size == 14
    assert made.eval.chunk == 100
    assert made.eval.mesh.chunk == 2**20


@pytest.mark.usefixtures("on_a_gpu")
def test_the_device_that_is_asked_for_decides_and_the_preset_can_be_named(tmp_path):
    assert begun(tmp_path / "a", "device=cpu").hardware == "cpu"
    assert begun(tmp_path / "b", "device=cuda:1").hardware == "gpu"
    named_so = begun(tmp_path / "c", "hardware=cpu")
    assert named_so.hardware == "cpu"
    assert named_so.trainer.batch_size.samples == 4096
    assert [preset_for(device) for device in ("auto", "cuda", "cpu")] == ["gpu", "gpu", "cpu"]


@pytest.mark.usefixtures("on_a_gpu")
def test_the_choice_is_logged_and_kept_in_the_runs_folder(tmp_path, caplog):
    caplog.set_level("INFO")
    made = begun(tmp_path)
    said = [r.getMessage() for r in caplog.records if r.name == hardware.__name__]
    assert len(said) == 1
    assert said[0].startswith("hardware=gpu, for device=auto: ")
    assert "trainer.batch_size.samples=262144" in said[0]
    assert saved_config(tmp_path, []) == made
    assert json.loads((tmp_path / "provenance.json").read_text())["hardware"] == "gpu"


@pytest.mark.usefixtures("on_a_gpu")
def test_a_run_keeps_its_numbers_on_another_machine_but_not_its_chunks(tmp_path, monkeypatch):
    made = begun(tmp_path / "a")
    by_hand = begun(tmp_path / "b", "eval.chunk=100")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = with_chunks_for_here(saved_config(tmp_path / "a", []))
    assert (here.eval.chunk, here.eval.mesh.chunk) == (16384, 2**17)
    assert made.eval.chunk == 65536
    changed = OmegaConf.merge(here, {"eval": {"chunk": 65536, "mesh": {"chunk": 2**20}}})
    assert settings(changed) == settings(made)
    assert with_chunks_for_here(by_hand).eval.chunk == 100
    without_mesh = saved_config(tmp_path / "a", ["eval.mesh=null"])
    assert with_chunks_for_here(without_mesh).eval.mesh is None


@pytest.mark.usefixtures("on_a_gpu")
def test_a_job_of_a_sweep_keeps_its_preset_and_stays_the_same_job(tmp_path, monkeypatch):
    made = begun(tmp_path, "seed=3")
    hashed = json.loads((tmp_path / "provenance.json").read_text())["config_hash"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert config_hash(plain(asked("seed=3"))) == hashed
    assert begun(tmp_path, "seed=3") == made


@pytest.mark.usefixtures("on_a_gpu")
def test_a_resumed_run_is_the_run_that_it_was(tmp_path):
    made = begun(tmp_path)
    before = json.loads((tmp_path / "provenance.json").read_text())
    with recorded(tmp_path, plain(made), overrides=[], hardware="gpu", same=True):
        pass
    after = json.loads((tmp_path / "provenance.json").read_text())
    assert after["config_hash"] == before["config_hash"]
    assert after["started"] == before["started"]
    assert len(after["resumed"]) == 1


def test_the_preset_of_a_run_that_goes_on_cannot_be_changed(tmp_path):
    begun(tmp_path)
    with pytest.raises(
        ValueError, match=r"hardware=gpu: a part of the run in .* cannot be replaced"
    ):
        saved_config(tmp_path, ["hardware=gpu"])


@pytest.mark.usefixtures("on_a_gpu")
def test_files_of_the_users_own_are_found_when_a_run_is_composed_again(tmp_path, repository):
    where = repository / "tests" / "own_package" / "mylab" / "conf"
    made = begun(tmp_path, f"hydra.searchpath=[file://{where}]", "loss=mylab")
    assert made.loss.terms.spread.weight == 0.01
    assert made.trainer.batch_size.samples == 2**18


def test_every_value_for_a_gpu_says_that_it_was_not_measured():
    files = [path for path in (conf_dir() / "hardware").rglob("*.yaml") if "gpu" in path.stem]
    assert len(files) >= 4
    for path in files:
        assert "not yet measured" in path.read_text().lower(), path
