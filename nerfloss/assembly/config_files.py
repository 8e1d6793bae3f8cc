"""Locate and read the configuration files that are shipped with nerfloss."""

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

# No settings are deeper, or more; aliases (*name) of a few lines can repeat without end.
DEEPEST, MOST = 64, 200_000


def conf_dir() -> Path:
    """Return the folder conf/: inside an installed package, next to the package in a clone.

    Raises FileNotFoundError where neither exists, as after an incomplete installation.
    """
    package = Path(__file__).resolve().parents[1]
    # The installed one first: the other is in site-packages, where any package may put a conf/.
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "loss" / "term").is_dir():
            return folder
    raise FileNotFoundError(
        f"no conf/ in {package} nor next to it: this installation of nerfloss is incomplete; "
        f"install it again, or with 'pip install -e .' from a clone"
    )


def read_yaml(path: Path | str) -> Any:
    """Return a YAML file as plain dicts and lists, with interpolations unresolved.

    Raises ValueError for a file that is not YAML, or is truncated.
    """
    return parse_yaml(read_text(path), path)


def read_text(path: Path | str) -> str:
    """Return the text of a YAML file. Raises ValueError for one that cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (UnicodeDecodeError, OSError) as error:
        raise _unreadable(path, error) from error


def parse_yaml(text: str, path: Path | str) -> Any:
    """Return YAML text as plain dicts and lists; ``path`` is for the message of a ValueError."""
    from yaml import YAMLError

    try:
        content = _loaded(text)
    except RecursionError as error:
        raise _unreadable(path, f"it is nested more than {DEEPEST} deep") from error
    except (YAMLError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict | list | None):
        raise _unreadable(path, f"it holds a {type(content).__name__}")
    if (fault := _fault_of_shape(content)) is not None:
        raise _unreadable(path, fault)
    return {} if content is None else content


def _fault_of_shape(content: Any) -> str | None:
    """Return what keeps content from being walked through: too deep, too much, a key of null."""
    waiting, count = [(content, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict | list):
            continue
        if depth > DEEPEST:
            return f"it is nested more than {DEEPEST} deep, or an alias (*name) contains itself"
        if isinstance(node, dict) and None in node:
            return "a key is null: write a name, in quotation marks if need be"
        count += len(node)
        if count > MOST:
            return f"it has more than {MOST} values, of which aliases (*name) repeat some"
        inner = node.values() if isinstance(node, dict) else node
        waiting += [(each, depth + 1) for each in inner]
    return None


def _loaded(text: str) -> Any:
    import yaml

    return yaml.load(text, _loader())


@cache
def _loader() -> type:
    """Return OmegaConf's YAML loader (1e-3 is a number, a date is text) on top of libyaml.

    Without libyaml the parser written in Python is used, which takes ten times as long.
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
    from yaml import MarkedYAMLError

    first = str(error).partition("\n")[0]
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        # The first line of its text says what was being read, not the fault.
        first = f"line {error.problem_mark.line + 1}: {error.problem or first}"
    return ValueError(f"{path} cannot be read as YAML: {first}")


def as_yaml(content: Any) -> str:
    """Return plain dicts and lists as YAML, keys in their order."""
    return OmegaConf.to_yaml(OmegaConf.create(content))


def named(folder: Path) -> dict[str, Path]:
    """Return the YAML files of a folder by the name of the choice on the command line, sorted."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
