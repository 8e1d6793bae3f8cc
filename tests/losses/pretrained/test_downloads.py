"""Downloads of weights from a local server: verified, atomic, one line per failure."""

import hashlib
import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nerfloss.losses.pretrained import downloads, weight_files, weight_reading
from nerfloss.losses.pretrained.downloads import MissingWeights, PublishedFile, download
from nerfloss.losses.pretrained.weight_files import PUBLISHED_LINEAR, lpips_file, network_file

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve CONTENT at /good, half of it at /broken, and nothing at all at /stalled."""

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path not in ("/good", "/broken", "/stalled"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/stalled":
            time.sleep(0.5)
            return
        self.wfile.write(CONTENT if self.path == "/good" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv(downloads.OFFLINE)
    monkeypatch.setattr(downloads, "_failures", {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def published(server, path, sha256=SHA256):
    return PublishedFile(
        "net.pth", "weights", f"http://127.0.0.1:{server.server_port}/{path}", sha256
    )


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8]])
def test_a_file_is_downloaded_and_verified(server, tmp_path, sha256, caplog):
    with caplog.at_level("INFO"):
        path = download(published(server, "good", sha256), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == ["net.pth"]
    assert "downloading net.pth (1 MB)" in caplog.text


def test_progress_is_logged(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(downloads, "LOG_INTERVAL", -1.0)
    with caplog.at_level("INFO"):
        download(published(server, "good"), tmp_path)
    assert "net.pth: 100 % of 1 MB" in caplog.text


@pytest.mark.parametrize(
    ("path", "sha256", "reason"),
    [
        ("good", "0" * 64, f"SHA-256 {SHA256[:8]}..., not 00000000"),
        ("broken", SHA256, "connection broke after|IncompleteRead"),
        ("missing", SHA256, "answers 404"),
        ("stalled", SHA256, "timed out"),
    ],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    server, tmp_path, monkeypatch, path, sha256, reason
):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    file = published(server, path, sha256)
    expected = (
        rf"^the weights net\.pth are missing \(.*({reason}).*\); save {file.url} as {tmp_path}"
    )
    with pytest.raises(MissingWeights, match=expected) as caught:
        download(file, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_attempt_is_not_repeated(server, tmp_path):
    for _ in range(3):
        with pytest.raises(MissingWeights, match="answers 404"):
            download(published(server, "missing"), tmp_path)
    assert server.requests == ["/missing"]


def test_a_host_that_cannot_be_reached_is_tried_once_for_all_files(server, tmp_path, monkeypatch):
    files = [published(server, path) for path in ("a", "b")]
    calls = []

    def refuse(url, **_):
        calls.append(url)
        raise downloads.urllib.error.URLError("Connection refused")

    monkeypatch.setattr(downloads.urllib.request, "urlopen", refuse)
    for file in files:
        with pytest.raises(MissingWeights, match=r"no connection to 127.*Connection refused"):
            download(file, tmp_path)
    assert len(calls) == 1


def test_offline_nothing_is_requested(server, tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.OFFLINE, "1")
    with pytest.raises(MissingWeights, match=r"\(NERFLOSS_OFFLINE is set\)"):
        download(published(server, "good"), tmp_path)
    assert server.requests == []


def test_concurrent_downloads_leave_one_whole_file(server, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: download(published(server, "good"), tmp_path), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert list(tmp_path.iterdir()) == [tmp_path / "net.pth"]


def test_a_folder_that_cannot_be_written_is_the_reason(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingWeights, match=r"File exists|Not a directory"):
        download(published(server, "good"), tmp_path / "file")


def test_only_missing_files_are_downloaded(server, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(weight_files, "package_folder", lambda _: None)
    monkeypatch.setattr(weight_reading, "VALUE_DIGESTS", {})
    monkeypatch.setitem(weight_files.PUBLISHED, "alex", published(server, "good"))
    monkeypatch.setitem(PUBLISHED_LINEAR, "alex", published(server, "good"))
    (tmp_path / "net.pth").write_bytes(b"mine")
    assert network_file("alex", folder=str(tmp_path)) == tmp_path / "net.pth"
    assert server.requests == []
    assert network_file("alex") == lpips_file("alex") == tmp_path / "cache" / "net.pth"
    assert server.requests == ["/good"]


def test_the_digits_of_a_torchvision_name_are_what_is_verified():
    for file in weight_files.PUBLISHED.values():
        assert file.name == file.url.rpartition("/")[2]
        assert file.name.endswith(f"-{file.sha256}.pth")
        assert len(file.sha256) == 8
