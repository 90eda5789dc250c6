"""The map against `st.plotly_chart` with the same points, in Chromium, in turns.

    python benchmarks/map.py [--rounds 5] [--points 17716 118102] [--million]
    python benchmarks/map.py --table 1000000 [--folder DIR]

Times are taken inside the browser: from the navigation (or from the click that puts the map on
the page) to the first frame with points on it; from the lasso's release to the text of a gallery
that the selection feeds; from the pointer's move to the loaded thumbnail.

``--table`` needs no browser: what the page does with so many rows, each step in seconds of the
processor (which other work on the machine disturbs less than the clock), and the most memory of a
process that does them all. The table is made in a folder, about 1.5 GB a million rows, and removed
again. Wanted at a million: a search in names and metadata and a text's best matches in less than
0.1 s; neighbours are exact, so their recall is 1.
"""

import argparse
import hashlib
import itertools
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _timing import report
from playwright.sync_api import Browser, sync_playwright

from emoviz.inference.embedding_table import EmbeddingTable, Origin
from emoviz.inference.stored import write_embeddings
from emoviz.labels import MIKELS8
from emoviz.settings import PROJECT_ROOT

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGE = """
import io

import numpy as np
import streamlit as st
from PIL import Image

from emoviz.labels import MIKELS8
from emoviz.settings import load_settings
from emoviz.ui.map import Category, Colouring, HoverCard, Panel, emotion_map

st.set_page_config(layout="wide")
kind, n = st.query_params["kind"], int(st.query_params["n"])


@st.cache_resource
def data(n):
    random = np.random.default_rng(0)
    codes = random.integers(0, 8, n).astype(np.uint8)
    centers = random.normal(0, 3, (8, 2))
    points = centers[codes] + random.normal(0, 1, (n, 2))
    return points.astype(np.float32), codes


@st.cache_resource
def thumbnails():
    found = []
    for path in sorted((load_settings().sample_data / "images").glob("*.jpg"))[:24]:
        image, out = Image.open(path).convert("RGB"), io.BytesIO()
        image.thumbnail((240, 240))
        image.save(out, "JPEG", quality=82)
        found.append(out.getvalue())
    return found


def cards(indices):
    kept = thumbnails()
    return [HoverCard(f"{i}.jpg", ("a line",), kept[i % len(kept)]) for i in indices]


@st.cache_resource
def figure(n):
    import plotly.graph_objects as go

    points, codes = data(n)
    figure = go.Figure(layout={"dragmode": "lasso", "height": 560})
    for code, item in enumerate(MIKELS8.classes):
        x, y = points[codes == code].T
        marker = {"color": item.colour, "size": 3}
        figure.add_scattergl(x=x, y=y, mode="markers", name=item.name, marker=marker)
    return figure


points, codes = data(n)
if st.toggle("Show", st.query_params.get("show", "1") == "1"):
    if kind == "map":
        categories = tuple(Category(item.name, item.colour) for item in MIKELS8.classes)
        colouring = Colouring("Emotion", categories, codes)
        event = emotion_map([Panel("", points)], colouring, key="map", cards_of=cards)
        chosen = [] if event.selected is None else event.selected.tolist()
    else:
        event = st.plotly_chart(
            figure(n), key="plot", on_select="rerun", selection_mode="lasso", theme=None
        )
        chosen = event.selection.point_indices
    st.html(f"<p id='gallery'>{len(chosen)} images: {chosen[:12]}</p>")
"""
WATCH = """
window.canvases = () => {
  const found = [...document.querySelectorAll(".gl-canvas")];
  for (const element of document.querySelectorAll("[data-testid=stBidiComponentIsolated]"))
    found.push(...(element.shadowRoot?.querySelectorAll(".stage canvas") ?? []));
  return found;
};
const small = document.createElement("canvas");
small.width = small.height = 48;
const pen = small.getContext("2d", {willReadFrequently: true});
window.inked = () => window.canvases().some(canvas => {
  if (!canvas.width || !canvas.height) return false;
  pen.clearRect(0, 0, 48, 48);
  pen.drawImage(canvas, 0, 0, 48, 48);
  return pen.getImageData(0, 0, 48, 48).data.some((value, i) => i % 4 === 3 && value > 0);
});
window.until = test => new Promise(resolve => {
  const look = () => test() ? resolve(performance.now()) : requestAnimationFrame(look);
  look();
});
window.card = () => {
  for (const element of document.querySelectorAll("[data-testid=stBidiComponentIsolated]")) {
    const image = element.shadowRoot?.querySelector(".card:popover-open img");
    if (image?.complete && image.naturalWidth) return image.src;
  }
  return null;
};
window.gallery = () => document.querySelector("#gallery")?.textContent;
for (const kind of ["pointerup", "pointermove"])
  addEventListener(kind, () => { window[kind] = performance.now(); }, true);
"""
FRAMES = """
window.frames_seen = [];
const seen = now => { window.frames_seen.push(now); requestAnimationFrame(seen); };
requestAnimationFrame(seen);
0
"""
RENDERER = """() => {
  const gl = document.createElement("canvas").getContext("webgl");
  return gl.getParameter(gl.getExtension("WEBGL_debug_renderer_info").UNMASKED_RENDERER_WEBGL);
}"""


