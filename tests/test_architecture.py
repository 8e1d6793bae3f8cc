"""The architecture, checked: who may import whom, and the house rules that a program can read."""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nerfloss"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

ANYTHING = None
# What each part may import of the others. A part is a folder or a file directly in nerfloss/.
MAY_IMPORT: dict[str, set[str] | None] = {
    "maths": set(),
    "kernels": {"maths"},
    "schedules": set(),
    "balancing": set(),
    "statistics": set(),
    "backbones": set(),
    "losses": {"maths", "backbones"},
    "rays": {"maths"},
    "quantities": {"maths", "kernels"},
    "terms": {"quantities", "schedules"},
    "recipe": {"quantities", "schedules", "terms"},
    "fields": {"maths", "kernels", "quantities"},
    "samplers": {"maths", "rays", "quantities", "kernels"},
    "renderers": {"maths", "rays", "quantities", "kernels"},
    "model": {"rays", "quantities", "renderers"},
    "byte_counts": set(),
    "memory": set(),
    "whole_files": {"byte_counts"},
    "data": {"rays", "quantities", "kernels", "memory", "byte_counts"},
    "training": {
        "distributed",
        "kernels",
        "memory",
        "quantities",
        "rays",
        "recipe",
        "whole_files",
    },
    "scouting": {
        "data",
        "fields",
        "kernels",
        "losses",
        "maths",
        "model",
        "rays",
        "renderers",
        "samplers",
        "training",
    },
    "start": {"data", "model", "samplers", "scouting", "training"},
    "subject": {"data", "evaluation", "model", "quantities", "rays"},
    "run": {
        "data",
        "diagnostics",
        "distributed",
        "evaluation",
        "memory",
        "model",
        "recipe",
        "start",
        "subject",
        "training",
    },
    "evaluation": {"maths", "backbones", "rays", "quantities", "memory", "whole_files"},
    "diagnostics": {"rays", "quantities", "recipe", "terms", "testing", "training"},
    "testing": {"maths", "backbones", "rays", "quantities", "recipe", "terms", "data"},
    "distributed": {"maths", "quantities", "rays", "terms"},
    "run_folders": set(),
    "provenance": {"distributed", "whole_files"},
    "hardware": {"conf_files", "provenance", "whole_files"},
    "sweeping": {"provenance"},
    "elsewhere": {"kernels"},
    "assembly": ANYTHING,
    "conf_files": ANYTHING,
    "reporting": ANYTHING,
    "cli": ANYTHING,
    "verbs": ANYTHING,
    "__main__": ANYTHING,
    "__init__": set(),
}
# Parts that hold nothing but mathematics: what they may use beside the standard library.
PURE = {part: {"torch", "jaxtyping"} for part in ("maths", "backbones", "losses")}
SWEEPERS = ("config", "overrides", "jobs", "space", "grid", "search", "errand", "remote")
KNOW_HYDRA = {
    "nerfloss/assembly/build.py",
    "nerfloss/assembly/checkpoint_portability.py",
    "nerfloss/assembly/hydra_resolvers.py",
    "nerfloss/assembly/hardware_presets.py",
    *(f"nerfloss/experiments/sweeps/{name}.py" for name in SWEEPERS),
    "train.py",
    "eval.py",
}
READ_YAML = {"nerfloss/assembly/config_files.py"}
IMPORTED_AS = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "pytorch-msssim": "pytorch_msssim",
}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}


@dataclass(frozen=True)
class Import:
    """One import of a whole module path; ``lazy`` inside a function."""

    module: str
    lazy: bool
    line: int


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imports_of(path: Path) -> list[Import]:
    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, lazy, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                module = "." * child.level + (child.module or "")
                whole = module == "nerfloss"  # from nerfloss import rays: the name is the module
                names = [f"{module}.{alias.name}" for alias in child.names] if whole else [module]
                yield from (Import(name, lazy, child.lineno) for name in names)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, lazy or inside)

    return list(walk(tree_of(path), lazy=False))


