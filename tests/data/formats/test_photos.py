"""``dataset=photos`` makes a scene of photographs once, and reads it."""

import os
from pathlib import Path

import pytest

from nerfloss.data.formats import photos
from nerfloss.data.formats.photos import PhotosDataset


@pytest.fixture
def made(monkeypatch):
    """The scenes that were asked for: photographs, scene and settings."""
    asked = []

    def stage(photographs, scene, settings):
        asked.append((photographs, scene, settings))
        return scene

    monkeypatch.setattr(photos, "scene_of_photographs", stage)
    return asked


def test_the_scene_lies_beside_the_photographs_and_is_made_once(made, tmp_path):
    (tmp_path / "shoe").mkdir()
    dataset = PhotosDataset(path=str(tmp_path / "shoe"), max_size=800)
    assert dataset.folder() == dataset.folder() == tmp_path / "shoe_scene"
    ((_, _, settings),) = made
    assert settings.max_size == 800


@pytest.mark.usefixtures("made")
def test_the_scene_lies_where_it_is_set_or_where_it_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "shoe").mkdir()
    dataset = PhotosDataset(path=str(tmp_path / "shoe"), scene=str(tmp_path / "there"))
    assert dataset.folder() == tmp_path / "there"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert PhotosDataset(path=str(tmp_path / "shoe")).folder() == Path("scenes/shoe")
