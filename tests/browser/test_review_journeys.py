"""A queue of artworks by keyboard, in a browser: pressed ahead, reloaded, blind, taken back."""

import re
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from placed import put_checkpoint
from playwright.sync_api import expect
from visitors import LATE, collect, serve, visit, wait_for

from emoviz.review.acquire import AcquireRequest

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000
SAMPLE = "review=sample-artworks"
READY = ".ev-desk[data-shown=yes]"
AHEAD = ["1", "Enter", "n", "3", "3", "Enter", "a", "8", "2", "Enter", "n", "a", "s"]
SAID = [
    "amusement",
    "none of these",
    "strongly contentment",
    "AGREED",
    "sadness and awe",
    "none of these",
    "AGREED",
    "skipped",
]


def begin_at_the_end(visitor: "Visitor", name: str) -> None:
    """On the last artwork, with answers two seconds late: what follows is in no strip."""
    begin(visitor, name)
    visitor.page.locator(".ev-desk .number input").fill("72")
    visitor.page.keyboard.press("Enter")
    visitor.page.locator(".ev-desk .frame[aria-current=true][title^='72:']").wait_for()
    visitor.page.wait_for_selector(READY)
    visitor.page.evaluate("window.late = 2000")


def begin(visitor: "Visitor", name: str, query: str = "") -> None:
    """A person's first visit."""
    visitor.page.add_init_script(LATE)
    visitor.enter(f"artworks?checkpoint=tiny&order=number&{SAMPLE}{query}", name)
    visitor.page.wait_for_selector(READY)
    visitor.settle()


def again(visitor: "Visitor", query: str = "") -> None:
    """Open the page anew: what is seen then is what the store holds."""
    address = f"{visitor.address}/artworks?checkpoint=tiny&order=number&{SAMPLE}{query}"
    visitor.page.goto(address)
    visitor.page.wait_for_selector(READY, timeout=60 * SECONDS)


def decided(visitor: "Visitor", words: str) -> None:
    """Wait until the desk tells so much progress."""
    visitor.page.locator(".ev-desk .count", has_text=words).wait_for()
    visitor.page.wait_for_selector(f"{READY}[data-waiting='0']")


def title(visitor: "Visitor") -> str:
    return visitor.text(".ev-desk h2")


def agreed(visitor: "Visitor") -> str:
    """The emotion that A agrees to now."""
    return visitor.text(".ev-desk .agree").rpartition(": ")[2]


def stored(visitor: "Visitor") -> dict[int, str]:
    """Number of a work -> what its picture in the filmstrip says was decided."""
    labels = visitor.page.locator(".ev-desk .frame").evaluate_all(
        "frames => frames.map((frame) => [frame.ariaLabel ?? frame.getAttribute('aria-label'),"
        " frame.title])"
    )
    found = {}
    for label, tip in labels:
        first, _, own = tip.partition("\n")
        found[int(label.partition(":")[0])] = own
        assert first.startswith(label.partition(":")[0])
    return found


def press(visitor: "Visitor", keys: list[str], pause: int = 30) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)
        visitor.page.wait_for_timeout(pause)


def expected(visitor: "Visitor") -> dict[int, str]:
    """What the acts of `AHEAD` say of the first eight works; agreeing is asked of the desk."""
    found = dict(enumerate(SAID, 1))
    for number in (4, 7):
        visitor.page.locator(".ev-desk .number input").fill(str(number))
        visitor.page.keyboard.press("Enter")
        visitor.page.locator(f".ev-desk .frame[aria-current=true][title^='{number}:']").wait_for()
        visitor.page.locator(".ev-desk .agree").wait_for()
        found[number] = agreed(visitor)
    return found


