"""Maps of depth and normals hold the same in every kind of file; unknown pixels are 0."""

import json
import runpy
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import mutate, write_exr, write_png16
from PIL import Image

from nerfloss.data.depth_files import find_confidence, read_depth, read_depth_with_confidence
from nerfloss.data.errors import DataError
from nerfloss.data.normal_files import FRAMES, read_normals

FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
KINDS = ["npy", "npz", "tiff", "deflate", "pfm", "bin", "exr", "png"]


@pytest.fixture
def depth() -> np.ndarray:
    values = np.random.default_rng(0).uniform(1, 5, (6, 8)).astype(np.float32)
    values[0, :5] = [0, np.nan, np.inf, -1, 1e10]
    return values


@pytest.fixture
def normals() -> np.ndarray:
    values = np.random.default_rng(1).normal(size=(6, 8, 3))
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    values[0, :2] = 0
    return values


def known(values: np.ndarray) -> np.ndarray:
    return np.where((values > 0) & (values < 1e9), values, 0)


def write(folder, kind: str, values: np.ndarray):
    """Write a map of depth (height, width) or of normals (height, width, 3)."""
    path = folder / f"x.{kind}"
    single = values.astype("<f4")
    if kind == "npy":
        np.save(path, values)
    elif kind == "npz":
        np.savez_compressed(path, **{"depth" if values.ndim == 2 else "normal": values})
    elif kind in ("tiff", "deflate"):
        options = {"compression": "tiff_deflate"} if kind == "deflate" else {}
        Image.fromarray(single).save(path, "TIFF", **options)
    elif kind == "pfm":
        name = b"Pf" if values.ndim == 2 else b"PF"
        path.write_bytes(name + b"\n8 6\n-1.0\n" + single[::-1].tobytes())
    elif kind == "bin":
        flat = single.reshape(6, 8, -1).transpose(2, 0, 1)
        path.write_bytes(f"8&6&{len(flat)}&".encode() + flat.tobytes())
    elif kind == "exr":
        pytest.importorskip("OpenEXR")
        write_exr(path, {"Z": single} if values.ndim == 2 else {"RGB": single})
    elif values.ndim == 2:
        write_png16(path, np.round(known(values) * 1000))
    else:
        write_png16(path, np.round((values / 2 + 0.5) * 65535))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_depth_is_scaled_and_unknown_depth_is_0(tmp_path, depth, kind):
    unit = 0.002 if kind == "png" else 2.0
    result = read_depth(write(tmp_path, kind, depth), unit)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, 2 * known(depth), rtol=1e-6, atol=1e-3 * (kind == "png"))
    assert (result[0, :5] == 0).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "u2", "i2", "i4", "u4", "i8", "u8"])
def test_depth_of_every_type_and_the_end_of_its_range(tmp_path, dtype):
    values = np.array([[0, 1, 3000]], dtype)
    np.save(path := tmp_path / "x.npy", values)
    np.testing.assert_allclose(read_depth(path, 0.5), [[0, 0.5, 1500]])
    limits = np.finfo(values.dtype) if values.dtype.kind == "f" else np.iinfo(values.dtype)
    np.save(path, np.array([[limits.min, limits.max]], dtype))
    assert (read_depth(path, 0.5) == 0).all() or dtype in ("i4", "u4")


def test_depth_may_have_axes_of_length_1(tmp_path, depth):
    for shape in [(1, 6, 8), (6, 8, 1), (1, 6, 8, 1), (1, 1, 6, 8)]:
        np.save(path := tmp_path / "x.npy", depth.reshape(shape))
        np.testing.assert_array_equal(read_depth(path, 1.0), known(depth))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((6, 8, 3)), r"a map of shape \(6, 8, 3\)"),
        (np.zeros(8), "a map of shape"),
        (np.float32(3), "a map of shape"),
        (np.zeros((0, 8)), r"shape \(0, 8\)"),
        (np.zeros((6, 8), bool), "type bool"),
        (np.zeros((6, 8), complex), "type complex128"),
        (np.array([["a", "b"]]), "type <U1"),
        (np.array([[None, {}]]), "truncated or corrupt"),
        (np.zeros((6, 8), np.uint8), "256 levels at most"),
    ],
)
def test_what_is_no_depth_is_refused(tmp_path, values, message):
    np.save(path := tmp_path / "x.npy", values, allow_pickle=True)
    with pytest.raises(DataError, match=rf"x\.npy: .*{message}"):
        read_depth(path, 1.0)


