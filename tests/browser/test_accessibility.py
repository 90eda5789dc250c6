"""Every page before axe-core, light and dark, wide and narrow; and a review without a mouse."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import axe_playwright_python
import pytest
from playwright.sync_api import expect
from test_review_journeys import SAMPLE, begin, decided, stored

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
LOOK = """async (rules) => {
  const fading = {exclude: [["[data-stale=true]"]]}  // what is being drawn anew
  const found = await axe.run(fading, {runOnly: rules, resultTypes: ["violations"]})
  return found.violations
    .filter(({impact}) => ["serious", "critical"].includes(impact))
    .flatMap(({id, nodes}) => nodes.map(({target, html}) => [id, target.join(" "), html]))
}"""
HEADINGS = """[...document.querySelectorAll("[data-testid=stMain] :is(h1, h2, h3, h4, h5, h6)")]
  .map(heading => Number(heading.tagName[1]))"""
RULES = {  # a theme changes colours alone: all else is looked at in one
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "dark": ["color-contrast"],
}
# What axe-core finds in Streamlit's own frame: rule -> what its elements hold, and why.
FRAME = {
    "list": "stSidebarNavItems",  # the menu's list holds its sections' headings between its items
    "listitem": "<li class=",  # the same items, which Streamlit puts below those headings
}
WAVE, APE = "sample=images/hokusai_great_wave.jpg", "sample=images/mountain_gorilla.jpg"
PAGES = {
    f"?{WAVE}&{APE}": "Classify",
    f"textures?{WAVE}": "Textures",
    "embeddings": "Embeddings",
    "centers": "Class centers",
    "evaluate": "Evaluate",
    "compare": "Compare",
    f"collections?{SAMPLE}": "Collections",
    f"artworks?{SAMPLE}": "Review, Sample images",
    f"overview?{SAMPLE}": "Overview, Sample images",
    "study": "WikiArt study",
    "datasets": "Data sets",
    "retrain": "Retrain",
    "runs": "Runs",
}


def faults(visitor: "Visitor", scheme: str) -> list[list[str]]:
    """Serious and critical findings outside of Streamlit's frame."""
    visitor.page.evaluate(AXE)
    found = visitor.page.evaluate(LOOK, RULES[scheme])
    return [
        [rule, target, html[:200]]
        for rule, target, html in found
        if not (rule in FRAME and FRAME[rule] in html and "[data-testid=stMain]" not in target)
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_serious_faults(visitor: "Visitor", scheme: str) -> None:
    begin(visitor, f"Axe {scheme}")
    page, found = visitor.page, []
    for path, title in PAGES.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"{visitor.address}/{path}{'&' if '?' in path else '?'}checkpoint=tiny")
        page.wait_for_function(f"document.title === {title!r} + ' - emoviz'", timeout=60 * SECONDS)
        visitor.settle()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)  # all is there
        page.locator("[data-stale=true]").first.wait_for(state="detached", timeout=60 * SECONDS)
        expect(page.locator("[data-testid=stMain] h1"), path).to_have_count(1)
        expect(page.get_by_text("which is not here"), path).to_have_count(0)
        levels = page.evaluate(HEADINGS)
        assert all(next - last <= 1 for last, next in pairwise(levels)), (path, levels)
        assert page.evaluate("document.documentElement.lang") == "en", path
        for width in (1280, 800):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(600)  # what was stale has its full colour again
            found += [[path, width, *fault] for fault in faults(visitor, scheme)]
        if title == "Collections":  # and what stands outside of the app, in the same theme
            page.locator("li button").first.click()
            page.get_by_role("dialog").locator("img").first.wait_for()
            visitor.settle()
            found += [["large view", *fault] for fault in faults(visitor, scheme)]
    assert found == []


def test_a_review_without_a_mouse_and_by_roles_and_names_alone(visitor: "Visitor") -> None:
    begin(visitor, "Keyboard")
    page = visitor.page
    told = page.locator(".ev-desk").get_by_role("status")
    picture = page.get_by_role("img", name="The Librarian").first
    picture.wait_for()
    awe = page.get_by_role("button", name="awe, not chosen")
    awe.focus()
    page.keyboard.press("Space")  # a button that is reached by Tab is pressed as any button is
    page.get_by_role("button", name="awe, plain").wait_for()
    assert page.evaluate("document.activeElement.dataset.name") == "2"
    save = page.get_by_role("button", name="Save", exact=True)
    save.focus()
    page.keyboard.press("Enter")
    told.get_by_text("Stored.").wait_for()
    decided(visitor, "1 of 72 works decided")
    page.get_by_role("button", name="None of these").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText").endswith("Skip")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"  # the focus is seen
    page.keyboard.press("Enter")
    decided(visitor, "1 of 72 works decided, 1 skipped")
    page.get_by_role("button", name="Undo: ").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.ev-desk .count').textContent === '1 of 72 works decided'"
    )
    page.get_by_role("button", name="1: The Librarian, awe").wait_for()
    assert [words for words in stored(visitor).values() if words] == ["awe"]