@pytest.mark.parametrize("late", [0, 1000, 5000])
def test_acts_pressed_ahead_are_stored_once_on_their_works(visitor: "Visitor", late: int) -> None:
    begin(visitor, f"Fast {late}")
    page = visitor.page
    page.evaluate(f"window.late = {late}")
    press(visitor, AHEAD)
    page.wait_for_function(
        "document.querySelector('.ev-desk .frame[aria-current]').title[0] === '9'"
    )
    if late:  # the screen is ahead of the server, and says so
        expect(page.locator(".ev-desk .state")).to_contain_text("Waiting to be stored")
        assert int(page.get_attribute(".ev-desk", "data-waiting")) >= 7
    page.evaluate("window.late = 0")
    decided(visitor, "7 of 72 works decided, 1 skipped")
    expect(page.locator(".ev-desk .state")).to_have_text("Stored.")
    again(visitor)
    own = {number: words for number, words in stored(visitor).items() if words}
    assert own == expected(visitor)


def test_two_people_at_once_keep_their_own(chromium: Any, visitor: "Visitor") -> None:
    begin(visitor, "Left")
    with visit(chromium, visitor.address) as other:
        begin(other, "Right")
        for one in (visitor, other):
            one.page.evaluate("window.late = 1000")
        for mine, theirs in zip(
            ["1", "Enter", "n", "2", "Enter"], ["s", "3", "Enter", "n", "s"], strict=True
        ):
            visitor.page.keyboard.press(mine)
            other.page.keyboard.press(theirs)
            visitor.page.wait_for_timeout(30)
        for one in (visitor, other):
            one.page.evaluate("window.late = 0")
        decided(visitor, "3 of 72 works decided")
        decided(other, "2 of 72 works decided, 2 skipped")
        for one in (visitor, other):
            again(one)
        own = [stored(one) for one in (visitor, other)]
        assert [own[0][n] for n in (1, 2, 3, 4)] == ["amusement", "none of these", "awe", ""]
        assert [own[1][n] for n in (1, 2, 3, 4)] == [
            "skipped", "contentment", "none of these", "skipped",
        ]  # fmt: skip


def test_each_artwork_stands_on_the_screen_before_it_is_decided(visitor: "Visitor") -> None:
    begin(visitor, "Quick")
    page = visitor.page
    page.evaluate("""() => {
      const desk = document.querySelector(".ev-desk"), seen = (window.seenWorks = [])
      const look = () => desk.dataset.shown === "yes" && seen.at(-1) !== desk.dataset.work &&
        seen.push(desk.dataset.work)
      look()
      new MutationObserver(look).observe(desk, {attributes: true})
    }""")
    press(visitor, list("ansnna"), 0)
    decided(visitor, "5 of 72 works decided, 1 skipped")
    works = page.evaluate("window.seenWorks")
    assert len(works) == len(set(works)) == 7
    press(visitor, list("uu"), 0)
    decided(visitor, "3 of 72 works decided, 1 skipped")
    assert page.evaluate("document.querySelector('.ev-desk').dataset.work") == works[4]


def test_emotions_strengths_and_a_note_survive_a_reload(visitor: "Visitor") -> None:
    begin(visitor, "Slow")
    page = visitor.page
    press(visitor, ["2", "7", "7", "m"])
    page.keyboard.type("a 1 note, not a decision")
    page.keyboard.press("Escape")
    expect(page.locator(".ev-desk .chip[aria-pressed=true]")).to_have_count(2)
    page.keyboard.press("Enter")
    decided(visitor, "1 of 72 works decided")
    expect(page.locator(".ev-desk .undo")).to_contain_text("awe and strongly fear (with a note)")
    second = title(visitor)
    page.reload()
    page.wait_for_selector(READY)
    decided(visitor, "1 of 72 works decided")  # nobody asks for the name again
    assert title(visitor) == second
    page.keyboard.press("ArrowLeft")
    page.locator(".ev-desk .verdict", has_text="You said: awe and strongly fear").wait_for()
    expect(page.locator(".ev-desk textarea")).to_have_value("a 1 note, not a decision")
    decided(visitor, "1 of 72 works decided")  # to look back takes nothing back


