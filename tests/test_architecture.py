"""The architecture, checked: who may import whom, and the house rules that a program can read.

Each rule is one test over all files; a failure lists every file that breaks it. The table of rooms
is read from docs/architecture.md, where it stands for people.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nerfloss"
FILES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = [ROOT / "train.py", ROOT / "eval.py", *sorted((ROOT / "hydra_plugins").glob("*.py"))]
FLOORS = 9
ROOMS = 19 + 5  # packages and loose modules
# Rooms of nothing but mathematics, and what they may use beside the standard library.
PURE = {"maths": {"torch", "jaxtyping"}, "losses": {"torch", "jaxtyping"}}
KNOW_HYDRA = ("assembly", "cli", "experiments")
IMPORTED_AS = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "scikit-image": "skimage",
}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
PRIVATE_WORDS = re.compile(r"\b(scout|scouting|errand|parcel|somebody|nobody|everybody)\b", re.I)


@dataclass(frozen=True)
class Import:
    """One import of a whole module path; ``lazy`` inside a function."""

    module: str
    lazy: bool
    line: int


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, lazy, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                module = "." * child.level + (child.module or "")
                names = [f"{module}.{alias.name}" for alias in child.names]
                yield from (
                    Import(name, lazy, child.lineno)
                    for name in (names if module == "nerfloss" else [module])
                )
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, lazy or inside)

    return tuple(walk(tree_of(path), lazy=False))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    """The room that a file belongs to: its package, or itself; the programs are rooms as well."""
    if not path.is_relative_to(PACKAGE):
        return name_of(path)
    inside = path.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imported_rooms(path: Path) -> set[str]:
    names = (entry.module.split(".") for entry in imports_of(path))
    return {name[1] for name in names if name[0] == "nerfloss" and len(name) > 1} - {room_of(path)}


def documented_rooms() -> dict[str, set[str]]:
    """Each room of docs/architecture.md and the rooms that it may import."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    rooms: dict[str, set[str]] = {}
    for room, allowed in rows:
        above = set(rooms)
        if "all" in allowed.split("`")[0]:
            rooms[room] = above - set(re.findall(r"`(\w+)`", allowed))
        else:
            rooms[room] = set(re.findall(r"`(\w+)`", allowed))
    return rooms


def third_party(path: Path) -> list[Import]:
    found = (entry for entry in imports_of(path) if not entry.module.startswith("."))
    ours = {*sys.stdlib_module_names, "nerfloss"}
    return [entry for entry in found if entry.module.partition(".")[0] not in ours]


def required_packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=!~;\[ ]", entry)[0] for entry in project["dependencies"]}
    # numba is llvmlite's front end: it cannot be installed without it.
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} | {"llvmlite"}


def test_every_room_is_documented_and_there_are_few() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    documented = set(documented_rooms())
    assert rooms == documented, "docs/architecture.md lists every room, and no other"
    assert len(rooms) <= ROOMS
    packages = {path.relative_to(PACKAGE).parts[0] for path in FILES if path.parent != PACKAGE}
    assert len(rooms - packages) <= 5, "at most five modules beside __init__ and __main__"


def test_a_room_imports_only_what_the_documented_table_allows() -> None:
    allowed = documented_rooms()
    faults = [
        f"{name_of(path)} imports {', '.join(sorted(wrong))}"
        for path in FILES
        if room_of(path) in allowed and (wrong := imported_rooms(path) - allowed[room_of(path)])
    ]
    assert faults == []


def test_imports_run_one_way_over_few_floors() -> None:
    below: dict[str, set[str]] = defaultdict(set)
    for path in [*FILES, *PROGRAMS]:
        if room_of(path) != "__init__":
            below[room_of(path)] |= imported_rooms(path)

    def floor(room: str, above: tuple[str, ...] = ()) -> int:
        assert room not in above, f"a circle of imports: {' -> '.join([*above, room])}"
        return 1 + max((floor(each, (*above, room)) for each in below[room]), default=0)

    floors = {room: floor(room) for room in list(below)}
    assert max(floors.values()) <= FLOORS, floors


def test_imports_are_absolute_and_annotations_stay_checkable() -> None:
    relative = [
        f"{name_of(path)}:{entry.line}"
        for path in FILES
        for entry in imports_of(path)
        if entry.module.startswith(".") or entry.module == "__future__"
    ]
    assert relative == []


def test_mathematics_uses_torch_alone() -> None:
    faults = [
        f"{name_of(path)}:{entry.line} imports {entry.module}"
        for path in FILES
        for entry in third_party(path)
        if room_of(path) in PURE
        and not entry.lazy
        and entry.module.partition(".")[0] not in PURE[room_of(path)]
    ]
    assert faults == []


