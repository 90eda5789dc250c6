"""From a museum's IIIF address to a wall of artworks, with a mouse and a keyboard."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from local_server import local_server
from museum import PAINTINGS, furnish
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000


def test_a_museums_address_becomes_a_wall(
    visitor: "Visitor", picture: Callable[..., bytes], served_home: Path
) -> None:
    page = visitor.page
    with local_server() as museum:
        address = furnish(museum, picture)
        for name, *_ in PAINTINGS:  # at the size that the page asks for
            smaller = museum.answers[f"/image/{name}/full/800,/0/default.jpg"]
            museum.answers[f"/image/{name}/full/1280,/0/default.jpg"] = smaller
        del museum.answers["/image/garden/full/1280,/0/default.jpg"]
        visitor.open_as_manager("collections?checkpoint=tiny", served_home)
        page.get_by_role("textbox", name="What shall it be called?").fill("A small museum")
        page.get_by_role("textbox", name="Address of a manifest or collection").fill(address)
        page.get_by_role("button", name="Bring it in").click()
        page.get_by_text("2 artworks here, from IIIF").wait_for(timeout=60 * SECONDS)
        visitor.settle()
        asked = museum.paths()
        status, head, body = museum.answers["/wave.json"]  # type: ignore[misc]
        museum.answers["/wave.json"] = (status, head, body.replace(b"Great Wave", b"Big Wave"))
        page.get_by_role("button", name="Look for changes").click()
        page.get_by_text("1 described anew").click(timeout=60 * SECONDS)
        page.get_by_text("Big Wave: is described in other words").wait_for()
        visitor.settle()
    assert asked.count("/night.json") == 1
    assert asked.count("/image/wave/full/1280,/0/default.jpg") == 1

    expect(page.locator("li button .caption")).to_have_text(["The Night", "Big Wave"])
    page.get_by_text("3 found: 2 taken, 1 problem").click()
    page.locator(".ev-refused", has_text="status 404").wait_for()

    page.locator("li button").nth(1).click()
    dialog = page.get_by_role("dialog")
    dialog.locator("table", has_text="Katsushika Hokusai").wait_for()
    dialog.locator("img").first.wait_for()
    page.keyboard.press("Escape")
    expect(page.locator("li button").nth(1)).to_be_focused()  # from where it was opened

    page.get_by_role("textbox", name="Find").fill("čiurlionis 1905")
    page.keyboard.press("Enter")
    page.get_by_text("1 artwork of 2").wait_for()
    page.reload()
    page.get_by_text("1 artwork of 2").wait_for()
    visitor.settle()

    page.get_by_role("button", name="See them on the map").click()
    page.wait_for_selector("canvas", timeout=30 * SECONDS)
    page.get_by_text("2 images").first.wait_for()