STEPS = """
import resource, sys, time
from pathlib import Path
import numpy as np
from emoviz.analysis.neighbours import best_matches, nearest_others
from emoviz.analysis.projection import fit_projection
from emoviz.inference.stored import mapped_embeddings
from emoviz.inference.text_column import rows_with
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.scene import matched


def step(words, work):
    began = time.process_time()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {words}: {time.process_time() - began:.3f} s ({peak:,.0f} MB at most)", flush=True)
    return result


table, kind = Path(sys.argv[1]), sys.argv[2]
points = step(f"opened, {kind}", lambda: Points.from_table(mapped_embeddings(table), ""))
if kind == "first":
    sys.exit()
columns = (points.names, *points.columns.values())
for query in ("artist 17", "artist 18", "painting_0000999", "cubism untitled", "a"):
    found = step(f"searched {query!r}", lambda: rows_with(columns, query.split()))
    print(f"    {int(found.sum()):,} rows")
step("12 nearest of one", lambda: nearest_others(points.vectors, len(points) // 2, 12))
u = points.vectors
query = u[7] / np.linalg.norm(u[7])
step("60 best matches of a text", lambda: best_matches(u, query, 60, None))
awe = points.predicted == 1
step("the same among one emotion", lambda: best_matches(u, query, 60, awe))
other = Points.from_table(mapped_embeddings(table), "")
step("rows of a second network found", lambda: matched(points, other))
step("map by PCA", lambda: fit_projection(points.vectors, "pca", 2))
"""


STYLES = ("Cubism", "Baroque", "Realism")


