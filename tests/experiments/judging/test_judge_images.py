"""Renders of other trainers: pairing, pictures side by side, alpha, sizes and ranges."""

import imageio.v3 as iio
import numpy as np
import pytest
from judged_inputs import composited, noisy, true_image, write_folders

from nerfloss.data.errors import DataError
from nerfloss.evaluation.metrics.image import mask_iou, psnr, psnr_masked, ssim
from nerfloss.experiments.judging.file_pairs import pair_files
from nerfloss.experiments.judging.judge_images import judge_images
from nerfloss.experiments.judging.render_settings import RenderSettings

METRICS = {"psnr": psnr, "psnr_masked": psnr_masked, "ssim": ssim, "mask_iou": mask_iou}


def judged(folders, **settings):
    return judge_images(*folders, METRICS, RenderSettings(**settings))


def expected_psnr(renders, truth, background=1.0):
    values = []
    for path in sorted(truth.iterdir()):
        error = (
            composited(iio.imread(path), background) / 255 - iio.imread(renders / path.name) / 255
        )
        values.append(-10 * np.log10(np.square(error).mean()))
    return pytest.approx(np.mean(values), abs=0.02)


def test_the_score_is_that_of_the_images_and_every_assumption_is_said(tmp_path):
    folders = write_folders(tmp_path)
    found = judged(folders)
    assert found.evaluation.values["psnr"] == expected_psnr(*folders)
    assert [row["view"] for row in found.evaluation.views] == ["r_0", "r_1", "r_2", "r_3"]
    assert found.problems == ()
    assert found.notes == (
        "4 renders are paired with true images by their names (r_0.png with r_0.png)",
        "true images have alpha: composited on white, as the renders are where it is 0",
    )
    assert found.evaluation.scores["psnr"].conventions["views"] == 4
    assert found.evaluation.scores["psnr"].conventions["background"] == "white"
    assert "mask_iou" not in found.evaluation.scores, "no render has an opacity"


def test_black_renders_are_judged_on_black(tmp_path):
    folders = write_folders(tmp_path, lambda image, i: noisy(composited(image, 0), i))
    found = judged(folders)
    assert "composited on black, as the renders are" in found.notes[1]
    assert found.evaluation.values["psnr"] == expected_psnr(*folders, background=0.0)
    stated = judged(folders, background="white")
    assert "composited on white, although the renders are black" in stated.notes[1]
    assert stated.evaluation.values["psnr"] < found.evaluation.values["psnr"] - 10


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ("r_{}.jpg", "names"),
        ("r_{}_rgb.png", "names"),
        ("r_{}-img.png", "names"),
        ("R_{}.PNG", "names"),
        ("{:04d}.png", "numbers"),
        ("val_step29999_{:04d}.png", "numbers"),
        ("frame_{:05d}_pred.png", "numbers"),
    ],
)
def test_names_of_other_trainers_are_paired(tmp_path, names, rule):
    found = pair_files(*write_folders(tmp_path, names=names, count=12))
    assert f"by their {rule}" in found.rule
    assert [(n, t.stem, r.name) for n, r, t in found.pairs] == [
        (f"r_{i}", f"r_{i}", names.format(i)) for i in range(12)
    ]
    assert found.missing == found.extra == ()


def test_numbers_that_count_different_things_are_refused_until_order_is_asked_for(tmp_path):
    renders, truth = write_folders(tmp_path, names="{:04d}.png")
    for number in (3, 2, 1):
        (truth / f"r_{number}.png").rename(truth / f"r_{8 * number}.png")
    with pytest.raises(DataError, match=r"do not tell which .* 0000\.png.*--pair order"):
        pair_files(renders, truth)
    found = pair_files(renders, truth, "order")
    assert [(r.name, t.name) for _, r, t in found.pairs][-1] == ("0003.png", "r_24.png")
    (renders / "0003.png").unlink()
    with pytest.raises(DataError, match="3 renders for 4 true images"):
        pair_files(renders, truth, "order")


def test_maps_and_true_copies_beside_renders_are_left_out_and_named(tmp_path):
    renders, truth = write_folders(tmp_path, names="{:04d}_rgb.png")
    for name in ("0000_depth", "0001_normal", "0002_accumulation", "0003_gt", "0000_depth_0001"):
        iio.imwrite(renders / f"{name}.png", true_image(0)[..., :3])
    found = pair_files(renders, truth)
    assert len(found.pairs) == 4
    assert "5 files are maps by their names: 0000_depth.png" in found.notes[0]


