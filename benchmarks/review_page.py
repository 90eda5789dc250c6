"""The next artwork in the browser: from the press of a key to the picture on the screen.

    python benchmarks/review_page.py [--works 100000] [--presses 40]

Needs Chromium and playwright (requirements-dev.txt). A collection of that many works is made out of
the project's sample images with random estimates; then one person decides, once with a second to
look at each work (its picture is there by then), and once as fast as the desk allows. Wanted: the
next artwork within 100 ms, each decision stored in the end. Then steps back through the filmstrip
and jumps by number, for which the server is asked. The server's own part of it, without
pictures and without Streamlit, is timed by itself in this process; wanted: below 50 ms.
"""

import argparse
import hashlib
import os
import random
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
from page import FLAGS
from playwright.sync_api import sync_playwright

from emoviz import __version__
from emoviz.checkpoints import list_checkpoints
from emoviz.inference.cache import fingerprint
from emoviz.review import NewEstimate, NewWork, Queue, open_store
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui.review import desk_protocol

READY = ".ev-desk[data-shown=yes]"
# Milliseconds from a key, or from a number in the filmstrip, until another artwork stands there;
# an arrow is held down, as at the end of what the browser knows of the strip.
TURN = """async ([key, number]) => {
  const desk = document.querySelector(".ev-desk"), work = desk.dataset.work
  const field = desk.querySelector(".number input")
  if (number) field.value = number
  const began = performance.now()
  const press = (repeat) => (number ? field : document).dispatchEvent(
    new KeyboardEvent("keydown", {key, bubbles: true, repeat}))
  press(false)
  for (let said = began; desk.dataset.work === work || desk.dataset.shown !== "yes"; ) {
    await new Promise((done) => requestAnimationFrame(done))
    if (!key.startsWith("Arrow") || performance.now() - said < 30) continue
    said = performance.now()
    if (desk.dataset.work === work) press(true)
  }
  return performance.now() - began
}"""

FRAMES = """async () => {
  const began = performance.now()
  for (let n = 0; n < 2; n++) await new Promise((done) => requestAnimationFrame(done))
  return performance.now() - began
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", type=int, default=100_000)
    parser.add_argument("--presses", type=int, default=40)
    asked = parser.parse_args()
    browser_path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        collection = furnish(Settings(home=Path(home)), asked.works)
        browser = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        process, address = start(home)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector("[data-testid=stFileUploaderDropzone]", timeout=120_000)
            page.goto(f"{address}/artworks?checkpoint=mikels8&review=gallery")
            page.locator('input[aria-label="Your name"]').fill("Benchmark")
            page.get_by_role("button", name="Go on").click()
            page.wait_for_selector(READY, timeout=120_000)
            page.wait_for_timeout(3000)
            waited, computed = served(Settings(home=Path(home)), collection, 100)
            report("the server's part", waited)
            report("of that, the processor", computed)
            report("with a second to look", [turn(page, 1000) for _ in range(asked.presses)])
            empty = [float(page.evaluate(FRAMES)) for _ in range(asked.presses)]
            report("two frames in which nothing happens, of which a turn waits for", empty)
            report("as fast as it goes", [turn(page, 0) for _ in range(asked.presses)])
            back = [turn(page, 0, "ArrowLeft") for _ in range(asked.presses)]
            report("through the filmstrip", back)
            places = random.Random(0).sample(range(1, asked.works + 1), 20)
            report("to a number", [turn(page, 0, "Enter", place) for place in places])
            page.wait_for_selector(f"{READY}[data-waiting='0']", timeout=60_000)
            store = open_store(Settings(home=Path(home)))
            person = store.reviewer("Benchmark").id
            stored = sum(item.reviewer == person for item in store.decisions(collection))
            print(
                f"decisions stored: {stored} of {2 * asked.presses}; {os.getloadavg()[0]:.1f} load"
            )
        finally:
            stop(process)
            browser.close()


def furnish(settings: Settings, count: int) -> int:
    """A collection of `count` works with random estimates of the default checkpoint; its id."""
    images = sorted((settings.sample_data / "images").glob("*.*"))
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in images]
    checkpoint = next(item for item in list_checkpoints(settings)[0] if item.card.id == "mikels8")
    rng, taxonomy = np.random.default_rng(0), checkpoint.card.taxonomy
    store = open_store(settings)
    found = store.add_collection("gallery", "Gallery", "benchmark", "folder", {})
    began = time.perf_counter()
    store.put_works(
        found.id,
        [
            NewWork(
                key=f"work {n}",
                title=f"Work {n}",
                artist=f"Artist {n % 500}",
                file=str(images[n % len(images)]),
                sha256=hashes[n % len(images)],
            )
            for n in range(count)
        ],
    )
    shares = rng.dirichlet(np.full(len(taxonomy), 0.5), len(images))
    estimates = [NewEstimate(*row) for row in zip(hashes, map(tuple, shares.tolist()), strict=True)]
    store.put_estimates(
        *(found.id, "mikels8", fingerprint(checkpoint), __version__, taxonomy, ""), estimates
    )
    print(f"{count:,} works put into the store in {time.perf_counter() - began:.0f} s")
    return found.id


def served(settings: Settings, collection: int, presses: int) -> tuple[list[float], list[float]]:
    """Milliseconds, and those of the processor alone (which other work on the machine leaves as
    they are), to store a decision, find the next works and say how far one is."""
    store = open_store(settings)
    person = store.reviewer("Beside the browser").id
    known = store.estimate_sets(collection)[0]
    queue, visit = Queue(collection, person, known.fingerprint, "uncertain"), desk_protocol.Visit()
    waited, computed = list[float](), list[float]()
    work = desk_protocol.state(visit, store, queue, False).ahead[0].work.id
    for number in range(presses):
        act = {"token": f"bench-{number}", "does": "decide", "kind": "agree", "feelings": []}
        began, cpu = time.perf_counter(), time.process_time()
        desk_protocol.hear(visit, {"acts": [{**act, "work": work}]}, store, queue, False)
        work = desk_protocol.state(visit, store, queue, False).ahead[0].work.id
        store.progress(queue)
        waited.append(1000 * (time.perf_counter() - began))
        computed.append(1000 * (time.process_time() - cpu))
    return waited, computed


def turn(page: Any, wait: int, key: str = "a", number: int = 0) -> float:
    """Milliseconds from the press to the next picture."""
    page.wait_for_timeout(wait)
    return float(page.evaluate(TURN, [key, number]))


def report(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(
        f"{name}: median {statistics.median(ordered):.0f} ms, nine in ten below "
        f"{ordered[int(0.9 * len(ordered))]:.0f} ms, longest {ordered[-1]:.0f} ms"
    )


def start(home: str) -> tuple[subprocess.Popen[bytes], str]:
    """The app with the environment that runs this; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "emoviz.ui.serve",
            f"--server.port={port}",
            "--server.headless=true",
        ],
        cwd=PROJECT_ROOT,
        env={**os.environ, "EMOVIZ_HOME": home, "STREAMLIT_SERVER_HEADLESS": "true"},
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


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=30)


if __name__ == "__main__":
    main()
