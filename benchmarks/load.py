"""Many people at once: real WebSocket sessions of the app, each with a mix of what people do.

    python benchmarks/load.py [--people 50] [--presses 10] [--images 10] [--works 2000] [--rest 180]

Each person has a connection of the app's own protocol (no browser draws anything, so the cores are
the server's). They come within ten seconds, and each puts images of a name that nobody else
has on Classify, decides on artworks under a name of their own, and opens the map of the sample
images and the Evaluate page. Every message that a person gets is searched for the marks of all
others. Printed: errors, strangers' marks, seconds until a press is answered, decisions stored of
those made, memory before, during and after. Wanted: no error, no stranger's mark, 95 of 100
presses answered within a second.
"""

import argparse
import asyncio
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from review_page import furnish, start, stop
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

from emoviz.review import open_store
from emoviz.settings import Settings

PAGES = ("embeddings", "evaluate")
PATIENCE = 300.0  # seconds that a person waits for one page
_SECRET = re.compile(rb"(?:mark|person)[\\]*-[0-9a-f]{12}")
_DOOR = re.compile(
    rb"Already here: [^\n]*?(?=\xc2|\x12|\x18|$)"
)  # names that anybody may take there


@dataclass
class Result:
    """What happened to all."""

    presses: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    decided: int = 0
    again: int = 0
    received: int = 0


