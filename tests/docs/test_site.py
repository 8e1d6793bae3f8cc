"""The documentation builds as a site without warnings, and names files that exist."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", ROOT / "benchmarks" / "README.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
FOLDERS = r"(?:nerfloss|tests|benchmarks|conf|docs|hydra_plugins)"
# Folders of architecture.md's prose that are named without `nerfloss/` in front.
IN_PACKAGE = r"(?:data|kernels|quantities|renderers|samplers|recipe|training|evaluation|assembly)"


def code_spans(page: Path) -> list[str]:
    """Return the inline code of a page, without its code blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", text)


def missing_files(page: Path) -> list[str]:
    """Return the paths that a page names in inline code and that do not exist."""
    missing = []
    for span in code_spans(page):
        if re.fullmatch(rf"{FOLDERS}(/[\w.-]+)*/?", span):
            places = [ROOT / span]
        elif re.fullmatch(rf"{IN_PACKAGE}(/\w+)*/\w+\.py", span):
            places = [ROOT / "nerfloss" / span]
        else:
            continue
        if not any(place.exists() for place in places):
            missing.append(span)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    assert missing_files(page) == []


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    for page in ("index.html", "first_study/index.html", "architecture/index.html"):
        assert (tmp_path / page).is_file()
