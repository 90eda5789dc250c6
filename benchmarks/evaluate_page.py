"""Evaluate and Compare in Chromium on kept tables: to each view, after theta, after a tick.

    python benchmarks/evaluate_page.py [--images 17716] [--rounds 3]

Needs Chromium and playwright (requirements-dev.txt). The table is made up, with eight classes and
the width of `mikels8`; each view is opened by its link in a new tab of a browser and a server that
have shown other pages. *First* is the time until all of the view is there when nothing was computed
before, *again* when results are kept. Theta and a tick are timed from the press to the new number
on screen. Compare is timed from the navigation to the values of both networks (wanted within a
second of the tables, so of a page without figures), and to their intervals, each on tables that the
server has not read yet.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from emoviz.checkpoints import open_checkpoint
from emoviz.inference.cache import fingerprint
from emoviz.inference.embedding_table import EmbeddingTable, Origin
from emoviz.inference.stored import table_path, write_embeddings
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui.measure.evaluating import VIEWS

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# view -> what is there once all of it is drawn
READY = {
    "overview": ".ev-tile-under:has-text(' to ')",
    "confusion": "table[aria-label='Confusion matrix'] button >> nth=63",
    "curves": ".js-plotly-plot .legend >> nth=1",
    "sentiment": ".js-plotly-plot .legend",
    "calibration": ".js-plotly-plot .legend",
    "mistakes": "li button:has(.caption) >> nth=59",
    "slices": "li button:has(.caption) >> nth=59",
    "unsure": ".js-plotly-plot .legend",
}
# Resolves with the milliseconds from now to the moment when the element's text is another one.
CHANGED = """selector => new Promise(resolve => {
  const text = () => [...document.querySelectorAll(selector)].map(e => e.textContent).join()
  const before = text(), began = performance.now()
  const look = () => text() !== before && text()
    ? resolve(performance.now() - began) : requestAnimationFrame(look)
  look()
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=17716)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    browser_path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        key = make_table(Settings(home=Path(home)), arguments.images)
        browser = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        process, address = start(home)
        try:
            visitor = browser.new_context(viewport={"width": 1280, "height": 1600})
            visit(visitor, address, "", "h1")  # the server has loaded what every page needs
            visit(visitor, address, "centers", "h1")
            bare = [visit(visitor, address, "", "h1") for _ in range(arguments.rounds)]
            print(f"a page without figures: {statistics.median(bare):.2f} s")
            for view, selector in READY.items():
                link = f"evaluate?collection={key}&view={view}"
                first = visit(visitor, address, link, selector)
                again = [visit(visitor, address, link, selector) for _ in range(arguments.rounds)]
                print(f"{view:12} first {first:5.2f} s, again {statistics.median(again):5.2f} s")
            for view, spent in switched(visitor, address, key, arguments.rounds).items():
                print(
                    f"{view:12} in a tab that drew figures before {statistics.median(spent):5.2f} s"
                )
            for done in range(arguments.rounds):
                spent = compare(visitor, address, Settings(home=Path(home)), arguments.images, done)
                ratio = spent[0] / visit(visitor, address, "", "h1")
                print("compare: values {:.2f} s, intervals {:.2f} s".format(*spent), end=", ")
                print(f"x {ratio:.1f} of a page without figures")
            report("theta", [move_theta(browser, address, key) for _ in range(arguments.rounds)])
            report("a tick", [tick(browser, address, key) for _ in range(arguments.rounds)])
        finally:
            process.terminate()
            process.wait(timeout=10)


def report(what: str, times: list[float]) -> None:
    print(f"{what}: {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})")


def make_table(
    settings: Settings, images: int, title: str = "made up", network: str = "mikels8"
) -> str:
    """A table of so many images, about six of ten answered rightly; gives its key in the link."""
    checkpoint = open_checkpoint(network, settings)
    classes, width = len(checkpoint.card.taxonomy), checkpoint.card.width
    labels = np.random.default_rng(0).integers(0, classes, images)
    rng = np.random.default_rng(len(network))
    logits = rng.normal(size=(images, classes))
    logits[np.arange(images), labels] += 1.6
    p = np.exp(logits)
    names = checkpoint.card.taxonomy.names
    styles = ("abstract", "cubism", "impressionism", "pop art", "realism", "romanticism")
    collection = str(settings.home / f"{title}.csv")
    centers = rng.normal(size=(classes, width))
    table = EmbeddingTable(
        taxonomy=checkpoint.card.taxonomy,
        paths=tuple(f"{i}.jpg" for i in range(images)),
        sha256=tuple(f"{i:064x}" for i in range(images)),
        embedding=(centers[labels] + rng.normal(size=(images, width))).astype(np.float32),
        probabilities=p / p.sum(axis=1, keepdims=True),
        novelty=rng.uniform(0, 1.2, images),
        labels=labels,
        label_names=tuple(names[i] for i in labels),
        label_taxonomy=checkpoint.card.taxonomy,
        metadata={"style": tuple(styles[i] for i in rng.integers(0, len(styles), images))},
        origin=Origin(
            checkpoint.card.id,
            checkpoint.card.weights_sha256,
            fingerprint(checkpoint),
            collection,
            title,
            str(settings.home),
            "2026-01-01T00:00:00+00:00",
            "0",
        ),
    )
    path = table_path(settings, collection, title, checkpoint.card.id)
    write_embeddings(path, [table])
    return path.parent.name


def visit(visitor: Any, address: str, link: str, selector: str) -> float:
    """Seconds from the navigation until the selector is on screen, in a new tab and session."""
    page = visitor.new_page()
    began = time.perf_counter()
    page.goto(f"{address}/{link}")
    page.wait_for_selector(selector, timeout=120_000)
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def compare(
    visitor: Any, address: str, settings: Settings, images: int, done: int
) -> tuple[float, float]:
    """Seconds until two networks' values are on screen, and until their intervals are."""
    networks = ("mikels8", "mikels8-baseline")
    key, _ = (make_table(settings, images, f"pair {done}", name) for name in networks)
    page = visitor.new_page()
    began = time.perf_counter()
    page.goto(f"{address}/compare?checkpoint={networks[0]}&collection={key}&pair={networks[1]}")
    page.wait_for_selector("table >> text=Average precision", timeout=120_000)
    values = time.perf_counter() - began
    page.wait_for_selector("tr:has-text('ROC area') td:has-text(' to ')", timeout=120_000)
    intervals = time.perf_counter() - began
    page.close()
    return values, intervals


def switched(visitor: Any, address: str, key: str, rounds: int) -> dict[str, list[float]]:
    """Seconds from a press on a view's name to all of it, where Plotly is loaded already."""
    page = visitor.new_page()
    page.goto(f"{address}/evaluate?collection={key}&view=curves")
    page.wait_for_selector(READY["curves"], timeout=120_000)

    def press(view: str) -> float:
        began = time.perf_counter()
        page.get_by_role("radio", name=VIEWS[view], exact=True).first.click()
        page.wait_for_selector(READY[view], timeout=120_000)
        return time.perf_counter() - began

    found: dict[str, list[float]] = {view: [] for view in READY if view != "overview"}
    for view in list(found) * rounds:
        press("overview")
        page.wait_for_selector(".js-plotly-plot", state="detached")
        found[view].append(press(view))
    page.close()
    return found


def move_theta(browser: Any, address: str, key: str) -> float:
    """Milliseconds from a key press on the slider to another count."""
    page = browser.new_context(viewport={"width": 1280, "height": 1600}).new_page()
    page.goto(f"{address}/evaluate?collection={key}&view=sentiment&theta=0.2")
    page.wait_for_selector(READY["sentiment"], timeout=120_000)
    page.wait_for_timeout(1500)
    page.get_by_role("slider").first.focus()
    waiting = page.evaluate_handle(f"({CHANGED})('.ev-legend')".join(("() => [", "]")))
    page.keyboard.press("ArrowRight")
    found = float(page.evaluate("handle => handle[0]", waiting))
    page.context.close()
    return found


def tick(browser: Any, address: str, key: str) -> float:
    """Milliseconds from a tick of the bridge to other headline numbers."""
    page = browser.new_context(viewport={"width": 1280, "height": 1600}).new_page()
    page.goto(f"{address}/evaluate?collection={key}")
    page.wait_for_selector(READY["overview"], timeout=120_000)
    page.get_by_text("Labels and classes").first.click()
    page.wait_for_timeout(1500)
    waiting = page.evaluate_handle(f"({CHANGED})('.ev-tile-value')".join(("() => [", "]")))
    page.get_by_role("button", name="may be called").first.click()
    found = float(page.evaluate("handle => handle[0]", waiting))
    page.context.close()
    return found


def start(home: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *options],
        cwd=PROJECT_ROOT,
        env={**os.environ, "EMOVIZ_HOME": home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return process, address
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the app did not start")


if __name__ == "__main__":
    main()