def test_what_the_server_did_not_answer_is_sent_again_in_order(visitor: "Visitor") -> None:
    begin(visitor, "Lost")
    page = visitor.page
    # The presses are on their way when the page is closed: only the browser's storage knows them.
    page.evaluate("() => { WebSocket.prototype.send = () => {} }")
    press(visitor, ["n", "2", "Enter", "s", "u"], 60)
    held = "Object.keys(localStorage).filter((name) => name.startsWith('emoviz-review')).length"
    assert page.evaluate(held) == 4
    page.reload()
    decided(visitor, "2 of 72 works decided")
    assert [words for words in stored(visitor).values() if words] == ["none of these", "awe"]
    page.wait_for_function(f"{held} === 0")


def test_a_server_that_is_restarted_in_mid_act_loses_nothing(
    chromium: Any, tiny_source: Path, tmp_path: Path
) -> None:
    put_checkpoint(tiny_source, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", tmp_path / "server.log"
    server = serve(tmp_path, port)
    try:
        wait_for(address, server, log)
        with visit(chromium, address) as visitor:
            visitor.page.goto(f"{address}/collections?checkpoint=tiny")
            visitor.page.get_by_role("button", name="Take the sample images").click()
            visitor.page.get_by_text("72 artworks here").first.wait_for(timeout=90 * SECONDS)
            begin(visitor, "Restart")
            press(visitor, ["n"])
            decided(visitor, "1 of 72 works decided")
            server.kill()
            server.wait()
            press(visitor, ["2", "Enter", "s"])
            told = visitor.page.locator(".ev-desk .state", has_text="Not stored yet: 2")
            told.wait_for()
            server = serve(tmp_path, port)
            wait_for(address, server, log)
            progress = visitor.page.locator(".ev-desk .count")
            progress.get_by_text("2 of 72 works decided, 1 skipped").wait_for(timeout=90 * SECONDS)
            again(visitor)
            said = [words for words in stored(visitor).values() if words]
            assert said == ["none of these", "awe", "skipped"]
    finally:
        server.kill()
        server.wait()


def brought_in(home: Path, name: str, picture: Callable[..., bytes]) -> Path:
    """A collection of six pictures that nobody else reviews: their folder."""
    folder = home.parent / f"brought-{name}"
    folder.mkdir(exist_ok=True)  # a second try finds it there
    for number in range(6):
        (folder / f"{name} {number}.jpg").write_bytes(picture(seed=number))
    collect(home, AcquireRequest(name, str(folder), "folder", name.title()))
    return folder


def sit_down(visitor: "Visitor", name: str, collection: str) -> None:
    """A person at the desk with a collection of their own."""
    visitor.enter(f"artworks?checkpoint=tiny&order=number&review={collection}", name)
    visitor.page.wait_for_selector(READY)
    visitor.settle()


def test_a_colleague_removes_the_collection_under_review(
    chromium: Any,
    visitor: "Visitor",
    served_home: Path,
    picture: Callable[..., bytes],
) -> None:
    begin(visitor, "Stays")  # the sample is there, so that another collection is left
    brought_in(served_home, "doomed", picture)
    page, state = visitor.page, visitor.page.locator(".ev-desk .state")
    page.goto(f"{visitor.address}/artworks?checkpoint=tiny&order=number&review=doomed")
    page.wait_for_selector(READY)
    press(visitor, ["2", "Enter", "m", *"half", "Escape"])
    decided(visitor, "1 of 6 works decided")
    with visit(chromium, visitor.address) as other:
        other.open_as_manager("collections?checkpoint=tiny&review=doomed", served_home)
        other.page.get_by_role("button", name="Remove", exact=True).click()
        other.page.get_by_role("button", name="Remove Doomed").click()
        other.page.get_by_text("The collection is removed.").wait_for()
    press(visitor, ["n"])
    expect(state).to_contain_text("This collection was removed meanwhile")
    expect(state).to_contain_text("what was decided before is kept")
    page.reload()
    expect(page.get_by_text("“doomed”, which is not here")).to_be_visible()
    page.wait_for_selector(READY)  # of another collection that is left
    page.locator(".ev-desk .count").wait_for()
    with sqlite3.connect(served_home / "review.sqlite") as store:
        (kept,) = store.execute(
            "select count(*) from decisions join collections on collection = collections.id"
            " where name = 'doomed'"
        ).fetchone()
    assert kept == 1


def test_a_file_that_is_replaced_is_told_and_nobody_decides_on_it(
    visitor: "Visitor", served_home: Path, picture: Callable[..., bytes]
) -> None:
    folder = brought_in(served_home, "restored", picture)
    sit_down(visitor, "Restorer", "restored")
    page = visitor.page
    (folder / "restored 5.jpg").write_bytes(picture(seed=77))
    page.locator(".ev-desk .number input").fill("6")
    page.keyboard.press("Enter")
    page.locator(".ev-desk .frame[aria-current=true][title^='6:']").wait_for()
    told = page.locator(".ev-desk .stage", has_text="The picture cannot be shown")
    expect(told).to_contain_text("another than the one that was brought in")
    press(visitor, ["n", "2", "Enter"])
    expect(page.locator(".ev-desk .frame[aria-current=true][title^='6:']")).to_have_count(1)
    press(visitor, ["s"])
    decided(visitor, "0 of 6 works decided, 1 skipped")
    press(visitor, ["n"])
    decided(visitor, "1 of 6 works decided, 1 skipped")


def test_keys_live_on_after_a_control_was_touched(visitor: "Visitor") -> None:
    begin(visitor, "Touch")
    page = visitor.page
    page.locator("[data-testid=stCheckbox]", has_text="Blind").locator("label").first.click()
    page.get_by_text("hidden until you have decided").wait_for()
    page.locator("[data-testid=stCheckbox]", has_text="Blind").locator("label").first.click()
    page.locator(".ev-desk .agree").wait_for()
    page.keyboard.press("n")
    decided(visitor, "1 of 72 works decided")
    page.locator(".st-key-order input").click()
    page.get_by_role("option", name="By artist").click()
    visitor.settle()
    page.keyboard.press("n")
    decided(visitor, "2 of 72 works decided")
    page.get_by_role("button", name="Filter").click()
    field = page.get_by_label("Words in title")
    field.click()
    page.keyboard.type("anna")  # only where text is typed do letters mean letters
    expect(field).to_have_value("anna")
    field.fill("")
    page.keyboard.press("Tab")
    visitor.settle()
    decided(visitor, "2 of 72 works decided")
    page.locator(".ev-desk h2").click()
    page.keyboard.press("n")
    decided(visitor, "3 of 72 works decided")


def test_the_filmstrip_leads_anywhere_without_taking_back(visitor: "Visitor") -> None:
    begin(visitor, "Film")
    page = visitor.page
    press(visitor, ["n", "1"])
    page.keyboard.press("ArrowLeft")
    page.locator(".ev-desk .verdict", has_text="none of these").wait_for()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".ev-desk .chip[aria-pressed=true]")).to_have_count(1)  # as it was left
    field = page.locator(".ev-desk .number input")
    field.fill("60")
    field.press("Enter")
    page.locator(".ev-desk .frame[aria-current=true][title^='60:']").wait_for()
    page.wait_for_selector(READY)
    page.keyboard.press("s")
    page.locator(".ev-desk .frame[aria-current=true][title^='61:']").wait_for()
    page.locator(".ev-desk .frame[title^='59:']").click()
    page.locator(".ev-desk .frame[aria-current=true][title^='59:']").wait_for()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    page.locator(".ev-desk .frame[aria-current=true][title^='61:']").wait_for()  # 60 is done
    decided(visitor, "2 of 72 works decided, 1 skipped")
    field.fill("73")
    field.press("Enter")
    page.locator(".ev-desk .state", has_text="no artwork with the number 73").wait_for()


