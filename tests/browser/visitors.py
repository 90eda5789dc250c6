"""A visitor with a real Chromium, and the server that is visited: what journeys are made of.

Every request that would leave this machine is stopped, noted, and fails the test.
"""

import base64
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoviz.checkpoints import read_checkpoint
from emoviz.jobs import Reporter
from emoviz.review import open_store
from emoviz.review.acquire import AcquireRequest
from emoviz.review.ingest import add_collection
from emoviz.settings import PROJECT_ROOT, load_settings

SETTLED = (
    "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
)
DROP = """([key, files]) => {
  const zone = document.querySelector(
    `[class*="st-key-${key}-"] [data-testid=stFileUploaderDropzone]`);
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type: "image/jpeg"}));
  }
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(
      new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""
# Every answer of the server comes so many milliseconds late, and none before an earlier one.
LATE = """window.WebSocket = class extends WebSocket {
  #held = []
  #later(heard) {
    return (event) => {
      const due = performance.now() + (window.late ?? 0)
      this.#held.push({due, tell: () => heard.call(this, event)})
      this.#tell()
    }
  }
  #tell() {
    while (this.#held[0]?.due <= performance.now()) this.#held.shift().tell()
    if (this.#held.length) setTimeout(() => this.#tell(), this.#held[0].due - performance.now())
  }
  set onmessage(heard) { super.onmessage = this.#later(heard) }
  get onmessage() { return super.onmessage }
  addEventListener(kind, heard, ...rest) {
    super.addEventListener(kind, kind === "message" ? this.#later(heard) : heard, ...rest)
  }
}"""


@dataclass
class Visitor:
    """One browser page and what tests do with it."""

    page: Any
    address: str
    strays: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> None:
        """Go to the app and wait until it is drawn."""
        self.page.goto(f"{self.address}/{query}")
        self.page.wait_for_selector("[data-testid=stFileUploaderDropzone]")
        self.settle()

    def settle(self) -> None:
        """Wait until the script rests and its last elements are there."""
        self.page.wait_for_timeout(120)
        self.page.wait_for_selector(SETTLED)
        self.page.wait_for_timeout(60)

    def enter(self, path: str, name: str) -> None:
        """Go to a page and say who one is."""
        self.page.goto(f"{self.address}/{path}")
        self.page.get_by_role("textbox", name="Your name").fill(name)
        self.page.get_by_role("button", name="Go on").click()

    def open_as_manager(self, path: str, home: Path) -> None:
        """Go to a page as somebody who may manage, whoever was on the server before."""
        store = open_store(load_settings({"EMOVIZ_HOME": str(home)}))
        registrar = store.reviewer("A registrar")
        if registrar.role != "manager":
            first = next(person for person in store.reviewers() if person.role == "manager")
            store.set_role(registrar.id, "manager", first.id)
        self.enter(path, "A registrar")

    def drop(self, files: list[tuple[str, bytes]], into: str = "files") -> None:
        """Drop files as a hand with a mouse would."""
        packed = [[name, base64.b64encode(data).decode()] for name, data in files]
        self.page.evaluate(DROP, [into, packed])

    def text(self, selector: str) -> str:
        """What can be read there."""
        return str(self.page.locator(selector).first.inner_text())


@contextmanager
def visit(chromium: Any, server: str, scheme: str = "light") -> Iterator[Visitor]:
    """A fresh session at some address; nothing may have left the machine at the end."""
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=scheme, accept_downloads=True
    )
    page = context.new_page()
    page.set_default_timeout(60_000)  # of a busy machine, too
    found = Visitor(page, server)

    def note(request: Any) -> None:
        if not request.url.startswith((server, "data:", "blob:")):
            found.strays.append(request.url)

    page.on("request", note)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    yield found
    context.close()
    assert found.strays == []
    assert found.complaints == []


def collect(home: Path, request: AcquireRequest) -> None:
    """A collection that nobody brought in through the page."""
    settings = load_settings({"EMOVIZ_HOME": str(home)})
    checkpoint = read_checkpoint(home / "checkpoints" / "tiny")
    add_collection(request, settings, Reporter(None), checkpoint)


def serve(home: Path, port: int) -> "subprocess.Popen[bytes]":
    """The app on a port, with what it prints in the home's server.log."""
    options = [f"--server.port={port}", "--server.headless=true"]
    with (home / "server.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options],
            cwd=PROJECT_ROOT,
            env={
                **os.environ,
                "EMOVIZ_HOME": str(home),
                "EMOVIZ_ALLOW_PRIVATE_URLS": "true",  # the museum of the tests is on this machine
                "EMOVIZ_FETCH_PAUSE": "0.01",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")
