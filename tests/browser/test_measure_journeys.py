"""Measuring with mouse and keyboard: from a set to numbers, pictures, a report, a link."""

import json
import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000


def open_measure(visitor: "Visitor", query: str) -> None:
    """A page of the section Measure on the sample, which a job embeds when it is first asked."""
    visitor.page.goto(f"{visitor.address}/{query}")
    visitor.page.get_by_text(re.compile("On 62 images")).first.wait_for(timeout=120 * SECONDS)
    visitor.settle()


def test_an_evaluation_from_numbers_to_pictures_and_home(visitor: "Visitor") -> None:
    open_measure(visitor, "evaluate?checkpoint=tiny")
    page = visitor.page
    tiles = page.locator(".ev-tiles li")
    expect(tiles).to_have_count(6)
    page.locator(".ev-tile-under", has_text=re.compile(r"\d+\.\d to \d+\.\d")).first.wait_for()

    page.get_by_role("radio", name="Confusion").click()
    cells = page.locator("table[aria-label='Confusion matrix'] button")
    cells.first.wait_for()
    expect(cells).to_have_count(64)
    counts = [cell.get_attribute("aria-label") for cell in cells.all()]
    full = next(i for i, words in enumerate(counts) if ": 0 images" not in words)
    row, column = divmod(full, 8)
    cells.nth(0).focus()
    for _ in range(row):
        page.keyboard.press("ArrowDown")
    for _ in range(column):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    pictures = page.locator("li button:has(.caption)")
    pictures.first.wait_for()
    wanted = int(re.search(r": (\d+) image", counts[full]).group(1))  # type: ignore[union-attr]
    expect(pictures).to_have_count(wanted)
    expect(page).to_have_url(re.compile(re.escape(f"cell={row}-{column}")))
    pictures.first.click()
    page.get_by_role("dialog").locator("img.ev-large").wait_for()
    page.keyboard.press("Escape")
    visitor.settle()

    address = page.url
    page.goto("about:blank")
    page.goto(address)
    pictures.first.wait_for()
    expect(pictures).to_have_count(wanted)

    page.get_by_role("button", name="Take the report home").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSON, for a program").click()
    report = json.loads(waiting.value.path().read_text())
    assert report["n"] == 62
    assert sum(map(sum, report["confusion"]["counts"])) == 62


def test_a_tick_of_the_bridge_changes_the_numbers_and_the_link(visitor: "Visitor") -> None:
    open_measure(visitor, "evaluate?checkpoint=tiny&view=sentiment&theta=0.1")
    page = visitor.page
    expect(page).to_have_url(re.compile(re.escape("theta=0.1")))
    page.get_by_text(re.compile("eligible images? (are|is) torn")).first.wait_for()
    page.get_by_text("Labels and classes: the same").click()
    tick = page.get_by_role("button", name="class amusement may be called label amusement")
    tick.focus()
    page.keyboard.press("Enter")
    page.get_by_text("was changed by hand").wait_for()
    page.get_by_text(
        re.compile(r"left out, because no class may be called so: amusement \(8\)")
    ).wait_for()
    expect(page).to_have_url(re.compile("bridge="))
    page.get_by_role("button", name="Back to the proposal").click()
    page.get_by_text("was changed by hand").wait_for(state="hidden")
    page.get_by_text(re.compile("On 62 images")).first.wait_for()
    expect(page).not_to_have_url(re.compile("bridge="))


def test_what_is_evaluated_is_what_is_compared(visitor: "Visitor") -> None:
    open_measure(visitor, "evaluate?checkpoint=other")  # not the first of the two
    page = visitor.page
    link = page.get_by_role("link", name="Set it against another network")
    assert "checkpoint=other" in (link.get_attribute("href") or "")
    link.click()
    page.wait_for_url(re.compile(r"/compare.*checkpoint=other"))
    page.get_by_text(re.compile("McNemar's test|nothing tells them apart")).first.wait_for()
    network = page.get_by_role("combobox", name="Network")
    expect(network).to_have_value("Another network")


def test_a_comparison_from_the_verdict_to_the_report(visitor: "Visitor") -> None:
    open_measure(visitor, "compare?checkpoint=tiny&pair=other")
    page = visitor.page
    page.get_by_text(re.compile("McNemar's test|nothing tells them apart")).first.wait_for()
    spots = page.locator("ul.ev-spots[aria-label*='percentage points']")
    expect(spots.get_by_role("img", name=re.compile("^[+−].*, from ")).first).to_be_visible()
    page.get_by_role("radio", name="Confusion").click()
    page.locator("table[aria-label='Difference'] button").first.wait_for()
    page.get_by_role("radio", name="Sentiment").click()
    page.locator(".js-plotly-plot").nth(1).wait_for()  # side by side
    visitor.settle()
    page.get_by_role("button", name="Take the report home").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("One page")).click()
    text = waiting.value.path().read_text()
    assert "<html" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