def test_after_a_jump_comes_what_follows_there_however_late_the_server(visitor: "Visitor") -> None:
    begin(visitor, "Jumper")
    page = visitor.page
    press(visitor, ["n"])
    decided(visitor, "1 of 72 works decided")
    page.evaluate("window.late = 3000")
    page.locator(".ev-desk .number input").fill("18")  # in the strip, and not among those ahead
    press(visitor, ["Enter", "2", "Enter"])
    page.locator(".ev-desk .frame[aria-current=true][title^='19:']").wait_for()
    press(visitor, ["s"])
    page.evaluate("window.late = 0")
    decided(visitor, "2 of 72 works decided, 1 skipped")
    own = {number: words for number, words in stored(visitor).items() if words}
    assert {18: "awe", 19: "skipped"}.items() <= own.items()


def test_keys_after_a_step_or_a_jump_wait_until_the_server_names_the_work(
    visitor: "Visitor",
) -> None:
    begin_at_the_end(visitor, "Stepper")
    page = visitor.page
    number = page.locator(".ev-desk .number input")
    press(visitor, ["n", "s"])  # on from 1, which is not in the strip that the browser has
    press(visitor, ["ArrowLeft", "2", "Enter"])
    number.fill("40")
    press(visitor, ["Enter", "3", "Enter"])
    page.evaluate("window.late = 0")
    decided(visitor, "3 of 72 works decided")
    again(visitor)
    own = {n: words for n, words in stored(visitor).items() if words}
    assert own == {1: "awe"}
    number.fill("40")
    page.keyboard.press("Enter")
    page.locator(".ev-desk .frame[aria-current=true][title^='40:']").wait_for()
    own = {n: words for n, words in stored(visitor).items() if words}
    assert own == {40: "contentment"}
    number.fill("73")  # there is none: the keys that follow are for no other work
    press(visitor, ["Enter", "n"])
    page.locator(".ev-desk .state", has_text="no artwork with the number 73").wait_for()
    page.wait_for_selector(READY)
    own = {n: words for n, words in stored(visitor).items() if words}
    assert own == {40: "contentment"}
    press(visitor, ["n"])
    decided(visitor, "3 of 72 works decided")
    own = {n: words for n, words in stored(visitor).items() if words}
    assert own == {40: "none of these"}


