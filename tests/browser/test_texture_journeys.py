"""What curators do on the Textures page, in a browser."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visitors import Visitor

Make = Callable[..., bytes]


def to_why(visitor: "Visitor", picture: Make) -> None:
    """Two images are dropped, and the second one's card is asked why."""
    visitor.open("?checkpoint=tiny")
    visitor.drop([("dawn.jpg", picture(seed=1)), ("dusk.png", picture("PNG", seed=2))])
    visitor.page.wait_for_selector(".ev-card >> nth=1")
    visitor.settle()
    visitor.page.get_by_role("button", name="Why? dusk.png").click()
    visitor.page.wait_for_url("**/textures**")
    visitor.page.get_by_text("spoke for the class").wait_for()
    visitor.settle()
    expect(visitor.page).to_have_url(re.compile("checkpoint=tiny"))


def turn_to(visitor: "Visitor", view: str) -> None:
    visitor.page.get_by_test_id("stButtonGroup").get_by_text(view, exact=True).click()
    visitor.settle()


def test_a_card_leads_to_why_and_back(visitor: "Visitor", picture: Make) -> None:
    to_why(visitor, picture)
    expect(visitor.page.locator("input[value='dusk.png']")).to_have_count(1)
    visitor.page.get_by_role("link", name="Back").click()
    visitor.page.wait_for_selector(".ev-card >> nth=1")
    expect(visitor.page.locator(".ev-name")).to_have_text(["dawn.jpg", "dusk.png"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_gram_matrices_answer_to_the_pointer(visitor: "Visitor", picture: Make) -> None:
    to_why(visitor, picture)
    turn_to(visitor, "Textures")
    canvas = visitor.page.locator(".gram canvas").first
    canvas.scroll_into_view_if_needed()
    canvas.hover(position={"x": 5, "y": 5})
    hint = visitor.page.locator(".gram .hint").first
    expect(hint.locator(".patch")).to_have_count(2)
    first = hint.inner_text()
    assert first.startswith("channels ")
    canvas.focus()
    visitor.page.keyboard.press("ArrowRight")
    expect(hint).not_to_have_text(first)


def test_a_texture_picture_is_made_and_kept(visitor: "Visitor", picture: Make) -> None:
    to_why(visitor, picture)
    turn_to(visitor, "Textures")
    visitor.page.locator("label", has_text="Each layer by itself too").click()
    visitor.settle()
    visitor.page.get_by_role("button", name="Make the pictures").click()
    visitor.page.get_by_test_id("stMainBlockContainer").get_by_role(
        "button", name="Stop"
    ).wait_for()
    visitor.page.get_by_role("button", name="Picture (PNG)").wait_for(timeout=240_000)
    turn_to(visitor, "What if")
    visitor.page.get_by_text("its texture picture", exact=True).click()
    visitor.settle()
    expect(visitor.page.get_by_text("Make its texture picture")).to_have_count(0)


def test_a_narrow_window_has_no_sideways_scroll(visitor: "Visitor", picture: Make) -> None:
    visitor.page.set_viewport_size({"width": 800, "height": 900})
    to_why(visitor, picture)
    for view in ("Style or content", "Textures", "What if"):
        turn_to(visitor, view)
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert visitor.page.evaluate(wider) <= 0


def test_a_collection_is_read_while_one_watches(visitor: "Visitor", picture: Make) -> None:
    to_why(visitor, picture)
    turn_to(visitor, "Style or content")
    visitor.page.get_by_text("lean on texture? Over a collection").click()
    visitor.page.get_by_text("with 95 % intervals").wait_for(timeout=120_000)
    visitor.settle()
    turn_to(visitor, "Textures")
    visitor.page.get_by_text("Same style, or same feeling?").click()
    visitor.page.get_by_text("of 6 in both rows").wait_for(timeout=60_000)


def test_what_if_for_all_leads_to_one(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    visitor.drop([("dawn.jpg", picture(seed=1)), ("dusk.png", picture("PNG", seed=2))])
    visitor.page.wait_for_selector(".ev-card >> nth=1")
    visitor.settle()
    visitor.page.get_by_text("What if they had no colour").click()
    visitor.settle()
    visitor.page.locator("label", has_text="Colour").last.click()
    visitor.page.get_by_text("The most likely emotion changes for").wait_for()
    visitor.settle()
    visitor.page.get_by_role("button", name="dusk.png").last.click()
    visitor.page.get_by_text("As the model gets it now").wait_for()
    visitor.settle()
    colour = visitor.page.get_by_role("switch", name="Colour").last
    expect(colour).not_to_be_checked()
