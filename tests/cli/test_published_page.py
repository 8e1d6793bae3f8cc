"""The page of published figures agrees with its data, and the data with itself."""

import copy
from pathlib import Path

import pytest
import yaml

from nerfloss.assembly.config_files import read_yaml
from nerfloss.cli.reference.published_page import PAGE, published_page
from nerfloss.experiments.report.published import DATA, rows_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
SETS = read_yaml(DOCS / DATA)["sets"]
ROWS = [(dataset["title"], row) for dataset in SETS for row in rows_of(dataset)]


def test_the_page_is_what_the_data_gives():
    page = (DOCS / PAGE).read_text()
    assert page == published_page(DOCS / DATA), "run 'nerfloss docs' and commit what it wrote"


@pytest.mark.parametrize(("title", "row"), ROWS, ids=lambda x: getattr(x, "method", x))
def test_a_stated_mean_is_that_of_the_figures(title, row):
    if row.mean is not None and None not in row.figures:
        # Means of figures that were rounded to two decimals, and rounded once more.
        assert row.mean == pytest.approx(sum(row.figures) / len(row.figures), abs=0.0101), title


def test_there_are_figures_of_twelve_methods_and_each_is_cited():
    page = (DOCS / PAGE).read_text()
    assert len({row.method for _, row in ROWS}) >= 12
    assert {dataset["title"] for dataset in SETS} >= {
        "NeRF-synthetic",
        "DTU",
        "mip-NeRF 360",
        "Tanks and Temples",
    }
    for source in read_yaml(DOCS / DATA)["sources"].values():
        assert f"{source['text']}:\n    <{source['url']}>" in page
        assert source["url"].startswith("https://")


def test_every_source_is_used():
    assert {row.source for _, row in ROWS} == set(read_yaml(DOCS / DATA)["sources"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dataset: dataset["rows"][0]["figures"].pop(), "7 figures for 8 columns"),
        (
            lambda dataset: dataset["rows"][0].update(source="hearsay"),
            "no source is called hearsay",
        ),
        (lambda dataset: dataset["experiments"].append("lego2"), "no experiment is called lego2"),
        (lambda dataset: dataset["experiments"].append("small/sdf"), "no experiment is called"),
    ],
)
def test_data_that_does_not_fit_is_refused(tmp_path, change, message):
    data = copy.deepcopy(read_yaml(DOCS / DATA))
    change(data["sets"][0])
    (tmp_path / DATA).write_text(yaml.safe_dump(data))
    with pytest.raises(ValueError, match=message):
        published_page(tmp_path / DATA)
