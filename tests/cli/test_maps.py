"""``nerfloss maps``: the files that it writes, its page, and its messages."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import trimesh
from small_runs import untrained_run
from trimesh.visual.color import ColorVisuals

from nerfloss.evaluation.colormaps import INFERNO, apply_colormap

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_run(tmp_path_factory.mktemp("maps") / "run", "loss=neus_full")


@pytest.fixture
def written(command: Command, folder: Path) -> Path:
    """The folder of maps, written once for all tests of this module."""
    if not (folder / "loss_maps").is_dir():
        words = ["--terms", "all", "--gradients", "--conflicts", "rgb", "eikonal", "--block", "8"]
        status, out, err = command("maps", str(folder), *words)
        assert (status, err) == (0, "")
        assert "note: train views " in out
        assert "at 24 x 24, every pixel (--downscale 1), at step 0" in out
        assert out.endswith(f"wrote {folder / 'loss_maps' / 'index.html'}\n")
    return folder / "loss_maps"


def test_each_view_has_a_picture_and_the_values_of_each_term(written):
    described = json.loads((written / "maps.json").read_text())
    assert len(described["views"]) == 3
    terms = ["rgb", "rgb_l1", "eikonal", "mask", "opacity_entropy", "sparsity", "curvature"]
    terms.append("distortion")
    assert list(described["terms"]) == terms
    assert described["terms"]["rgb"]["weight"] == 10
    expected = {*terms, "gradient_rgb", "gradient_rgb_l1"}
    assert set(described["maps"]) == expected | {"conflict_rgb_eikonal", "cosine_rgb_eikonal"}
    for view in described["views"]:
        values = np.load(written / f"{view['files']}.npz")
        for kind, about in described["maps"].items():
            assert values[kind].shape == (24, 24)
            picture = iio.imread(written / f"{view['files']}.{kind}.png")
            # Enlarged ten times, over a colour bar.
            pixels = picture[5:240:10, 5:240:10]
            if about["range"]["colors"] == INFERNO:
                span = about["range"]["low"], about["range"]["high"]
                known = np.isfinite(values[kind])
                colors = apply_colormap(np.nan_to_num(values[kind]), *span, colors=INFERNO)
                assert (pixels[known] == colors[known]).all()
                assert (pixels[~known] == 200).all()
        for kind in ("render", "photo", "error", "normal"):
            assert iio.imread(written / f"{view['files']}.{kind}.png").shape[1] == 240
        sums, kept = values["sums_eikonal"].sum(), values["kept_eikonal"].sum()
        mean = described["terms"]["eikonal"]["mean"][view["name"]]
        assert sums / kept == pytest.approx(mean, rel=1e-5)


def test_a_term_has_one_range_in_all_views(written):
    described = json.loads((written / "maps.json").read_text())
    files = [np.load(written / f"{view['files']}.npz") for view in described["views"]]
    values = np.concatenate([file["rgb"].ravel() for file in files])
    span = described["maps"]["rgb"]["range"]
    assert (span["low"], span["beyond"]) == (0, True)
    assert span["high"] == pytest.approx(np.quantile(np.append(values, 0), 0.99), rel=1e-5)


def test_the_page_needs_no_other_file(written):
    page = (written / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3 * (4 + 12)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "http" not in page
    assert "<script" not in page
    assert "<td>eikonal</td><td class=number>0.1</td>" in page


def test_views_terms_and_sizes_are_those_asked_for(command, folder, tmp_path):
    words = ["--split", "test", "--views", "1", "--terms", "mask", "--downscale", "2"]
    status, out, err = command("maps", str(folder), *words, "-o", str(tmp_path / "maps"))
    assert (status, err) == (0, "")
    assert "at 12 x 12, one pixel in 2 x 2 (--downscale 2)" in out
    described = json.loads((tmp_path / "maps" / "maps.json").read_text())
    assert (described["split"], list(described["terms"])) == ("test", ["mask"])
    assert len(described["views"]) == 1


def test_a_later_call_leaves_no_picture_of_an_earlier_one(command, folder, tmp_path):
    maps = tmp_path / "maps"
    for view in ("0", "1"):
        words = ["--views", view, "--terms", "mask", "--downscale", "4", "-o", str(maps)]
        assert command("maps", str(folder), *words)[0] == 0
        maps.joinpath("mine.png").write_bytes(b"")
    name = json.loads((maps / "maps.json").read_text())["views"][0]["files"]
    kinds = ("error", "mask", "normal", "photo", "render")
    expected = {f"{name}.{kind}.png" for kind in kinds} | {f"{name}.npz", "mine.png"}
    assert {path.name for path in maps.iterdir()} == expected | {"maps.json", "index.html"}


def test_a_mesh_is_written_with_what_was_asked_for(command, folder, tmp_path):
    words = ["--mesh", "surface.ply", "--show", "eikonal_error,visibility"]
    status, out, err = command("maps", str(folder), *words)
    assert (status, err) == (0, "")
    assert "note: colours: eikonal_error, from 0 to" in out
    assert out.endswith("wrote surface.ply\n")
    mesh = trimesh.load_mesh(tmp_path / "surface.ply", process=False)
    assert isinstance(mesh.visual, ColorVisuals)
    assert mesh.visual.kind == "vertex"
    fields = mesh.metadata["_ply_raw"]["vertex"]["data"].dtype.names
    assert {"eikonal_error", "visibility"} <= set(fields)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--views", "9"], "--views 9: the train split has 6 views, 0 to 5 or by name"),
        (["--terms", "colour"], "'colour' is no term of this recipe: choose from rgb"),
        (["--conflicts", "rgb", "curvature"], "'curvature' has weight 0 at step 0"),
        (["--downscale", "0"], "a downscale of 0 does not fit a view of 24 x 24"),
        (["--mesh", "surface.stl"], "numbers of vertices fit into .ply or .glb"),
        (["--mesh", "surface.ply"], "--output is for maps of views: leave it away with --mesh"),
        (["--conflicts", "rgb", "rgb"], "a conflict is between two terms, got 'rgb' twice"),
        (["--show", "visibility"], "--show is for the mesh: give --mesh FILE, too"),
    ],
)
def test_a_mistake_is_a_message(command, folder, tmp_path, words, message):
    status, _, err = command("maps", str(folder), *words, "-o", str(tmp_path / "none"))
    assert status == 2
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "none").exists()


def test_a_file_is_no_folder_for_maps(command, folder, tmp_path):
    (tmp_path / "taken").write_text("")
    status, _, err = command("maps", str(folder), "-o", str(tmp_path / "taken"))
    assert status == 2
    assert "is a file: name a folder" in " ".join(err.split())


def test_a_list_without_a_name_is_refused(command, folder):
    status, _, err = command("maps", str(folder), "--terms", ",")
    assert status == 2
    assert "',' has no name: give A or A,B" in err


def test_a_view_that_is_named_twice_is_drawn_once(command, folder, tmp_path):
    words = ["--views", "0,0", "--terms", "mask", "--downscale", "4"]
    assert command("maps", str(folder), *words, "-o", str(tmp_path / "maps"))[0] == 0
    assert len(json.loads((tmp_path / "maps" / "maps.json").read_text())["views"]) == 1


def test_settings_of_the_data_are_taken_as_by_eval(command, folder, tmp_path):
    words = ["--views", "1", "--split", "test", "-o", str(tmp_path / "maps")]
    assert (
        "1: the test split has 1 views"
        in command("maps", str(folder), *words, "dataset.test_views=1")[2]
    )


def test_a_folder_without_a_run_is_named(command, tmp_path):
    status, _, err = command("maps", str(tmp_path))
    assert status == 2
    assert "is no run" in err
