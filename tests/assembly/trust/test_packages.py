"""Packages that the user trusts: the file that lists them, and words of the command line."""

from pathlib import Path

import pytest

from nerfloss.assembly.trust.packages import (
    VARIABLE,
    remember,
    trusted_packages,
    user_folder,
    without_trust,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "settings"))
    return tmp_path / "settings"


def test_a_package_is_trusted_from_then_on(folder: Path) -> None:
    assert trusted_packages() == ()
    assert remember(["mylab"]) == folder / "trusted"
    remember(["other.losses", "mylab"])
    assert trusted_packages() == ("mylab", "other.losses")
    (folder / "trusted").write_text("other.losses\n")
    assert trusted_packages() == ("other.losses",)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("os", "a part of Python"),
        ("subprocess", "a part of Python"),
        ("builtins", "a part of Python"),
        ("torch", r"trust one of its modules, as in trust=\[torch\.<module>\]"),
        ("hydra", "can load and run any file"),
        ("nerfloss", "states itself"),
        ("nerfloss.cli", "states itself"),
        ("../mylab", "no name of a package"),
        ("my-lab", "no name of a package"),
    ],
)
def test_what_would_trust_everything_is_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        remember(["mylab", name])
    assert not folder.exists(), "nothing is remembered of a refused line"
    folder.mkdir()
    (folder / "trusted").write_text(f"{name}\n")
    assert trusted_packages() == (), "the file grants no more than the command line"


@pytest.mark.parametrize(
    ("words", "kept", "packages"),
    [
        (["eval", "run=x"], ["eval", "run=x"], []),
        (["eval", "run=x", "trust=[mylab]"], ["eval", "run=x"], ["mylab"]),
        (["eval", "trust=[mylab, other]", "run=x"], ["eval", "run=x"], ["mylab", "other"]),
        (["eval", "trust=mylab"], ["eval"], ["mylab"]),
        (["replay", "f.pt", "--trust", "mylab"], ["replay", "f.pt"], ["mylab"]),
        (["replay", "--trust=mylab,other", "f.pt"], ["replay", "f.pt"], ["mylab", "other"]),
        (["eval", "eval.trust=1"], ["eval", "eval.trust=1"], []),
    ],
)
def test_trust_is_taken_from_any_command_line(words, kept, packages) -> None:
    assert without_trust(words) == (kept, packages)


@pytest.mark.parametrize("words", [["eval", "--trust"], ["eval", "trust=[]"], ["eval", "trust="]])
def test_trust_in_no_package_is_refused(words) -> None:
    with pytest.raises(ValueError, match="names no package"):
        without_trust(words)


def test_the_folder_is_the_platforms_without_the_variable(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert user_folder() == tmp_path / "nerfloss"
    monkeypatch.setattr("sys.platform", "darwin")
    assert user_folder().parts[-3:] == ("Library", "Application Support", "nerfloss")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    assert user_folder() == tmp_path / "roaming" / "nerfloss"
