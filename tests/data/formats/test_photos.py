"""``dataset=photos`` makes a scene of photographs once, and reads it."""

import logging
import os
from pathlib import Path

import pytest

from nerfloss.data.capture.report import CaptureReport
from nerfloss.data.formats import photos
from nerfloss.data.formats.photos import PhotosDataset


@pytest.fixture
def made(monkeypatch):
    """The scenes that were asked for: photographs, scene and settings."""
    asked = []

    def stage(photographs, scene, settings, progress):
        asked.append((photographs, scene, settings))
        for done in range(3):
            progress("features", done, 3)
        return CaptureReport(3, 3, (), 100, 0.5, (), 0, "exhaustive")

    monkeypatch.setattr(photos, "capture", stage)
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


@pytest.mark.usefixtures("made")
def test_a_capture_logs_each_stage_once_a_minute_and_its_report(tmp_path, caplog):
    (tmp_path / "shoe").mkdir()
    with caplog.at_level(logging.INFO):
        PhotosDataset(path=str(tmp_path / "shoe")).folder()
    assert caplog.text.count("features: 0 of 3") == 1
    assert "features: 1 of 3" not in caplog.text
    assert "3 of 3 views are registered, 100 points" in caplog.text
