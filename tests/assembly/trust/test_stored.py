"""Stored configurations: what a file may hold, and how one's own is told from a stranger's."""

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from small_runs import composed

from nerfloss.assembly.trust.packages import VARIABLE, remember
from nerfloss.assembly.trust.stored import keep_signed, read_stored, signed_text

OWN = "{_target_: mylab.losses.colour_angle, _partial_: true}"
WITH_OWN_CODE = f"+loss.terms.mine={{weight: 0.1, fn: {OWN}}}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "settings"))
    return tmp_path / "settings"


def stored(content: object, typed: dict | None = None) -> object:
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    return read_stored(text, "run/.hydra/config.yaml", typed or {})


def everything() -> list[list[str]]:
    """Choices that between them name most of what conf/ holds."""
    return [
        [],
        ["loss=geo_neus", "initialization=density_warmup", "background=contracted"],
        ["model=volsdf", "loss=volsdf", "loss/balancer=gradnorm", "diagnostics=on"],
        ["loss=neus_full", "batch=patch", "sampler=hierarchical", "background=sphere"],
        ["loss=perceptual", "batch=patch", "cameras=refine", "appearance=affine"],
        ["loss=adversarial", "batch=patch", "initialization=visual_hull"],
    ]


@pytest.mark.parametrize("choices", everything())
def test_configurations_of_our_own_parts_are_read_without_a_signature(choices) -> None:
    cfg = composed(*choices)
    text = signed_text(cfg)
    assert "signature" not in text, "nothing to vouch for"
    assert read_stored(text, "x", {}) == cfg


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"eval": {"metrics": {"a": {"_target_": "os.system"}}}}, "eval.metrics.a._target_"),
        ({"a": [{"b": [{"_target_": "os.system", "_partial_": True}]}]}, "a.0.b.0._target_"),
        ({"loss": {"_args_": [{"_target_": "os.system"}]}}, "loss._args_.0._target_"),
        ({"a": {"_target_": "${b}"}, "b": "os.system"}, "a._target_"),
        ({"a": {"_target_": "nerfloss.cli.main.main"}}, "a._target_"),
        ({"a": {"_target_": 7}}, "a._target_"),
        ({"a": "${oc.env:HOME}"}, "a"),
        ({"a": "x/${oc.env:HOME,none}/y"}, "a"),
        ({"a": "${oc.decode:'{_target_: os.system}'}"}, "a"),
        ({"a": "${oc.create:{_target_: os.system}}"}, "a"),
        ({"a": "${oc.select:nothing,{_target_: os.system}}"}, "a"),
        ({"a": "${oc.select:nothing,${oc.env:HOME}}"}, "a"),
        ({"a": "${b.${c}}", "b": {"x": 1}, "c": "x"}, "a"),
        ({"a": "$${b}{oc.env:HOME}", "b": 1}, "a"),
        ({"a": "${hydra:runtime.cwd}"}, "a"),
        ({"a": ["${now:%Y}"]}, "a.0"),
    ],
)
def test_a_strangers_file_is_refused_by_its_key(content: dict, key: str) -> None:
    with pytest.raises(ValueError, match=r"run/\.hydra/config\.yaml names") as caught:
        stored(content)
    assert f"\n  {key}: " in str(caught.value)
    assert "would run with your rights" in str(caught.value)


def test_all_that_is_refused_is_named_at_once_with_its_remedy() -> None:
    content = {
        "loss": {"terms": {"a": {"fn": {"_target_": "mylab.losses.f"}}}},
        "eval": {"metrics": {"b": {"_target_": "other.g"}, "c": {"_target_": "os.system"}}},
        "dataset": {"path": "${oc.env:SECRET}"},
    }
    with pytest.raises(ValueError, match=r"add trust=\[mylab,other\]") as caught:
        stored(content)
    message = str(caught.value)
    assert "mylab.losses.f (the package mylab is not trusted)" in message
    assert "State settings with ${...} yourself, as in dataset.path=FOLDER" in message
    assert "No package of yours has the others: remove them from the file" in message


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system",
        "- 1",
    ],
)
def test_yaml_of_other_kinds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"run/\.hydra/config\.yaml"):
        stored(text)


