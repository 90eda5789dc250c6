"""Artworks of a manifest reviewed by keys alone, by one or more people, however late the server.

    python benchmarks/review_keys.py [--works 200] [--people 2] [--delay SECONDS]

Needs Chromium and playwright (requirements-dev.txt). A museum on this machine has a IIIF manifest
of that many canvases. The first person brings it in; all of them review it at once, from the menu
to the last artwork by Tab, letters and Enter, keys 30 ms apart: emotions, several of them,
strengths, none, skip, notes, undo, back and forth, jumps by number. Every answer of the server
comes ``--delay`` seconds late. What each person meant for each artwork is compared with all that
the store has of it: decided once, lost, on another artwork. At the end the first person takes the
annotations home. Wanted: each artwork of each person decided once, with the note written for it.
"""

import argparse
import asyncio
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from page import FLAGS
from PIL import Image
from playwright.async_api import TimeoutError, async_playwright
from review_page import READY, start, stop

from emoviz.review import Decision, open_store
from emoviz.settings import PROJECT_ROOT, Settings

sys.path.extend(str(PROJECT_ROOT / place) for place in ("tests", "tests/browser"))
from local_server import LocalServer, local_server
from visitors import LATE, SETTLED

PATIENCE = 180_000  # milliseconds
EMOTIONS = ["amusement", "awe", "contentment", "excitement"]
EMOTIONS += ["anger", "disgust", "fear", "sadness"]
HAS_FOCUS = """() => {
  let found = document.activeElement
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement
  if (!found?.matches("button, a, input, textarea, [role=combobox]")) return ""
  const label = found.getAttribute("aria-label") || found.labels?.[0]?.innerText
  return (label || found.innerText).trim()
}"""


# The number of the artwork that a person sees; null while keys or an artwork are on their way.
IN_SIGHT = """() => {
  const desk = window.emovizDesk
  if (desk.root.dataset.shown !== "yes" || desk.early.length) return null
  return desk.work?.number ?? null
}"""


@dataclass(frozen=True)
class Said:
    """A decision as it was meant, or as it was stored."""

    kind: str
    feelings: tuple[tuple[str, int], ...] = ()
    note: str = ""


@dataclass
class Person:
    """Somebody at the keys, and what they meant for each artwork, by its number."""

    name: str
    page: Any
    works: int
    rng: random.Random
    pause: int
    here: int = 1
    meant: dict[int, list[Said]] = field(default_factory=dict)
    stands: dict[int, Said | None] = field(default_factory=dict)
    taken_back: list[tuple[int, Said | None]] = field(default_factory=list)
    acts: int = 0
    looks_up: bool = False

    async def review(self) -> None:
        """Until every artwork has a decision that stands, or nothing comes any more."""
        while len(self.undecided) > 0:
            try:
                await self.act()
            except TimeoutError:
                words = await self.page.locator(".ev-desk").inner_text()
                left = f"{len(self.undecided)} undecided, the next {self.undecided[:3]}"
                print(f"{self.name} waits in vain, {left}; the desk: {words!r}")
                return
            self.acts += 1

    @property
    def undecided(self) -> list[int]:
        """The artworks to come, in the order of the desk."""
        order = [*range(self.here + 1, self.works + 1), *range(1, self.here + 1)]
        return [number for number in order if self.stands.get(number) is None]

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
            await self.page.wait_for_timeout(self.pause)

    async def act(self) -> None:
        """One thing that people do."""
        page, rng = self.page, self.rng
        # More than the desk knows ahead cannot be decided: nothing is on the screen then.
        await page.wait_for_function("document.querySelector('.ev-desk').dataset.work !== ''")
        if self.looks_up:
            seen = await page.wait_for_function(IN_SIGHT)
            self.here, self.looks_up = await seen.json_value(), False
        chance, kept = rng.random(), self.note_of(self.here)
        one, two = rng.sample(range(8), 2)
        first, second = str(one + 1), str(two + 1)
        if chance < 0.35:
            await self.press(first, "Enter")
            self.decide(Said("choose", ((EMOTIONS[one], 2),), kept))
        elif chance < 0.5:
            await self.press(first, first, second, second, second, "Enter")
            self.decide(Said("choose", ((EMOTIONS[one], 3), (EMOTIONS[two], 1)), kept))
        elif chance < 0.6:
            await self.press("n")
            self.decide(Said("none", (), kept))
        elif chance < 0.7:
            await self.press("s")
            self.decide(Said("skip", (), kept))
        elif chance < 0.8:
            note = f"sans {self.acts} ah"
            await self.press("m", "Control+a", *note, "Escape", first, "Enter")
            self.decide(Said("choose", ((EMOTIONS[one], 2),), note))
        elif chance < 0.88 and self.taken_back:
            self.here, before = self.taken_back.pop()
            note, self.stands[self.here] = self.note_of(self.here), before
            await self.press("u", first, "Enter")
            self.decide(Said("choose", ((EMOTIONS[one], 2),), note))
        elif chance < 0.95 and self.here > 1:
            self.here -= 1
            await self.press("ArrowLeft", "n")
            self.decide(Said("none", (), self.note_of(self.here)))
        elif self.here < self.works - 2:
            self.here = rng.randrange(self.here + 1, min(self.here + 25, self.works))
            await tab_to(page, "Go to the artwork with this number")
            await self.press(*str(self.here), "Enter")

    def note_of(self, number: int) -> str:
        said = self.stands.get(number)
        return said.note if said is not None else ""

    def decide(self, said: Said) -> None:
        number, before = self.here, self.stands.get(self.here)
        self.taken_back = [item for item in self.taken_back if item[0] != number]
        self.taken_back.append((number, before))
        self.meant.setdefault(number, []).append(said)
        self.stands[number] = said
        self.here = next(iter(self.undecided), number)
        # After the last number come those left behind; which of them first, the server says.
        self.looks_up = self.here < number


