"""The viewer's page in Chromium: its scene, and the controls of its panel by their labels."""

import io
import time
from collections.abc import Callable

import numpy as np
from chromium import Browser
from PIL import Image


class PanelPage:
    """The page of a viewer, in a `Browser`."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    @property
    def errors(self) -> list[str]:
        """What the console has reported as an error."""
        return self.browser.complaints

    def open(self, address: str, size: tuple[int, int], ready: Callable[[str], object]) -> None:
        """Open an address, and wait until its text is ``ready``."""
        # A page before may still try to reach a server that has ended.
        self.browser.send("Page.navigate", url="about:blank")
        self.wait(lambda: self.browser.ask("location.href") == "about:blank")
        self.errors.clear()
        self.browser.size(*size)
        self.browser.send("Page.navigate", url=address)
        self.wait(lambda: ready(self.text()))

    def text(self) -> str:
        return self.browser.ask("document.body ? document.body.innerText : ''") or ""

    def wait(self, true: Callable[[], object]) -> None:
        self.browser.wait(lambda: bool(true()))

    def scene(self) -> np.ndarray:
        """What the scene shows, without the panel: the middle of the left part of the page."""
        shown = Image.open(io.BytesIO(self.browser.picture())).convert("RGB")
        width, height = shown.size
        wide = (0, 250, int(0.7 * width), height - 150)
        return np.asarray(shown.crop(wide if width > 600 else (60, 150, 340, 400)), dtype=float)

    def press(self, button: str) -> None:
        """Click on the button with that text."""
        self.click(f"[...document.querySelectorAll('button')].find(b => b.innerText == '{button}')")

    def unfold(self, folder: str) -> None:
        """Open a folder of the panel."""
        named = f"filter(e => e.innerText == '{folder}')"
        self.click(f"[...document.querySelectorAll('*')].{named}.pop()")
        time.sleep(1.0)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of the list with that label; again where the list was still moving."""
        found = (
            f"[...document.querySelectorAll('[role=option]')].find(o => o.innerText == '{option}')"
        )
        end = time.monotonic() + 30
        while self.value(label) != option:
            assert time.monotonic() < end, f"{label} stays {self.value(label)}"
            self.click(field(label))
            time.sleep(0.4)
            if self.browser.ask(f"!!{found}"):
                self.click(found)
            time.sleep(0.4)

    def fill(self, label: str, text: str) -> None:
        """Type into the field with that label, and leave it."""
        self.click(field(label))
        self.browser.ask("document.activeElement.select()")
        self.browser.send("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.browser.send(
                "Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9
            )

    def value(self, label: str) -> str:
        """Return what stands in the field with that label."""
        return self.browser.ask(f"{field(label)}.value")

    def click(self, element: str) -> None:
        """Click in the middle of the element that a JavaScript expression returns."""
        x, y = self.browser.ask(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            f"return [r.x + r.width / 2, r.y + r.height / 2] }})({element})"
        )
        self.browser.drag((x, y), (x, y), steps=0)


def field(label: str) -> str:
    """Return the JavaScript expression of the field with that label: the nearest one to it."""
    return (
        "((label) => { let at = label; while (!at.querySelector('input')) at = at.parentElement;"
        " return at.querySelector('input') })"
        f"([...document.querySelectorAll('label')].find(l => l.innerText == '{label}'))"
    )
