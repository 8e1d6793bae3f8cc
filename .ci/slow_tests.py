"""Print the folders and files whose slow tests a change touches, one per line; nothing if none.

A change is everything since ``CI_BASE``, a commit; by default since the newest commit that is
twelve hours older than the last one, which is the whole of a day's submission. A package has its
tests in the folder of the same name; the modules at the top of tests/ train whole runs and belong
to every package.
"""

import os
import subprocess
from pathlib import Path

HOURS = 12
# Folders and programs that belong to no package: whole runs and commands try them.
OUTSIDE = ("conf", "hydra_plugins", "train.py", "eval.py", "benchmarks", "docs")
EVERYTHING = ("pyproject.toml", ".ci/run", "tests/conftest.py", "tests/small_runs.py")


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def base() -> str:
    """The commit that a change is compared with; the first of all where none is old enough."""
    if given := os.environ.get("CI_BASE"):
        return given
    last = int(git("log", "-1", "--format=%ct"))
    before = git("rev-list", "-1", f"--before={last - HOURS * 3600}", "HEAD")
    return before or git("rev-list", "--max-parents=0", "HEAD").splitlines()[0]


def touched(changed: list[str]) -> set[str]:
    """The paths below tests/ that belong to the changed files."""
    if any(name in EVERYTHING for name in changed):
        return {"tests"}
    paths: set[str] = set()
    for name in map(Path, changed):
        if name.parts[0] == "tests" and name.suffix == ".py" and len(name.parts) > 1:
            paths.add(str(Path(*name.parts[:2])))
        elif name.parts[0] == "nerfloss":
            paths |= {f"tests/{name.parts[1].removesuffix('.py')}", "tests/test_*.py"}
        elif name.parts[0] in OUTSIDE:
            paths |= {f"tests/{name.parts[0]}", "tests/test_*.py", "tests/cli", "tests/experiments"}
    return paths


def main() -> None:
    changed = git("diff", "--name-only", base(), "HEAD").splitlines()
    files = {str(found) for pattern in touched(changed) for found in Path().glob(pattern)}
    print("\n".join(sorted(files)))


if __name__ == "__main__":
    main()
