"""Images of every kind become right 8-bit pixels, or are refused with their names."""

import importlib.util
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import mutate, png_chunk, write_png16
from PIL import Image, ImageCms, ImageOps

from nerfloss.data.errors import DataError
from nerfloss.data.image_headers import ImageHeader, conversion_note, read_header
from nerfloss.data.image_reading import area_average, read_image

FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def random_pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 4, columns * 4, 255 - rows - columns], -1).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    with io.BytesIO() as buffer:
        image.save(buffer, format, **options)
        return buffer.getvalue()


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("channels", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_8_bits_are_as_stored_and_whole_ratios_as_reduce(tmp_path, mode, channels):
    image = Image.fromarray(random_pixels(12, 16, 4)).convert(mode)
    image.save(path := tmp_path / "x.png")
    with Image.open(path) as stored:
        expected = stored.convert("RGBA" if mode == "P" else mode).convert(channels)
    np.testing.assert_array_equal(read_image(path, channels), np.asarray(expected))
    for size, factors in [((8, 6), (2, 2)), ((4, 4), (4, 3)), ((16, 4), (1, 3))]:
        reduced = np.asarray(expected.reduce(factors))
        np.testing.assert_array_equal(read_image(path, channels, size), reduced)


@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 3)])
def test_area_average_equals_the_mean_over_a_fine_grid(shape):
    pixels, (height, width) = random_pixels(*shape), (4, 6)
    # Each pixel repeated so often that the bounds of both grids meet.
    fine = pixels.repeat(height, 0).repeat(width, 1).astype(float)
    blocks = fine.reshape(height, shape[0], width, shape[1], -1).mean((1, 3))
    expected = np.floor(blocks + 0.5).reshape(height, width, *shape[2:])
    difference = area_average(pixels, (width, height)).astype(int) - expected
    assert np.abs(difference).max() <= 1  # rounding of float32 at halves
    assert (difference != 0).mean() < 0.02


def test_area_average_is_the_same_in_bands_and_keeps_constants():
    pixels = random_pixels(300, 7, 3)
    whole = area_average(pixels, (5, 201))
    turned = area_average(pixels.transpose(1, 0, 2).copy(), (201, 5)).transpose(1, 0, 2)
    assert np.abs(whole.astype(int) - turned).max() <= 1
    assert (area_average(np.full((65, 49, 3), 77, np.uint8), (32, 24)) == 77).all()


def test_colours_are_weighted_by_alpha(tmp_path):
    pixels = np.zeros((5, 5, 4), np.uint8)
    pixels[:, :2] = (200, 100, 50, 255)
    pixels[:, 2:] = (9, 255, 9, 0)
    Image.fromarray(pixels).save(path := tmp_path / "x.png")
    result = read_image(path, "RGBA", (2, 2))
    np.testing.assert_array_equal(result[:, 0], [[200, 100, 50, 204]] * 2)
    np.testing.assert_array_equal(result[:, 1], 0)


