"""What curators do on the Classify page, in a browser."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from emoviz.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from visitors import Visitor

Make = Callable[..., bytes]
SAMPLES = PROJECT_ROOT / "sample_data" / "images"


def test_two_files_are_dropped_and_read(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    visitor.drop([("dawn.jpg", picture(seed=1)), ("dusk.png", picture("PNG", seed=2))])
    visitor.page.wait_for_selector(".ev-card >> nth=1")
    visitor.settle()
    expect(visitor.page.locator(".ev-name")).to_have_text(["dawn.jpg", "dusk.png"])
    expect(visitor.page.locator(".ev-sentence").first).to_have_text(re.compile("^The model"))
    visitor.page.get_by_role("meter").nth(5).wait_for()
    expect(visitor.page.get_by_role("heading", name="2 images")).to_have_count(1)
    visitor.page.get_by_role("button", name="Show larger: dawn.jpg").click()
    opened = visitor.page.locator(".ev-card:popover-open")
    expect(opened.get_by_role("meter")).to_have_count(8)
    expect(opened.locator(".ev-name")).to_have_text("dawn.jpg")
    opened.get_by_role("button", name="Close").click()
    expect(opened).to_have_count(0)
    for _ in range(2):  # here, and on a page that knows nothing of images that were dropped
        visitor.page.once("dialog", lambda dialog: dialog.dismiss())
        with visitor.page.expect_event("dialog") as asked:
            visitor.page.evaluate("setTimeout(() => location.reload())")
        assert asked.value.type == "beforeunload"
        visitor.page.get_by_role("link", name="Collections").click()
        visitor.page.wait_for_url("**/collections**")
        visitor.settle()
    visitor.page.get_by_role("link", name="Classify").click()
    expect(visitor.page.locator(".ev-name")).to_have_text(["dawn.jpg", "dusk.png"])
    visitor.page.get_by_role("button", name="Remove all").click()
    expect(visitor.page.locator(".ev-card")).to_have_count(0)
    visitor.settle()
    visitor.page.once("dialog", lambda dialog: visitor.complaints.append(dialog.type))
    visitor.page.reload()  # nothing is lost now
    visitor.page.get_by_role("heading", name="Or press a sample image").wait_for()


def test_forty_files_with_three_broken_ones(
    visitor: "Visitor", picture: Make, tmp_path: Path
) -> None:
    good = [(f"{i:02d}.jpg", picture(size=(640, 480), seed=i)) for i in range(36)]
    hostile = ("<img src=x onerror=alert(1)>.jpg", picture(seed=99))
    broken = [("words.jpg", b"no image " * 40), ("cut.jpg", good[0][1][:900]), ("none.jpg", b"")]
    visitor.open("?checkpoint=tiny")
    visitor.drop([*good[:20], *broken, hostile, *good[20:]])
    visitor.page.get_by_role("heading", name="37 images, 3 refused").wait_for()
    visitor.settle()
    refused = visitor.page.locator(".ev-refused li").all_inner_texts()
    assert [row.split("\n")[0] for row in refused] == ["words.jpg", "cut.jpg", "none.jpg"]
    assert all(len(row.split("\n")[-1]) > 10 for row in refused)
    expect(visitor.page.locator(".ev-card")).to_have_count(12)
    visitor.page.get_by_role("button", name="Download", exact=True).click()
    with visitor.page.expect_download() as coming:
        visitor.page.get_by_role("button", name="CSV, for a spreadsheet").click()
    rows = list(csv.DictReader(io.StringIO(_saved(coming, tmp_path).decode("utf-8-sig"))))
    assert len(rows) == 40
    assert sum(bool(row["error"]) for row in rows) == 3
    with visitor.page.expect_download() as coming:
        visitor.page.get_by_role("button", name="JSON, for a program").click()
    values = json.loads(_saved(coming, tmp_path))
    assert [row["path"] for row in values] == [row["path"] for row in rows]
    assert {row["checkpoint"] for row in values} == {"tiny"}


def test_a_long_run_is_stopped_and_goes_on(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    large = picture(size=(4000, 3000))  # slow to decode, so that there is time to stop
    visitor.drop([(f"{i}.jpg", large + bytes([i])) for i in range(100)])
    visitor.page.get_by_text("of 100 images").wait_for()
    visitor.page.get_by_role("button", name="Stop here").click()
    visitor.page.get_by_text("not looked at yet").wait_for()
    visitor.settle()
    done = visitor.page.get_by_role("heading", name=re.compile(r"^\d+ images$")).inner_text()
    assert 0 < int(done.split()[0]) < 100
    visitor.page.get_by_role("button", name="Go on").click()
    visitor.page.get_by_role("heading", name="100 images").wait_for()


def test_a_folder_names_other_files(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    files = [("a.jpg", picture(seed=1)), ("b.jpg", picture(seed=2)), ("list.csv", b"a,b")]
    visitor.drop(files, into="folder")
    visitor.page.get_by_role("heading", name="2 images, 1 refused").wait_for()
    visitor.page.get_by_text("1 file could not be read").wait_for()


def test_a_sample_is_pressed_and_a_reload_keeps_it(visitor: "Visitor") -> None:
    visitor.open("?checkpoint=other")
    visitor.page.get_by_role("button", name="Mountain gorilla").click()
    visitor.page.wait_for_selector(".ev-single")
    visitor.settle()
    expect(visitor.page).to_have_url(re.compile(re.escape("sample=images%2Fmountain_gorilla.jpg")))
    before = visitor.text(".ev-single")
    visitor.page.reload()
    visitor.page.wait_for_selector(".ev-single")
    visitor.settle()
    expect(visitor.page.locator(".ev-single").first).to_have_text(before, use_inner_text=True)
    chosen = visitor.page.get_by_role("combobox", name="Network")
    expect(chosen).to_have_value("Another network")


def test_another_checkpoint_is_chosen(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    visitor.drop([("a.jpg", picture(seed=1))])
    visitor.page.wait_for_selector(".ev-single")
    visitor.settle()
    before = visitor.text(".ev-bars")
    visitor.page.get_by_role("combobox", name="Network").click()
    visitor.page.get_by_role("option", name="Another network").click()
    visitor.page.wait_for_url("**checkpoint=other**")
    visitor.settle()
    expect(visitor.page.locator(".ev-bars").first).not_to_have_text(before, use_inner_text=True)
    visitor.page.get_by_role("button", name="About this network").click()
    visitor.page.get_by_role("dialog").get_by_text("Random weights, for tests only.").wait_for()


@pytest.mark.parametrize("scheme", ["dark"])
def test_dark_theme_is_dark_and_readable(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    visitor.drop([("a.jpg", picture(seed=1)), ("b.jpg", picture(seed=2))])
    visitor.page.wait_for_selector(".ev-card")
    visitor.settle()
    for selector in ("[data-testid=stApp]", ".ev-card"):
        ground, ink = visitor.page.locator(selector).first.evaluate(
            "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
        )
        assert _contrast(ground, ink) > 7
        assert _light(ground) < 0.05


def test_works_with_the_keyboard_alone(visitor: "Visitor", picture: Make) -> None:
    visitor.open("?checkpoint=tiny")
    visitor.drop([("a.jpg", picture(seed=1)), ("b.jpg", picture(seed=2))])
    visitor.page.wait_for_selector(".ev-card >> nth=1")
    visitor.settle()
    visitor.page.get_by_role("button", name="Show larger: a.jpg").focus()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator(".ev-card:popover-open")).to_have_count(1)
    visitor.page.keyboard.press("Escape")
    focused = visitor.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Show larger: a.jpg"


def _saved(coming: object, folder: Path) -> bytes:
    target = folder / "download"
    coming.value.save_as(target)  # type: ignore[attr-defined]
    return target.read_bytes()


def _light(colour: str) -> float:
    """Relative luminance (WCAG 2) of ``rgb(r, g, b)``."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)