def made_up(count: int) -> Iterator[EmbeddingTable]:
    """A table of vectors around eight centers, with names, artists, styles and titles."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 1, (8, 136)).astype(np.float32)
    origin = Origin("made", "w", "f", "/made", "made", "/made", "2026-01-01T00:00:00", "1")
    for start in range(0, count, 65_536):
        rows = range(start, min(start + 65_536, count))
        labels = rng.integers(0, 8, len(rows))
        u = centers[labels] + rng.normal(0, 1, (len(rows), 136)).astype(np.float32)
        shares = np.exp(u[:, :8].astype(np.float64))
        yield EmbeddingTable(
            MIKELS8,
            tuple(f"folder{i // 1000:05}/painting_{i:07}.jpg" for i in rows),
            tuple(hashlib.sha256(str(i).encode()).hexdigest() for i in rows),
            u,
            shares / shares.sum(axis=1, keepdims=True),
            rng.random(len(rows)),
            labels,
            label_names=tuple(MIKELS8.names[i] for i in labels),
            label_taxonomy=MIKELS8,
            metadata={
                "artist": tuple(f"Artist {k}" for k in rng.integers(0, 3000, len(rows))),
                "style": tuple(STYLES[k] for k in rng.integers(0, 3, len(rows))),
                "title": tuple(f"Untitled {i}" for i in rows),
            },
            origin=origin,
        )


@dataclass
class Round:
    """One visit; times in milliseconds."""

    cold: float = 0.0
    warm: float = 0.0
    lasso: float = 0.0
    chosen: str = ""
    down: int = 0
    up: int = 0
    hovers: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    memory: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", type=int, nargs="*", default=[17_716, 118_102])
    parser.add_argument("--million", action="store_true", help="try a million points as well")
    parser.add_argument("--table", type=int, metavar="ROWS", help="the page's work on a table")
    parser.add_argument("--folder", type=Path, help="where the table is made, and removed again")
    options = parser.parse_args()
    if options.table:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            table = Path(folder) / "t.parquet"
            write_embeddings(table, made_up(options.table))
            print(f"{options.table:,} rows, {table.stat().st_size / 1e6:,.0f} MB of Parquet")
            for kind in ("first", "again"):
                command = [sys.executable, "-c", STEPS, str(table), kind]
                subprocess.run(command, check=True, cwd=PROJECT_ROOT)
            beside = table.with_name(f".{table.stem}.arrow").stat().st_size
            print(f"the mapped file beside it: {beside / 1e6:,.0f} MB")
        return
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
    with sync_playwright() as driver, serving() as address:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        load = f"load {os.getloadavg()[0]:.1f}"
        print(f"{os.cpu_count()} cores ({load}), Chromium {browser.version}")
        print(f"WebGL: {page.evaluate(RENDERER)}")
        page.close()
        for n in options.points:
            compare(browser, address, n, options.rounds)
        if options.million:
            print("\n1,000,000 points, the map alone")
            alone(visit(browser, address, "map", 1_000_000), 1_000_000)


def compare(browser: Browser, address: str, n: int, rounds: int) -> None:
    """Both in turn; ratios of pairs."""
    print(f"\n{n:,} points")
    for kind in ("map", "plotly"):
        visit(browser, address, kind, n)
    pairs = [
        (visit(browser, address, "map", n), visit(browser, address, "plotly", n))
        for _ in range(rounds)
    ]

    def ratio(name: str, target: str, value: Callable[[Round], float]) -> None:
        ours, theirs = [[value(pair[k]) for pair in pairs] for k in (0, 1)]
        report(name, target, ours, theirs)
        middles = [statistics.median(values) for values in (ours, theirs)]
        print(f"    map {middles[0]:,.0f}, plotly {middles[1]:,.0f}")

    ratio("navigation to drawn, cold (ms)", "at most 0.50", lambda found: found.cold)
    ratio("put on the page to drawn, warm (ms)", "at most 0.50", lambda found: found.warm)
    ratio("lasso release to gallery (ms)", "at most 0.33", lambda found: found.lasso)
    ratio("bytes down", "", lambda found: found.down)
    ratio("bytes up a lasso", "", lambda found: found.up)
    print(f"chosen by the lasso: map {pairs[0][0].chosen}, plotly {pairs[0][1].chosen}")
    hovers = [value for ours, _ in pairs for value in ours.hovers]
    say_hovers(hovers)
    print(f"bytes down a point: {statistics.median(ours.down for ours, _ in pairs) / n:.1f}")


def alone(found: Round, n: int) -> None:
    print(f"navigation to drawn, cold: {found.cold:,.0f} ms; warm: {found.warm:,.0f} ms")
    print(f"lasso release to gallery: {found.lasso:,.0f} ms ({found.chosen} chosen)")
    print(f"bytes down: {found.down:,} ({found.down / n:.1f} a point); up a lasso: {found.up:,}")
    say_hovers(found.hovers)
    frames = sorted(found.frames)
    print(
        f"a frame while the wheel turns: {statistics.median(frames):.0f} ms "
        f"({frames[0]:.0f} to {frames[-1]:.0f}, {len(frames)} frames)"
    )
    print(f"memory: {found.memory}")


def say_hovers(hovers: list[float]) -> None:
    if not hovers:
        print("hover to thumbnail: none came")
        return
    print(
        f"hover to thumbnail: {statistics.median(hovers):.0f} ms "
        f"({min(hovers):.0f} to {max(hovers):.0f}, {len(hovers)} hovers; wanted below 200)"
    )


def visit(browser: Browser, address: str, kind: str, n: int) -> Round:
    """A fresh session: cold, lasso, hovers, warm."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.add_init_script(WATCH)
    down: list[int] = []
    up: list[int] = []

    def listen(found: Any) -> None:
        found.on("framereceived", lambda frame: down.append(len(frame)))
        found.on("framesent", lambda frame: up.append(len(frame)))

    page.on("websocket", listen)
    found = Round()
    page.goto(f"{address}/?kind={kind}&n={n}")
    found.cold = page.evaluate("until(inked)")
    page.wait_for_timeout(1500)
    found.down = sum(down)
    sent = len(up)
    found.lasso = lasso(page, kind)
    found.up = sum(up[sent:])
    found.chosen = page.evaluate("gallery()").split(" ")[0]
    if kind == "map":
        found.hovers = hovers(page)
        found.frames = wheel(page)
        found.memory = memory(browser, page)
    found.warm = warm(page)
    context.close()
    return found


