"""The page of loss maps in a browser: it fits the window, and every picture is seen."""

import pytest
from chromium import chromium, find_chromium
from small_runs import untrained_run

from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.loss_maps.run_maps import MapRequest
from nerfloss.assembly.loss_maps.write_maps import write_maps

FOUND = find_chromium()


@pytest.mark.slow
@pytest.mark.skipif(FOUND is None, reason="needs a Chromium in PATH, or CHROMIUM=path")
def test_the_page_fits_the_window_and_shows_every_picture(tmp_path):
    folder = untrained_run(tmp_path / "run")
    request = MapRequest(views=["0", "1"], gradients=True)
    write_maps(OpenedRun(folder, "cpu"), request, folder / "maps")
    assert FOUND is not None
    with chromium(FOUND) as browser:
        for width in (400, 1280):
            # The page has no script that would say when it is ready.
            browser.size(width, 900, touch=width == 400)
            page = folder / "maps" / "index.html"
            browser.send("Page.navigate", url=page.resolve().as_uri())
            browser.wait(
                lambda: browser.ask("document.querySelectorAll('figure img').length") == 14
            )
            browser.wait(lambda: browser.ask("[...document.images].every(image => image.complete)"))
            assert browser.complaints == []
            assert browser.ask("document.documentElement.scrollWidth") <= width
            pictures = "[...document.images]"
            assert browser.ask(f"{pictures}.length") == 2 * (4 + 3)
            assert browser.ask(f"{pictures}.every(image => image.naturalWidth > 0)")
            assert browser.ask(f"{pictures}.every(image => image.width >= 160)")
        assert not [url for url in browser.requests if not url.startswith(("file:", "data:"))]
