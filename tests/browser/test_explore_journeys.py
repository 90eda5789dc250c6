"""Exploring embeddings with a mouse: from nothing to a map, a selection, one image, a link."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000


def open_map(visitor: "Visitor", query: str = "") -> None:
    """The sample, embedded by a job when it is asked for the first time, laid out by PCA."""
    visitor.page.goto(f"{visitor.address}/embeddings?checkpoint=tiny&map=pca{query}")
    visitor.page.wait_for_selector("canvas", timeout=90 * SECONDS)
    visitor.page.get_by_text("72 images").first.wait_for(timeout=30 * SECONDS)
    visitor.settle()


def draw_box(visitor: "Visitor", left: float, top: float, right: float, bottom: float) -> None:
    """Draw a box over the first map, in shares of its width and height."""
    page = visitor.page
    page.get_by_role("button", name="Box", exact=True).click()
    frame = page.locator("canvas").first.bounding_box()
    x, y = (
        lambda share: frame["x"] + share * frame["width"],
        lambda share: frame["y"] + share * frame["height"],
    )
    page.mouse.move(x(left), y(top))
    page.mouse.down()
    page.mouse.move(x((left + right) / 2), y((top + bottom) / 2), steps=4)
    page.mouse.move(x(right), y(bottom), steps=4)
    page.mouse.up()
    visitor.settle()


def selected(page: Any) -> int:
    """How many images the page says are selected."""
    heading = page.get_by_role("heading", name=re.compile(r"images? selected"))
    heading.wait_for()
    return int(str(heading.inner_text()).split()[0])


def test_a_box_gives_pictures_a_large_one_and_a_link(visitor: "Visitor") -> None:
    open_map(visitor)
    draw_box(visitor, 0.02, 0.02, 0.98, 0.98)
    page = visitor.page
    assert selected(page) == 72
    tiles = page.locator("li button:has(.caption)")
    expect(tiles).to_have_count(60)
    address = page.url
    assert "selection=" in address

    tiles.nth(1).click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    dialog.locator("img.ev-large").wait_for()
    expect(dialog.locator("[role=meter]")).to_have_count(8)
    neighbour = dialog.locator("li button:has(.caption)").first
    name = neighbour.locator(".caption").inner_text()
    neighbour.click()
    dialog.get_by_text(name, exact=False).first.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")

    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("canvas")
    assert selected(page) == 72


def test_search_dims_the_others_and_downloads_follow_the_selection(visitor: "Visitor") -> None:
    open_map(visitor)
    page = visitor.page
    page.get_by_role("searchbox", name="Find").fill("gogh")
    page.keyboard.press("Enter")
    visitor.settle()
    expect(page).to_have_url(re.compile("find=gogh"))
    draw_box(visitor, 0.02, 0.02, 0.98, 0.98)
    count = selected(page)
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="List of the files").click()
    text = waiting.value.path().read_text()
    assert len(text.splitlines()) == count


def test_two_networks_stand_side_by_side_and_share_a_selection(visitor: "Visitor") -> None:
    open_map(visitor, "&beside=other")
    page = visitor.page
    page.get_by_text("How well do the regions agree").click()
    page.get_by_text("difference", exact=True).wait_for(timeout=90 * SECONDS)
    page.get_by_text("Another network").nth(2).wait_for()


def test_an_image_dropped_on_the_page_is_pinned_to_the_map(
    visitor: "Visitor", picture: Any
) -> None:
    open_map(visitor)
    page = visitor.page
    page.locator(".st-key-explore-drop input[type=file]").set_input_files(
        [
            {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": picture()},
            {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"no image"},
        ]
    )
    page.get_by_text(re.compile("broken.jpg")).first.wait_for()
    page.get_by_role("button", name="Take the dropped images off").wait_for()
    visitor.settle()


@pytest.mark.parametrize("scheme", ["dark"])
def test_centers_show_their_matrix_and_open_an_image(visitor: "Visitor", scheme: str) -> None:
    page = visitor.page
    page.goto(f"{visitor.address}/centers?checkpoint=tiny")
    page.get_by_role("heading", name="Distances between the centers").wait_for()
    page.get_by_role("table").get_by_role("columnheader", name="amusement").first.wait_for()
    page.get_by_role("img", name=re.compile("they join at")).wait_for()
    assert not page.evaluate(
        "performance.getEntriesByType('resource').some((item) => item.name.includes('Plotly'))"
    )
    tiles = page.locator("li button:has(.caption)")
    tiles.first.wait_for(timeout=90 * SECONDS)
    visitor.settle()
    tiles.first.click()
    page.get_by_role("dialog").locator("img.ev-large").wait_for()
