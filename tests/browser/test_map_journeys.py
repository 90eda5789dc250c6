"""What hands, keys and other screens do with the map."""

import math
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from emoviz.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from visitors import Visitor

# Remembers every WebGL context, to see whether they are given back.
CONTEXTS = """
window.contexts = new Set();
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const found = original.call(this, kind, ...rest);
  if (kind.startsWith("webgl") && found) window.contexts.add(found);
  return found;
};
window.alive = () => [...window.contexts].filter(context => !context.isContextLost()).length;
"""
NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
};
"""
# Pixels with something on them, of the canvas with the points.
INK = """canvas => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let ink = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i] > 20) ink++;
  return ink;
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The page of map_app.py; instead of the whole app."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).parent / "map_app.py"
    options = [f"--server.port={port}", "--server.headless=true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        cwd=PROJECT_ROOT,
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the page did not start")


class Map:
    """The map on the page, and what goes over the socket."""

    def __init__(self, visitor: "Visitor") -> None:
        self.visitor, self.page = visitor, visitor.page
        self.up: list[int] = []
        self.down: list[int] = []
        self.page.on("websocket", self._listen)

    def _listen(self, found: Any) -> None:
        found.on("framesent", lambda frame: self.up.append(len(frame)))
        found.on("framereceived", lambda frame: self.down.append(len(frame)))

    def open(self, query: str = "") -> "Map":
        self.page.goto(f"{self.visitor.address}/?{query}")
        self.drawn()
        return self

    def drawn(self) -> None:
        self.page.wait_for_selector("[data-drawn]")
        self.visitor.settle()

    def press(self, name: str | re.Pattern[str], exact: bool = False) -> None:
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def box(self, panel: int = 0) -> tuple[float, float, float, float]:
        found = self.page.locator(".stage").nth(panel).bounding_box()
        return found["x"], found["y"], found["width"], found["height"]

    def lasso(self, panel: int = 0, size: float = 0.3) -> None:
        x, y, width, height = self.box(panel)
        self.press("Lasso", exact=True)
        ring = [k / 60 * 2 * math.pi for k in range(61)]
        waves = [size * height * (1 + 0.15 * math.sin(5 * angle)) for angle in ring]
        path = [
            (x + width / 2 + wave * math.cos(angle), y + height / 2 + wave * math.sin(angle))
            for wave, angle in zip(waves, ring, strict=True)
        ]
        self.page.mouse.move(*path[0])
        self.page.mouse.down()
        for place in path[1:]:
            self.page.mouse.move(*place)
        self.page.mouse.up()

    def drag(self, dx: float, dy: float, panel: int = 0) -> None:
        x, y, width, height = self.box(panel)
        self.page.mouse.move(x + width / 2, y + height / 2)
        self.page.mouse.down()
        self.page.mouse.move(x + width / 2 + dx / 2, y + height / 2 + dy / 2)
        self.page.mouse.move(x + width / 2 + dx, y + height / 2 + dy)
        self.page.mouse.up()

    def find(self) -> None:
        """Move the pointer until it is on a point; more slowly where a busy machine needs it."""
        x, y, width, height = self.box()
        for pause in (120, 400, 1000):
            for k in range(40):
                angle, far = k * 2.4, 4 * k
                self.page.mouse.move(
                    x + width / 2 + far * math.cos(angle), y + height / 2 + far * math.sin(angle)
                )
                self.page.wait_for_timeout(pause)
                if self.card.count():
                    return
        raise AssertionError("no card anywhere")

    @property
    def card(self) -> Any:
        return self.page.locator(".card:popover-open")

    def python(self, name: str) -> str:
        self.visitor.settle()
        return str(self.page.locator(f"#{name}").inner_text())

    @property
    def status(self) -> str:
        return str(self.page.locator(".status span").first.inner_text())

    def chosen(self) -> int:
        """What the browser counts inside the lasso."""
        return int(self.status.split(" of ")[0].replace(",", ""))

    def ink(self, panel: int = 0) -> int:
        self.page.wait_for_timeout(150)
        return int(self.page.locator(".stage").nth(panel).locator("canvas").nth(1).evaluate(INK))


@pytest.fixture
def chart(visitor: "Visitor") -> Map:
    return Map(visitor)


def test_points_and_legend_are_drawn(chart: Map) -> None:
    chart.open("n=2000&unlabelled=1&marks=1&pins=1")
    assert chart.ink() > 2000
    names = chart.page.locator(".entry .name").all_inner_texts()
    assert [*names[:2], names[-1]] == ["amusement", "awe", "no label"]
    counts = chart.page.locator(".entry .count").all_inner_texts()
    assert sum(int(text.replace(",", "")) for text in counts) == 2000
    expect(chart.page.locator(".mark")).to_have_count(8)
    assert chart.page.locator(".pin img").evaluate("image => image.naturalWidth") == 120
    assert chart.status == "2,000 images"


@pytest.mark.parametrize(
    "query", ["n=3000&panels=2", "n=3000&d=3", "n=3000&shape=holes&unlabelled=1"]
)
def test_what_looks_selected_is_selected(chart: Map, query: str) -> None:
    chart.open(query)
    if "d=3" in query:
        chart.drag(90, 40)
        chart.page.wait_for_timeout(300)
    before, sent = sum(chart.down), len(chart.up)
    chart.lasso()
    chart.page.wait_for_function("document.querySelector('#selected').textContent !== 'none'")
    assert 100 < chart.chosen() == int(chart.python("selected")) < 3000
    assert sum(chart.up[sent:]) < 4096
    assert sum(chart.down) - before < 12_000  # the points did not travel again


def test_a_box_on_the_second_panel_and_escape(chart: Map) -> None:
    chart.open("n=3000&panels=2")
    chart.press("Box", exact=True)
    chart.drag(120, 100, panel=1)
    chart.page.wait_for_function("document.querySelector('#panel').textContent === '1'")
    assert 0 < chart.chosen() == int(chart.python("selected"))
    chart.page.locator(".stage").nth(1).focus()
    chart.page.keyboard.press("Escape")
    chart.page.wait_for_function("document.querySelector('#selected').textContent === 'none'")
    assert chart.status == "3,000 images"


def test_the_payload_travels_once(chart: Map) -> None:
    chart.open("n=20000&panels=2")
    assert sum(chart.down) > 9 * 20_000
    chart.lasso()
    for _ in range(4):
        chart.find()
        chart.page.mouse.move(5, 5)
    for _ in range(3):
        before = sum(chart.down)
        chart.press("Run again")
        chart.visitor.settle()
        assert sum(chart.down) - before < 12_000
    assert 0 < chart.chosen() == int(chart.python("selected"))


def test_the_legend_hides_and_shows(chart: Map) -> None:
    chart.open("n=3000")
    full = chart.ink()
    chart.lasso()
    chart.page.wait_for_function("document.querySelector('#selected').textContent !== 'none'")
    all_of_it = int(chart.python("selected"))
    awe = chart.page.get_by_role("button", name=re.compile(r"^awe "))
    expect(awe).to_have_attribute("aria-pressed", "true")
    awe.focus()
    chart.page.keyboard.press("Space")
    chart.page.wait_for_function("document.querySelector('#off').textContent === 'awe'")
    expect(awe).to_have_attribute("aria-pressed", "false")
    assert chart.chosen() == int(chart.python("selected")) < all_of_it
    chart.press("Show only awe")
    chart.page.wait_for_function("document.querySelector('#off').textContent.length > 30")
    assert 0 < chart.chosen() == int(chart.python("selected"))
    assert chart.ink() < full / 2
    chart.press("Show all")
    chart.page.wait_for_function("document.querySelector('#off').textContent === ''")
    assert int(chart.python("selected")) == all_of_it


def test_a_card_comes_and_is_kept(chart: Map) -> None:
    chart.open("n=3000&panels=2")
    chart.find()
    text = chart.card.inner_text()
    assert re.match(r"image_\d{6}\.jpg", text)
    assert "62 %" in text
    assert chart.card.locator("img").evaluate("image => image.naturalWidth") == 240
    asked = len(chart.up)
    chart.page.mouse.move(5, 5)
    chart.card.wait_for(state="hidden")
    for _ in range(3):
        chart.find()
        chart.page.mouse.move(5, 5)
    assert len(chart.up) == asked


def test_few_images_in_view_are_pictures(chart: Map) -> None:
    chart.open("n=3000&panels=2")
    first, second = chart.page.get_by_role("application").all()
    pictures = first.locator(".thumb")
    for panel in (first, second):
        expect(panel.locator(".thumb")).to_have_count(0)
        panel.focus()
        for _ in range(10):
            chart.page.keyboard.press("+")
        expect(panel.locator(".thumb").nth(4)).to_have_js_property("naturalWidth", 240)
    # At its place: a click there is one on that image, whose card has the same picture.
    pictures.first.click(force=True)
    address = pictures.first.get_attribute("src") or ""
    expect(chart.card.locator("img")).to_have_attribute("src", address)
    expect(chart.page.locator("#clicked")).not_to_have_text("None")
    first.focus()
    chart.page.keyboard.press("0")
    expect(pictures).to_have_count(0)
    expect(second.locator(".thumb")).not_to_have_count(0)


def test_pictures_that_are_made_later_come_with_the_next_run(chart: Map) -> None:
    chart.open("n=3000&late=1")
    chart.page.get_by_role("application").focus()
    for _ in range(10):
        chart.page.keyboard.press("+")
    chart.page.wait_for_timeout(600)  # all in view were asked for
    chart.visitor.settle()
    expect(chart.page.locator(".thumb")).to_have_count(0)
    chart.press("Run again")
    expect(chart.page.locator(".thumb").nth(4)).to_be_visible()


def test_a_click_reports_the_image(chart: Map) -> None:
    chart.open("n=3000")
    chart.find()
    number = int(chart.card.inner_text()[6:12])
    chart.page.mouse.down()
    chart.page.mouse.up()
    chart.page.wait_for_function("document.querySelector('#clicked').textContent !== 'None'")
    assert int(chart.python("clicked")) == number
    chart.press("Run again")
    assert int(chart.python("clicked")) == number
    chart.press(re.compile("Clear"))
    chart.page.wait_for_function("document.querySelector('#clicked').textContent === 'None'")


def test_the_keyboard_alone(chart: Map) -> None:
    chart.open("n=3000")
    stage = chart.page.get_by_role("application")
    assert "3,000 images" in stage.get_attribute("aria-label")
    stage.focus()
    chart.page.keyboard.press("ArrowRight")
    said = chart.page.locator("[aria-live=polite]")
    chart.card.wait_for()
    first = said.inner_text()
    assert re.search(r"image_\d{6}\.jpg", first)
    chart.page.keyboard.press("ArrowRight")
    chart.page.wait_for_timeout(600)
    expect(said).not_to_have_text(first)
    number = int(chart.card.inner_text()[6:12])
    chart.page.keyboard.press("Enter")
    chart.page.wait_for_function("document.querySelector('#clicked').textContent !== 'None'")
    assert int(chart.python("clicked")) == number
    before = chart.ink()
    for _ in range(6):
        chart.page.keyboard.press("+")
    assert chart.ink() != before
    chart.page.keyboard.press("0")
    chart.page.keyboard.press("Escape")
    chart.page.wait_for_function("document.querySelector('#clicked').textContent === 'None'")


def test_the_wheel_zooms_in_and_lets_the_page_scroll_when_all_is_seen(chart: Map) -> None:
    chart.open("n=3000&height=900")
    x, y, width, _ = chart.box()
    chart.page.mouse.move(x + width / 2, y + 300)
    before = chart.ink()
    chart.page.mouse.wheel(0, -600)
    zoomed = chart.ink()
    assert zoomed != before
    chart.page.mouse.wheel(0, 5000)
    assert abs(chart.ink() - before) < before / 20
    top = chart.page.locator(".stage").bounding_box()["y"]
    chart.page.mouse.wheel(0, 300)
    chart.page.wait_for_timeout(400)
    assert chart.page.locator(".stage").bounding_box()["y"] < top - 50


def test_a_link_brings_its_selection(chart: Map) -> None:
    chart.open("n=3000&panels=2&link=1")
    assert chart.python("off") == "awe"
    assert chart.python("panel") == "1"
    assert 0 < chart.chosen() == int(chart.python("selected"))
    awe = chart.page.get_by_role("button", name=re.compile(r"^awe "))
    expect(awe).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("n=0", "There are no images to show."),
        ("n=5&shape=nan", "No image has a position on this map."),
        ("n=0&d=3", "There are no images to show."),
    ],
)
def test_nothing_to_draw_is_said(chart: Map, query: str, words: str) -> None:
    chart.open(query)
    expect(chart.page.locator(".empty")).to_have_text(words)
    chart.press("Density")
    chart.page.locator(".stage").focus()
    for key in ("ArrowLeft", "Enter", "+", "0"):
        chart.page.keyboard.press(key)