def test_a_note_that_is_too_long_is_told_and_kept(visitor: "Visitor") -> None:
    begin(visitor, "Note")
    page = visitor.page
    field, state = page.locator(".ev-desk textarea"), page.locator(".ev-desk .state")
    page.keyboard.press("m")
    field.fill("x" * 100_001)
    expect(state).to_contain_text("The note has 100,001 letters, at most 100,000")
    press(visitor, ["Escape", "n"])
    expect(field).to_be_focused()  # nothing was decided, and nothing is lost
    expect(field).to_have_value("x" * 100_001)
    hostile = "<script>window.harmed = 1</script>\u05e9\u05dc\u05d5\u05dd \u202eabc\n"
    field.fill(hostile.ljust(99_999, "x") + "y")
    press(visitor, ["Escape", "n"])
    decided(visitor, "1 of 72 works decided")
    again(visitor)
    press(visitor, ["ArrowLeft"])
    expect(field).to_have_value(hostile.ljust(99_999, "x") + "y")
    assert page.evaluate("window.harmed") is None


def test_a_note_typed_ahead_is_a_note_and_no_acts(visitor: "Visitor") -> None:
    begin(visitor, "Typist")
    typed = ["n", "m", *"old", "Control+a", *"Anq", "Backspace", *"xsun"]
    mended = [*["ArrowLeft"] * 5, "ArrowRight", "Delete", " ", "Escape", "2", "Enter"]
    press(visitor, [*typed, *mended], 0)
    decided(visitor, "2 of 72 works decided")
    visitor.page.keyboard.press("ArrowLeft")
    said = visitor.page.locator(".ev-desk .verdict", has_text="You said: awe (with a note)")
    said.wait_for()
    expect(visitor.page.locator(".ev-desk textarea")).to_have_value("An sun")


def test_a_note_typed_ahead_leaves_the_focus_to_who_types_elsewhere(visitor: "Visitor") -> None:
    begin_at_the_end(visitor, "Elsewhere")
    page = visitor.page
    number = page.locator(".ev-desk .number input")
    press(visitor, ["n", "s"])  # on from 1, which is not in the strip that the browser has
    press(visitor, ["ArrowLeft", "m", *"sun"])
    number.click()
    press(visitor, ["4"])
    page.evaluate("window.late = 0")
    expect(page.locator(".ev-desk textarea")).to_have_value("sun")  # of the artwork that came
    expect(number).to_be_focused()
    press(visitor, ["0"])
    expect(number).to_have_value("40")
    press(visitor, ["Enter"])
    page.locator(".ev-desk .frame[aria-current=true][title^='40:']").wait_for()
    expect(page.locator(".ev-desk textarea")).to_have_value("")


