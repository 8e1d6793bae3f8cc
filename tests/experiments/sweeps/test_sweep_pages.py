"""The commands of the pages about sweeps and ablations, as a reader would type them."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("ablating.md", "sweeps.md")


def commands(page):
    """The sweeps of a page, each as words; what is cut short (...) is no command."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    typed = [shlex.split(line, comments=True) for line in lines]
    return [words[2:] for words in typed if words[:2] == ["python", "train.py"]]


def in_miniature(words):
    """One seed and one trial, in one process, where the test says: other processes do not play."""
    ours = ("hydra/launcher=", "hydra.launcher.", "hydra.sweep.dir=", "hydra.sweeper.n_trials=")
    kept = [re.sub(r"^seeds=.*", "seeds=[0]", word) for word in words if not word.startswith(ours)]
    return (*kept, *(["hydra.sweeper.n_trials=1"] if "hydra/sweeper=optuna" in kept else []))


EVERY = sorted({in_miniature(words) for page in PAGES for words in commands(page)})


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_commands(page):
    assert len(commands(page)) > 3


@pytest.mark.slow
@pytest.mark.parametrize("words", EVERY, ids=[" ".join(words)[:90] for words in EVERY])
def test_a_command_of_a_page_runs(words, sweep, play):
    if "hydra/sweeper=optuna" in words:
        pytest.importorskip("optuna", reason="needs the extra 'sweep'")
    assert sweep(*(word for word in words if word != "-m"), many="-m" in words) == 0
    assert play.started
