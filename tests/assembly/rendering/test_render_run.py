"""``nerfloss render``: frames, videos and paths of a run, resumed and refused."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from small_runs import composed, untrained_run

import nerfloss.assembly.rendering.run_video as run_video
from nerfloss.assembly.build import assemble
from nerfloss.assembly.rendering.frame_store import FrameStore
from nerfloss.assembly.rendering.video_files import write_gif, write_mp4
from nerfloss.cli.errors import VARIABLE
from nerfloss.cli.main import main
from nerfloss.data.camera_paths.path_file import read_path
from nerfloss.data.synthetic.dataset import AnalyticDataset
from nerfloss.evaluation.errors import UndefinedMetric

Command = Callable[..., tuple[int, str, str]]
SMALL = ["--size", "16x12", "--frames", "3", "--no-video", "--device", "cpu"]


@pytest.fixture(scope="module", autouse=True)
def one_scene() -> Iterator[None]:
    """The scene of the runs is made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnalyticDataset, "load", functools.cache(AnalyticDataset.load))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny run, as training leaves it."""
    return untrained_run(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def render(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run ``nerfloss render`` on the run, into ``video``: status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv(VARIABLE, "")

    def call(*words: str, run: Path = trained) -> tuple[int, str, str]:
        try:
            status = main(["render", str(run), *SMALL, "-o", "video", *words])
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return call


def frames(mode: str = "rgb") -> list[Path]:
    return sorted(Path("video/frames", mode).glob("*.png"))


def test_an_orbit_is_written_as_frames_with_a_path_that_renders_the_same(render, trained) -> None:
    status, out, err = render()
    assert (status, err) == (0, "")
    assert "note: orbit at the training cameras' mean elevation" in out
    assert [file.name for file in frames()] == ["00000.png", "00001.png", "00002.png"]
    first = [iio.imread(file) for file in frames()]
    assert {image.shape for image in first} == {(12, 16, 3)}
    assert not np.array_equal(first[0], first[1])
    # The sphere of the initialization is in the middle, the background white in the corners.
    assert (first[0][[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
    assert (first[0][6, 8] < 255).any()
    words = ["--path", "video/camera_path.json", "-o", "again", "--no-video", "--device", "cpu"]
    assert main(["render", str(trained), *words]) == 0
    for name, image in zip(sorted(Path("again/frames/rgb").glob("*")), first, strict=True):
        assert np.abs(iio.imread(name).astype(int) - image).max() <= 1


@pytest.mark.parametrize("path", ["spiral", "interpolate"])
def test_other_paths_are_rendered(render, path: str) -> None:
    status, out, err = render("--path", path)
    assert status == 0, err
    assert f"note: {path[:5]}" in out
    assert len(frames()) == 3


def test_every_mode_is_shown_and_depth_has_one_range(render) -> None:
    status, out, err = render("--show", "rgb,depth,normal,opacity,shaded")
    assert status == 0, err
    record = json.loads(Path("video/render.json").read_text())["facts"]
    near, far = record["depth_range"]
    assert 0 < near < far < 5
    assert f"depth: from {near:.4g} to {far:.4g} scene units in all frames" in out
    for mode in ("rgb", "depth", "normal", "opacity", "shaded"):
        assert len(frames(mode)) == 3
    assert "depth: from" not in render("--show", "normal")[1], "that of an earlier video"
    opacity = iio.imread(frames("opacity")[0])
    assert opacity[6, 8].min() > 250
    assert opacity[0, 0].max() < 5
    assert render("--depth-range", "1", "3", "--show", "depth")[0] == 0
    assert json.loads(Path("video/render.json").read_text())["facts"]["depth_range"] == [1, 3]


def test_an_interrupted_call_goes_on_and_keeps_its_frames(render, monkeypatch) -> None:
    write = FrameStore.write

    def interrupted(self: FrameStore, mode: str, frame: int, pixels: np.ndarray) -> None:
        if frame == 2:
            raise KeyboardInterrupt
        write(self, mode, frame, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(FrameStore, "write", interrupted)
        assert render()[0] == 130
    assert len(frames()) == 2
    before = [file.stat().st_mtime_ns for file in frames()]
    status, out, _ = render()
    assert status == 0
    assert "3 frames, 2 of them were there" in out
    assert [file.stat().st_mtime_ns for file in frames()][:2] == before


def test_frames_of_other_settings_are_not_kept(render) -> None:
    render()
    assert "were there" in render()[1]
    assert "were there" not in render("--size", "12x12")[1]
    assert {iio.imread(file).shape for file in frames()} == {(12, 12, 3)}


def test_a_mode_that_is_added_leaves_the_others(render) -> None:
    render()
    before = [file.stat().st_mtime_ns for file in frames()]
    assert render("--show", "rgb,normal")[0] == 0
    assert [file.stat().st_mtime_ns for file in frames()] == before
    assert len(frames("normal")) == 3


def test_a_gif_plays_in_the_time_of_the_video_and_is_named_by_what_it_shows(render) -> None:
    status, out, err = render("--gif", "--show", "rgb,normal", "--fps", "10")
    assert status == 0, err
    assert "wrote video/rgb_normal.gif" in out
    with Image.open("video/rgb_normal.gif") as gif:
        assert gif.size == (32, 12)
        assert gif.info["duration"] == 100
        assert gif.info["loop"] == 0


REFUSALS = {
    "mode": (["--show", "rgbd"], "'rgbd' cannot be shown: choose from rgb, depth"),
    "twice": (["--show", "rgb,rgb"], "names a mode twice"),
    "wipe": (["--wipe"], "--wipe needs two modes"),
    "length": (["--seconds", "3"], "--frames and --seconds both state the length"),
    "size": (["--size", "wide"], "'wide' is no size"),
    "no pixel": (["--size", "0"], "--size must be above 0"),
    "fps": (["--fps", "-1"], "--fps must be above 0"),
    "range": (["--depth-range", "3", "1"], "NEAR < FAR"),
    "no file": (["--path", "orbits"], "orbits: no such file; give a camera path"),
    "own length": (["--path", "path.json"], "path.json has 1 frames of its own"),
    "key": (["--path", "broken.json"], "broken.json: no render_width; add 'render_width'"),
    "dataparser": (["--dataparser", "path.json"], "--dataparser is for a path from a file"),
    "folder": (["-o", "."], "has files, but no render.json; give a new folder"),
    "training": (["loss.terms.rgb.weight=3"], "unrecognized arguments: loss.terms.rgb.weight=3"),
    "unknown": (["dataset.sizes=3"], "no setting 'dataset.sizes'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_refused_in_one_line(render, case: str) -> None:
    pose = np.eye(4).ravel().tolist()
    path = {"camera_path": [{"camera_to_world": pose, "fov": 50}], "render_height": 9}
    Path("broken.json").write_text(json.dumps(path))
    Path("path.json").write_text(json.dumps({**path, "render_width": 9, "fps": 5}))
    words, message = REFUSALS[case]
    status, out, err = render(*words)
    assert status == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err + out
    assert not Path("video").exists()


def test_a_missing_run_and_one_without_a_checkpoint_are_refused(render, tmp_path: Path) -> None:
    status, _, err = render(run=tmp_path / "nothing")
    assert status == 2
    assert "there is no run at" in err
    (tmp_path / "empty" / ".hydra").mkdir(parents=True)
    status, _, err = render(run=tmp_path / "empty")
    assert status == 2
    assert "holds no checkpoints/last.pt" in err


@pytest.mark.usefixtures("render")
def test_a_missing_package_is_named_before_anything_is_rendered(trained, monkeypatch) -> None:
    def missing() -> str:
        raise ModuleNotFoundError("no ffmpeg", name="imageio_ffmpeg")

    monkeypatch.setattr("nerfloss.assembly.rendering.render_run.ffmpeg_program", missing)
    words = ["-o", "video", "--frames", "2", "--device", "cpu"]
    assert main(["render", str(trained), *words]) == 2
    assert not Path("video").exists()


def test_an_evaluation_writes_an_orbit_beside_the_metrics_and_survives_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    few = run_video.PathSettings(size=16, frames=4)
    monkeypatch.setattr(run_video, "PathSettings", lambda: few)
    quick = ["eval.mesh=null", "eval.images=false", "dataset.masks=false"]
    cfg = composed("eval.video=true", *quick)
    cfg.eval.metrics, cfg.eval.geometry = {"psnr": cfg.eval.metrics.psnr}, {}
    run = assemble(cfg, tmp_path)
    run.initialize()
    run.evaluate()
    assert (tmp_path / "metrics.json").is_file()
    assert (tmp_path / "renders" / "orbit" / "rgb.mp4").stat().st_size > 500
    assert read_path(tmp_path / "renders" / "orbit" / "camera_path.json").closed

    def fails(*_: object) -> None:
        raise UndefinedMetric("the disk is full")

    monkeypatch.setattr(run_video, "choose_path", fails)
    at = vars(run.trainer.schedule)
    assert run_video.write_orbit(run.model, at, run.scene, run.evaluator, tmp_path / "b") is None
    assert "no video: the disk is full" in caplog.text


# imageio-ffmpeg leaves the pipes of an ffmpeg that has ended to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_video_of_an_odd_size_plays_back(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    pictures = [np.full((33, 41, 3), value, np.uint8) for value in (0, 60, 120, 180, 240)]
    write_mp4(tmp_path / "video.mp4", pictures, 5.0)
    assert [file.name for file in tmp_path.iterdir()] == ["video.mp4"]
    count, seconds = ffmpeg.count_frames_and_secs(str(tmp_path / "video.mp4"))
    assert (count, seconds) == (5, pytest.approx(1.0, abs=0.05))
    reader = ffmpeg.read_frames(str(tmp_path / "video.mp4"))
    assert next(reader)["size"] == (42, 34)
    last = [np.frombuffer(raw, np.uint8) for raw in reader][-1]
    assert abs(float(last.mean()) - 240) < 6


@pytest.mark.parametrize(("fps", "kept", "delay"), [(30.0, 3, 70), (10.0, 6, 100), (60.0, 2, 50)])
def test_a_gif_shows_at_most_twenty_frames_per_second(tmp_path, fps, kept, delay) -> None:
    pictures = [np.full((8, 8, 3), 40 * value, np.uint8) for value in range(6)]
    write_gif(tmp_path / "a.gif", pictures, fps)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["duration"]) == (kept, delay)