def test_interpolations_of_settings_are_resolved_as_before() -> None:
    content = {"a": {"b": 1, "c": "${.b}"}, "d": "${a.b}", "e": "${oc.select:a.x,2400}"}
    cfg = stored(content)
    assert (cfg.a.c, cfg.d, cfg.e) == (1, 1, 2400)


def test_what_the_user_types_replaces_what_is_not_trusted() -> None:
    content = {
        "dataset": {"path": "${oc.env:DATA}/lego"},
        "eval": {"metrics": {"m": {"_target_": "other.g"}}},
    }
    with pytest.raises(ValueError, match=r"eval\.metrics\.m") as caught:
        stored(content, {("dataset", "path"): "/here"})
    assert "dataset.path:" not in str(caught.value)
    stored(content, {("dataset", "path"): "/here", ("eval", "metrics", "m", "_target_"): "mine.f"})


def test_a_key_that_spells_a_typed_one_is_checked_all_the_same() -> None:
    content = {"eval": {"dataset.path": {"_target_": "os.system"}}, "dataset": {"path": 1}}
    with pytest.raises(ValueError, match=r"os\.system"):
        stored(content, {("dataset", "path"): "/here"})


def test_a_typed_mapping_leaves_the_rest_of_the_stored_one_checked() -> None:
    content = {"eval": {"metrics": {"m": {"_target_": "os.system"}}}}
    with pytest.raises(ValueError, match=r"os\.system"):
        stored(content, {("eval", "metrics"): {}, ("eval", "metrics", "n", "_target_"): "mine.f"})


def test_a_trusted_package_is_built_from_any_file(tmp_path, monkeypatch) -> None:
    (tmp_path / "trustlab.py").write_text("def f(rgb): return rgb\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = {"a": {"_target_": "trustlab.f"}}
    with pytest.raises(ValueError, match=r"trust=\[trustlab\]"):
        stored(content)
    remember(["trustlab"])
    assert stored(content).a._target_ == "trustlab.f"


def test_trust_in_the_file_itself_means_nothing() -> None:
    with pytest.raises(ValueError, match="mylab"):
        stored({"trust": ["mylab"], "a": {"_target_": "mylab.f"}})


def test_a_run_of_ones_own_needs_no_trust(tmp_path: Path, folder: Path) -> None:
    cfg = composed(WITH_OWN_CODE, "dataset.mesh=${oc.env:HOME}/mesh.ply")
    path = tmp_path / ".hydra" / "config.yaml"
    path.parent.mkdir()
    OmegaConf.save(cfg, path)
    with pytest.raises(ValueError, match="mylab"):
        read_stored(path.read_text(), path, {})
    keep_signed(cfg, tmp_path)
    assert read_stored(path.read_text(), path, {}) == cfg
    assert (folder / "key").stat().st_mode & 0o077 == 0, "the key is the user's alone"


def test_a_signature_is_of_this_content_and_this_user(folder: Path, monkeypatch) -> None:
    text = signed_text(composed(WITH_OWN_CODE))
    read_stored(text, "x", {})
    with pytest.raises(ValueError, match="it was edited"):
        read_stored(text.replace("colour_angle", "delete_all"), "x", {})
    with pytest.raises(ValueError, match="mylab"):
        read_stored(text.replace("weight: 0.1", "weight: 0.2"), "x", {})
    monkeypatch.setenv(VARIABLE, str(folder.parent / "another user"))
    with pytest.raises(ValueError, match="mylab"):
        read_stored(text, "x", {})
    signed_text(composed(WITH_OWN_CODE))  # makes the other user's key
    with pytest.raises(ValueError, match="mylab"):
        read_stored(text, "x", {})


def test_a_signature_survives_another_order_and_layout_of_the_file() -> None:
    text = signed_text(composed(WITH_OWN_CODE))
    comment = text.splitlines()[-1]
    plain = yaml.safe_load(text)
    again = yaml.safe_dump(dict(reversed(plain.items()))) + comment + "\n"
    assert read_stored(again, "x", {})


def test_two_signatures_of_one_text_are_one_line() -> None:
    cfg = composed(WITH_OWN_CODE)
    assert signed_text(cfg).count("# signature") == 1
    assert signed_text(cfg) == signed_text(cfg)


def test_a_folder_that_cannot_be_written_is_named_and_the_run_goes_on(folder: Path, caplog) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    assert "# signature" not in signed_text(composed(WITH_OWN_CODE))
    assert "the run is not signed" in caplog.text