class Person:
    """One browser window, as the server sees it."""

    def __init__(self, address: str, result: Result) -> None:
        mark = uuid.uuid4().hex[:12]
        self.address, self.result = address, result
        self.image, self.name = f"mark-{mark}", f"person-{mark}"
        self.own = {self.image.encode(), self.name.encode()}
        self.elements: dict[tuple[int, ...], tuple[str, Any, str]] = {}
        self.states: dict[str, WidgetState] = {}
        self.page, self.query, self.session = "", "", ""

    async def live(self, asked: argparse.Namespace) -> None:
        """Everything that this person does; what goes wrong is noted."""
        cookie = await asyncio.to_thread(self._cookie)
        self.headers = {"Cookie": f"_streamlit_xsrf={cookie}", "X-Xsrftoken": cookie}
        url = self.address.replace("http", "ws") + "/_stcore/stream"
        try:
            async with connect(
                url,
                origin=self.address,
                subprotocols=["streamlit", cookie],
                additional_headers={"Cookie": self.headers["Cookie"]},
                max_size=None,
                open_timeout=PATIENCE,
                ping_timeout=None,
            ) as self.socket:
                await self.classify(asked.images)
                await self.review(asked.presses)
                for page in PAGES:
                    await self.open(page)
        except Exception as error:
            self.result.errors.append(f"{self.page or 'classify'}: {type(error).__name__}: {error}")

    async def open(self, page: str, query: str = "") -> None:
        """Go to a page and wait until it is drawn."""
        self.page, self.query = page, query
        self.elements, self.states = {}, {}
        began = time.monotonic()
        await self.rerun()
        self.result.pages.append(time.monotonic() - began)

    async def classify(self, count: int) -> None:
        """Put images there; wait until each has its estimate on the screen."""
        await self.open("")
        zone = self.found("file_uploader", lambda item: item.multiple_files)
        names = [f"{self.image}-{i}.jpg" for i in range(count)]
        message = BackMsg()
        message.file_urls_request.request_id = uuid.uuid4().hex
        message.file_urls_request.file_names.extend(names)
        message.file_urls_request.session_id = self.session
        await self.socket.send(message.SerializeToString())
        urls = (await self.until("file_urls_response")).file_urls_response.file_urls
        state = WidgetState(id=zone.id)
        for name, place in zip(names, urls, strict=True):
            data = picture(name)
            await asyncio.to_thread(self._put, place.upload_url, name, data)
            info = state.file_uploader_state_value.uploaded_file_info.add()
            info.name, info.size, info.file_id = name, len(data), place.file_id
            info.file_urls.CopyFrom(place)
        self.states[zone.id] = state
        began = time.monotonic()
        await self.rerun()
        self.result.pages.append(time.monotonic() - began)
        shown = b"".join(item.SerializeToString() for _, item, _ in self.elements.values())
        missing = [name for name in names if name.encode() not in shown]
        if len(missing) > count / 2:  # a page shows so many at once
            raise RuntimeError(f"{len(missing)} of {count} images have no result")

    async def review(self, presses: int) -> None:
        """Say who one is, then decide on one artwork after another."""
        await self.open("artworks", "review=gallery&checkpoint=mikels8")
        name = self.found("text_input", lambda item: True)
        self.states[name.id] = WidgetState(id=name.id, string_value=self.name)
        button = self.found("button", lambda item: item.label == "Go on")
        await self.rerun(WidgetState(id=button.id, trigger_value=True))
        acts: list[dict[str, Any]] = []
        header = self.desk()
        held = {row["name"] for row in header["pictures"]}
        for number in range(presses):
            await asyncio.sleep(random.expovariate(1 / 1.5))  # a person looks
            work = header["ahead"][0]
            acts = [
                {"token": f"{self.name}-{number}", "does": "decide", "kind": "agree"}
                | {"feelings": [], "work": work, "reviewer": header["reviewer"]}
            ]
            said = {"n": number, "queue": header["queue"], "at": work, "acts": acts}
            said |= {"held": sorted(held), "heat": False, "near": False, "deep": None}
            component, fragment = self.component()
            state = WidgetState(id=component.id, json_value=json.dumps({"said": said}))
            self.states[component.id] = state
            began = time.monotonic()
            answer, token = None, acts[0]["token"]
            while answer is None and time.monotonic() - began < PATIENCE:
                await self.rerun(fragment=fragment)  # says again what nobody answered, as talk.js
                header = self.desk()
                held |= {row["name"] for row in header["pictures"]}
                answer = header["answered"].get(token)
                self.result.again += answer is None
            if answer != "":
                raise RuntimeError(f"a decision was not taken: {answer}")
            self.result.presses.append(time.monotonic() - began)
            self.result.decided += 1

    def component(self) -> tuple[Any, str]:
        """The desk, and the fragment that draws it."""
        kinds = (item for item in self.elements.values() if item[0] == "bidi_component")
        _, component, fragment = next(
            item for item in kinds if item[1].component_name.endswith("emoviz_desk")
        )
        return component, fragment

    def desk(self) -> dict[str, Any]:
        """What the desk was told last."""
        data = self.component()[0].bytes
        header: dict[str, Any] = json.loads(data[4 : 4 + struct.unpack("<I", data[:4])[0]])
        return header

    def found(self, kind: str, fits: Any) -> Any:
        """The first element of a kind that is on the page."""
        for known, item, _ in self.elements.values():
            if known == kind and fits(item):
                return item
        raise RuntimeError(f"there is no {kind}")

    async def rerun(self, *pressed: WidgetState, fragment: str = "") -> None:
        """Have the page, or a fragment of it, run, and wait until it has."""
        message = BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.query_string, asked.fragment_id = self.page, self.query, fragment
        asked.widget_states.widgets.extend([*self.states.values(), *pressed])
        await self.socket.send(message.SerializeToString())
        await self.until("script_finished")

    async def until(self, kind: str) -> ForwardMsg:
        """Take messages until one of a kind comes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                data = await self.socket.recv()
                self.result.received += len(data)
                seen = (it.replace(b"\\", b"") for it in _SECRET.findall(_DOOR.sub(b"", data)))
                others = set(seen) - self.own
                self.result.strangers += [f"{self.page}: {it.decode()}" for it in others]
                message = ForwardMsg()
                message.ParseFromString(data)
                self._take(message)
                if message.WhichOneof("type") == kind and not self._goes_on(message):
                    return message

    def _goes_on(self, message: ForwardMsg) -> bool:
        """Whether a run was overtaken by one that the page asked for itself."""
        early = ForwardMsg.ScriptFinishedStatus.Value("FINISHED_EARLY_FOR_RERUN")
        return message.WhichOneof("type") == "script_finished" and message.script_finished == early

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session = message.new_session.initialize.session_id or self.session
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            name = element.WhichOneof("type")
            place = tuple(message.metadata.delta_path)
            self.elements[place] = name, getattr(element, name), message.delta.fragment_id
            if name == "exception":
                told = element.exception.message
                self.result.errors.append(f"{self.page or 'classify'}: {told}")

    def _cookie(self) -> str:
        with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=PATIENCE) as answer:
            text = answer.headers["Set-Cookie"]
        return str(re.search("_streamlit_xsrf=([^;]+)", text)[1])  # type: ignore[index]

    def _put(self, place: str, name: str, data: bytes) -> None:
        border = uuid.uuid4().hex
        head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + data
        request = urllib.request.Request(
            f"{self.address}{place}",
            body + f"\r\n--{border}--\r\n".encode(),
            {
                **self.headers,
                "Content-Type": f"multipart/form-data; boundary={border}",
                "Origin": self.address,
            },
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=PATIENCE):
            pass


def picture(name: str) -> bytes:
    """A JPEG of 640 x 480 that belongs to a name."""
    rng = np.random.default_rng(list(name.encode()))
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    small.resize((640, 480), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def memory(process: int) -> float:
    """Gigabytes that the server and its children have resident."""
    total, wanted = 0, {process}
    for status in sorted(Path("/proc").glob("[0-9]*/status"), key=lambda p: int(p.parent.name)):
        try:
            text = status.read_text()
        except OSError:
            continue
        parent = int(re.search(r"PPid:\s+(\d+)", text)[1])  # type: ignore[index]
        own = int(status.parent.name)
        if own in wanted or parent in wanted:
            wanted.add(own)
            found = re.search(r"VmRSS:\s+(\d+)", text)
            total += int(found[1]) if found else 0
    return total / 1e6


async def crowd(address: str, process: int, asked: argparse.Namespace, result: Result) -> float:
    """All people; the most memory meanwhile, in GB."""
    people = [Person(address, result) for _ in range(asked.people)]

    async def come(person: Person) -> None:
        await asyncio.sleep(random.uniform(0, 10))
        await person.live(asked)

    tasks = [asyncio.create_task(come(person)) for person in people]
    most = 0.0
    while not all(task.done() for task in tasks):
        most = max(most, memory(process))
        await asyncio.sleep(1)
    return most


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("people", 50),
        ("presses", 10),
        ("images", 10),
        ("works", 2000),
        ("rest", 180),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked, result = parser.parse_args(), Result()
    with tempfile.TemporaryDirectory() as home:
        collection = furnish(Settings(home=Path(home)), asked.works)
        words = [sys.executable, "-m", "emoviz", "embed", "sample"]
        there = {**os.environ, "EMOVIZ_HOME": home}
        subprocess.run(words, env=there, check=True, capture_output=True)
        process, address = start(home)
        try:
            first = Result()
            asyncio.run(Person(address, first).live(argparse.Namespace(images=2, presses=1)))
            print("alone first:", first.errors or f"pages {max(first.pages):.1f} s at most")
            time.sleep(30)
            before, began = memory(process.pid), time.monotonic()
            most = asyncio.run(crowd(address, process.pid, asked, result))
            spent = time.monotonic() - began
            time.sleep(asked.rest)  # Streamlit keeps the sessions of those who left for two minutes
            after = memory(process.pid)
        finally:
            stop(process)
        stored = len(open_store(Settings(home=Path(home))).decisions(collection)) - first.decided
    print(f"{asked.people} people in {spent:.0f} s, load {os.getloadavg()[0]:.0f}")
    print(f"errors: {len(result.errors)} {sorted(set(result.errors))[:5]}")
    print(f"strangers' marks: {len(result.strangers)} {result.strangers[:5]}")
    print(f"decisions: {stored} stored of {result.decided} answered, {result.again} said again")
    for name, values in (("a press", result.presses), ("a page", result.pages)):
        told = ", ".join(f"{part:.0%} within {share(values, part):.2f} s" for part in (0.5, 0.95))
        print(f"{name}: n {len(values)}, {told}, longest {max(values, default=0):.2f} s")
    print(f"memory: {before:.2f} GB before, {most:.2f} at most, {after:.2f} {asked.rest} s after")
    print(f"sent to each: {result.received / asked.people / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
