"""The commands of the pages about sweeps and ablations, as a reader would type them."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ("ablating.md", "sweeps.md")


def commands(page):
    """The sweeps of a page, each as words; what is cut short (...) is no command."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    typed = [shlex.split(line, comments=True) for line in lines]
    return [words[2:] for words in typed if words[:2] == ["python", "train.py"]]


EVERY = [(page, words) for page in PAGES for words in commands(page)]


def test_the_pages_have_commands():
    assert {page for page, _ in EVERY} == set(PAGES)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "words"), EVERY, ids=lambda each: " ".join(each)[:80])
def test_a_command_of_a_page_runs(page, words, sweep, play):  # noqa: ARG001
    # Several processes would not play; how many trials or where it writes is the test's.
    ours = ("hydra/launcher=", "hydra.launcher.", "hydra.sweep.dir=", "hydra.sweeper.n_trials=")
    kept = [word for word in words if word != "-m" and not word.startswith(ours)]
    if "hydra/sweeper=optuna" in kept:
        pytest.importorskip("optuna", reason="needs the extra 'sweep'")
        kept.append("hydra.sweeper.n_trials=1")
    assert sweep(*kept, many="-m" in words) == 0
    assert play.started