@pytest.mark.parametrize(
    "query", ["n=1", "n=2", "n=9&shape=equal", "n=1&d=3", "n=9&shape=equal&d=3"]
)
def test_few_points_are_points(chart: Map, query: str) -> None:
    chart.open(query)
    assert 20 < chart.ink() < 2000
    chart.press("Density")
    chart.lasso(size=0.48)
    chart.page.wait_for_function("document.querySelector('#selected').textContent !== 'none'")
    assert chart.chosen() == int(chart.python("selected"))


def test_contexts_are_given_back(chart: Map) -> None:
    chart.page.add_init_script(CONTEXTS)
    chart.open("n=500&panels=2&twice=1")
    chart.page.wait_for_timeout(500)
    assert chart.page.evaluate("window.alive()") == 2
    for _ in range(2):
        chart.page.get_by_text("Show the map").click()
        chart.page.wait_for_function("!document.querySelector('.stBidiComponent')")
        assert chart.page.evaluate("window.alive()") == 0
        chart.page.get_by_text("Show the map").click()
        chart.drawn()
    assert chart.ink() > 500
    chart.lasso()
    chart.page.wait_for_function("document.querySelector('#selected').textContent !== 'none'")
    assert chart.page.evaluate("window.alive()") == 2


def test_a_lost_context_is_replaced(chart: Map) -> None:
    chart.page.add_init_script(CONTEXTS)
    chart.open("n=500")
    chart.page.evaluate(
        """() => [...window.contexts].find(one => !one.isContextLost())
             .getExtension("WEBGL_lose_context").loseContext()"""
    )
    chart.page.wait_for_timeout(800)
    assert chart.page.evaluate("window.alive()") == 1
    assert chart.ink() > 500