def test_an_image_is_never_enlarged(tmp_path):
    Image.fromarray(random_pixels(4, 6, 3)).save(path := tmp_path / "small.png")
    for size in [(7, 4), (6, 5), (12, 8), (0, 4)]:
        with pytest.raises(DataError, match=r"small\.png: 6 x 4 pixels, where"):
            read_image(path, "RGB", size)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_turns_the_image_upright(tmp_path, format, orientation):
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {format}")
    image = Image.fromarray(smooth(24, 32))
    path = tmp_path / "x.bin"
    path.write_bytes(encoded(image, format, exif=with_orientation(orientation)))
    with Image.open(path) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    header = read_header(path)
    assert header.upright_size == upright.shape[1::-1]
    np.testing.assert_array_equal(read_image(path, "RGB", upright=True), upright)
    size = (upright.shape[1] // 2, upright.shape[0] // 2)
    assert read_image(path, "RGB", size, upright=True).shape == (size[1], size[0], 3)
    if format != "TIFF":  # whose decoder always turns
        assert (header.width, header.height, header.orientation) == (32, 24, orientation)
        assert read_image(path, "RGB").shape == (24, 32, 3)


def test_orientation_behind_the_pixels_of_a_png_is_found(tmp_path):
    content = encoded(Image.fromarray(smooth(8, 12)), "PNG")
    end = content.index(b"IEND") - 4
    exif = with_orientation(6).tobytes()[6:]
    path = tmp_path / "x.png"
    path.write_bytes(content[:end] + png_chunk(b"eXIf", exif) + content[end:])
    assert read_header(path).orientation == 6
    assert read_image(path, "RGB", upright=True).shape == (12, 8, 3)


@pytest.mark.parametrize("value", [0, 9, 1000])
def test_an_orientation_that_does_not_exist_changes_nothing(tmp_path, value):
    Image.fromarray(smooth(8, 12)).save(path := tmp_path / "x.jpg", exif=with_orientation(value))
    assert read_header(path).orientation == 1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_rounded_to_8(tmp_path, channels):
    values = np.random.default_rng(0).integers(0, 65536, (6, 8, channels))
    path = write_png16(tmp_path / "x.png", values)
    header = read_header(path)
    assert header.bits == 16
    assert conversion_note(header) == "16 bits per channel are rounded to 8"
    expected = np.broadcast_to(np.round(values / 257), (6, 8, max(3, channels)))
    result = read_image(path, "RGBA" if channels == 4 else "RGB")
    np.testing.assert_array_equal(result, expected)


def test_16_bit_grey_with_alpha_and_16_bit_tiff_are_not_clipped(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (6, 8, 2))
    result = read_image(write_png16(tmp_path / "x.png", values), "RGBA")
    assert np.abs(result[..., [0, 3]] - values / 257).max() < 1
    Image.fromarray(values[..., 0].astype(np.uint16)).save(path := tmp_path / "x.tif")
    np.testing.assert_array_equal(read_image(path, "L"), np.round(values[..., 0] / 257))


def test_a_transparent_colour_of_16_bits_is_compared_with_all_bits(tmp_path):
    values = np.full((2, 2, 3), 1000)
    values[0, 0] = 1001
    key = (b"tRNS", struct.pack(">HHH", 1001, 1001, 1001))
    path = write_png16(tmp_path / "x.png", values, key)
    assert read_header(path).has_alpha
    np.testing.assert_array_equal(read_image(path, "RGBA")[..., 3], [[0, 255], [255, 255]])


def test_transparency_of_palettes_and_of_one_colour_is_alpha(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    image.save(path := tmp_path / "palette.png", transparency=bytes([128, 0]))
    assert read_header(path).has_alpha
    np.testing.assert_array_equal(read_image(path, "RGBA"), [[[255, 0, 0, 128], [0, 255, 0, 0]]])
    np.testing.assert_array_equal(read_image(path, "RGB"), [[[255, 0, 0], [0, 255, 0]]])
    Image.new("RGB", (2, 1), (1, 2, 3)).save(path := tmp_path / "key.png", transparency=(1, 2, 3))
    assert (read_image(path, "RGBA")[..., 3] == 0).all()


def test_1_bit_and_grey_become_colours(tmp_path):
    bits = random_pixels(5, 7) > 127
    Image.fromarray(bits).save(path := tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(path, "L"), bits * 255)
    np.testing.assert_array_equal(read_image(path, "RGB")[..., 1], bits * 255)
    assert (read_image(path, "RGBA")[..., 3] == 255).all()


def test_cmyk_is_converted_and_said(tmp_path):
    colours = smooth(8, 12)
    Image.fromarray(colours).convert("CMYK").save(path := tmp_path / "x.tif")
    assert "CMYK" in (conversion_note(read_header(path)) or "")
    np.testing.assert_array_equal(read_image(path, "RGB"), colours)


@pytest.mark.parametrize("profile", [b"no profile", "sRGB"])
def test_a_profile_that_does_not_fit_cmyk_is_named(tmp_path, profile):
    if profile == "sRGB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(smooth(8, 12)).convert("CMYK")
    image.save(path := tmp_path / "x.jpg", icc_profile=profile)
    with pytest.raises(DataError, match=r"x\.jpg: CMYK with a colour profile that cannot be used"):
        read_image(path, "RGB")


def test_animations_and_pages_are_refused_but_not_the_pictures_beside_a_photograph(tmp_path):
    frames = [Image.fromarray(random_pixels(8, 8, 3, seed=i)) for i in range(3)]
    for name in ("x.gif", "x.png", "x.webp", "x.tif"):
        frames[0].save(path := tmp_path / name, save_all=True, append_images=frames[1:])
        assert read_header(path).frames == 3
        with pytest.raises(DataError, match=r"an animation or several pages \(3 frames\)"):
            read_image(path, "RGB")
    frames[0].save(path := tmp_path / "x.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert read_header(path).frames == 1
    assert read_image(path, "RGB").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", "empty, 0 bytes"),
        ("a.png", b"<html></html>", "not an image that can be read; replace the file"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("a.exr", b"\x76\x2f\x31\x01" + bytes(90), "an image of 32-bit floats"),
        ("a.hdr", b"#?RADIANCE\n", "an image of 32-bit floats"),
        ("a.NEF", b"II*\0" + bytes(90), "a raw photograph"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    for read in (read_header, lambda path: read_image(path, "RGB")):
        with pytest.raises(DataError, match=f"{name}: {message}"):
            read(tmp_path / name)
    with pytest.raises(DataError, match="no such image"):
        read_header(tmp_path / "gone.png")
    with pytest.raises(DataError, match="no such image"):
        read_header(tmp_path)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), r"cannot be read \(Permission denied\)"),
        (MemoryError(), "does not fit into memory"),
        (IndexError(), r"truncated or corrupt \(IndexError\)"),
    ],
)
def test_an_error_of_the_system_is_told_from_a_corrupt_file(tmp_path, monkeypatch, error, message):
    def fail(*_args, **_settings):
        raise error

    Image.new("L", (2, 2)).save(path := tmp_path / "x.png")
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(DataError, match=rf"x\.png: {message}"):
        read_header(path)


@pytest.mark.parametrize(("dtype", "words"), [("f4", "32-bit floats"), ("i4", "32-bit integers")])
def test_32_bits_are_refused(tmp_path, dtype, words):
    Image.fromarray(np.ones((4, 4), dtype)).save(path := tmp_path / "x.tif")
    with pytest.raises(DataError, match=f"pixel format {words}"):
        read_header(path)


def test_the_thumbnail_of_a_raw_photograph_is_refused(tmp_path):
    image = Image.fromarray(random_pixels(4, 4, 3))
    for tag in ({254: 1}, {50706: b"\1\4\0\0"}):
        image.save(path := tmp_path / "x.tif", tiffinfo=tag)
        with pytest.raises(DataError, match="a raw photograph or a thumbnail"):
            read_header(path)


def test_too_many_pixels_and_none_are_refused(tmp_path):
    for size in [(40000, 40000), (0, 4)]:
        header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b"")]
        content = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)
        (path := tmp_path / "x.png").write_bytes(content)
        with pytest.raises(DataError):
            read_header(path)


