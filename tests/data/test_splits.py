import numpy as np
import pytest

from nerfloss.data.errors import DataError
from nerfloss.data.splits import split_views

NAMES = [f"{i:03d}" for i in range(20)]


def circle(count):
    angle = np.arange(count) * 2 * np.pi / count
    return np.stack([3 * np.cos(angle), 3 * np.sin(angle), np.zeros(count)], -1)


def test_every_eighth_view_from_the_first_is_held_out(tmp_path):
    train, test, description = split_views(NAMES, {"every": 8}, tmp_path)
    assert test == [0, 8, 16]
    assert sorted(train + test) == list(range(20))
    assert description == "every 8th view"


def test_a_plain_number_is_every_nth_view(tmp_path):
    assert split_views(NAMES, 8, tmp_path) == split_views(NAMES, {"every": 8}, tmp_path)
    assert split_views(NAMES, 3, tmp_path)[1:] == ([0, 3, 6, 9, 12, 15, 18], "every 3rd view")


@pytest.mark.parametrize("rule", [0, -8, 1, True, False, 0.25, 8.0])
def test_a_number_that_is_no_step_is_refused_by_name(tmp_path, rule):
    with pytest.raises(DataError, match=rf"hold_out={rule} is not a rule.* at least 2"):
        split_views(NAMES, rule, tmp_path)


@pytest.mark.parametrize(("every", "ordinal"), [(2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th")])
def test_rules_are_described_in_english(tmp_path, every, ordinal):
    assert split_views(NAMES, {"every": every}, tmp_path)[2] == f"every {ordinal} view"


def test_a_list_names_views_with_or_without_folder_and_extension(tmp_path):
    (tmp_path / "test.txt").write_text("003\n./image/007.png\n\n# a comment\n")
    _, test, description = split_views(NAMES, "test.txt", tmp_path)
    assert test == [3, 7]
    assert description == "2 views listed in test.txt"
    assert split_views(NAMES, ["007.jpg", "003", "003.PNG"], tmp_path)[1] == [3, 7]


def test_only_the_ending_of_an_image_is_dropped(tmp_path):
    names = ["render.0001", "render.0002", "render.0003"]
    assert split_views(names, ["render.0003.png"], tmp_path)[1] == [2]
    assert split_views(names, ["render.0003"], tmp_path)[1] == [2]
    with pytest.raises(DataError, match="no view has the name 'render'"):
        split_views(names, ["render"], tmp_path)


def test_a_folder_tells_views_of_one_basename_apart(tmp_path):
    names = ["left/001", "right/001", "right/002"]
    assert split_views(names, ["right/001.png"], tmp_path)[1] == [1]
    assert split_views(names, ["images/right/001"], tmp_path)[1] == [1]
    assert split_views(names, ["002"], tmp_path)[1] == [2]
    with pytest.raises(DataError, match="'001' is the name of several views: left/001, right/001"):
        split_views(names, ["001"], tmp_path)
    with pytest.raises(DataError, match="no view has the name 'top/002'; close to it: right/002"):
        split_views(names, ["top/002"], tmp_path)


def test_a_sector_is_a_connected_range_of_viewpoints(tmp_path):
    rule = {"sector": 0.25, "at": "005"}
    train, test, description = split_views(NAMES, rule, tmp_path, centers=circle(20))
    assert test == [3, 4, 5, 6, 7]
    assert sorted(train + test) == list(range(20))
    assert description == "a sector of 5 views within 36 degrees of 005 (extrapolation)"


def test_a_sector_begins_at_the_view_farthest_from_the_mean_direction(tmp_path):
    centers = circle(20)
    centers[:15] = centers[0]
    _, test, description = split_views(NAMES, {"sector": 0.05}, tmp_path, centers=centers)
    assert test == [15]
    assert "a sector of 1 view within 0 degrees of 015" in description


def test_a_sector_does_not_depend_on_the_order_or_distance_of_views(tmp_path):
    random = np.random.default_rng(0)
    centers = random.normal(loc=(1, 0, 0), size=(20, 3))
    _, test, _ = split_views(NAMES, {"sector": 0.3}, tmp_path, centers=centers)
    order = random.permutation(20)
    names = [NAMES[i] for i in order]
    far = centers[order] * random.uniform(0.5, 2, size=(20, 1))
    _, other, _ = split_views(names, {"sector": 0.3}, tmp_path, centers=far)
    assert {names[i] for i in other} == {NAMES[i] for i in test}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"every": 1}, "is not a rule.*; write an integer n"),
        ({"every": True}, "is not a rule.*; write an integer n"),
        ({"each": 8}, "is not a rule.*; write an integer n"),
        ({"every": 8, "sector": 0.5}, "is not a rule.*; write an integer n"),
        ({"sector": 1.5}, "the sector is a fraction of the views; choose one above 0 and below 1"),
        ({"sector": 0.25}, "a sector needs the camera centres"),
        ([3, 4], "hold_out lists 3, which is no name; put names of digits in quotes"),
        (["018", "O19"], "no view has the name 'O19'; close to it: 019"),
        ("absent.txt", "absent.txt: no such hold-out list"),
        ("unknown.txt", "no view has the name 'r_7.png'; the names are 000, 001"),
        ("binary.txt", "binary.txt: not a text file"),
        ("all.txt", "leaves 0 views to train on and 20 to test on"),
        ("none.txt", "leaves 20 views to train on and 0 to test on"),
    ],
)
def test_an_invalid_rule_is_an_error(tmp_path, rule, message):
    (tmp_path / "unknown.txt").write_text("r_7.png")
    (tmp_path / "all.txt").write_text("\n".join(NAMES))
    (tmp_path / "none.txt").write_text("\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(DataError, match=message):
        split_views(NAMES, rule, tmp_path)


UP = np.array([0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("between", "held"),
    [([30, 90], [2, 3, 4, 5]), ([-20, 20], [0, 1, 19]), ([340, 20], [0, 1, 19])],
)
def test_a_sector_in_degrees_is_a_range_of_azimuth(tmp_path, between, held):
    centers = circle(20) + np.array([0, 0, 2.0])
    rule = {"sector": between}
    train, test, description = split_views(NAMES, rule, tmp_path, centers=centers, up=UP)
    assert test == held
    assert sorted(train + test) == list(range(20))
    degrees = f"from {between[0]} to {between[1]} degrees"
    assert description == f"a sector of {len(held)} views with an azimuth {degrees} (extrapolation)"


def test_azimuth_is_counted_around_up(tmp_path):
    turn = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])  # x to y, y to z, z to x
    centers = circle(20) @ turn.T
    _, test, _ = split_views(NAMES, {"sector": [30, 90]}, tmp_path, centers=centers, up=turn @ UP)
    assert test == [2, 3, 4, 5]


@pytest.mark.parametrize("values", [[30], [30, 30], [0, 360], [30, "a"], [float("nan"), 3]])
def test_what_is_no_range_of_azimuth_is_refused(tmp_path, values):
    with pytest.raises(DataError, match=r"is no range of azimuth.*in degrees"):
        split_views(NAMES, {"sector": values}, tmp_path, centers=circle(20), up=UP)


def test_an_empty_range_names_the_azimuths(tmp_path):
    with pytest.raises(DataError, match=r"no view has an azimuth from 1 to 9.*azimuths are 0, 36"):
        split_views(NAMES, {"sector": [1, 9]}, tmp_path, centers=circle(20), up=UP)