def part_of(path: Path) -> str:
    """The part of the package a file belongs to: its folder, or itself."""
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def third_party(path: Path) -> list[Import]:
    found = (entry for entry in imports_of(path) if not entry.module.startswith("."))
    ours = {*sys.stdlib_module_names, "nerfloss"}
    return [entry for entry in found if entry.module.partition(".")[0] not in ours]


def required_packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {entry.split(">")[0].split("=")[0].split("<")[0] for entry in project["dependencies"]}
    # numba is llvmlite's front end: it cannot be installed without it.
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} | {"llvmlite"}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_part_imports_only_what_the_table_allows(path: Path) -> None:
    part = part_of(path)
    assert part in MAY_IMPORT, f"'{part}' is new: say in MAY_IMPORT what it may import"
    allowed = MAY_IMPORT[part]
    if allowed is ANYTHING:
        return
    for entry in imports_of(path):
        names = entry.module.split(".")
        if names[0] == "nerfloss" and len(names) > 1:
            assert names[1] in {part, *allowed}, f"line {entry.line} imports {entry.module}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_imports_are_absolute(path: Path) -> None:
    assert not [entry for entry in imports_of(path) if entry.module.startswith(".")]


@pytest.mark.parametrize("part", PURE)
def test_mathematics_uses_torch_alone(part: str) -> None:
    for path in (PACKAGE / part).rglob("*.py"):
        eager = {e.module.partition(".")[0] for e in third_party(path) if not e.lazy}
        assert eager <= PURE[part], f"{path.relative_to(ROOT)} imports {eager - PURE[part]}"


def test_only_the_assembly_the_sweepers_and_the_two_programs_know_hydra() -> None:
    scripts = [ROOT / "train.py", ROOT / "eval.py"]
    for path in [*FILES, *(script for script in scripts if script.exists())]:
        name = str(path.relative_to(ROOT))
        used = {entry.module.partition(".")[0] for entry in third_party(path)}
        assert "hydra" not in used or name in KNOW_HYDRA
        assert "omegaconf" not in used or name in KNOW_HYDRA | READ_YAML


def test_an_optional_package_is_imported_lazily_and_in_one_file() -> None:
    required = required_packages()
    places: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        for entry in third_party(path):
            package = entry.module.partition(".")[0]
            if package not in required:
                places[package].add(str(path.relative_to(ROOT)))
                assert entry.lazy, f"{path}:{entry.line} imports the optional {package} at once"
    assert {package: files for package, files in places.items() if len(files) > 1} == {}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_is_one_idea_of_readable_length(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 220, f"{lines} lines: which are its two ideas?"
    assert ast.get_docstring(tree_of(path)) or lines == 0, "say its idea in one sentence first"
    assert path.stem not in EMPTY_NAMES, "name it by what it holds"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_no_function_is_longer_than_forty_lines(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0], node.body[-1]
            has_docstring = ast.get_docstring(node) is not None and len(node.body) > 1
            begin = (first.end_lineno if has_docstring else first.lineno - 1) or 0
            lines = (last.end_lineno or 0) - begin
            assert lines <= 40, f"{node.name} at line {node.lineno} has {lines} lines"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_annotations_stay_checkable(path: Path) -> None:
    assert "__future__" not in {entry.module for entry in imports_of(path)}


def test_every_folder_of_the_package_is_a_package() -> None:
    missing = [path.parent for path in FILES if not (path.parent / "__init__.py").exists()]
    assert missing == []


def test_continuous_integration_runs_the_line_that_the_readme_gives() -> None:
    quick_start = (ROOT / "README.md").read_text().split("## Quick start")[1].split("\n## ")[0]
    lines = [line for line in quick_start.splitlines() if line.startswith("python3 ")]
    assert len(lines) == 2, "Quick start has exactly two command lines"
    assert "train.py loss=neus_eikonal" in lines[0]
    assert lines[1] in (ROOT / ".ci" / "run").read_text().splitlines()


def test_links_between_the_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