def test_without_webgl_the_reason_is_readable(chart: Map) -> None:
    chart.page.add_init_script(NO_WEBGL)
    chart.page.goto(f"{chart.visitor.address}/?n=500")
    chart.page.get_by_text("The map cannot be drawn in this browser.").wait_for()
    expect(chart.page.locator(".cannot")).to_contain_text("WebGL")
    expect(chart.page.locator(".entry")).to_have_count(8)


def test_another_theme_needs_no_reload(chart: Map) -> None:
    chart.open("n=500&values=1")
    ramp = chart.page.locator(".gradient")
    ground = "element => getComputedStyle(element).backgroundColor"
    light = chart.page.locator(".stage").evaluate(ground), ramp.get_attribute("style")
    chart.page.emulate_media(color_scheme="dark")
    chart.page.wait_for_timeout(500)
    dark = chart.page.locator(".stage").evaluate(ground), ramp.get_attribute("style")
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert chart.ink() > 500


@pytest.mark.parametrize(("width", "side_by_side"), [(1280, True), (800, True), (480, False)])
def test_two_panels_find_room(chart: Map, width: int, side_by_side: bool) -> None:
    chart.open("n=500&panels=2")
    chart.page.set_viewport_size({"width": width, "height": 900})
    chart.page.wait_for_timeout(500)
    (x0, y0, w0, _), (x1, y1, w1, _) = chart.box(0), chart.box(1)
    assert (y0 == y1) == side_by_side
    assert (x0 != x1) == side_by_side
    assert x1 + w1 <= width
    assert w0 == pytest.approx(w1, abs=1)
    canvas = chart.page.locator(".stage").first.locator("canvas").nth(1)
    assert canvas.evaluate("c => [c.width, c.clientWidth * devicePixelRatio]") == [
        pytest.approx(w0 - 2, abs=1.5),
        pytest.approx(w0 - 2, abs=1.5),
    ]
