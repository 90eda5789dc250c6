"""The first load: bytes, responses and seconds to content of each page, beside an empty one.

    python benchmarks/first_load.py [--rounds 5] [--pages classify centers ...]

Needs Chromium and playwright (requirements-dev.txt). An empty Streamlit page (a title and a line)
is served by the same Streamlit under the same theme. The two are visited in turn, each time by a
browser that has nothing (cold) and then once more by the same browser (warm); medians of both and
the median of the pairwise ratios are printed, wanted: 1.3 at most. *Content*: the page has its
title, the script rests, no figure is still a placeholder. The very first visitor after a start is
printed by itself. Bytes are those on the wire, the WebSocket's among them.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page import FLAGS, free_port
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from emoviz.settings import PROJECT_ROOT

PAGES = {
    "classify": "",
    "textures": "textures",
    "embeddings": "embeddings",
    "centers": "centers",
    "evaluate": "evaluate",
    "compare": "compare",
    "collections": "collections",
    "artworks": "artworks",
    "overview": "overview",
    "study": "study",
    "datasets": "datasets",
    "retrain": "retrain",
    "runs": "runs",
}
EMPTY = 'import streamlit as st\nst.title("Empty")\nst.write("Nothing else.")\n'
WANTED = 1.3
COMMAND = (sys.executable, "-m", "streamlit", "run")
CONTENT = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  if (app?.dataset.testScriptState !== "notRunning") return false;
  if (!document.querySelector("[data-testid=stMain] h1")) return false;
  if (document.querySelector("[data-testid=stMain] [data-testid=stSkeleton]")) return false;
  for (const figure of document.querySelectorAll("[data-testid=stPlotlyChart]"))
    if (!figure.querySelector(".main-svg")) return false;
  return performance.now();
}"""


@dataclass
class Load:
    """What one visit cost: seconds until the content stands, bytes on the wire, responses."""

    seconds: float
    bytes: int
    responses: int
    plotly: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", nargs="*", choices=PAGES, default=list(PAGES))
    asked = parser.parse_args()
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        script = Path(folder, "empty.py")
        script.write_text(EMPTY, encoding="utf-8")
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        with (
            served(Path(folder), str(script)) as empty,
            served(Path(folder), str(PROJECT_ROOT / "app.py")) as ours,
        ):
            told("empty, first visitor", visit(browser, empty))
            told("classify, first visitor", visit(browser, ours))
            for name in asked.pages:
                visit(browser, f"{ours}/{PAGES[name]}")  # what the server computes once
                compare(browser, name, f"{ours}/{PAGES[name]}", empty, asked.rounds)
        browser.close()


def compare(browser: Browser, name: str, ours: str, empty: str, rounds: int) -> None:
    """Visit a page and the empty one in turn; print both, and the ratio of their seconds."""
    pairs = [(both_caches(browser, ours), both_caches(browser, empty)) for _ in range(rounds)]
    for which, words in enumerate(("cold", "warm")):
        mine, theirs = ([load[which] for load in side] for side in zip(*pairs, strict=True))
        ratios = [a.seconds / b.seconds for a, b in zip(mine, theirs, strict=True)]
        ratio = statistics.median(ratios)
        told(
            f"{name}, {words}",
            middle(mine),
            f"empty {middle(theirs).seconds:.2f} s: x {ratio:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})" + (" MISSED" if ratio > WANTED else ""),
        )


def middle(loads: Sequence[Load]) -> Load:
    """The visit whose time is the median of all."""
    return sorted(loads, key=lambda load: load.seconds)[len(loads) // 2]


def told(name: str, load: Load, more: str = "") -> None:
    """One line of the table."""
    with_plotly = ", Plotly" if load.plotly else ""
    print(
        f"{name:24} {load.seconds:5.2f} s {load.bytes / 1e6:6.2f} MB "
        f"{load.responses:4} responses{with_plotly}  {more}",
        flush=True,
    )


def both_caches(browser: Browser, address: str) -> tuple[Load, Load]:
    """A visit by a browser that has nothing, and another by the same browser."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        return load(context, address), load(context, address)
    finally:
        context.close()


def visit(browser: Browser, address: str) -> Load:
    """A visit by a browser that has nothing."""
    return both_caches(browser, address)[0]


def load(context: BrowserContext, address: str) -> Load:
    """Open a page until its content stands, and count what came."""
    page = context.new_page()
    seen: dict[str, Any] = {"bytes": 0, "responses": 0, "plotly": False}
    asked: set[str] = set()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] in asked:
            seen["bytes"] += int(event["encodedDataLength"])

    def answered(event: dict[str, Any]) -> None:
        inside = event["response"]["url"].startswith(("data:", "blob:"))
        if not inside and not event["response"].get("fromDiskCache", False):
            seen["responses"] += 1
            asked.add(event["requestId"])
        seen["plotly"] |= "PlotlyChart" in event["response"]["url"]

    def framed(event: dict[str, Any]) -> None:
        text = event["response"]["payloadData"]
        seen["bytes"] += len(text) * 3 // 4 if event["response"]["opcode"] == 2 else len(text)

    wire.on("Network.loadingFinished", finished)
    wire.on("Network.responseReceived", answered)
    wire.on("Network.webSocketFrameReceived", framed)
    page.goto(address, wait_until="commit")
    done = page.wait_for_function(CONTENT, timeout=600_000)
    seconds = float(done.json_value()) / 1000
    page.wait_for_timeout(300)  # what is still under way is counted, too
    page.close()
    return Load(seconds, seen["bytes"], seen["responses"], seen["plotly"])


@contextmanager
def served(folder: Path, script: str) -> Iterator[str]:
    """The address of a Streamlit script, served under the app's settings."""
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, script, f"--server.port={port}", "--server.headless=true"],
        cwd=PROJECT_ROOT,
        env={**os.environ, "EMOVIZ_HOME": str(folder / "home"), "PYTHONPATH": str(PROJECT_ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                    break
            except OSError:
                time.sleep(0.05)
        else:
            raise SystemExit(f"{script} did not start")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


if __name__ == "__main__":
    main()
