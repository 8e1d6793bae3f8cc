"""A file system of one megabyte, which tests can fill."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 1 << 20
# In memory, seen by this process and its parent only; unmounted when its input ends.
MOUNT = 'mount -t tmpfs -o size={size} tmpfs "{folder}" && echo mounted && read end'


class SmallDisk:
    """A folder on a disk that can be filled to a given number of free bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, left: int = 0) -> None:
        """Leave ``left`` bytes free."""
        free = shutil.disk_usage(self.folder).free
        self._filler.write_bytes(bytes(max(free - left, 0)))

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Yield a real file system of one megabyte; skip where the user may not mount one."""
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
        mounted = Path(f"/proc/{process.pid}/root{inside}")
        if process.stdout.readline() != "mounted\n" or not _is_small(mounted):
            process.kill()
            pytest.skip("this system does not allow to mount a small file system")
        yield SmallDisk(mounted)
        process.kill()


def _is_small(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).total == SIZE
    except OSError:
        return False
