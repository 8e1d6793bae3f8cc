"""Files are read as data everywhere: no pickle, no YAML with tags, one place builds targets."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nerfloss

PACKAGE = Path(nerfloss.__file__).parent
FILES = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "benchmarks").glob("*.py")]
# What may resolve a dotted name: builds parts, checks types and terms, decides on trust.
RESOLVERS = {"instantiation.py", "setting_checks.py", "targets.py"}
# Bytes that processes of one run send to each other.
OWN_BYTES = {"collectives.py"}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(node: ast.Call, name: str) -> str | None:
    return next((ast.unparse(each.value) for each in node.keywords if each.arg == name), None)


@pytest.mark.parametrize(
    ("functions", "setting", "value"),
    [
        ({"torch.load"}, "weights_only", "True"),
        ({"np.load", "numpy.load"}, "allow_pickle", "False"),
    ],
)
def test_what_could_hold_a_pickle_is_read_without(functions, setting, value) -> None:
    faults = [
        f"{path.name}:{node.lineno}"
        for path in FILES
        for name, node in calls(path)
        if name in functions and keyword(node, setting) != value and path.name not in OWN_BYTES
    ]
    assert faults == []


def test_no_module_reads_pickles_or_yaml_with_tags() -> None:
    unsafe = {"pickle.load", "pickle.loads", "yaml.unsafe_load", "yaml.full_load", "OmegaConf.load"}
    faults = [
        f"{path.name}:{node.lineno} {name}"
        for path in FILES
        for name, node in calls(path)
        if name in unsafe or name.startswith(("joblib.", "dill.", "cloudpickle."))
    ]
    assert faults == []


def test_few_modules_resolve_the_name_of_a_callable() -> None:
    found = {
        path.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "hydra.utils"
    }
    assert found == RESOLVERS


def test_a_stored_configuration_is_read_in_one_place() -> None:
    """Other modules that read it make no configuration of it, from which parts could be built."""
    faults = [
        f"{path.name}:{node.lineno}"
        for path in FILES
        for name, node in calls(path)
        if name == "OmegaConf.create"
        and node.args
        and "read_yaml(path" in ast.unparse(node.args[0])
    ]
    assert faults == []
