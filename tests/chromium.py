"""A real browser for tests: headless Chromium, steered over its debugging protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
# WebGL in software: these machines have no GPU.
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
]


class Page:
    """One page; ``errors`` are what its console has reported as an error."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._sent = socket, 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._sent += 1
        self._socket.send(json.dumps({"id": self._sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == self._sent:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        values = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(values["exceptionDetails"])[:500])
        elif message["method"] == "Runtime.consoleAPICalled" and values["type"] == "error":
            self.errors.append(json.dumps(values["args"])[:500])
        elif message["method"] == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.errors.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self) -> str:
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def wait(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait until a condition holds, and return its value."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"after {seconds} s: {self.text()!r} {self.errors}"
            time.sleep(0.2)
        return found

    def mouse(self, kind: str, x: float, y: float, buttons: int = 0) -> None:
        button = "left" if buttons or kind == "mouseReleased" else "none"
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button=button,
            buttons=buttons,
            clickCount=1,
        )

    def click(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, 1)
        self.mouse("mouseReleased", x, y)

    def click_on(self, element: str) -> None:
        """Click in the middle of the element that a JavaScript expression returns."""
        self.evaluate(f"({element}).scrollIntoView({{block: 'center'}})")
        box = self.evaluate(
            f"(() => {{const r = ({element}).getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]})()"
        )
        self.click(*box)

    def press(self, button: str) -> None:
        """Click on the button with that text."""
        self.click_on(
            f"[...document.querySelectorAll('button')].find(b => b.innerText == '{button}')"
        )

    def choose(self, label: str, option: str) -> None:
        """Choose an option of the list with that label; again where the list was still moving."""
        found = (
            f"[...document.querySelectorAll('[role=option]')].find(o => o.innerText == '{option}')"
        )
        end = time.monotonic() + 30
        while self.value(label) != option:
            assert time.monotonic() < end, f"{label} stays {self.value(label)}"
            self.click_on(field(label))
            time.sleep(0.4)
            if self.evaluate(f"!!{found}"):
                self.click_on(found)
            time.sleep(0.4)

    def fill(self, label: str, text: str) -> None:
        """Type into the field with that label."""
        self.click_on(field(label))
        self.evaluate("document.activeElement.select()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)

    def value(self, label: str) -> str:
        """Return what stands in the field with that label."""
        return self.evaluate(f"{field(label)}.value")

    def drag(self, begin: tuple[float, float], end: tuple[float, float], steps: int = 10) -> None:
        """Drag with the left button."""
        self.mouse("mouseMoved", *begin)
        self.mouse("mousePressed", *begin, 1)
        for step in range(1, steps + 1):
            share = step / steps
            x, y = (a + share * (b - a) for a, b in zip(begin, end, strict=True))
            self.mouse("mouseMoved", x, y, 1)
            time.sleep(0.02)
        self.mouse("mouseReleased", *end)

    def screenshot(self, path: Path | None = None) -> bytes:
        """Return what the page shows, as PNG; also written to ``path``."""
        data = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        if path is not None:
            path.write_bytes(data)
        return data


def field(label: str) -> str:
    """Return the JavaScript expression of the field with that label: the nearest one to it."""
    return (
        "((label) => { let at = label; while (!at.querySelector('input')) at = at.parentElement;"
        " return at.querySelector('input') })"
        f"([...document.querySelectorAll('label')].find(l => l.innerText == '{label}'))"
    )


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Yield a page of a fresh Chromium, which ends with the block; its profile is in ``folder``."""
    from websockets.sync.client import connect

    assert PROGRAM is not None
    profile = folder / "profile"
    words = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    environment = {**os.environ, "HOME": str(folder)}
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
    try:
        port = _port(profile / "DevToolsActivePort", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            pages = json.load(answer)
        address = next(each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
        with connect(address, max_size=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if file.is_file() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.1)
    raise AssertionError(f"chromium did not start (status {process.poll()})")