def test_pictures_of_depth_are_refused(tmp_path, depth):
    grey = Image.fromarray((known(depth) * 50).astype(np.uint8))
    grey.save(path := tmp_path / "x.png")
    with pytest.raises(DataError, match="256 levels at most"):
        read_depth(path, 1.0)
    grey.convert("RGB").save(path)
    with pytest.raises(DataError, match=r"a map of shape \(6, 8, 3\)"):
        read_depth(path, 1.0)
    grey.save(path := tmp_path / "x.jpg")
    with pytest.raises(DataError, match="a map stored as JPEG"):
        read_depth(path, 1.0)
    with pytest.raises(DataError, match=r"gone\.npy: no such map"):
        read_depth(tmp_path / "gone.npy", 1.0)


@pytest.mark.parametrize("unit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_unit_that_is_no_length_is_refused(tmp_path, depth, unit):
    with pytest.raises(DataError, match="unit of depth"):
        read_depth(write(tmp_path, "npy", depth), unit)


def test_an_npz_of_several_arrays_needs_a_name(tmp_path, depth):
    np.savez(path := tmp_path / "x.npz", a=depth, b=depth)
    with pytest.raises(DataError, match=r"holds a, b; store one array, or name it depth"):
        read_depth(path, 1.0)
    np.savez(path, b=depth * 2, Depth=depth)
    np.testing.assert_array_equal(read_depth(path, 1.0), known(depth))
    np.savez(path)
    with pytest.raises(DataError, match="no array"):
        read_depth(path, 1.0)


def test_layers_of_an_exr_are_told_apart(tmp_path, depth, normals):
    pytest.importorskip("OpenEXR")
    parts = {f"View.Normal.{k}": normals[..., i].astype("f4") for i, k in enumerate("XYZ")}
    path = write_exr(tmp_path / "x.exr", {"View.Depth.Z": depth, **parts})
    np.testing.assert_array_equal(read_depth(path, 1.0), known(depth))
    np.testing.assert_allclose(read_normals(path, "world"), normals, atol=1e-6)
    path = write_exr(tmp_path / "rgb.exr", {"RGB": np.stack([depth] * 3, -1)})
    np.testing.assert_array_equal(read_depth(path, 1.0), known(depth))
    path = write_exr(tmp_path / "normals.exr", {"RGB": normals.astype("f4")})
    with pytest.raises(DataError, match="holds B, G, R"):
        read_depth(path, 1.0)


def test_a_cropped_exr_lies_where_its_header_says(tmp_path, depth):
    pytest.importorskip("OpenEXR")
    corners = [np.array([2, 3], np.int32), np.array([9, 8], np.int32)]
    full = (np.array([0, 0], np.int32), np.array([11, 9], np.int32))
    windows = {"dataWindow": tuple(corners), "displayWindow": full}
    result = read_depth(write_exr(tmp_path / "x.exr", {"Z": depth}, **windows), 1.0)
    assert result.shape == (10, 12)
    np.testing.assert_array_equal(result[3:9, 2:10], known(depth))
    assert (result > 0).sum() == (known(depth) > 0).sum()
    windows["displayWindow"] = (full[0], corners[0])
    path = write_exr(tmp_path / "beyond.exr", {"Z": depth}, **windows)
    with pytest.raises(DataError, match="beyond the image"):
        read_depth(path, 1.0)


def test_a_missing_package_for_exr_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "OpenEXR", None)
    (path := tmp_path / "x.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(90))
    with pytest.raises(DataError, match=r"pip install 'nerfloss\[exr\]'"):
        read_depth(path, 1.0)


def test_confidence_beside_the_depth_or_in_its_file(tmp_path, depth):
    levels = np.tile(np.array([0, 1, 2, 2], np.uint8), (6, 2))
    np.savez(path := tmp_path / "x.npz", depth=depth, confidence=levels)
    result, confidence = read_depth_with_confidence(path, 1.0)
    np.testing.assert_array_equal(result, known(depth))
    np.testing.assert_array_equal(confidence, levels / 2)
    (tmp_path / "depth").mkdir()
    (tmp_path / "confidence").mkdir()
    path = write(tmp_path / "depth", "npy", depth)
    assert find_confidence(path) is None
    assert read_depth_with_confidence(path, 1.0)[1] is None
    assert read_depth_with_confidence(path, 1.0, path)[1] is None
    Image.fromarray(levels * 127).save(beside := tmp_path / "confidence" / "x.png")
    assert find_confidence(path) == beside
    confidence = read_depth_with_confidence(path, 1.0, beside)[1]
    np.testing.assert_allclose(confidence, levels * 127 / 255, rtol=1e-6)
    beside.unlink()
    np.save(beside := tmp_path / "depth" / "x_conf.npy", np.full((6, 8), 0.25))
    assert find_confidence(path) == beside
    assert (read_depth_with_confidence(path, 1.0, beside)[1] == 0.25).all()


@pytest.mark.parametrize("kind", ["npz", "exr"])
def test_a_confidence_in_the_file_of_the_depth_is_found_without_decoding(tmp_path, depth, kind):
    path = tmp_path / f"x.{kind}"
    values = {"depth": depth, "confidence": np.full((6, 8), 0.25, np.float32)}
    for names in (["depth"], ["depth", "confidence"]):
        stored = {name: values[name] for name in names}
        if kind == "npz":
            np.savez(path, **stored)
        else:
            pytest.importorskip("OpenEXR")
            write_exr(path, {"Z" if name == "depth" else name: stored[name] for name in names})
        assert find_confidence(path) == (path if "confidence" in names else None)
    assert (read_depth_with_confidence(path, 1.0, path)[1] == 0.25).all()
    path.write_bytes(path.read_bytes()[:60])
    assert find_confidence(path) is None


@pytest.mark.parametrize("values", [np.full((6, 8), 3.0), np.full((6, 8), -1), np.ones((3, 4))])
def test_a_confidence_that_is_none_is_refused(tmp_path, depth, values):
    np.savez(path := tmp_path / "x.npz", depth=depth, confidence=values)
    with pytest.raises(DataError, match="confidence"):
        read_depth_with_confidence(path, 1.0)


@pytest.mark.parametrize("kind", ["npy", "npz", "pfm", "bin", "exr", "png"])
def test_normals_are_unit_vectors(tmp_path, normals, kind):
    result = read_normals(write(tmp_path, kind, normals), "world")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, normals, atol=1e-4)
    assert (result[0, :2] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(result[1:], axis=-1), 1, rtol=1e-6)


