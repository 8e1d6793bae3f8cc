"""Object masks that are suspicious are named before training."""

import numpy as np
import pytest
from PIL import Image

from nerfloss.data.errors import DataError
from nerfloss.data.mask_checks import check_border, check_object_masks, object_at_border


def disc(column=32, row=24, radius=12):
    y, x = np.mgrid[:48, :64]
    return (((x - column) ** 2 + (y - row) ** 2 < radius**2) * 255).astype(np.uint8)


NAMES = [f"mask/{i}.png" for i in range(6)]


def test_masks_of_an_object_in_the_middle_are_not_suspicious():
    masks = [disc(20 + 4 * i, 24, 10 + i) for i in range(6)]
    assert check_object_masks(masks, NAMES) == []


def test_views_without_a_mask_are_left_out():
    assert check_object_masks([disc(), None, disc()], NAMES[:3]) == []
    assert check_object_masks([None, None], NAMES[:2]) == []


def test_masks_that_are_all_object_are_named():
    full = np.full((48, 64), 255, np.uint8)
    (note,) = check_object_masks([full] * 6, NAMES)
    assert note.startswith("every pixel of every mask is object")
    (note,) = check_object_masks([disc()] * 5 + [full], NAMES)
    assert note == "every pixel of the mask is object in 1 of 6 views: 5.png"


@pytest.mark.parametrize("column", [32, 50])
def test_inverted_masks_are_named(column):
    masks = [255 - disc(column, 24, 14 + i) for i in range(6)]
    (note,) = check_object_masks(masks, NAMES)
    assert note.startswith("the masks seem inverted")
    assert "6 of 6 views" in note


def test_an_object_at_the_border_of_the_image_is_named_and_is_no_fault():
    masks = [disc(32, 46, 12)] * 3 + [disc()] * 3
    assert check_object_masks(masks, NAMES) == []
    note = object_at_border(masks, NAMES)
    assert note is not None
    assert note.startswith("the object reaches the border of the image in 3 of 6 views (0.png")
    assert object_at_border([disc()] * 6, NAMES) is None


def test_masks_of_several_sizes_are_checked():
    assert check_object_masks([disc(), disc()[:40, :50]], NAMES[:2]) == []


def test_an_empty_mask_is_refused_with_its_path():
    message = r"^mask/1.png: the mask is empty: no pixel belongs to the object; drop this view"
    with pytest.raises(DataError, match=message):
        check_object_masks([disc(), disc() * 0], NAMES[:2])


def test_labels_in_the_place_of_greys_are_explained(tmp_path):
    path = tmp_path / "0.png"
    labels = (disc() > 0) * np.uint8(2) + (disc(10, 10, 4) > 0)
    Image.fromarray(labels).save(path)
    with pytest.raises(DataError, match=r"its values are 0, 1, 2: labels .*; write 255 where"):
        check_object_masks([disc() * 0], [str(path)])


def rendered(colour):
    image = np.full((48, 64, 3), colour, np.uint8)
    image[disc() > 0] = np.random.default_rng(0).integers(0, 255, (int((disc() > 0).sum()), 3))
    return image


def test_a_black_border_does_not_fit_a_white_background():
    (note,) = check_border([rendered(0)] * 4, None, "white")
    assert note.startswith("the border of the images is black (0, 0, 0) in 4 of 4 views, which")
    assert note.endswith("set dataset.background=black")
    assert check_border([rendered(0)] * 4, None, "black") == []
    assert check_border([rendered(255)] * 4, None, "white") == []


def test_a_border_of_one_colour_without_masks_may_be_background():
    (note,) = check_border([rendered(0)] * 4, None, "none")
    assert "is it background?" in note


def test_a_border_that_varies_or_is_masked_means_nothing():
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    assert check_border([noise] * 4, None, "white") == []
    assert check_border([rendered(0)] * 4, [disc()] * 4, "white") == []
    assert check_border([rendered(0), rendered(90), rendered(180)], None, "white") == []
