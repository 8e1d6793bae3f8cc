"""A page in headless Chromium, driven over a pipe by its own protocol: no driver to install."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
PATIENCE = 90.0  # seconds; a busy core draws WebGL slowly without a GPU


def find_chromium() -> str | None:
    """Where a Chromium is, if there is one; CHROMIUM may name it."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a running Chromium; ``complaints`` are its console's errors and exceptions."""

    def __init__(self, process: subprocess.Popen, to: int, back: int) -> None:
        self._process, self._to, self._back = process, to, back
        self._rest, self._count = b"", 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    _session: str | None = None

    def send(self, method: str, **parameters):
        """One command; its result, after whatever events came before it."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(time.monotonic() + PATIENCE)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def open(self, path: Path, *, width: int, height: int = 900, touch: bool = False) -> None:
        """Show a file, and wait until its script is done and its pictures have a size."""
        self.size(width, height, touch=touch)
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait(lambda: self.ask("document.documentElement?.dataset.ready === 'yes'"))
        self.wait(lambda: self.ask("[...document.images].every(i => i.complete || !i.src)"))

    def size(self, width: int, height: int, *, touch: bool = False, scale: float = 1) -> None:
        """The size of the window, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": touch}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def ask(self, expression: str):
        """The value of an expression in the page, waiting for it where it is a promise."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        found = self.send("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, true: Callable[[], bool]) -> None:
        """Until it is true."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, "the page never got there"
            time.sleep(0.1)

    def box(self, selector: str) -> dict[str, float]:
        """Where an element is in the window, scrolled to its middle."""
        return self.ask(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f"e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            f"const b = e.getBoundingClientRect();"
            f"return {{x: b.x, y: b.y, width: b.width, height: b.height}}; }})()"
        )

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
        """Press the mouse's left button at one place, and release it at another."""
        self._mouse("mouseMoved", *start, buttons=0)
        self._mouse("mousePressed", *start, buttons=1)
        for i in range(1, steps + 1):
            at = [a + (b - a) * i / steps for a, b in zip(start, end, strict=True)]
            self._mouse("mouseMoved", *at, buttons=1)
        self._mouse("mouseReleased", *end, buttons=0)

    def wheel(self, at: tuple[float, float], turn: float) -> None:
        """Turn the wheel by so many pixels, towards the user."""
        place = {"x": at[0], "y": at[1], "deltaX": 0, "deltaY": turn}
        self.send("Input.dispatchMouseEvent", type="mouseWheel", **place)

    def picture(self, *, whole: bool = False) -> bytes:
        """The window, or the whole page, as PNG."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(taken["data"])

    def _mouse(self, kind: str, x: float, y: float, *, buttons: int) -> None:
        pressed = buttons or kind == "mouseReleased"
        button = {"button": "left" if pressed else "none", "buttons": buttons}
        place = {"type": kind, "x": x, "y": y, "clickCount": 1, **button}
        self.send("Input.dispatchMouseEvent", **place)

    def _next(self, end: float) -> dict:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"Chromium did not answer (its exit code: {self._process.poll()})"
            data = os.read(self._back, 1 << 20)
            assert data, f"Chromium is gone (its exit code: {self._process.wait()})"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        said, kind = event.get("params", {}), event.get("method")
        if kind == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        elif kind == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            self.complaints.append(json.dumps(said["args"]))
        elif kind == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.complaints.append(said["entry"]["text"])
        elif kind == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"][:80])


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A Chromium with one empty page, ended with the block."""
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    # Chromium reads commands from 3 and answers on 4, whatever the pipes are called here.
    line = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["bash", "-c", line, path, *FLAGS, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            command,
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(process, to, back)
        finally:
            os.close(to)
            os.close(back)
            try:
                process.wait(timeout=10)  # Chromium ends when its pipe does
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
