"""A queue of artworks by keyboard, in a browser: fast, reloaded, blind, taken back."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Visitor

SECONDS = 1000
SAMPLE = "review=sample-artworks"
READY = ".ev-desk[data-shown=yes]"


def begin(visitor: "Visitor", name: str, query: str = "") -> None:
    """A person's first visit; the sample becomes a collection where nobody made it one."""
    page = visitor.page
    visitor.open("?checkpoint=tiny")
    page.goto(f"{visitor.address}/artworks?checkpoint=tiny&order=number&{SAMPLE}{query}")
    page.locator('input[aria-label="Your name"]').fill(name)
    page.get_by_role("button", name="Go on").click()
    page.locator(f"{READY}, [data-testid=stAlert]").first.wait_for()
    visitor.settle()
    if not page.locator(".ev-desk .count", has_text="of 72 works").count():
        page.goto(f"{visitor.address}/collections?checkpoint=tiny")
        page.get_by_role("button", name="Take the sample images").click()
        page.get_by_text("72 artworks here").wait_for(timeout=90 * SECONDS)
        page.get_by_text("72 artworks here").wait_for(timeout=90 * SECONDS)
    page.goto(f"{visitor.address}/artworks?checkpoint=tiny&order=number&{SAMPLE}{query}")
    page.wait_for_selector(READY, timeout=60 * SECONDS)


def decided(visitor: "Visitor", words: str) -> None:
    """Wait until the desk tells so much progress."""
    visitor.page.locator(".ev-desk .count", has_text=words).wait_for()
    visitor.page.wait_for_selector(READY)


def title(visitor: "Visitor") -> str:
    return visitor.text(".ev-desk h3")


def number(visitor: "Visitor") -> int:
    """Of the work on the desk, as the collection counts."""
    visitor.page.locator(".ev-desk .more summary").click()
    found = visitor.text(".ev-desk .more dd")
    visitor.page.locator(".ev-desk .more summary").click()
    return int(found)


def test_fast_presses_count_once_each_and_in_order(visitor: "Visitor") -> None:
    begin(visitor, "Fast")
    page = visitor.page
    seen = page.evaluate("""() => {
      const desk = document.querySelector(".ev-desk"), seen = []
      const look = () => desk.dataset.shown === "yes" && seen.at(-1) !== desk.dataset.work &&
        seen.push(desk.dataset.work)
      look()
      new MutationObserver(look).observe(desk, {attributes: true})
      window.seenWorks = seen
      return seen
    }""")
    assert len(seen) == 1
    for key in "ansnna":  # six presses within 300 ms
        page.keyboard.press(key)
        page.wait_for_timeout(45)
    decided(visitor, "5 of 72 works decided, 1 skipped")
    page.wait_for_timeout(500)
    works = page.evaluate("window.seenWorks")
    assert len(works) == len(set(works)) == 7  # each stood on the screen before it was decided
    assert number(visitor) == 7
    page.keyboard.press("u")
    decided(visitor, "4 of 72 works decided, 1 skipped")
    assert page.evaluate("document.querySelector('.ev-desk').dataset.work") == works[5]


def test_emotions_strengths_and_a_note_survive_a_reload(visitor: "Visitor") -> None:
    begin(visitor, "Slow")
    page = visitor.page
    page.keyboard.press("2")
    page.keyboard.press("7")
    page.keyboard.press("7")
    page.keyboard.press("m")
    page.keyboard.type("a 1 note, not a decision")
    page.keyboard.press("Escape")
    assert page.locator(".ev-desk .chip[aria-pressed=true]").count() == 2
    page.keyboard.press("Enter")
    decided(visitor, "1 of 72 works decided")
    assert "awe and strongly fear (with a note)" in visitor.text(".ev-desk .undo")
    second = title(visitor)
    page.reload()
    page.wait_for_selector(READY)
    decided(visitor, "1 of 72 works decided")  # nobody asks for the name again
    assert title(visitor) == second


def test_what_the_server_did_not_answer_is_sent_again(visitor: "Visitor") -> None:
    begin(visitor, "Lost")
    page = visitor.page
    held = page.evaluate("""() => {
      // The press is on its way when the page is closed: only the browser's storage knows it.
      const desk = document.querySelector(".ev-desk")
      const send = WebSocket.prototype.send
      WebSocket.prototype.send = () => {}
      document.dispatchEvent(new KeyboardEvent("keydown", {key: "n", bubbles: true}))
      return Object.keys(localStorage).filter((name) => name.startsWith("emoviz-review")).length
    }""")
    assert held == 1
    page.reload()
    decided(visitor, "1 of 72 works decided")
    visitor.settle()
    page.wait_for_function(
        "!Object.keys(localStorage).some((name) => name.startsWith('emoviz-review'))"
    )


def test_blind_hides_until_decided_and_undo_opens_again(visitor: "Visitor") -> None:
    begin(visitor, "Blind", "&blind=1")
    page = visitor.page
    assert "hidden until you have decided" in visitor.text(".ev-desk .told")
    assert page.locator(".ev-desk .agree, .ev-desk .share").count() == 0
    first = title(visitor)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.locator(".ev-desk .verdict").wait_for()
    assert re.match(r"You: contentment\. The model's estimate", visitor.text(".ev-desk .verdict"))
    assert title(visitor) == first
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelector('.ev-desk h3').textContent !== {first!r}")
    page.wait_for_selector(READY)
    page.keyboard.press("u")
    page.wait_for_function(f"document.querySelector('.ev-desk h3').textContent === {first!r}")
    assert "not blind" in visitor.text(".ev-desk .told")


def test_why_leads_to_textures_and_back_to_the_same_work(visitor: "Visitor") -> None:
    begin(visitor, "Why")
    page = visitor.page
    page.keyboard.press("s")
    decided(visitor, "1 skipped")
    here = title(visitor)
    page.keyboard.press("h")  # made in a thread, brought when it is there
    page.wait_for_selector(".ev-desk .stage[data-note^=Orange]", timeout=60 * SECONDS)
    page.keyboard.press("l")
    page.locator(".ev-desk .near").nth(1).locator("li").nth(7).wait_for(timeout=90 * SECONDS)
    page.keyboard.press("w")
    page.wait_for_url("**/textures**")
    page.get_by_text("spoke for the class").wait_for(timeout=60 * SECONDS)
    page.get_by_role("link", name="Back").click()
    page.wait_for_selector(READY)
    visitor.settle()
    assert title(visitor) == here
    decided(visitor, "1 skipped")
