"""Takes the pictures of the documentation from the app: ``python scripts/pictures.py``.

For the tour (docs/pictures/tour-*.jpg) the sample is classified, mapped and measured, and a set
with planted copies is examined. For the curator's guide (guide-*.jpg) the sample comes in as a
collection and two people review some of it. In a fresh home; needs Chromium and playwright, as the
tests of the browser do.
"""

import csv
import re
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
    """Everything, in the order of the tour and of the guide."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = serve(Path(folder), port)
        try:
            wait_for(f"http://127.0.0.1:{port}", server, Path(folder) / "server.log")
            chromium = driver.chromium.launch(executable_path=shutil.which("chromium"))
            _tour(chromium, f"http://127.0.0.1:{port}", _untidy(Path(folder) / "untidy"))
            _guide(chromium, f"http://127.0.0.1:{port}")
            chromium.close()
        finally:
            server.terminate()
            server.wait(30)


def _untidy(root: Path) -> Path:
    """The sample in two splits and folders of classes, with four copies across the splits."""
    with (PROJECT_ROOT / "sample_data" / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        splits = (
            ("train", "test") if number % 16 == 5 else ("test" if number % 4 == 3 else "train",)
        )
        for split in splits:
            place = root / split / row["label"] / Path(row["file"]).name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT_ROOT / "sample_data" / row["file"], place)
    return root


def _tour(chromium: Any, address: str, untidy: Path) -> None:
    page = _visitor(chromium, address, "Ona", {"width": 1280, "height": 1000})
    page.goto(f"{address}/?{NETWORK}&sample=all")
    page.get_by_role("heading", name="24 images").wait_for(timeout=120 * SECONDS)
    _photograph(page, "tour-classify")
    page.goto(f"{address}/embeddings?{NETWORK}&beside=mikels8-baseline&colour=Predicted+class")
    page.get_by_role("button", name="Reset view").wait_for(timeout=300 * SECONDS)
    while page.get_by_role("button", name="Stop").count():  # one for each map
        page.wait_for_timeout(2 * SECONDS)
    _photograph(page, "tour-embeddings")
    page.goto(f"{address}/evaluate?{NETWORK}")
    page.get_by_role("radio", name="Confusion").click(timeout=300 * SECONDS)
    page.locator("table[aria-label='Confusion matrix'] button").nth(9).click()  # awe, called so
    page.get_by_text(re.compile("^awe, and answered so")).wait_for()
    page.set_viewport_size({"width": 1280, "height": 1400})
    _photograph(page, "tour-evaluate")
    page.goto(f"{address}/datasets?{NETWORK}")
    page.get_by_text("Bring in a set").click()
    page.get_by_role("textbox", name="Path").fill(str(untidy))
    page.get_by_role("textbox", name="Path").press("Tab")
    page.get_by_role("button", name="Bring it in").click()
    page.wait_for_url(re.compile("set=untidy"), timeout=120 * SECONDS)
    page.get_by_role("radio", name="What is wrong with it").click()
    page.get_by_role("button", name="Examine it").click()
    page.get_by_text("66 images looked at").wait_for(timeout=300 * SECONDS)
    page.get_by_text("66 images looked at").evaluate("place => place.scrollIntoView()")
    _photograph(page, "tour-datasets")


def _guide(chromium: Any, address: str) -> None:
    ona = _visitor(chromium, address, "Ona")
    ona.goto(f"{address}/collections?{NETWORK}")
    ona.get_by_role("button", name="Take the sample images").click()
    review = ona.get_by_role("button", name="Review them")
    while not review.count():  # a page that waits for a task asks again by itself, but not for ever
        ona.wait_for_timeout(10 * SECONDS)
        ona.goto(f"{address}/collections?{NETWORK}")
        ona.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    _photograph(ona, "guide-collections")
    for name, page in (("Ona", ona), ("Jonas", _visitor(chromium, address, "Jonas"))):
        page.goto(f"{address}/artworks?{NETWORK}&{COLLECTION}&order=number")
        page.wait_for_selector(READY, timeout=120 * SECONDS)
        if name == "Ona":
            _photograph(page, "guide-desk")
        for keys in SAID[name]:
            for key in keys.split():
                page.keyboard.press(key)
                page.wait_for_timeout(150)
            page.wait_for_selector(READY)
    for key in ("2", "2", "h"):
        ona.keyboard.press(key)
    orange = "document.querySelector('.ev-desk .stage').dataset.note.includes('Orange')"
    ona.wait_for_function(orange, timeout=300 * SECONDS)  # the first one loads PyTorch
    _photograph(ona, "guide-heat-map")
    ona.goto(f"{address}/artworks?{NETWORK}&{COLLECTION}&order=number&language=lt")
    ona.wait_for_selector(READY)
    _photograph(ona, "guide-language")
    ona.goto(f"{address}/overview?{NETWORK}&{COLLECTION}&answers=divided&language=en")
    ona.get_by_text("Take it home").wait_for(timeout=120 * SECONDS)
    _photograph(ona, "guide-overview")
    ona.get_by_role("heading", name="Agreement").evaluate("place => place.scrollIntoView()")
    _photograph(ona, "guide-agreement")
    ona.get_by_role("heading", name="Take it home").evaluate("place => place.scrollIntoView()")
    _photograph(ona, "guide-exports")


def _visitor(chromium: Any, address: str, name: str, view: Any = VIEW) -> Any:
    context = chromium.new_context(viewport=view, color_scheme="light", locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60 * SECONDS)
    host = {"name": "emoviz_reviewer", "value": name, "url": address}
    context.add_cookies([host])
    return page


def _photograph(page: Any, name: str) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(1500)  # pictures fade in
    page.screenshot(path=OUT / f"{name}.jpg", type="jpeg", quality=72)


if __name__ == "__main__":
    main()