def test_normals_of_8_bits_leave_grey_black_and_white_unknown(tmp_path, normals):
    coded = np.round((normals / 2 + 0.5) * 255).astype(np.uint8)
    coded[0, 2:6] = [[127] * 3, [128] * 3, [0] * 3, [255] * 3]
    Image.fromarray(coded).save(path := tmp_path / "x.png")
    result = read_normals(path, "world")
    assert (result[0, :6] == 0).all()
    np.testing.assert_allclose(result[1:], normals[1:], atol=0.01)
    alpha = np.full((6, 8), 255, np.uint8)
    alpha[3] = 0
    Image.fromarray(np.dstack([coded, alpha])).save(path)
    result = read_normals(path, "world")
    assert (result[3] == 0).all()
    np.testing.assert_allclose(result[4:], normals[4:], atol=0.01)


def test_floats_are_vectors_or_coded_whichever_has_length_1(tmp_path, normals):
    for values in (normals, normals / 2 + 0.5, np.abs(normals), 0.99 * normals):
        for axes in ((0, 1, 2), (2, 0, 1)):
            np.save(path := tmp_path / "x.npy", values.transpose(axes))
            expected = np.abs(normals) if values.min() == 0 else normals
            np.testing.assert_allclose(read_normals(path, "world"), expected, atol=1e-6)


