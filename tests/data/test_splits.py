import pytest

from nerfloss.data.errors import DataError
from nerfloss.data.splits import split_views

NAMES = [f"{i:03d}" for i in range(20)]


def test_every_eighth_view_from_the_first_is_held_out(tmp_path):
    train, test = split_views(NAMES, {"every": 8}, tmp_path)
    assert test == [0, 8, 16]
    assert sorted(train + test) == list(range(20))


def test_a_list_names_views_with_or_without_folder_and_extension(tmp_path):
    (tmp_path / "test.txt").write_text("003\n./image/007.png\n\n")
    assert split_views(NAMES, "test.txt", tmp_path)[1] == [3, 7]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"every": 1}, "is not a rule; write {every: n}"),
        ({"each": 8}, "is not a rule; write {every: n}"),
        ("absent.txt", "absent.txt: no such hold-out list"),
        ("unknown.txt", "no view has the name 'r_7'; the names are 000, 001"),
        ("all.txt", "leaves 0 views to train on and 20 to test on"),
        ("none.txt", "leaves 20 views to train on and 0 to test on"),
    ],
)
def test_an_invalid_rule_is_an_error(tmp_path, rule, message):
    (tmp_path / "unknown.txt").write_text("r_7.png")
    (tmp_path / "all.txt").write_text("\n".join(NAMES))
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(DataError, match=message):
        split_views(NAMES, rule, tmp_path)
