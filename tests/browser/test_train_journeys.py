"""From the sample images to a network in the picker: watched, killed, kept, compared."""

import os
import re
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from placed import put_checkpoint
from playwright.sync_api import expect

from emoviz import jobs
from emoviz.settings import load_settings
from emoviz.training.runs import list_runs, read_curves

if TYPE_CHECKING:
    from visitors import Visitor

SECONDS = 1000


def test_the_sample_teaches_a_network_that_is_kept_and_compared(
    visitor: "Visitor", served_home: Path
) -> None:
    page = visitor.page
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
    page.locator(".js-plotly-plot").nth(2).wait_for(state="attached")

    page.get_by_role("textbox", name="Id").fill("from-the-sample")
    page.get_by_role("button", name="Keep among the networks").click()
    compare = page.get_by_role("button", name=re.compile("Compare"))
    compare.first.wait_for(timeout=120 * SECONDS)
    visitor.settle()
    compare.first.click()
    page.wait_for_url(re.compile("/compare"))
    # of three networks here, the one that was kept
    expect(page).to_have_url(re.compile("checkpoint=from-the-sample"))
    page.get_by_text("McNemar").first.wait_for(timeout=120 * SECONDS)

    # And from Runs, where another run is the newer one, whose network is kept as well.
    (run,) = list_runs(load_settings({"EMOVIZ_HOME": str(served_home)}).runs)
    shutil.copytree(run.folder, run.folder.with_name("another"))
    for card in run.folder.with_name("another").glob("checkpoints/*/card.json"):
        shutil.copy(served_home / "checkpoints" / "tiny" / "card.json", card)
    page.goto(f"{visitor.address}/runs?checkpoint=tiny&run={run.id}")
    compare.first.click()
    page.wait_for_url(re.compile("/compare.*checkpoint=from-the-sample"))

    page.goto(f"{visitor.address}/?checkpoint=from-the-sample")
    page.get_by_role("button", name="Mountain gorilla").click()
    page.wait_for_selector(".ev-single")
    expect(page.get_by_text("which is not here")).to_have_count(0)


def until(condition: Callable[[], bool], page: Any, seconds: float = 120) -> None:
    """Wait while the browser goes on."""
    for _ in range(round(seconds / 0.2)):
        if condition():
            return
        page.wait_for_timeout(200)
    raise AssertionError("waited in vain")


@pytest.mark.skipif(os.name == "nt", reason="signals and groups of processes")
def test_a_training_survives_its_server_and_goes_on_after_its_own_death(
    chromium: Any, tiny_source: Path, tmp_path: Path
) -> None:
    """The server is killed: the training goes on, and a new server finds it. The training is
    killed: the page calls it lost, goes on with it, stops it and measures it."""
    from visitors import serve, visit, wait_for

    put_checkpoint(tiny_source, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", tmp_path / "server.log"
    settings = load_settings({"EMOVIZ_HOME": str(tmp_path), "EMOVIZ_SAVE_SECONDS": "0.5"})
    server = serve(tmp_path, port)
    try:
        wait_for(address, server, log)
        with visit(chromium, address) as visitor:
            page = visitor.page
            page.goto(f"{address}/retrain?checkpoint=tiny&from=tiny")
            page.get_by_text("Settings", exact=True).click()
            page.get_by_role("spinbutton", name="Epochs").fill("9000")
            page.get_by_role("spinbutton", name="Epochs").press("Enter")
            visitor.settle()
            page.get_by_role("button", name="Start", exact=True).click()
            page.locator(".js-plotly-plot").first.wait_for(timeout=120 * SECONDS)
            place = page.url
        (run,) = list_runs(settings.runs)
        job = jobs.find(settings, f"train {run.folder}")
        assert job is not None

        server.send_signal(signal.SIGKILL)
        server.wait()
        done = len(read_curves(run.folder).epochs)
        assert job.state == "running"
        server = serve(tmp_path, port)
        wait_for(address, server, log)
        with visit(chromium, address) as visitor:
            page = visitor.page
            page.goto(place)
            page.get_by_text("Training on the processor").first.wait_for(timeout=60 * SECONDS)
            until(lambda: len(read_curves(run.folder).epochs) > done + 2, page)

            os.killpg(int((job.folder / "alive").read_text()), signal.SIGKILL)
            page.get_by_text("Lost: its process ended").wait_for(timeout=60 * SECONDS)
            done = len(read_curves(run.folder).epochs)
            visitor.settle()
            page.get_by_role("button", name="Go on").click()
            page.get_by_text("Training on the processor").first.wait_for(timeout=60 * SECONDS)
            until(lambda: len(read_curves(run.folder).epochs) > done + 2, page)
            page.get_by_role("button", name="Stop and keep").click()
            page.get_by_text("Done: trained").wait_for(timeout=60 * SECONDS)
    finally:
        server.kill()
        server.wait()
        for item in jobs.list_jobs(settings):
            item.cancel()
