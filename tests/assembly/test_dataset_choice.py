"""A folder alone chooses the dataset that finds its layout."""

import pytest

from nerfloss.assembly.dataset_choice import dataset_overrides


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["dataset.path=scene"], True),
        (["model=nerf", "dataset.path=a,b", "-m"], True),
        (["dataset.path=scene", "dataset=neus"], False),
        (["dataset.path=scene", "experiment=lego"], False),
        (["dataset.path=scene", "trainer.resume=outputs/x"], False),
        (["model=nerf"], False),
    ],
)
def test_a_path_without_a_dataset_is_read_in_any_layout(words, chosen):
    assert dataset_overrides(words) == (["dataset=auto"] if chosen else [])