def test_a_damaged_byte_in_the_pixels_of_a_png_is_noticed(tmp_path):
    content = bytearray(encoded(Image.fromarray(random_pixels(16, 16, 3)), "PNG"))
    content[content.index(b"IDAT") + 300] ^= 1
    (path := tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match="truncated or corrupt"):
        read_image(path, "RGB")


def test_heic_is_read_turned_or_names_its_package(tmp_path):
    if importlib.util.find_spec("pillow_heif") is None:
        (path := tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))
        with pytest.raises(DataError, match=r"pip install 'nerfloss\[heic\]'"):
            read_header(path)
        return
    import pillow_heif

    pillow_heif.register_heif_opener()
    image = Image.fromarray(smooth(48, 64))
    image.save(path := tmp_path / "x.heic", quality=95, exif=with_orientation(6).tobytes())
    header = read_header(path)
    upright = read_image(path, "RGB", upright=True)
    # Its decoder has turned it: the size in the header is that of the upright image.
    assert upright.shape[1::-1] == header.upright_size == (header.width, header.height)
    expected = np.asarray(image.transpose(Image.Transpose.ROTATE_270))
    assert np.abs(upright.astype(int) - expected).mean() < 6


KINDS = {
    "png": lambda: encoded(Image.fromarray(random_pixels(9, 11, 4)), "PNG"),
    "palette": lambda: encoded(Image.fromarray(random_pixels(9, 11, 3)).quantize(9), "PNG"),
    "jpeg": lambda: encoded(
        Image.fromarray(smooth(32, 24)), "JPEG", exif=with_orientation(6), quality=90
    ),
    "webp": lambda: encoded(Image.fromarray(smooth(32, 24)), "WEBP", lossless=True),
    "tiff": lambda: encoded(Image.fromarray(smooth(9, 11)), "TIFF"),
    "lzw": lambda: encoded(Image.fromarray(smooth(9, 11)), "TIFF", compression="tiff_lzw"),
    "gif": lambda: encoded(Image.fromarray(random_pixels(9, 11, 3)).quantize(9), "GIF"),
    "bmp": lambda: encoded(Image.fromarray(smooth(9, 11)), "BMP"),
    "ppm": lambda: encoded(Image.fromarray(smooth(9, 11)), "PPM"),
}


