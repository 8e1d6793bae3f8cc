"""The configuration files that come with nerfloss: where they lie, and what is in them."""

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf


def conf_dir() -> Path:
    """The folder conf/: inside an installed package, beside it in a checkout.

    Raises FileNotFoundError where neither exists, which a broken installation brings about.
    """
    package = Path(__file__).resolve().parents[1]
    # The installed one first: beside it lies site-packages, where any package may put a conf/.
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "loss" / "term").is_dir():
            return folder
    raise FileNotFoundError(
        f"no conf/ in {package} nor beside it: this installation of nerfloss is incomplete; "
        f"install it again, or with 'pip install -e .' from a clone"
    )


def read_yaml(path: Path | str) -> Any:
    """A YAML file as plain dicts and lists, its interpolations left as they are written.

    Raises ValueError for a file that is none, or is cut short.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(path, error) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path | str) -> Any:
    """The text of the YAML file at ``path`` as plain dicts and lists. Raises ValueError."""
    from yaml import YAMLError

    try:
        content = _loaded(text)
    except (YAMLError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict | list | None):
        raise _unreadable(path, f"it holds a {type(content).__name__}")
    return {} if content is None else content


def _loaded(text: str) -> Any:
    import yaml

    return yaml.load(text, _loader())


@cache
def _loader() -> type:
    """OmegaConf's reading of YAML (1e-3 is a number, a date is text), by libyaml where it is there.

    The parser in Python takes ten times as long.
    """
    import yaml
    from omegaconf._utils import get_yaml_loader

    ours = get_yaml_loader()
    if not yaml.__with_libyaml__:
        return ours

    from yaml.cyaml import CParser  # pyright: ignore[reportAttributeAccessIssue] (compiled)

    def begin(self: Any, stream: Any) -> None:
        CParser.__init__(self, stream)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)

    return type("Loader", (CParser, ours), {"__init__": begin})


def _unreadable(path: Path | str, error: object) -> ValueError:
    first = str(error).partition("\n")[0]
    return ValueError(f"{path} cannot be read as YAML: {first}")


def as_yaml(content: Any) -> str:
    """Plain dicts and lists as YAML, keys in their order."""
    return OmegaConf.to_yaml(OmegaConf.create(content))


def named(folder: Path) -> dict[str, Path]:
    """The YAML files of a folder by the name that a user gives on the command line, sorted."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