@pytest.mark.parametrize("tiles", ["tr", "trdn", "rt"])
def test_the_render_among_pictures_side_by_side_is_found(tmp_path, tiles):
    def canvas(image, number):
        true = composited(image)
        grey = np.full_like(true, 90)
        parts = {"t": true, "r": noisy(true, number), "d": grey, "n": grey // 2}
        return np.concatenate([parts[tile] for tile in tiles], 1)

    found = judged(write_folders(tmp_path / "side", canvas, names="val_{:04d}.png"))
    alone = judged(write_folders(tmp_path / "alone"))
    assert found.evaluation.values == pytest.approx(alone.evaluation.values)
    number = tiles.index("t") + 1, tiles.index("r") + 1
    assert f"number {number[0]} is the true image, {number[1]} is taken" in found.notes[-1]
    assert found.problems == ()


def test_pictures_side_by_side_without_the_true_one_need_a_number(tmp_path):
    def canvas(image, number):
        render = noisy(composited(image), number)
        return np.concatenate([np.full_like(render, 90), render], 1)

    folders = write_folders(tmp_path, canvas)
    with pytest.raises(DataError, match=r"2 pictures side by side.*--tile NUMBER"):
        judged(folders)
    assert judged(folders, tile=2).evaluation.values["psnr"] > 25


def test_a_missing_view_one_of_another_size_and_one_with_alpha_are_named(tmp_path):
    renders, truth = write_folders(tmp_path, count=6)
    (renders / "r_1.png").unlink()
    iio.imwrite(renders / "r_2.png", iio.imread(renders / "r_2.png")[::2, ::2])
    iio.imwrite(renders / "r_3.png", true_image(3))
    iio.imwrite(renders / "r_9.png", true_image(3)[..., :3])
    found = judged((renders, truth))
    assert found.problems[:4] == (
        "1 true images have no render: r_1.png",
        "1 renders have no true image: r_9.png",
        "r_2: the render is 16 x 12 pixels, the true image 32 x 24",
        "1 of 4 renders have alpha, the others none: r_3.png",
    )
    score = found.evaluation.scores["psnr"]
    assert "2 of 6 views: the render is 16 x 12" in (score.reason or "") or score.reason
    rows = {row["view"]: row["psnr"] for row in found.evaluation.views}
    assert rows["r_1"] is rows["r_2"] is None
    assert rows["r_0"] > 25


def test_renders_of_half_the_size_are_judged_against_averages(tmp_path):
    renders, truth = write_folders(tmp_path, alpha=False, render=lambda image, _: image)
    for path in renders.iterdir():
        image = iio.imread(path).astype(float)
        small = image.reshape(12, 2, 16, 2, 3).mean((1, 3))
        iio.imwrite(path, np.floor(small + 0.5).astype(np.uint8) ^ 1)
    with pytest.raises(DataError, match=r"no view can be scored: r_0: .*--downscale"):
        judged((renders, truth))
    found = judged((renders, truth), downscale=2)
    assert found.evaluation.values["psnr"] == pytest.approx(20 * np.log10(255), abs=0.1)
    assert found.evaluation.scores["psnr"].conventions["downscale"] == 2


def test_alpha_of_renders_is_their_opacity(tmp_path):
    found = judged(
        write_folders(tmp_path, lambda image, _: image ^ np.array([8, 8, 8, 0], "uint8"))
    )
    assert found.evaluation.values["mask_iou"] == 1
    assert "renders and true images have alpha: composited on white (--background)" in found.notes


def test_arrays_are_floats_in_the_unit_range(tmp_path):
    renders, truth = write_folders(tmp_path, count=2)
    for path in list(renders.iterdir()):
        np.save(path.with_suffix(".npy"), iio.imread(path).astype(np.float32) / 255)
        path.unlink()
    assert judged((renders, truth)).evaluation.values["psnr"] > 25
    np.save(renders / "r_0.npy", 255 * np.load(renders / "r_0.npy"))
    with pytest.raises(DataError, match=r"r_0\.npy: values from .* to 255, where colours are in"):
        judged((renders, truth))


def test_floats_that_were_written_as_eight_bits_are_refused(tmp_path):
    folders = write_folders(tmp_path, lambda image, _: composited(image) // 255)
    with pytest.raises(DataError, match="values are 0 and 1 of 255"):
        judged(folders)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x[..., ::-1], "red and blue exchanged"),
        (lambda x: x[::-1], "turned upside down"),
        (lambda x: x[:, ::-1], "mirrored"),
        (lambda x: (255 * (x / 255) ** 2.2).astype(np.uint8), "from linear light to sRGB"),
    ],
)
def test_renders_stored_otherwise_are_suspicious(tmp_path, change, words):
    folders = write_folders(tmp_path, lambda image, i: change(noisy(image, i)), alpha=False)
    assert any(words in problem for problem in judged(folders).problems)


def test_wrong_pairs_and_copies_are_suspicious(tmp_path):
    shifted = write_folders(
        tmp_path / "shifted", lambda _, i: noisy(composited(true_image((i + 1) % 4)), i)
    )
    problems = judged(shifted).problems
    assert any("4 of 4 renders resemble another true image more, r_0" in p for p in problems)
    copies = judged(write_folders(tmp_path / "copies", lambda image, _: composited(image)))
    assert copies.problems == ("4 of 4 renders equal the true image: are they renders?",)


def test_folders_without_images_say_what_they_hold(tmp_path):
    (tmp_path / "renders" / "rgb").mkdir(parents=True)
    _, truth = write_folders(tmp_path)
    with pytest.raises(DataError, match=r"no images in it, which holds .*rgb.*one of"):
        pair_files(tmp_path / "renders", truth)
    with pytest.raises(DataError, match="cannot be read"):
        pair_files(tmp_path / "nowhere", truth)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="background='grey': take white or black"):
        RenderSettings(background="grey")
    with pytest.raises(ValueError, match="1 or more"):
        RenderSettings(downscale=0)