def reads_or_refuses(path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = read_header(path)
            pixels = read_image(path, "RGBA", upright=True)
        except DataError:
            return
    assert isinstance(header, ImageHeader)
    assert pixels.shape == (*header.upright_size[::-1], 4)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
@given(
    change=st.sampled_from(["cut", "overwritten", "extended"]),
    at=st.floats(0, 1, exclude_max=True),
    noise=st.binary(min_size=1, max_size=8),
)
@FUZZ
def test_a_mutated_image_is_read_or_refused_with_its_name(tmp_path, kind, change, at, noise):
    path = tmp_path / "mutated"
    path.write_bytes(mutate(KINDS[kind](), change, at, noise))
    reads_or_refuses(path)


@pytest.mark.parametrize("kind", ["png", "palette", "jpeg", "webp", "tiff", "bmp", "ppm"])
def test_a_truncated_image_is_refused(tmp_path, kind):
    content = KINDS[kind]()
    for length in range(0, len(content) - 12, max(1, len(content) // 50)):
        (path := tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(DataError):
            read_image(path, "RGB")


@given(content=st.binary(max_size=200))
@FUZZ
def test_random_bytes_are_refused(tmp_path, content):
    (path := tmp_path / "random.png").write_bytes(content)
    with pytest.raises(DataError):
        read_image(path, "RGB")


def test_the_captures_of_odd_formats_are_read(test_data):
    folder = test_data / "captures"
    if not folder.is_dir():
        pytest.skip(f"no captures at {folder}")
    for kind, difference in [("r40_I16/train/r_003.png", 0), ("r40_CMYK/train/r_003.jpg", 12)]:
        found = read_image(folder / kind, "L").astype(int)
        same = read_image(folder / "blender" / "train" / "r_003.png", "RGBA").astype(float)
        alpha = same[..., 3:] / 255
        white = same[..., :3] * alpha + 255 * (1 - alpha)
        grey = np.asarray(Image.fromarray(np.round(white).astype(np.uint8)).convert("L"))
        assert np.abs(found - grey).mean() <= difference + 0.6, kind
    for path in (folder / "r10_all_turned" / "train").iterdir():
        assert read_header(path).upright_size == (64, 48)
        assert read_image(path, "RGB", upright=True).shape == (48, 64, 3)
    alpha = [read_header(p).has_alpha for p in sorted((folder / "r11b_rgba_first/train").iterdir())]
    assert alpha == [True] * 6 + [False] * 6
