"""From one page to another in a browser, each time with two objects of which the second is meant.

What the session showed before on the page that is led to is the first. Others of their kind:
Classify to Why and back (`test_texture_journeys`), Evaluate to Compare (`test_measure_journeys`),
Data sets to Retrain (`test_datasets_journeys`), Retrain and Runs to Compare
(`test_train_journeys`).
"""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from test_review_journeys import READY, brought_in, press

from emoviz.data.library import save_set
from emoviz.data.reading import read_labelled
from emoviz.labels import MIKELS8
from emoviz.settings import load_settings

if TYPE_CHECKING:
    from visitors import Visitor

Make = Callable[..., bytes]
TRIES = itertools.count(1)


def at_desk(visitor: "Visitor", collection: str, work: str | re.Pattern[str]) -> None:
    """Wait until the desk shows a work of the collection."""
    page = visitor.page
    page.wait_for_selector(READY)
    expect(page.get_by_role("combobox", name="Collection")).to_have_value(collection)
    expect(page.locator(".ev-desk h2")).to_have_text(work)


def to(visitor: "Visitor", link: str) -> None:
    visitor.settle()
    visitor.page.get_by_test_id("stSidebarNav").get_by_role("link", name=link).click()
    visitor.page.wait_for_url(f"**/{link.lower()}**")
    visitor.settle()


def choose(visitor: "Visitor", picker: str, option: str) -> None:
    visitor.page.get_by_role("combobox", name=picker).click()
    visitor.page.get_by_role("option", name=option, exact=True).click()
    visitor.settle()


def test_a_collection_leads_to_its_works_to_why_and_back_and_so_does_the_overview(
    visitor: "Visitor", served_home: Path, picture: Make
) -> None:
    number = next(TRIES)  # a second try would find the answers of the first
    first, second = f"Eins{number}", f"Zwei{number}"
    for title in (first, second):
        brought_in(served_home, title.lower(), picture)
    page = visitor.page
    path = f"artworks?checkpoint=tiny&order=number&review={first.lower()}"
    visitor.open_as_manager(path, served_home)
    page.wait_for_selector(READY)  # so that the desk has shown the first
    to(visitor, "Collections")
    choose(visitor, "Collection", second)
    page.get_by_role("button", name="Review them").click()
    at_desk(visitor, second, f"{second} 0")
    press(visitor, ["s", "s"])
    at_desk(visitor, second, f"{second} 2")
    press(visitor, ["w"])
    page.wait_for_url("**/textures**")
    expect(page.get_by_role("combobox", name="Image")).to_have_value(f"{second} 2")
    page.get_by_role("link", name="Back").click()
    at_desk(visitor, second, f"{second} 2")

    choose(visitor, "Collection", first)
    to(visitor, "Overview")
    choose(visitor, "Collection", second)
    page.get_by_role("button", name=re.compile(f"^{second} 4")).click()
    at_desk(visitor, second, f"{second} 4")
    choose(visitor, "Collection", first)
    to(visitor, "Overview")
    choose(visitor, "Collection", second)
    page.get_by_role("link", name="Review", exact=True).click()
    at_desk(visitor, second, re.compile(f"^{second}"))
    to(visitor, "Overview")
    page.get_by_role("button", name="One by one").click()
    large = page.get_by_role("dialog")
    large.get_by_text("1 of 6").wait_for()
    for place in ("2 of 6", "3 of 6"):
        page.keyboard.press("ArrowRight")
        large.get_by_text(place).wait_for()
    visitor.settle()
    name = large.get_by_role("heading", name=re.compile(f"^{second}")).inner_text()
    expect(large.get_by_role("img", name=name)).to_be_visible()
    large.get_by_role("link", name="Review").click()
    at_desk(visitor, second, name)


def test_a_set_leads_to_evaluate(
    visitor: "Visitor", served_home: Path, tmp_path: Path, make_table: Callable[..., Path]
) -> None:
    settings = load_settings({"EMOVIZ_HOME": str(served_home)})
    for name, seed in (("erstes", 0), ("zweites", 50)):
        made = make_table(tmp_path / name, MIKELS8.names, seed=seed)
        save_set(settings, name, name.title(), read_labelled(made), {})
    page = visitor.page
    page.goto(f"{visitor.address}/datasets?checkpoint=tiny&set=erstes")
    choose(visitor, "Labelled images", "Zweites, 8 images")
    page.get_by_role("button", name="Evaluate on it").click()
    page.wait_for_url("**/evaluate**")
    expect(page.get_by_role("combobox", name="Collection")).to_have_value(re.compile("^Zweites"))
