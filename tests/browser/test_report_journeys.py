"""A report opened in a real browser that has no network."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main


def test_a_report_opens_without_a_network_and_fits_the_screen_and_the_paper(
    chromium: Any, tiny_checkpoint: Checkpoint, table: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    report = tmp_path / "report.html"
    words = ["--checkpoint", "tiny", "--data", str(table), "--report", str(report)]
    assert main(["evaluate", *words]) == 0
    context = chromium.new_context(viewport={"width": 800, "height": 900}, offline=True)
    page, asked, errors = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text))
    page.goto(report.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert errors == []
    assert page.locator("h1").inner_text().startswith("tiny on ")
    headings = page.locator("h2").all_inner_texts()
    assert {"Measures", "Confusion matrix", "Calibration", "By artist"} <= set(headings)
    # every figure is drawn: its lines have a length, its pictures a size
    expect(page.locator("svg")).to_have_count(5)
    lengths = page.locator("polyline").evaluate_all("lines => lines.map(l => l.getTotalLength())")
    assert min(lengths) > 20
    sizes = page.locator(".pictures img").evaluate_all("all => all.map(i => i.naturalWidth)")
    assert sizes
    assert min(sizes) > 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    context.close()