async def tab_to(page: Any, name: str, most: int = 500) -> None:
    """Press Tab until something of that name has the focus."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        found = await page.evaluate(HAS_FOCUS)
        if name.lower() in found.lower() and not found.startswith("Help for"):
            return
    raise SystemExit(f"no way by Tab to {name!r}")


async def settle(page: Any) -> None:
    await page.wait_for_timeout(250)
    await page.wait_for_selector(SETTLED)
    await page.wait_for_timeout(150)


async def bring_in(page: Any, address: str, manifest: str, works: int) -> str:
    """From the first page to a collection, by keys; its name in the link."""
    await page.goto(address)
    await page.wait_for_selector("[data-testid=stFileUploaderDropzone]")
    await settle(page)
    await tab_to(page, "Collections")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/collections**")
    await page.get_by_role("button", name="Bring it in").wait_for()
    await settle(page)
    await tab_to(page, "Address of a manifest")
    await page.keyboard.type(manifest)
    await tab_to(page, "Bring it in")
    await settle(page)
    await page.keyboard.press("Enter")
    await page.get_by_text(f"{works} artworks here").first.wait_for(timeout=600_000)
    await settle(page)
    await tab_to(page, "Review them")
    await page.keyboard.press("Enter")
    await page.get_by_role("textbox", name="Your name").wait_for()
    return str(await page.evaluate("new URLSearchParams(location.search).get('review')"))


async def sit_down(person: Person, address: str, collection: str) -> None:
    """Say who one is; the artworks come as in the collection."""
    page = person.page
    await page.goto(f"{address}/artworks?checkpoint=mikels8&review={collection}&order=number")
    await page.get_by_role("textbox", name="Your name").wait_for()
    await settle(page)
    await tab_to(page, "Your name")
    await page.keyboard.type(person.name)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(READY)
    await settle(page)


async def finish(person: Person) -> None:
    page = person.page
    await page.evaluate("window.late = 0")
    await page.wait_for_selector(".ev-desk[data-waiting='0']")
    count, state = page.locator(".ev-desk .count"), page.locator(".ev-desk .state")
    print(f"{person.name}: {person.acts} acts; the desk says: {await count.inner_text()}; ", end="")
    print(await state.inner_text())


async def take_home(page: Any, address: str, collection: str) -> list[dict[str, Any]]:
    """The annotations of the collection, taken by keys."""
    await page.goto(f"{address}/overview?checkpoint=mikels8&review={collection}")
    await page.get_by_role("combobox", name="Form").wait_for()
    await settle(page)
    await tab_to(page, "Form")
    await page.keyboard.type("IIIF")
    csv = page.get_by_role("option", name="CSV")
    await csv.first.wait_for(state="detached")
    await page.keyboard.press("Enter")
    await settle(page)
    await tab_to(page, "Prepare the download")
    await page.keyboard.press("Enter")
    file = f"Download {collection}-iiif"  # each table of the page has a button of its own
    await page.get_by_role("button", name=file).wait_for()
    await settle(page)
    await tab_to(page, file)
    async with page.expect_download() as download:
        await page.keyboard.press("Enter")
    taken = await (await download.value).path()
    found: list[dict[str, Any]] = json.loads(Path(taken).read_text())["items"]
    return found


async def journey(asked: argparse.Namespace, home: Path, address: str, museum: LocalServer) -> bool:
    async with async_playwright() as driver:
        path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))))
        browser = await driver.chromium.launch(executable_path=path, args=FLAGS)
        people = []
        for n in range(asked.people):
            context = await browser.new_context(viewport={"width": 1280, "height": 900})
            page = await context.new_page()
            page.set_default_timeout(PATIENCE)
            await page.add_init_script(LATE)
            rng = random.Random(asked.seed + n)
            people.append(Person(f"Person {n + 1}", page, asked.works, rng, asked.pause))
        first = people[0].page
        collection = await bring_in(first, address, furnish(museum, asked.works), asked.works)
        for person in people:
            await sit_down(person, address, collection)
            await person.page.evaluate(f"window.late = {1000 * asked.delay}")
        began = time.perf_counter()
        await asyncio.gather(*(person.review() for person in people))
        for person in people:
            await finish(person)
        seconds, acts = time.perf_counter() - began, sum(person.acts for person in people)
        print(f"{acts} acts in {seconds:.0f} s, {os.getloadavg()[0]:.1f} load")
        whole = [compared(person, home, collection) for person in people]
        told = await take_home(first, address, collection)
        await browser.close()
    last = [said for person in people for said in person.stands.values()]
    wanted = sum(said is not None and said.kind != "skip" for said in last)
    by_people = Counter(
        (item["creator"]["name"], json.dumps(item["target"]))
        for item in told
        if isinstance(item.get("creator"), dict) and item["creator"].get("type") == "Person"
    )
    twice = sum(count > 1 for count in by_people.values())
    print(f"annotations by people: {len(by_people)} of {wanted}, {twice} of them twice")
    return all(whole) and len(by_people) == wanted and not twice


def compared(person: Person, home: Path, collection: str) -> bool:
    """Print what became of the artworks of one person; whether all of them have what was meant."""
    store = open_store(Settings(home=home))
    known, who = store.collection(collection), store.reviewer(person.name).id
    assert known is not None
    numbers = {work.id: work.number + 1 for work in store.works(known.id)}
    stored: dict[int, list[Said]] = {}
    for item in store.decisions(known.id):
        if item.reviewer == who and item.kind != "retract":
            stored.setdefault(numbers[item.work], []).append(said_of(item))
    stands = {
        numbers[item.work]: said_of(item)
        for item in store.standing(known.id)
        if item.reviewer == who
    }
    once = lost = elsewhere = 0
    for number in range(1, person.works + 1):
        meant, found = Counter(person.meant.get(number, [])), Counter(stored.get(number, []))
        lost += (meant - found).total()
        elsewhere += (found - meant).total()
        same = meant == found and stands.get(number) == person.stands.get(number)
        once += same
        if not same:
            print(f"  {person.name}, {number}: meant {person.meant.get(number)}")
            print(f"    stored {stored.get(number)}, stands {stands.get(number)}")
    print(
        f"{person.name}: {once} of {person.works} decided once; of {person.acts} acts "
        f"{lost} lost, {elsewhere} on another artwork"
    )
    return once == person.works


def said_of(item: Decision) -> Said:
    feelings = tuple((felt.emotion, felt.strength) for felt in item.feelings)
    return Said(item.kind, feelings, item.note)


def furnish(museum: LocalServer, count: int) -> str:
    """A manifest of so many canvases; its address."""
    base, canvases = museum.address, []
    for n in range(1, count + 1):
        pixels = np.random.default_rng(n).integers(0, 255, (4, 6, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).resize((480, 360), Image.Resampling.BICUBIC).save(buffer, "JPEG")
        museum.answers[f"/{n}.jpg"] = (200, {"Content-Type": "image/jpeg"}, buffer.getvalue())
        size = {"width": 480, "height": 360}
        canvas = f"{base}/canvas/{n}"
        body = {"id": f"{base}/{n}.jpg", "type": "Image", "format": "image/jpeg", **size}
        annotation = {"id": f"{canvas}/image", "type": "Annotation", "motivation": "painting"}
        page = {
            "id": f"{canvas}/page",
            "type": "AnnotationPage",
            "items": [{**annotation, "body": body, "target": canvas}],
        }
        label = {"en": [f"Painting {n}"]}
        canvases.append({"id": canvas, "type": "Canvas", "label": label, **size, "items": [page]})
    manifest = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{base}/manifest.json",
        "type": "Manifest",
        "label": {"en": ["Paintings"]},
        "items": canvases,
    }
    kind = {"Content-Type": "application/json"}
    museum.answers["/manifest.json"] = (200, kind, json.dumps(manifest).encode())
    return f"{base}/manifest.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", type=int, default=200)
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--delay", type=float, default=0, help="seconds that each answer is late")
    parser.add_argument("--pause", type=int, default=30, help="milliseconds between keys")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ |= {"EMOVIZ_ALLOW_PRIVATE_URLS": "true", "EMOVIZ_FETCH_PAUSE": "0.01"}
    with tempfile.TemporaryDirectory() as home, local_server() as museum:
        process, address = start(home)
        try:
            whole = asyncio.run(journey(asked, Path(home), address, museum))
        finally:
            stop(process)
    return 0 if whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