def test_more_keys_than_artworks_are_known_ahead_wait_for_the_next(visitor: "Visitor") -> None:
    begin(visitor, "Far ahead")
    page = visitor.page
    page.locator(".ev-desk .number input").fill("72")
    page.keyboard.press("Enter")
    page.locator(".ev-desk .frame[aria-current=true][title^='72:']").wait_for()
    page.wait_for_selector(READY)
    page.evaluate("window.late = 2000")
    press(visitor, ["n", "s"])  # on from 1, which is not in the strip that the browser has
    press(visitor, ["ArrowLeft", *"n" * 20, "2", "2", "Enter", "s"], 0)
    expect(page.locator(".ev-desk .state")).to_contain_text("Keys that wait for their artwork: 2")
    page.evaluate("window.late = 0")
    decided(visitor, "22 of 72 works decided, 1 skipped")
    own = {n: words for n, words in stored(visitor).items() if words}
    assert {20: "none of these", 21: "strongly awe", 22: "skipped"}.items() <= own.items()
    page.evaluate("window.late = 3000")
    press(visitor, [*"n" * 16], 0)
    expect(page.locator(".ev-desk .end")).to_contain_text("on its way")
    press(visitor, ["3", "3"])  # nothing stands there yet
    page.locator(".ev-desk .frame[aria-current=true][title^='39:']").wait_for()
    page.evaluate("window.late = 0")
    press(visitor, ["Enter"])
    decided(visitor, "39 of 72 works decided, 1 skipped")
    own = {n: words for n, words in stored(visitor).items() if words}
    assert {38: "none of these", 39: "strongly contentment"}.items() <= own.items()


def test_an_element_that_is_drawn_anew_costs_nothing_that_was_begun(visitor: "Visitor") -> None:
    """Streamlit may put another element in the desk's place; a person knows nothing of it."""
    begin(visitor, "Redrawn")
    page = visitor.page
    press(visitor, ["2", "m", *"sun"])
    anew = """() => {
      const desk = window.emovizDesk, old = desk.root
      desk.leaveElement()
      const root = old.cloneNode(false)
      old.replaceWith(root)
      window.enter = () => desk.enter(root)
    }"""
    page.evaluate(anew)
    press(visitor, [*" ah"])  # nothing stands there
    page.evaluate("window.enter()")
    page.wait_for_selector(READY)
    expect(page.locator(".ev-desk textarea")).to_be_focused()
    press(visitor, [*"!"])
    expect(page.locator(".ev-desk textarea")).to_have_value("sun ah!")
    press(visitor, ["Escape", "Enter"])
    decided(visitor, "1 of 72 works decided")
    page.evaluate(anew)
    press(visitor, ["3", "Enter", "n"])
    page.evaluate("window.enter()")
    decided(visitor, "3 of 72 works decided")
    again(visitor)
    own = {n: words for n, words in stored(visitor).items() if words}
    assert own == {1: "awe", 2: "contentment", 3: "none of these"}


def test_a_frame_pressed_while_keys_wait_comes_after_them(visitor: "Visitor") -> None:
    begin_at_the_end(visitor, "Hasty")
    page = visitor.page
    press(visitor, ["n", "s", "ArrowLeft", "2", "Enter"])
    page.locator(".ev-desk textarea").focus()  # as Tab does on its way
    page.locator(".ev-desk .frame[title^='70:']").click()
    page.evaluate("window.late = 0")
    page.locator(".ev-desk .frame[aria-current=true][title^='70:']").wait_for()
    decided(visitor, "2 of 72 works decided")
    again(visitor)
    own = {n: words for n, words in stored(visitor).items() if words}
    assert own == {1: "awe"}