def test_few_rooms_know_hydra() -> None:
    faults = [
        f"{name_of(path)}:{entry.line} imports {entry.module}"
        for path in FILES
        for entry in third_party(path)
        if entry.module.partition(".")[0] in ("hydra", "omegaconf")
        and room_of(path) not in KNOW_HYDRA
    ]
    assert faults == []


def test_an_optional_package_is_imported_lazily_and_in_one_file() -> None:
    required = required_packages()
    files: dict[str, set[str]] = defaultdict(set)
    eager = []
    for path in FILES:
        for entry in third_party(path):
            package = entry.module.partition(".")[0]
            if package not in required:
                files[package].add(name_of(path))
                if not entry.lazy:
                    eager.append(f"{name_of(path)}:{entry.line} imports {package} at once")
    assert eager == []
    assert {package: where for package, where in files.items() if len(where) > 1} == {}


def test_files_of_tests_have_names_of_their_own() -> None:
    """pytest imports them by name, and refuses the second of two alike in a run of all tests."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_a_file_is_one_idea_of_readable_length() -> None:
    faults = []
    for path in FILES:
        lines = len(path.read_text().splitlines())
        if lines > 220:
            faults.append(f"{name_of(path)} has {lines} lines: which are its two ideas?")
        if lines and not ast.get_docstring(tree_of(path)):
            faults.append(f"{name_of(path)} does not say its idea in a docstring")
        if path.stem in EMPTY_NAMES:
            faults.append(f"{name_of(path)} is not named by what it holds")
    assert faults == []


def test_no_function_is_longer_than_forty_lines() -> None:
    faults = []
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first, last = node.body[0], node.body[-1]
                has_docstring = ast.get_docstring(node) is not None and len(node.body) > 1
                begin = (first.end_lineno if has_docstring else first.lineno - 1) or 0
                if (lines := (last.end_lineno or 0) - begin) > 40:
                    faults.append(f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines")
    assert faults == []


def test_parts_are_not_probed() -> None:
    """A part declares what it offers in a Protocol; a getattr with a literal name hides a seam."""
    faults = []
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "getattr":
                literal = isinstance(node.args[1], ast.Constant)
                if literal and f"{name_of(path)}:{node.args[1].value}" not in PROBES:
                    faults.append(f"{name_of(path)}:{node.lineno} probes for {node.args[1].value}")
    assert faults == []


# getattr with a literal name that is no seam of ours, and why.
PROBES = {
    "nerfloss/cli/reference/loss_page.py:__module__": "any object may stand in a module",
    "nerfloss/losses/__init__.py:__module__": "any object may stand in a module",
    "nerfloss/cli/reference/profiling.py:kineto_results": "torch has no public access",
    "nerfloss/losses/pretrained/networks.py:out_channels": "a layer of torch",
    "nerfloss/losses/pretrained/networks.py:ceil_mode": "a layer of torch",
    "nerfloss/training/oom_hints.py:__notes__": "an exception has notes once one was added",
    "nerfloss/cli/errors.py:__notes__": "an exception has notes once one was added",
}


def test_every_folder_of_the_package_is_a_package() -> None:
    missing = [path.parent for path in FILES if not (path.parent / "__init__.py").exists()]
    assert missing == []


def test_the_private_words_of_earlier_versions_are_gone() -> None:
    texts = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".js", ".css", ".j2")]
    texts += [*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    faults = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PRIVATE_WORDS.search(line)
    ]
    assert faults == []


def test_continuous_integration_runs_the_line_that_the_readme_gives() -> None:
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2, "README has two lines to copy: one that runs, one that tests"
    assert "train.py loss=neus_eikonal" in commands[0]
    assert commands[1] in (ROOT / ".ci" / "run").read_text().splitlines()


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_links_between_the_documents_lead_somewhere() -> None:
    faults = [
        f"{name_of(document)} links to {target}"
        for document in documents()
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert faults == []


def test_lines_of_the_documents_break_at_120_characters() -> None:
    faults = []
    for document in documents():
        code = False
        for number, line in enumerate(document.read_text().splitlines(), 1):
            code ^= line.startswith("```")
            free = code or line.lstrip().startswith(("|", "!", "<", "#")) or " " not in line.strip()
            if len(line) > 120 and not free and "](" not in line[80:]:
                faults.append(f"{name_of(document)}:{number} has {len(line)} characters")
    assert faults == []
