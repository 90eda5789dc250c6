"""The page as a person meets it: from a cold start to a first prediction, from drop to result.

    python benchmarks/page.py [--drops 15]

Needs Chromium and playwright (requirements-dev.txt). The start is that of `scripts/run` with
everything installed. Both times are printed, with the network's own share of the second.
"""

import argparse
import base64
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from typing import Any

from playwright.sync_api import sync_playwright

from emoviz.settings import PROJECT_ROOT, load_settings

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Resolves with the milliseconds from the drop to the moment when the image's name is on screen.
DROP = """([name, text]) => new Promise(resolve => {
  const zone = document.querySelector(
    `[class*="st-key-files-"] [data-testid=stFileUploaderDropzone]`);
  const bytes = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type: "image/jpeg"}));
  const began = performance.now();
  const watch = new MutationObserver(() => {
    if ([...document.querySelectorAll(".ev-name")].some(e => e.textContent.includes(name))) {
      watch.disconnect();
      requestAnimationFrame(() => resolve(performance.now() - began));
    }
  });
  watch.observe(document.body, {childList: true, subtree: true, characterData: true});
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(
      new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drops", type=int, default=15)
    drops = parser.parse_args().drops
    browser_path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=FLAGS)
        began = time.perf_counter()
        process, address = start(home)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector(".st-key-samples button, .st-key-samples img")
            drawn = time.perf_counter() - began
            measure_drop(page, 0)
            first = time.perf_counter() - began
            print(f"scripts/run to a page that takes images: {drawn:.2f} s")
            print(f"scripts/run to a first prediction on screen: {first:.2f} s")
            times = [measure_drop(page, i) for i in range(1, drops + 1)]
        finally:
            process.terminate()
            process.wait(timeout=10)
    middle = statistics.median(times)
    print(f"drop to result: {middle:.0f} ms ({min(times):.0f} to {max(times):.0f}, {drops} drops)")
    own = 1000 * network_seconds()
    print(f"  decoding and the network take {own:.0f} ms of it ({100 * own / middle:.0f} %)")


def start(home: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start the app as a person does, without opening a browser of its own."""
    port = free_port()
    process = subprocess.Popen(
        ["scripts/run", f"--server.port={port}", "--server.headless=true"],
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
            time.sleep(0.02)
    raise SystemExit("the app did not start")


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure_drop(page: Any, number: int) -> float:
    """Milliseconds from dropping one new image to its name on screen; earlier ones are removed."""
    images = sorted((load_settings().sample_data / "images").glob("*.jpg"))
    if page.get_by_role("button", name="Remove all").count():
        page.get_by_role("button", name="Remove all").click()
        page.wait_for_selector(".st-key-samples button, .st-key-samples img")
    page.wait_for_timeout(400)
    data = images[number % len(images)].read_bytes()
    packed = [f"dropped-{number}.jpg", base64.b64encode(data).decode()]
    return float(page.evaluate(DROP, packed))


def network_seconds() -> float:
    """Decoding and predicting one image in a warm process."""
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.sources import from_bytes
    from emoviz.inference.predict import load_model, predict

    settings = load_settings()
    model = load_model(open_checkpoint("mikels8", settings), settings)
    data = next((settings.sample_data / "images").glob("*.jpg")).read_bytes()
    times = []
    for _ in range(15):
        began = time.perf_counter()
        list(predict(model, [from_bytes("x", data)], batch=1))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