def test_the_next_person_types_a_name_and_finds_nothing_of_the_one_before(
    visitor: "Visitor",
) -> None:
    begin(visitor, "Before")
    page, note = visitor.page, visitor.page.locator(".ev-desk textarea")
    press(visitor, ["2", "m", *"mine", "Escape"])
    expect(page.locator(".ev-desk .chip[aria-pressed=true]")).to_have_count(1)
    page.get_by_role("button", name="Before").click()
    page.get_by_role("button", name="Somebody else").click()
    field = page.locator('input[aria-label="Your name"]')
    field.wait_for()
    page.locator(".ev-desk").wait_for(state="detached")
    press(visitor, ["n"])  # at nothing
    field.click()
    press(visitor, ["Control+a", *"Anna mus"])  # each is an act's key, and the desk waits
    expect(field).to_have_value("Anna mus")
    press(visitor, ["Enter"])
    page.wait_for_selector(READY)
    decided(visitor, "0 of 72 works decided")
    expect(note).to_have_value("")
    expect(page.locator(".ev-desk .chip[aria-pressed=true]")).to_have_count(0)
    press(visitor, ["n"])
    decided(visitor, "1 of 72 works decided")


def test_a_button_pressed_while_keys_wait_comes_after_them(visitor: "Visitor") -> None:
    begin(visitor, "Both hands")
    page = visitor.page
    page.evaluate("""() => {
      const desk = window.emovizDesk, { settle } = desk
      desk.settle = () => {} // nothing new stands on the screen
      window.go = () => { desk.settle = settle; desk.settle() }
    }""")
    press(visitor, ["n", "2", "Enter", "3"])  # the first at once, the others wait
    page.get_by_role("button", name="Skip", exact=True).click()
    press(visitor, ["4"])
    page.locator(".ev-desk .chip", has_text="Awe").click()
    page.get_by_role("button", name="None of these", exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    press(visitor, ["Enter", "1"])
    page.evaluate("window.go()")
    decided(visitor, "3 of 72 works decided, 1 skipped")
    again(visitor)
    own = [words for words in stored(visitor).values() if words]
    assert own == ["none of these", "awe", "skipped", "none of these"]


def test_a_note_stays_where_the_answer_changes(visitor: "Visitor") -> None:
    begin(visitor, "Changing")
    page, field = visitor.page, visitor.page.locator(".ev-desk textarea")
    page.evaluate("window.late = 1000")
    press(visitor, ["m", *"kept", "Escape", "2", "Enter", "ArrowLeft"])
    expect(field).to_have_value("kept")  # the server knows nothing of it yet
    press(visitor, list("nnnnnnn"))
    page.evaluate("window.late = 0")
    decided(visitor, "7 of 72 works decided")
    again(visitor)
    page.evaluate("window.late = 2000")
    page.locator(".ev-desk .number input").fill("1")  # its picture is here, and not its note
    press(visitor, ["Enter", "3", "Enter"])
    page.evaluate("window.late = 0")
    decided(visitor, "7 of 72 works decided")
    page.locator(".ev-desk .number input").fill("1")
    page.keyboard.press("Enter")
    said = page.locator(".ev-desk .verdict", has_text="You said: contentment (with a note)")
    said.wait_for()
    expect(field).to_have_value("kept")


def test_after_a_control_that_was_reached_by_tab_enter_saves(visitor: "Visitor") -> None:
    begin(visitor, "Tabs")
    page = visitor.page
    page.get_by_role("button", name="Next artwork", exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    press(visitor, ["Enter", "1", "Enter", "n"])
    decided(visitor, "2 of 72 works decided")
    assert {2: "amusement", 3: "none of these"}.items() <= stored(visitor).items()


def test_own_keys_and_one_key(visitor: "Visitor") -> None:
    begin(visitor, "Keys")
    page = visitor.page
    page.get_by_role("button", name="Keys …").click()
    page.get_by_label("Key for Skip: press another to change it").press("n")
    expect(page.locator(".ev-desk .keys [role=status]")).to_contain_text("None of these")
    page.get_by_label("One key").check()
    page.keyboard.press("Escape")
    press(visitor, ["n", "s", "2"])
    decided(visitor, "2 of 72 works decided, 1 skipped")
    again(visitor)  # the browser remembers
    assert [words for words in stored(visitor).values() if words] == [
        "skipped", "none of these", "awe",
    ]  # fmt: skip
    page.keyboard.press("n")
    decided(visitor, "2 of 72 works decided, 2 skipped")


def test_blind_hides_until_decided_and_undo_opens_again(visitor: "Visitor") -> None:
    begin(visitor, "Blind", "&blind=1")
    page = visitor.page
    expect(page.locator(".ev-desk .told").first).to_contain_text("hidden until you have decided")
    expect(page.locator(".ev-desk .agree, .ev-desk .share")).to_have_count(0)
    first = title(visitor)
    press(visitor, ["3", "Enter"])
    page.locator(".ev-desk .verdict", has_text="You: contentment").wait_for()
    expect(page.locator(".ev-desk .verdict").first).to_have_text(
        re.compile(r"^You: contentment\. The model's estimate")
    )
    assert title(visitor) == first
    page.keyboard.press("n")  # means nothing here: this one is decided
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelector('.ev-desk h2').textContent !== {first!r}")
    page.wait_for_selector(READY)
    expect(page.locator(".ev-desk .told").first).to_contain_text("hidden until you have decided")
    page.keyboard.press("u")
    page.wait_for_function(f"document.querySelector('.ev-desk h2').textContent === {first!r}")
    page.locator(".ev-desk .told", has_text="not blind").wait_for()


@pytest.mark.parametrize(
    ("width", "height", "share"), [(1280, 900, 0.6), (1280, 800, 0.6), (800, 900, 0.4)]
)
def test_picture_and_buttons_keep_their_place_on_the_screen(
    visitor: "Visitor", width: int, height: int, share: float
) -> None:
    page = visitor.page
    page.set_viewport_size({"width": width, "height": height})
    begin(visitor, f"Frame {width} {height}")
    if width == 800:
        page.locator("[aria-label='Collapse sidebar']").evaluate("item => item.click()")
        page.wait_for_timeout(600)  # it slides
    fixed = (".stage", ".panel", ".acts", ".bar .count", ".undoing", ".bar .state", ".bar .tools",
             ".film")  # fmt: skip

    def places() -> dict[str, list[float]]:
        return {
            name: page.locator(f".ev-desk {name}").evaluate(
                "item => { const {left, top, right, bottom} = item.getBoundingClientRect();"
                " return [left, top, right, bottom].map(Math.round) }"
            )
            for name in fixed
        }

    before = places()
    assert before[".stage"][3] - before[".stage"][1] >= share * height
    for left, top, right, bottom in before.values():
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    for keys in (["1", "Enter"], ["n"], ["m", "Escape"], ["h"], ["ArrowLeft"]):
        press(visitor, keys)
        visitor.settle()
        after = places()
        for name in fixed:
            if name in (".undoing", ".bar .state", ".bar .count"):  # their words grow in place
                assert after[name][:2] == before[name][:2]
            else:
                assert after[name] == before[name], (keys, name)
    choices = page.locator(".ev-desk .choices")
    assert choices.evaluate("item => item.scrollHeight - item.clientHeight") <= 1  # none is cut
    chips = page.locator(".ev-desk .chip").last.bounding_box()
    assert chips["y"] + chips["height"] <= height


def test_zoom_goes_into_all_the_pixels_and_back_to_the_keys(visitor: "Visitor") -> None:
    begin(visitor, "Zoom")
    page = visitor.page
    page.keyboard.press("z")
    page.wait_for_selector(".ev-desk .zoom[data-deep=yes]", timeout=60 * SECONDS)
    expect(page.locator(".ev-desk .zoom .pixels")).to_have_text(
        re.compile(r"^[\d,]+ × [\d,]+ pixels$")
    )
    page.locator(".ev-desk .zoom canvas").first.wait_for()
    page.keyboard.press("n")  # decides nothing while one looks
    page.keyboard.press("Escape")
    page.locator(".ev-desk .zoom").wait_for(state="detached")
    page.keyboard.press("s")
    decided(visitor, "0 of 72 works decided, 1 skipped")


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
