"""What stands before Streamlit on the network: hosts, origins, frames, logins, leftovers.

And what its own protocol lets do whoever speaks it past the pages.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from starlette.types import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette import starlette_app_utils
from websockets import Origin, Subprotocol
from websockets.asyncio.client import ClientConnection, connect

from emoviz.cli import main
from emoviz.files import replaced_file, sweep
from emoviz.review import Role, open_store
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui import access, web

SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1/oauth2callback"
cookie_secret = "for this test alone"
client_id = "x"
client_secret = "x"
server_metadata_url = "https://login.invalid/.well-known/openid-configuration"
"""
WHO: dict[str, object] = {"is_logged_in": True, "iss": "https://login.example", "sub": "1"}


def answer(
    port: int, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            return found.status, dict(found.headers), found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def handshake(port: int, origin: str, host: str) -> int:
    """The status that a WebSocket's first request gets."""
    lines = (
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *([f"Origin: {origin}"] if origin else []),
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as stream:
        stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(stream.recv(64).split()[1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@contextlib.contextmanager
def served(app: Path, place: Path, *options: str, **environment: str) -> Iterator[int]:
    """A Streamlit app as people start it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    given = [f"--server.port={free}", "--server.headless=true", *options]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(app), *given],
            cwd=PROJECT_ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(600):
            try:
                answer(free, "/_stcore/health")
                break
            except OSError:
                assert process.poll() is None, (place / "log").read_text()
                time.sleep(0.1)
        yield free
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def port(place: Path) -> Iterator[int]:
    """emoviz with a login set up."""
    secrets = place / "secrets.toml"
    secrets.write_text(SECRETS)
    left = place / "home" / "runs" / "one" / ".card.json.abcd1234"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    os.utime(left, (1, 1))
    environment = {"EMOVIZ_HOME": str(place / "home"), "EMOVIZ_MANAGERS": f"{WHO['iss']} boss"}
    with served(Path("app.py"), place, f"--secrets.files={secrets}", **environment) as free:
        assert not left.exists(), "what a killed process left is swept at the start"
        yield free


@pytest.mark.parametrize(
    "path", ["/", "/artworks", "/_stcore/health", "/static/none.js", "/media/x"]
)
def test_every_answer_forbids_frames(port: int, path: str) -> None:
    _, headers, _ = answer(port, path)
    found = {name.lower(): value for name, value in headers.items()}
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert found["x-frame-options"] == "DENY"
    assert found["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in found


@pytest.mark.parametrize(
    "path", ["/", "/static/", "/media/x", "/_stcore/health", "/_stcore/host-config"]
)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example"]
)
def test_other_hosts_get_nothing_not_even_static_files(port: int, path: str, host: str) -> None:
    status, _, text = answer(port, path, Host=host)
    assert status == 403
    assert "host is not one of" in text


def test_reviews_are_served_by_the_app_and_not_past_a_login(port: int) -> None:
    status, headers, text = answer(port, "/iiif/collection.json")
    assert (status, headers["vary"]) == (403, "Origin")
    assert "Where people sign in" in text


def test_only_the_pages_own_origin_opens_a_websocket(port: int) -> None:
    own = f"127.0.0.1:{port}"
    assert handshake(port, f"http://{own}", own) == 101
    assert handshake(port, f"http://localhost:{port}", f"localhost:{port}") == 101
    for origin in (
        "http://127.0.0.1:9",
        "http://localhost:9",
        "http://localhost",
        f"http://localhost:{port}",  # another origin than 127.0.0.1, as a browser sees it
        "https://evil.example",
        "null",
    ):
        assert handshake(port, origin, own) == 403, origin
    assert handshake(port, f"http://evil.example:{port}", f"evil.example:{port}") == 403


def test_messages_agents_and_changes_from_elsewhere_are_refused(port: int) -> None:
    assert json.loads(answer(port, "/_stcore/host-config")[2])["allowedOrigins"] == []
    status, _, text = answer(
        port, "/_stcore/agent/interact", "POST", Content_Type="application/json"
    )
    assert status >= 400
    assert "does not serve the agent API" in text
    assert answer(port, "/_stcore/agent/mcp", "POST", Origin="https://evil.example")[0] == 403


@pytest.mark.parametrize("base", ["", "museum", "/a/b/"])
@pytest.mark.parametrize("query", ["", "?checkpoint=emotion6&kind=photograph"])
def test_the_first_page_and_the_reviews_lie_below_the_base_path(
    query: str, base: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_HOME", str(settings.home))
    monkeypatch.setattr(web.st, "get_option", lambda name: base)
    address = f"http://127.0.0.1:8501/{base.strip('/')}".rstrip("/")
    app = Starlette(routes=web.routes())
    client = TestClient(app, "http://127.0.0.1:8501", client=("127.0.0.1", 1))
    found = client.get(f"{address}/classify{query}", follow_redirects=False)
    assert found.status_code == 307
    assert found.headers["location"] == f"./{query}"
    reviews = f"{address}/iiif/collection.json"
    assert client.get(reviews).json()["id"] == reviews


def test_only_what_pages_say_reaches_streamlit() -> None:
    refused, passed = [BackMsg() for _ in range(5)], [BackMsg() for _ in range(3)]
    refused[0].clear_cache = True  # of all sessions
    refused[1].load_git_info = True
    refused[2].set_run_on_save = True
    refused[3].backend_operation_request.install_skills.SetInParent()  # writes files
    passed[0].rerun_script.page_name = "overview"
    passed[1].backend_operation_request.deferred_file.file_id = "a download"
    passed[2].app_heartbeat = True
    large = b"\xff" * 25_000_001  # for Streamlit, which closes the connection and reads nothing
    sent = [b"\xff", *(message.SerializeToString() for message in (*refused, *passed)), large]
    waiting = iter([{"type": "websocket.receive", "bytes": data} for data in sent if data])

    async def receive() -> Message:
        return next(waiting)

    async def heard() -> list[bytes]:
        guarded = web._of_pages(receive, web._PagesLeft())
        return [(await guarded())["bytes"] for _ in (*passed, large)]

    wanted = [*(message.SerializeToString() for message in passed), large]
    assert asyncio.run(heard()) == wanted
    assert not list(waiting)


def test_a_page_that_was_left_says_nothing_more() -> None:
    """Streamlit would run its part after the new page, and the browser's window would be empty."""

    def said(page: str, part: str = "") -> bytes:
        message = BackMsg()
        message.rerun_script.page_script_hash = page
        message.rerun_script.fragment_id = part
        return message.SerializeToString()

    def told(page: str) -> bytes:
        message = ForwardMsg()
        message.navigation.page_script_hash = page
        return message.SerializeToString()

    def begun(page: str) -> bytes:
        message = ForwardMsg()
        message.new_session.page_script_hash = page
        message.new_session.main_script_hash = "app"
        return message.SerializeToString()

    left = web._PagesLeft()
    waiting: list[bytes] = []
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.receive", "bytes": waiting.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def through(*messages: bytes) -> list[bytes]:
        waiting[:] = [*messages, said("", "end")]
        guarded, passed = web._of_pages(receive, left), list[bytes]()
        while (data := (await guarded())["bytes"]) != said("", "end"):
            passed.append(data)
        return passed

    async def hear(data: bytes) -> None:
        await left.hear(send)({"type": "websocket.send", "bytes": data})

    async def visit() -> None:
        first = [said(""), said("desk", "show")]  # no page is known yet
        assert await through(*first) == first
        await hear(told("desk"))
        await hear(b"\xff")  # what is no message goes through
        here = [said("desk", "show"), said("desk")]
        assert await through(*here) == here
        away = said("overview")
        assert await through(away, said("desk", "show"), said("desk", "show")) == [away]
        await hear(told("desk"))  # was on its way before
        assert await through(said("desk", "show")) == []
        await hear(begun("overview"))
        await hear(told("overview"))
        assert await through(said("desk", "show"), said("overview", "one")) == [
            said("overview", "one")
        ]
        await hear(told("textures"))  # the server leads on by itself
        assert await through(said("overview", "one")) == []
        back = [said("desk"), said("desk", "show")]
        assert await through(*back) == back
        await hear(begun("desk"))  # and leads on before it says so
        await hear(told("textures"))
        assert await through(said("desk", "show"), said("textures", "one")) == [
            said("textures", "one")
        ]
        gone = said("a page that is no more")
        assert await through(gone) == [gone]
        await hear(begun("app"))  # it is not found, and the first is shown
        await hear(told("desk"))
        assert await through(said("desk", "show")) == [said("desk", "show")]

    asyncio.run(visit())
    assert len(sent) == 10


PAGES = """
import time
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from emoviz.ui import web

@st.fragment
def part():
    st.button("Say")

def one():
    part()

def two():
    time.sleep(2)
    st.text("drawn")

if get_script_run_ctx(suppress_warning=True) is None:
    app = st.App(__file__, middleware=web.MIDDLEWARE)
else:
    st.navigation([st.Page(one), st.Page(two)]).run()
"""


def test_a_page_stays_where_the_one_that_was_left_still_speaks(tmp_path: Path) -> None:
    """Without the guard, Streamlit says after the second page that the first is shown."""
    (tmp_path / "app.py").write_text(PAGES)
    heard: list[ForwardMsg] = []

    async def until(socket: ClientConnection, reached: Callable[[ForwardMsg], bool]) -> None:
        while not heard or not reached(heard[-1]):
            heard.append(ForwardMsg.FromString(cast(bytes, await socket.recv())))

    async def say(socket: ClientConnection, page: str, part: str = "") -> None:
        message = BackMsg()
        message.rerun_script.page_script_hash = page
        message.rerun_script.fragment_id = part
        await socket.send(message.SerializeToString())

    def is_end(message: ForwardMsg) -> bool:
        return message.HasField("script_finished")

    async def leave(port: int) -> None:
        async with asyncio.timeout(90), line(port) as socket:
            await say(socket, "")
            await until(socket, is_end)
            (told,) = (m.navigation for m in heard if m.HasField("navigation"))
            first, second = (page.page_script_hash for page in told.app_pages)
            part = next(m.delta.fragment_id for m in heard if m.delta.fragment_id)
            heard.clear()
            await say(socket, first, part)
            await until(socket, is_end)
            assert any(m.delta.fragment_id == part for m in heard), "a page may speak"
            heard.clear()
            await say(socket, second)
            await say(socket, first, part)  # before the browser hears of the second page
            await until(socket, lambda m: m.delta.new_element.text.body == "drawn")
            await say(socket, first, part)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await until(socket, lambda _: False)
            shown = [m.new_session.page_script_hash for m in heard if m.HasField("new_session")]
            assert shown == [second]

    with served(tmp_path / "app.py", tmp_path) as port:
        asyncio.run(leave(port))


def test_who_needs_what_a_visit_needs_waits_for_the_thread_that_imports_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that imported the same packages at once found them half there."""
    monkeypatch.setattr(
        "streamlit.web.server.starlette.starlette_websocket.get_cookie_secret", lambda: "secret"
    )
    cookie = Headers({"cookie": signed("secret", **WHO)})
    web.import_all()
    monkeypatch.setattr("emoviz.ui.visit.run", lambda: None)
    asked: list[Callable[[], object]] = [
        lambda: TestClient(Starlette(routes=web.routes())).get("/iiif/none"),
        lambda: web._is_let_in(cookie),
        AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=60).run,
        web._warm,
        web._let_go_of_pictures,
    ]
    ended: list[int] = []

    def ask(number: int) -> None:
        asked[number]()
        ended.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    with web._IMPORTING:
        for thread in threads:
            thread.start()
        time.sleep(3)
        assert ended == []
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == list(range(len(asked)))


def signed(secret: str = "for this test alone", **claims: object) -> str:
    """The cookie that Streamlit gives a browser after a login."""
    value = starlette_app_utils.create_signed_value(secret, "_streamlit_user", json.dumps(claims))
    return f"_streamlit_user={value.decode()}"


def test_files_uploads_and_counts_need_somebody_who_was_let_in(port: int) -> None:
    forged = ("", "_streamlit_user=forged", '_streamlit_user="2|1:0|x"; a=b; ;=')
    for path in ("/media/abc.png", "/_stcore/upload_file/session/file", "/_stcore/metrics"):
        for cookie in (*forged, signed("another secret", **WHO), signed(**WHO)):  # the last waits
            status, _, text = answer(port, path, Cookie=cookie)
            assert status == 403, (path, cookie)
            assert "needs a login" in text


@pytest.mark.parametrize("role", ["waiting", "viewer", "reviewer"])
def test_a_role_that_was_taken_away_counts_for_files_at_once(
    role: Role, home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "streamlit.web.server.starlette.starlette_websocket.get_cookie_secret", lambda: "secret"
    )

    def may(**claims: object) -> bool:
        return web._is_let_in(Headers({"cookie": signed("secret", **claims)}))

    store = open_store(settings)
    keeper = store.login("https://login.example 0", "Keeper", manages=True)
    person = access.entered(WHO, settings)
    store.set_role(person.id, "reviewer", by=keeper.id)
    assert may(**WHO)
    store.set_role(person.id, role, by=keeper.id)
    assert may(**WHO) is (role != "waiting")
    assert not may(**{**WHO, "is_logged_in": "yes"})
    assert not may(**{**WHO, "sub": ["1"]})
    assert not may(is_logged_in=True)


@contextlib.asynccontextmanager
async def line(port: int, sub: str = "") -> AsyncIterator[ClientConnection]:
    """What a browser has to the server, of somebody who signed in."""
    own = f"http://127.0.0.1:{port}"
    _, headers, _ = answer(port, "/_stcore/health")
    cookie = next(value for name, value in headers.items() if name.lower() == "set-cookie")
    cookie = cookie.partition(";")[0]  # against forged requests: a browser says it twice
    token = cookie.partition("=")[2]
    cookie += f"; {signed(**WHO | {'sub': sub, 'origin': own})}" if sub else ""
    async with connect(
        own.replace("http", "ws") + "/_stcore/stream",
        origin=Origin(own),
        subprotocols=[Subprotocol("streamlit"), Subprotocol(token)],
        additional_headers={"Cookie": cookie},
        max_size=None,
        ping_timeout=None,
    ) as socket:
        yield socket


def spoken(port: int, page: str, sub: str, pressed: Iterable[WidgetState] = ()) -> list[Any]:
    """A page's elements with an id, after a browser said that all those were pressed on it."""
    found: dict[tuple[int, ...], Any] = {}

    async def talk() -> None:
        async with line(port, sub) as socket:
            for states in ((), tuple(pressed)):
                message, told = BackMsg(), ForwardMsg()
                message.rerun_script.page_name = page
                message.rerun_script.query_string = "set=little"
                message.rerun_script.widget_states.widgets.extend(states)
                await socket.send(message.SerializeToString())
                early = ForwardMsg.ScriptFinishedStatus.Value("FINISHED_EARLY_FOR_RERUN")
                while not told.HasField("script_finished") or told.script_finished == early:
                    told.ParseFromString(await socket.recv())
                    if told.HasField("delta") and told.delta.HasField("new_element"):
                        kind = told.delta.new_element.WhichOneof("type")
                        item = getattr(told.delta.new_element, kind)
                        found[tuple(told.metadata.delta_path)] = item

    asyncio.run(talk())
    return [item for item in found.values() if getattr(item, "id", "")]


def test_what_a_manager_could_press_does_nothing_for_others(
    port: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place / "home"
    monkeypatch.setenv("EMOVIZ_HOME", str(home))
    for number, label in enumerate(("awe", "fear")):
        (place / "images" / label).mkdir(parents=True)
        Image.new("RGB", (8, 8), (99 * number,) * 3).save(place / "images" / label / "1.png")
    words = ("data", "import", "imagefolder", str(place / "images"), "--library", "little")
    assert main(list(words)) == 0
    store = open_store(Settings(home=home))
    boss = store.login(f"{WHO['iss']} boss", "Boss", manages=True)
    for role in ("viewer", "reviewer"):
        store.set_role(store.login(f"{WHO['iss']} {role}", role).id, role, by=boss.id)

    def state() -> tuple[object, ...]:
        rows = [(one.name, one.role) for one in store.reviewers() if one.role != "waiting"]
        kept = ("sets", "collections", "runs", "checkpoints")
        return rows, [path for name in kept for path in sorted((home / name).rglob("*"))]

    def pressed(items: Iterable[Any]) -> list[WidgetState]:
        written = [item for item in items if hasattr(item, "max_chars")]
        buttons = [item for item in items if hasattr(item, "is_form_submitter")]
        return [
            *(WidgetState(id=item.id, string_value="/etc/passwd") for item in written),
            *(WidgetState(id=item.id, trigger_value=True) for item in buttons),
        ]

    known = {page: spoken(port, page, "boss") for page in ("collections", "datasets")}
    theirs = {"Remove images", "Bring it in"}
    assert {getattr(it, "label", "") for items in known.values() for it in items} >= theirs
    before = state()
    for who in ("", "waits", "viewer", "reviewer"):
        for page, items in known.items():
            seen = {getattr(item, "label", "") for item in spoken(port, page, who, pressed(items))}
            assert not seen & theirs, (who, page)
            assert who in ("viewer", "reviewer") or len(seen) == 1, (who, page, seen)
    assert state() == before
    spoken(port, "datasets", "boss", pressed(known["datasets"]))
    assert state() != before, "it was pressed"


def test_what_stands_aside_is_swept_once_it_is_old(tmp_path: Path) -> None:
    with replaced_file(tmp_path / "card.json") as aside:
        name = aside.name
    kept = [
        tmp_path / "card.json",
        tmp_path / ".lock",
        tmp_path / ".turn-training",
        tmp_path / name,
    ]
    old = tmp_path / f".folder.{name.rpartition('.')[2]}"
    old.mkdir()
    for path in (*kept, old / "inside"):
        path.write_text("x")
    for path in (*kept[:3], old / "inside", old):
        os.utime(path, (1, 1))
    assert sweep(tmp_path) == 1
    assert all(path.exists() for path in kept), "what is young may be being written"
    assert not old.exists()
