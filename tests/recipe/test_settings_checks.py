"""Invalid settings are refused when the recipe is built, by the key of each."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import pytest
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from nerfloss.assembly.config_files import conf_dir
from nerfloss.assembly.instantiation import build
from nerfloss.losses.requirements import requires
from nerfloss.losses.settings_checks import condition, odd, positive
from nerfloss.recipe import LossRecipe, RecipeError


@requires(odd("window"), positive("sigma"))
def windowed(
    rgb: Tensor,
    *,
    window: int = 11,
    sigma: float = 1.5,
    mode: Literal["same", "valid"] = "valid",
    soft: bool = False,
    name: str | None = None,
    sizes: Sequence[int] = (1, 2),
) -> Tensor:
    return rgb * window * sigma * len(sizes) * soft if mode and not name else rgb


@requires(positive("low"), condition("low < high", lambda low, high: low < high))
def vague(rgb: Tensor, *, low: float, high: float = 1.0) -> Tensor:
    return rgb.clamp(low, high)


class Deep(nn.Module):
    """A term that checks its own settings. Reference: none, this is for tests."""

    def __init__(self, *, layers: int = 2) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"Deep needs layers >= 1, got layers={layers}")

    def forward(self, rgb: Tensor) -> Tensor:
        return rgb


def built(**specs):
    return LossRecipe({name: {"fn": fn} for name, fn in specs.items()})


def composed(*overrides):
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build(compose(overrides=["+loss=neus", *overrides]).loss)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"window": 4},
            r"windowed needs an odd window, got window=4 \(loss\.terms\.mine\.fn\.window\)",
        ),
        ({"sigma": -1.0}, r"needs sigma > 0, got sigma=-1\.0 \(loss\.terms\.mine\.fn\.sigma\)"),
        ({"sigma": "1"}, r"loss\.terms\.mine\.fn\.sigma is '1', but has to be a number"),
        ({"sigma": True}, r"fn\.sigma is True, but has to be a number"),
        ({"window": 3.0}, r"fn\.window is 3\.0, but has to be an integer"),
        ({"soft": 1}, r"fn\.soft is 1, but has to be true or false"),
        ({"mode": "vald"}, r"fn\.mode is 'vald', but has to be one of 'same', 'valid'"),
        ({"name": 3}, r"fn\.name is 3, but has to be a string or null"),
    ],
)
def test_a_setting_that_cannot_work_is_named_by_its_key(settings, reason):
    with pytest.raises(RecipeError, match=rf"cannot be built:\n  mine: .*{reason}"):
        built(mine=partial(windowed, **settings))


@pytest.mark.parametrize(
    "settings", [{}, {"sigma": 2}, {"name": "x", "soft": True, "mode": "same"}, {"sizes": [3]}]
)
def test_valid_settings_are_accepted(settings):
    assert built(mine=partial(windowed, **settings)).terms["mine"].fn.keywords == settings


def test_every_violated_condition_is_reported_with_the_keys_of_its_settings():
    with pytest.raises(RecipeError) as caught:
        built(a=partial(vague, low=0.0, high=-1.0))
    assert str(caught.value).splitlines()[1:] == [
        "  a: vague needs low > 0, got low=0.0 (loss.terms.a.fn.low)",
        "  a: vague needs low < high, got low=0.0, high=-1.0 "
        "(loss.terms.a.fn.low, loss.terms.a.fn.high)",
    ]


def test_a_missing_setting_is_reported_once_and_not_checked():
    with pytest.raises(RecipeError) as caught:
        built(a=vague)
    assert len(str(caught.value).splitlines()) == 2
    assert "leaves its setting 'low' without a value" in str(caught.value)


def test_the_faults_of_all_terms_are_in_one_message():
    with pytest.raises(RecipeError) as caught:
        built(a=partial(vague, low=2.0), b=partial(windowed, window=2), c=partial(vague, lo=1.0))
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == ["a", "b", "c", "c"]
    assert "has no setting 'lo'" in lines[2]


def test_an_unknown_setting_that_resembles_none_is_named_by_its_key():
    with pytest.raises(RecipeError, match=r"no setting 'eps'.*: remove loss\.terms\.a\.fn\.eps"):
        built(a=partial(windowed, eps=1.0))


def test_a_check_runs_on_a_composed_recipe():
    fn = "{_target_: test_settings_checks.windowed, _partial_: true, window: 2}"
    with pytest.raises(RecipeError, match=r"bad: .*odd window.*loss\.terms\.bad\.fn\.window"):
        composed(f"+loss.terms.bad={{fn: {fn}}}")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("layers: 0", r"deep: Deep needs layers >= 1, got layers=0 \(loss\.terms\.deep\.fn\.layer"),
        ("leyers: 3", r"deep: has no setting 'leyers' .*did you mean 'layers'\?"),
    ],
)
def test_an_invalid_setting_of_a_module_is_named_by_its_key(setting, reason):
    with pytest.raises(RecipeError, match=reason):
        composed(f"+loss.terms.deep={{fn: {{_target_: test_settings_checks.Deep, {setting}}}}}")
