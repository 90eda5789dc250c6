"""A real server and a real Chromium, so that what people touch is what is tested."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from placed import put_checkpoint
from playwright.sync_api import expect, sync_playwright
from visitors import Visitor, collect, serve, visit, wait_for

from emoviz.review.acquire import SAMPLE, AcquireRequest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
expect.set_options(timeout=60_000)  # of a busy machine, too
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No other machine can be found. A gate for each request would do, but takes the cache away.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here; skip it only where no browser is and none is required."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None and not os.environ.get("EMOVIZ_REQUIRE_BROWSER"):
                item.add_marker(pytest.mark.skip(reason="no Chromium here"))


@pytest.fixture(scope="session")
def served_home(tiny_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the visited server keeps things: two tiny checkpoints and the sample's collection.

    So that a journey finds it whichever others went before.
    """
    home = tmp_path_factory.mktemp("browser-home")
    put_checkpoint(tiny_source, home)
    _second_checkpoint(home / "checkpoints" / "tiny", home / "checkpoints" / "other")
    collect(home, AcquireRequest("sample-artworks", SAMPLE, "sample", "Sample images"))
    return home


@pytest.fixture(scope="session")
def server(served_home: Path) -> Iterator[str]:
    """The app on a free port; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = serve(served_home, port)
    try:
        wait_for(address, process, served_home / "server.log")
        yield address
        written = (served_home / "server.log").read_text()
        assert "Traceback" not in written, written
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def scheme() -> str:
    """Which theme the visitor's system prefers."""
    return "light"


@pytest.fixture
def visitor(chromium: Any, server: str, scheme: str) -> Iterator[Visitor]:
    """A visitor in a fresh session; nothing may have left the machine at the end."""
    with visit(chromium, server, scheme) as found:
        yield found


def _second_checkpoint(source: Path, target: Path) -> None:
    import json

    shutil.copytree(source, target)
    card = json.loads((target / "card.json").read_text())
    card |= {"id": "other", "title": "Another network", "temperature": 6.0}
    (target / "card.json").write_text(json.dumps(card))
