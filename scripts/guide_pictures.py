"""Takes the pictures of the curator's guide from the app: ``python scripts/guide_pictures.py``.

In a fresh home the sample comes in as a collection, two people review some of it, and every page is
photographed on the way into docs/pictures/guide-*.jpg. Needs Chromium and playwright, as the tests
of the browser do.
"""

import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from emoviz.settings import PROJECT_ROOT

sys.path.insert(0, str(PROJECT_ROOT / "tests" / "browser"))
from visitors import serve, wait_for

OUT = PROJECT_ROOT / "docs" / "pictures"
VIEW = {"width": 1280, "height": 800}
SECONDS = 1000
READY = ".ev-desk[data-shown=yes][data-waiting='0']"
COLLECTION, NETWORK = "review=sample-artworks", "checkpoint=mikels8"
# What two people say, by keys, of the first works in the collection's order.
SAID = {
    "Ona": ["1 1 Enter", "a", "4 Enter", "2 3 Enter", "n", "a", "8 Enter", "a", "7 Enter", "s"],
    "Jonas": [
        "2 Enter",
        "a",
        "3 Enter",
        "2 Enter",
        "8 Enter",
        "a",
        "8 Enter",
        "4 Enter",
        "7 Enter",
    ],
}


def main() -> None:
    """Everything, in the guide's order."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = serve(Path(folder), port)
        try:
            wait_for(f"http://127.0.0.1:{port}", server, Path(folder) / "server.log")
            chromium = driver.chromium.launch(executable_path=shutil.which("chromium"))
            _walk(chromium, f"http://127.0.0.1:{port}")
            chromium.close()
        finally:
            server.terminate()
            server.wait(30)


def _walk(chromium: Any, address: str) -> None:
    ona = _visitor(chromium, address, "Ona")
    ona.goto(f"{address}/collections?{NETWORK}")
    ona.get_by_role("button", name="Take the sample images").click()
    review = ona.get_by_role("button", name="Review them")
    while not review.count():  # a page that waits for a task asks again by itself, but not for ever
        ona.wait_for_timeout(10 * SECONDS)
        ona.goto(f"{address}/collections?{NETWORK}")
        ona.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    _photograph(ona, "collections")
    for name, page in (("Ona", ona), ("Jonas", _visitor(chromium, address, "Jonas"))):
        page.goto(f"{address}/artworks?{NETWORK}&{COLLECTION}&order=number")
        page.wait_for_selector(READY, timeout=120 * SECONDS)
        if name == "Ona":
            _photograph(page, "desk")
        for keys in SAID[name]:
            for key in keys.split():
                page.keyboard.press(key)
                page.wait_for_timeout(150)
            page.wait_for_selector(READY)
    for key in ("2", "2", "h"):
        ona.keyboard.press(key)
    orange = "document.querySelector('.ev-desk .stage').dataset.note.includes('Orange')"
    ona.wait_for_function(orange, timeout=300 * SECONDS)  # the first one loads PyTorch
    _photograph(ona, "heat-map")
    ona.goto(f"{address}/artworks?{NETWORK}&{COLLECTION}&order=number&language=lt")
    ona.wait_for_selector(READY)
    _photograph(ona, "language")
    ona.goto(f"{address}/overview?{NETWORK}&{COLLECTION}&answers=divided&language=en")
    ona.get_by_text("Take it home").wait_for(timeout=120 * SECONDS)
    _photograph(ona, "overview")
    ona.get_by_role("heading", name="Agreement").evaluate("place => place.scrollIntoView()")
    _photograph(ona, "agreement")
    ona.get_by_role("heading", name="Take it home").evaluate("place => place.scrollIntoView()")
    _photograph(ona, "exports")


def _visitor(chromium: Any, address: str, name: str) -> Any:
    context = chromium.new_context(viewport=VIEW, color_scheme="light", locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60 * SECONDS)
    host = {"name": "emoviz_reviewer", "value": name, "url": address}
    context.add_cookies([host])
    return page


def _photograph(page: Any, name: str) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(1500)  # pictures fade in
    page.screenshot(path=OUT / f"guide-{name}.jpg", type="jpeg", quality=72)


if __name__ == "__main__":
    main()
