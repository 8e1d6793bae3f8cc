"""A disk of one's own, so small that it is soon full."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 1 << 20
# A file system in memory that only this process and its parent see; it ends with its input.
MOUNT = 'mount -t tmpfs -o size={size} tmpfs "{folder}" && echo mounted && read end'


class SmallDisk:
    """A folder on the disk, which can be filled to a given number of free bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes free: a file takes the others."""
        free = shutil.disk_usage(self.folder).free
        self._filler.write_bytes(bytes(max(free - left, 0)))

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A megabyte of real file system; skipped where nobody but root may mount one."""
    inside = tmp_path / "disk"
    inside.mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, to mount a small file system")
    process = subprocess.Popen(
        [*command, MOUNT.format(size=SIZE, folder=inside)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        seen_from_here = Path(f"/proc/{process.pid}/root{inside}")
        if process.stdout.readline() != "mounted\n" or not _is_small(seen_from_here):
            process.kill()
            pytest.skip("this system lets nobody mount a small file system")
        yield SmallDisk(seen_from_here)
        process.kill()


def _is_small(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).total == SIZE
    except OSError:
        return False
