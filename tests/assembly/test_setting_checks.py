"""Settings that no part has or takes are refused by their key, before anything is built."""

import pytest

from nerfloss.assembly.composition import compose_config
from nerfloss.assembly.config_structure import OPTIONAL_PARTS, PARTS
from nerfloss.assembly.setting_checks import check_settings
from nerfloss.assembly.sweep_config import plain


def refusal(*overrides: str) -> str:
    """Return the message with which a configuration is refused; empty where it is not."""
    try:
        check_settings(plain(compose_config("train", overrides)))
    except ValueError as error:
        return str(error)
    return ""


def default_config() -> dict:
    return plain(compose_config("train", ()))


@pytest.mark.parametrize("key", [*PARTS, *OPTIONAL_PARTS])
@pytest.mark.parametrize("value", [3, "adam", {"resolution": 32}])
def test_a_part_is_no_single_value_and_names_what_it_is(key, value):
    config = default_config()
    *above, last = key.split(".")
    section = config
    for name in above:
        section = section[name]
    section[last] = value
    with pytest.raises(ValueError, match=f"^{key}[:=]"):
        check_settings(config)


@pytest.mark.parametrize(
    "key",
    [
        "trainer.optimizer",  # is called with the parameters later: a partial
        "model.renderer.rules.alphas",
        "model.optimizer",  # is merged into trainer.optimizer
        "trainer.watchdog",
        "trainer",
        "model",
        "sampler",
        "eval.mesh",
        "eval.metrics.psnr",
        "dataset",
    ],
)
def test_a_name_that_a_part_does_not_have_is_refused(key):
    text = refusal(f"+{key}.made_up=3")
    assert text.startswith(key)
    assert "no setting 'made_up'" in text
    assert f"~{key}.made_up" in text


def test_what_an_overridden_schedule_keeps_of_a_preset_is_named():
    text = refusal(
        "loss=photos_masked",
        "loss.terms.patches.schedule={_target_: nerfloss.recipe.schedules.window, end: 3}",
    )
    key = "loss.terms.patches.schedule"
    assert "'interval', 'schedule'" in text
    assert "(settings: begin, end; " in text
    # What the message says helps: Hydra removes what is named.
    remedies = [word.rstrip(")") for word in text.split() if word.startswith(f"~{key}.")]
    assert len(remedies) == 2
    assert not refusal("loss=photos_masked", *remedies, f"+{key}.end=3", f"{key}._target_=x.y")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.field.network.grid=3", "must be a part or a mapping"),
        ("model.field.appearance=null", "null: must be a part or a mapping"),
        ("model.optimizer.learning_rates=3", "must be a part or a mapping"),
        ("trainer.optimizer.betas=3", "must be a list"),
        ("dataset.pose_noise=3", "must be a part or a mapping"),
        ("eval.geometry=null", "null: must be a part or a mapping"),
        ("sampler.samples=null", "null: must be an integer"),
        ("kernels.torch_threads=0", "must be at least 1"),
        ("model.renderer.direction_noise=nan", "must be a number"),
        ("sampler.uniform_fraction=nan", "must be a number"),
        ("kernels.torch_threads=two", "must be an integer"),
        ("loss.terms=3", "has settings of its own"),
        ("quantities=3", "has settings of its own"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_key(override, words):
    text = refusal(override)
    assert text.startswith(override.partition("=")[0])
    assert words in text


def test_parts_that_null_leaves_away_may_be_null():
    config = default_config()
    config["eval"]["mesh"] = config["trainer"]["watchdog"] = config["initialization"] = None
    check_settings(config)


def test_names_that_only_an_interpolation_uses_are_allowed():
    assert not refusal("+my_weight=0.2", "loss.terms.eikonal.weight=${my_weight}")
