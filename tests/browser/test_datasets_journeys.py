"""From a folder with planted faults to a prepared set that Retrain offers."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000


def plant(root: Path, picture: Callable[..., bytes]) -> None:
    """24 images in two splits and two classes; one in both splits, one of them no image."""
    for seed in range(24):
        split, label = ("test" if seed >= 16 else "train"), ("awe" if seed % 2 else "fear")
        place = root / split / label / f"{seed}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(seed=seed))
    shutil.copy(root / "train/awe/3.jpg", root / "test/awe/leak.jpg")
    (root / "train/awe/broken.jpg").write_bytes(b"no image")


def test_faults_are_found_and_a_clean_set_reaches_retrain(
    visitor: "Visitor", tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    page, root = visitor.page, tmp_path / "journey"
    plant(root, picture)
    page.goto(f"{visitor.address}/datasets?checkpoint=tiny")
    page.get_by_text("62 images").first.wait_for()
    visitor.settle()
    page.get_by_text("Bring in a set").click()
    page.get_by_role("textbox", name="Path").fill(str(root))
    page.get_by_role("textbox", name="Path").press("Tab")
    visitor.settle()
    page.get_by_role("button", name="Bring it in").click()
    page.get_by_text("is in the library now").wait_for(timeout=60 * SECONDS)
    page.wait_for_url(re.compile("set=journey"))
    visitor.settle()

    page.get_by_role("radio", name="What is wrong with it").click()
    page.get_by_role("button", name="Examine it").click()
    main = page.get_by_test_id("stMainBlockContainer")
    main.get_by_role("button", name="Stop").wait_for(timeout=60 * SECONDS)
    page.reload()  # the examination does not mind
    page.get_by_text("26 images looked at. Mend").wait_for(timeout=120 * SECONDS)
    visitor.settle()
    page.get_by_text("equal bytes: test and train").wait_for()
    pair = page.get_by_role("button", name=re.compile("awe, (test|train)"))
    pair.nth(1).wait_for()
    expect(pair).to_have_count(2)
    pair.first.click()
    page.get_by_role("button", name="Throw it out").click()
    page.get_by_text("thrown out by hand").first.wait_for()
    pair.first.click()
    page.get_by_role("button", name="Leave it to the filters").click()
    visitor.settle()
    expect(page).to_have_url(re.compile("view=faults"))

    page.get_by_role("radio", name="Prepare").click()
    page.get_by_text("24 of 26 images stay").wait_for(timeout=60 * SECONDS)
    page.get_by_role("textbox", name="Name of the new set").fill("Journey, clean")
    page.get_by_role("textbox", name="Name of the new set").press("Tab")
    visitor.settle()
    page.get_by_role("button", name="Make the set").click()
    page.get_by_text("is in the library: Retrain").wait_for(timeout=60 * SECONDS)
    visitor.settle()
    page.get_by_role("button", name="Retrain with it").click()
    page.wait_for_url(re.compile("/retrain.*set=journey-clean"))
    page.get_by_text("to learn from,").wait_for(timeout=60 * SECONDS)
    chosen = page.get_by_role("combobox", name="Labelled images").input_value()
    assert chosen == "Journey, clean, 24 images"