def test_opengl_normals_are_turned_into_opencv_axes(tmp_path, normals):
    path = write(tmp_path, "npy", normals)
    np.testing.assert_allclose(read_normals(path, "opengl"), normals * [1, -1, -1], atol=1e-6)
    np.testing.assert_allclose(read_normals(path, "camera"), normals, atol=1e-6)
    with pytest.raises(ValueError, match="camera, opengl, world"):
        read_normals(path, "view")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((6, 8, 3), 5.0), "not a map of normals: 0% of its vectors have a length of 1"),
        (np.random.default_rng(0).uniform(0, 255, (6, 8, 3)), "not a map of normals"),
        (np.zeros((6, 8)), r"an array of shape \(6, 8\)"),
        (np.zeros((6, 8, 2)), "an array of shape"),
        (np.zeros((6, 8, 3), np.int64), "normals as int64"),
    ],
)
def test_what_are_no_normals_is_refused(tmp_path, values, message):
    np.save(path := tmp_path / "x.npy", values)
    with pytest.raises(DataError, match=message):
        read_normals(path, "world")


def test_values_that_are_not_finite_are_unknown(tmp_path, normals):
    values = normals.copy()
    values[2, 1, 0], values[2, 2, 1], values[2, 3] = np.nan, np.inf, -np.inf
    np.save(path := tmp_path / "x.npy", values)
    result = read_normals(path, "world")
    assert (result[2, 1:4] == 0).all()
    assert np.isfinite(result).all()


def refuses_or_reads(read, shape) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = read()
        except DataError:
            return
    assert result.dtype == np.float32
    assert result.ndim == len(shape)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("kind", KINDS)
@given(
    change=st.sampled_from(["cut", "overwritten", "extended"]),
    at=st.floats(0, 1, exclude_max=True),
    noise=st.binary(min_size=1, max_size=8),
    frame=st.sampled_from(FRAMES),
)
@FUZZ
def test_mutated_maps_are_read_or_refused(tmp_path, depth, normals, kind, change, at, noise, frame):
    content = mutate(write(tmp_path, kind, depth).read_bytes(), change, at, noise)
    (path := tmp_path / f"mutated.{kind}").write_bytes(content)
    refuses_or_reads(lambda: read_depth(path, 0.001), (6, 8))
    if kind not in ("tiff", "deflate"):
        content = mutate(write(tmp_path, kind, normals).read_bytes(), change, at, noise)
        path.write_bytes(content)
        refuses_or_reads(lambda: read_normals(path, frame), (6, 8, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_maps_are_refused(tmp_path, depth, kind):
    content = write(tmp_path, kind, depth).read_bytes()
    for length in range(0, len(content) - 12, max(1, len(content) // 40)):
        (path := tmp_path / f"cut.{kind}").write_bytes(content[:length])
        with pytest.raises(DataError, match="cut"):
            read_depth(path, 1.0)


@given(content=st.binary(max_size=200))
@FUZZ
def test_random_bytes_are_no_map(tmp_path, content):
    (path := tmp_path / "random.npy").write_bytes(content)
    for read in (lambda: read_depth(path, 1.0), lambda: read_normals(path, "world")):
        with pytest.raises(DataError):
            read()


def test_the_depth_of_the_capture_is_exact(test_data):
    folder = test_data / "captures" / "r39_depth"
    if not folder.is_dir():
        pytest.skip(f"no captures at {folder}")
    exact = runpy.run_path(str(folder.parent / "exact.py"))
    content = json.loads((folder / "transforms.json").read_text())
    columns, rows = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    for frame in content["frames"]:
        values = content | frame
        x = (columns - values["cx"]) / values["fl_x"]
        y = (rows - values["cy"]) / values["fl_y"]
        local = np.stack([x, -y, -np.ones_like(x)], -1)  # OpenGL axes
        pose = np.array(frame["transform_matrix"])
        lengths = np.linalg.norm(local, axis=-1)
        directions = (local / lengths[..., None]) @ pose[:3, :3].T
        origins = np.broadcast_to(pose[:3, 3], directions.shape)
        _, hit, distance = exact["trace"](origins.reshape(-1, 3), directions.reshape(-1, 3))
        depth = read_depth(folder / frame["depth_file_path"], content["depth_unit_scale_factor"])
        both = hit.reshape(48, 64) & (depth > 0)
        assert both.sum() > 0.9 * hit.sum()
        error = depth - distance.reshape(48, 64) / lengths
        assert np.abs(error[both]).max() < 0.0005 + 1e-6
