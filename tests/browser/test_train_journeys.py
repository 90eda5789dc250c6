"""From the sample images to a network among the checkpoints, watched, reloaded, compared."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Visitor

SECONDS = 1000


def test_the_sample_teaches_a_network_that_is_kept_and_compared(visitor: "Visitor") -> None:
    page = visitor.page
    visitor.open("?checkpoint=tiny")
    page.goto(f"{visitor.address}/retrain?checkpoint=tiny&from=tiny")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"run="), timeout=30 * SECONDS)
    page.reload()  # the training does not mind
    second = page.context.new_page()  # and a second window watches the same one
    second.goto(page.url)
    second.get_by_text("Done: trained").wait_for(timeout=120 * SECONDS)
    second.close()
    page.get_by_text("Done: trained").wait_for(timeout=120 * SECONDS)
    visitor.settle()
    assert page.locator(".js-plotly-plot").count() >= 3

    page.get_by_role("textbox", name="Id").fill("from-the-sample")
    page.get_by_role("button", name="Keep among the checkpoints").click()
    compare = page.get_by_role("button", name=re.compile("Compare"))
    compare.first.wait_for(timeout=120 * SECONDS)
    visitor.settle()
    compare.first.click()
    page.wait_for_url(re.compile("/compare"))
    page.get_by_text("McNemar").first.wait_for(timeout=120 * SECONDS)

    page.goto(f"{visitor.address}/?checkpoint=from-the-sample")
    page.get_by_text("from-the-sample").first.wait_for()
    page.get_by_role("button", name="Mountain gorilla").click()
    page.wait_for_selector(".ev-single")
