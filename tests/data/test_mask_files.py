"""Masks of every usual kind mean the same; what is ambiguous is refused."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import mutate, write_png16
from PIL import Image

from nerfloss.data.errors import DataError
from nerfloss.data.mask_files import (
    mask_values_note,
    read_mask,
    read_mask_with_note,
    read_object_mask,
)

SHAPE = (6, 8)


@pytest.fixture
def disc() -> np.ndarray:
    rows, columns = np.mgrid[:6, :8]
    return ((rows - 2.5) ** 2 + (columns - 3.5) ** 2 < 6).astype(np.uint8) * 255


def saved(path, pixels, mode=None):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_a_mask_in_any_mode_is_as_stored(tmp_path, disc, mode):
    grey = disc if mode == "1" else np.where(disc, 200, 17).astype(np.uint8)
    path = saved(tmp_path / "x.png", grey, mode)
    np.testing.assert_array_equal(read_mask(path), grey)
    assert mask_values_note(path) is None


def test_values_of_0_and_1_are_black_and_white_and_it_is_said(tmp_path, disc):
    for name, pixels in [("grey", disc // 255), ("rgb", np.stack([disc // 255] * 3, -1))]:
        mask, note = read_mask_with_note(saved(tmp_path / f"{name}.png", pixels))
        np.testing.assert_array_equal(mask, disc)
        assert "values are 0 and 1" in (note or "")


def test_an_empty_and_a_full_mask_stay_so(tmp_path):
    assert (read_mask(saved(tmp_path / "0.png", np.zeros(SHAPE, np.uint8))) == 0).all()
    assert (read_mask(saved(tmp_path / "255.png", np.full(SHAPE, 255, np.uint8))) == 255).all()


def test_masks_of_16_bits_may_hold_16_or_8_or_1(tmp_path, disc):
    for scale, words in [(257, ""), (1, "taken as 8-bit"), (1 / 255, "values are 0 and 1")]:
        path = write_png16(tmp_path / "x.png", np.round(disc * float(scale)))
        mask, note = read_mask_with_note(path)
        np.testing.assert_array_equal(mask, disc)
        assert words in (note or "")


def test_alpha_is_the_mask_where_the_grey_is_constant_or_the_picture_is_coloured(tmp_path, disc):
    white = np.dstack([np.full((*SHAPE, 3), 255, np.uint8), disc])
    picture = np.dstack([np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8), disc])
    for name, pixels in [("white", white), ("picture", picture)]:
        mask, note = read_mask_with_note(saved(tmp_path / f"{name}.png", pixels))
        np.testing.assert_array_equal(mask, disc)
        assert "the alpha channel is taken as the mask" in (note or "")


def test_grey_and_alpha_may_agree_but_not_contradict(tmp_path, disc):
    np.testing.assert_array_equal(
        read_mask(saved(tmp_path / "same.png", np.dstack([disc] * 4))), disc
    )
    path = saved(tmp_path / "differ.png", np.dstack([disc, disc, disc, 255 - disc]))
    with pytest.raises(DataError, match=r"differ\.png: grey and alpha channel both vary"):
        read_mask(path)


def test_colours_are_refused_but_a_palette_of_black_and_one_colour_is_not(tmp_path, disc):
    colours = np.dstack([disc, disc // 2, disc * 0])
    with pytest.raises(DataError, match=r"x\.png: a mask in 2 colours, whose meaning is unknown"):
        read_mask(saved(tmp_path / "x.png", colours))
    image = Image.fromarray(disc // 255, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(path := tmp_path / "palette.png")
    mask, note = read_mask_with_note(path)
    np.testing.assert_array_equal(mask, disc)
    assert "#800000" in (note or "")
    image.putpixel((0, 0), 2)
    image.save(path)
    with pytest.raises(DataError, match="a mask in 3 colours"):
        read_mask(path)


def test_the_noise_of_a_jpeg_is_no_colour(tmp_path, disc):
    big = disc.repeat(8, 0).repeat(8, 1)
    image = Image.fromarray(np.dstack([big] * 3))
    image.save(path := tmp_path / "x.jpg", quality=60)
    np.testing.assert_array_equal(read_mask(path) > 127, big > 127)


def test_a_mask_is_averaged_after_its_values_are_stretched(tmp_path, disc):
    path = saved(tmp_path / "x.png", disc // 255)
    expected = np.asarray(Image.fromarray(disc).reduce(2))
    np.testing.assert_array_equal(read_mask(path, (4, 3)), expected)
    assert read_mask(path, (5, 4)).shape == (4, 5)
    with pytest.raises(DataError, match="never enlarged"):
        read_mask(path, (16, 12))


def test_a_mask_is_turned_upright(tmp_path, disc):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(disc).save(path := tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read_mask(path, upright=True), np.rot90(disc, -1))
    np.testing.assert_array_equal(read_mask(path), disc)


@given(
    mode=st.sampled_from(["L", "LA", "RGB", "RGBA", "P", "1", "16"]),
    change=st.sampled_from(["cut", "overwritten", "extended"]),
    at=st.floats(0, 1, exclude_max=True),
    noise=st.binary(min_size=1, max_size=8),
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_mutated_mask_is_read_or_refused(tmp_path, disc, mode, change, at, noise):
    path = tmp_path / "mutated.png"
    if mode == "16":
        write_png16(path, disc.astype(int) * 257)
    else:
        saved(path, disc, mode)
    path.write_bytes(mutate(path.read_bytes(), change, at, noise))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            mask = read_mask(path, upright=True)
        except DataError:
            return
    assert mask.dtype == np.uint8
    assert mask.ndim == 2


@pytest.mark.parametrize("capture", ["r08_1bit", "r08_01"])
def test_the_captures_with_masks_of_two_values_are_those_with_grey(test_data, capture):
    folder = test_data / "captures"
    if not folder.is_dir():
        pytest.skip(f"no captures at {folder}")
    masks = sorted((folder / capture / "mask").iterdir())
    assert len(masks) == 15
    for path in masks:
        expected = read_mask(folder / "neus_padded" / "mask" / path.name)
        np.testing.assert_array_equal(read_mask(path) > 127, expected > 127)


def test_a_grey_object_mask_is_cut_and_it_is_said(tmp_path, disc):
    soft = np.where(disc, np.linspace(100, 200, 8).astype(np.uint8), 0)
    mask, note = read_object_mask(saved(tmp_path / "soft.png", soft.astype(np.uint8)))
    np.testing.assert_array_equal(mask, np.where(soft > 127, 255, 0))
    assert "values above 127 are object" in (note or "") or "those above 127" in (note or "")


@pytest.mark.parametrize("labels", [[0, 85, 170, 255], [0, 1, 2, 200], [0, 128, 255]])
def test_the_values_of_labels_are_listed(tmp_path, labels):
    values = np.resize(np.array(labels, np.uint8), SHAPE)
    mask, note = read_object_mask(saved(tmp_path / "labels.png", values))
    np.testing.assert_array_equal(mask, np.where(values > 127, 255, 0))
    listed = ", ".join(map(str, labels))
    assert note == f"object masks hold the values {listed}: those above 127 are object"


def test_black_and_white_with_few_grey_pixels_is_no_remark(tmp_path):
    values = np.zeros((64, 64), np.uint8)
    values[10:50, 10:50] = 255
    values[10, 10:50] = 128
    assert read_object_mask(saved(tmp_path / "x.png", values))[1] is None
