"""The configuration files that come with nerfloss: where they lie, and what is in them."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException


def conf_dir() -> Path:
    """The folder conf/: inside an installed package, beside it in a checkout.

    Raises FileNotFoundError where neither exists, which a broken installation brings about.
    """
    package = Path(__file__).resolve().parent
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
    from yaml import YAMLError

    try:
        return OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except FileNotFoundError:
        raise
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read as YAML: {first}") from error


def as_yaml(content: Any) -> str:
    """Plain dicts and lists as YAML, keys in their order."""
    return OmegaConf.to_yaml(OmegaConf.create(content))


def named(folder: Path) -> dict[str, Path]:
    """The YAML files of a folder by the name that a user gives on the command line, sorted."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