def lasso(page: Any, kind: str) -> float:
    """Milliseconds from the release to the new text of the gallery."""
    if kind == "map":
        page.get_by_role("button", name="Lasso", exact=True).click()
    x, y, width, height = plot(page)
    path = [
        (x + width / 2 + 110 * math.cos(k / 6), y + height / 2 + 110 * math.sin(k / 6))
        for k in range(38)
    ]
    page.mouse.move(*path[0])
    page.mouse.down()
    for place in path[1:]:
        page.mouse.move(*place)
    page.wait_for_timeout(500)
    page.evaluate(
        "window.before = gallery(); window.changed = until(() => gallery() !== before); 0"
    )
    page.mouse.up()
    end = page.evaluate("changed")
    page.wait_for_timeout(700)
    return float(end - page.evaluate("pointerup"))


def hovers(page: Any) -> list[float]:
    """Milliseconds from a move to the loaded thumbnail, for images not seen before."""
    x, y, width, height = plot(page)
    times = []
    for k in range(8):
        page.mouse.move(5, 5)
        page.wait_for_function("card() === null")
        page.wait_for_timeout(250)
        page.evaluate("window.shown = until(() => card() !== null); 0")
        angle = 0.9 * k
        spot = x + width / 2 + 90 * math.cos(angle), y + height / 2 + 90 * math.sin(angle)
        page.mouse.move(*spot)
        end = page.evaluate("Promise.race([shown, new Promise(r => setTimeout(r, 3000, 0))])")
        if end:
            times.append(float(end - page.evaluate("pointermove")))
    return times


def wheel(page: Any) -> list[float]:
    """Milliseconds of each frame while the wheel zooms in and out again."""
    x, y, width, height = plot(page)
    page.mouse.move(x + width / 2, y + height / 2)
    page.wait_for_timeout(1000)
    page.evaluate(FRAMES)
    for turn in 12 * [-100] + 12 * [100]:
        page.mouse.wheel(0, turn)
        page.wait_for_timeout(60)
    times = page.evaluate("window.frames_seen")
    return [float(b - a) for a, b in itertools.pairwise(times)]


def memory(browser: Browser, page: Any) -> str:
    """Of the tab and of the process that draws, after a collection of garbage."""
    page.wait_for_timeout(1000)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    resident = {"renderer": 0.0, "GPU": 0.0}
    for process in found:
        if process["type"] in resident:
            pages = int(Path(f"/proc/{process['id']}/statm").read_text().split()[1])
            resident[process["type"]] += pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    outside = heap.get("backingStorageSize", 0)
    return (
        f"JavaScript {heap['usedSize'] / 1e6:,.0f} MB and {outside / 1e6:,.0f} MB of typed arrays; "
        f"resident: tab {resident['renderer']:,.0f} MB, drawing {resident['GPU']:,.0f} MB"
    )


def warm(page: Any) -> float:
    """Milliseconds from a click that puts the map on the page to its points."""
    page.mouse.move(5, 5)
    toggle = "document.querySelector('[data-testid=stCheckbox] input')"
    page.evaluate(f"{toggle}.click()")
    page.wait_for_function("canvases().length === 0")
    page.wait_for_timeout(700)
    return float(
        page.evaluate(
            f"() => {{ const began = performance.now(); {toggle}.click(); "
            "return until(inked).then(end => end - began); }"
        )
    )


def plot(page: Any) -> tuple[float, float, float, float]:
    """Where the points are."""
    box = page.locator(".stage, .nsewdrag").first.bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


@contextmanager
def serving() -> Iterator[str]:
    """The page above on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "page.py"
        script.write_text(PAGE, encoding="utf-8")
        options = [f"--server.port={port}", "--server.headless=true"]
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), *options],
            cwd=PROJECT_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while process.poll() is None:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


if __name__ == "__main__":
    main()
