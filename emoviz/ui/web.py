"""What stands before Streamlit on the network: whose requests are answered, with which headers.

Streamlit checks hosts and origins of its WebSocket alone, takes pages on other ports of this
machine for its own, and lets any page put the app into a frame. ``app.py`` hands this to `st.App`.
"""

import asyncio
import contextlib
import gc
import json
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import cli_util
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import Runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.runtime_util import get_max_widget_state_size_bytes
from streamlit.runtime.secrets import secrets_singleton
from streamlit.url_util import make_url_path
from streamlit.web.server import server_util
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import (
    _get_signed_cookie_with_chunks,
    is_host_allowed,
)

from emoviz.errors import SettingsError
from emoviz.files import sweep
from emoviz.memory import give_back
from emoviz.settings import load_settings

# Nothing is fetched from outside, the app is in nobody's frame, and no plug-in runs.
_POLICY = (
    "default-src 'self' data: blob:",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
    "style-src 'self' 'unsafe-inline' data: blob:",
    "frame-ancestors 'none'",
    "object-src 'none'",
    "base-uri 'self'",
)
_HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_BEHIND_LOGIN = ("/media/", "/_stcore/upload_file", "/_stcore/metrics")
_SAFE = ("GET", "HEAD", "OPTIONS")
# What this app's pages say to Streamlit. Others, which need no login, empty the caches that all
# sessions share, name changed files of a repository, or write files of Streamlit's own.
_SAID = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "deferred_file")
_LONGEST_PAGES = 100_000  # bytes of the message that names the app's pages: some thousands
_TIDY = 300.0  # seconds; Streamlit forgets a session two minutes after its last connection
_IMPORTING = threading.Lock()


class Guard:
    """Answers requests to this app's hosts, from its own pages; to others says no."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if not refusal and _needs_login(scope["path"]):
            may = await run_in_threadpool(_is_let_in, Headers(scope=scope))
            refusal = "" if may else "This needs a login that a manager has let in."
        if refusal and scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        elif refusal:
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            left = _PagesLeft()
            await self._app(scope, _of_pages(receive, left), _with_headers(left.hear(send)))
        else:
            await self._app(scope, receive, _with_headers(send))


@contextlib.asynccontextmanager
async def started(app: st.App) -> AsyncIterator[None]:
    """Before the first request: sweep what killed processes left half written, open the browser."""
    logging.setLogRecordFactory(wordless)
    PagesManager.uses_pages_directory = False  # else the first link of all is "Page not found"
    with contextlib.suppress(SettingsError):  # told on the page
        sweep(load_settings().home)
    if not st.get_option("server.headless"):
        address = server_util.get_display_address(st.get_option("server.address") or "localhost")
        cli_util.open_browser(server_util.get_url(address))
    tasks = [asyncio.create_task(_tidy()), asyncio.create_task(run_in_threadpool(_warm))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


def import_all() -> None:
    """What a visit, files and IIIF need; before each use of it.

    By one thread at a time: where two begin at different modules of a package, Python gives both
    up, or one of them finds the package half there.
    """
    with _IMPORTING:
        from emoviz.ui import intake, samples, serving, visit  # noqa: F401


def _warm() -> None:
    """Import all that while the first browser still fetches its scripts."""
    with contextlib.suppress(Exception):  # told to who comes first
        import_all()
        from emoviz.ui import samples

        samples.small_pictures(load_settings().sample_data)


async def _tidy() -> None:
    """Give back what those who left took: now and then, for nothing says when they have gone."""
    while True:
        await asyncio.sleep(_TIDY)
        for tidying in (_let_go_of_sessions, _let_go_of_pictures, give_back):
            try:
                await run_in_threadpool(tidying)
            except Exception:  # next time again
                logging.getLogger(__name__).exception("what is left could not be tidied")


def _let_go_of_sessions() -> None:
    """Those that nobody can come back to.

    Streamlit lets go of them when the next one ends, and its loop holds the last one until another
    begins. Python's collector never looks at what was there when a network was loaded, sessions
    too (`emoviz.ui.models`): here it does.
    """
    manager: Any = Runtime.instance()._session_mgr
    with manager._storage_lock:
        ended = manager._session_storage._cache.expire()
    for _, info in ended:
        info.session.shutdown()
        info.session.session_state.clear()
    was_spared = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if was_spared:
        gc.freeze()


def _let_go_of_pictures() -> None:
    import_all()
    from emoviz.ui import privacy

    privacy.let_go_of_pictures()


def wordless(*args: Any, **options: Any) -> logging.LogRecord:
    """A record of Python's logs that tells an error's kind and where it happened, never its words.

    They may hold names of people or what stands in a file. Streamlit and uvicorn log what nobody
    foresaw, whatever an app does about it.
    """
    record = logging.LogRecord(*args, **options)
    if isinstance(record.args, tuple):
        record.args = tuple(
            type(arg).__name__ if isinstance(arg, BaseException) else arg for arg in record.args
        )
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        name = type(error).__name__
        where = "".join(traceback.format_tb(record.exc_info[2]))
        record.exc_text = f"{where}{name}"  # so no formatter makes its own
        said = record.getMessage()
        for words in (repr(error), str(error)):  # asyncio's message holds it, too
            said = said.replace(words, name) if words else said
        record.msg, record.args = said, ()
    return record


def failed(error: Exception) -> bool:
    """Instead of Streamlit's words for what nobody foresaw: what can be done, and no more."""
    st.error(
        f"Something here could not be read or drawn ({type(error).__name__}). Nothing that was "
        "kept is lost. Go on with another page of the menu, or begin anew; whoever runs emoviz "
        "finds in its log where it happened.",
        title="This page stopped early",
        icon=":material/error:",
    )
    st.markdown('<a href="/" target="_self">Begin anew</a>', unsafe_allow_html=True)
    return True


def _refusal(scope: Scope) -> str:
    """Why a request is not answered; "" where it is."""
    headers = Headers(scope=scope)
    host = headers.get("host")
    if not is_host_allowed(host):
        return "This host is not one of the app's (server.allowedHosts)."
    changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
    if changes and not _is_own(
        headers.get("origin"), host, st.get_option("server.corsAllowedOrigins")
    ):
        return "This request comes from a page of another origin."
    return ""


def _is_own(origin: str | None, host: str | None, others: Iterable[str]) -> bool:
    """Whether a request comes from the app's own page, port included, or from no page at all."""
    return origin is None or urlsplit(origin).netloc == host or origin in others


def _needs_login(path: str) -> bool:
    behind = any(part in path for part in _BEHIND_LOGIN)
    return behind and bool(secrets_singleton.load_if_toml_exists() and "auth" in st.secrets)


def _is_let_in(headers: Headers) -> bool:
    """Whether the cookie that Streamlit signs names somebody who may see pages, at this moment."""
    cookies = dict(
        part.strip().split("=", 1) for part in headers.get("cookie", "").split(";") if "=" in part
    )
    with contextlib.suppress(Exception):  # whatever a stranger puts into a cookie is no login
        signed = _get_signed_cookie_with_chunks(cookies, USER_COOKIE_NAME)
        claims = json.loads(signed or b"{}")
        if claims.get("is_logged_in") is True:
            import_all()
            from emoviz.review.rights import has
            from emoviz.ui import access

            return has(access.entered(claims, load_settings()).role, "look")
    return False


class _PagesLeft:
    """Tells what a page says that its browser has left already, on one connection.

    A part of a page that runs anew by itself (`st.fragment`) may speak between the press that leads
    to another page and the moment in which the browser hears of that page. Streamlit runs it after
    the new page, says that the page is the old one again, and the browser empties its window: it
    stays white, or the new page is never drawn. The desk says its decisions again until they are
    answered; another press in that moment is lost, as it is with the page.
    """

    def __init__(self) -> None:
        self._page = ""  # hash of the page that was asked for, or led to, last
        self._awaited = ""  # that which was asked for, until the server begins with it

    def says(self, asked: ClientState) -> bool:
        """Whether this is such a message; others that name a page lead to it."""
        page = asked.page_script_hash
        if asked.fragment_id:
            return bool(page and self._page) and page != self._page
        if page and page != self._page:
            self._page = self._awaited = page
        return False

    def hear(self, send: Send) -> Send:
        """Hear of pages that the server leads to by itself."""

        async def heard(message: Message) -> None:
            data = message.get("bytes")
            if data and len(data) < _LONGEST_PAGES:
                with contextlib.suppress(Exception):  # what is no message at all
                    self._told(ForwardMsg.FromString(data))
            await send(message)

        return heard

    def _told(self, message: ForwardMsg) -> None:
        begun, page = message.new_session, message.navigation.page_script_hash
        is_whole = message.HasField("new_session") and not message.metadata.run.fragment_ids
        if is_whole and begun.page_script_hash in (self._awaited, begun.main_script_hash):
            self._awaited = ""
        if page and self._awaited in ("", page):  # else it was on its way before that was asked for
            self._page, self._awaited = page, ""


def _of_pages(receive: Receive, left: _PagesLeft) -> Receive:
    """What a browser sends, without messages that no page of this app sends, or one it has left."""

    async def guarded() -> Message:
        while True:
            message = await receive()
            data = message.get("bytes")
            if not data or len(data) > get_max_widget_state_size_bytes():
                return message  # Streamlit closes the connection of what is too large, unread
            with contextlib.suppress(Exception):  # what is no message at all
                said = BackMsg.FromString(data)
                does = said.WhichOneof("type")
                if does == "backend_operation_request":
                    does = said.backend_operation_request.WhichOneof("payload")
                if does in _SAID and not (does == "rerun_script" and left.says(said.rerun_script)):
                    return message

    return guarded


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return guarded


async def _iiif(scope: Scope, receive: Receive, send: Send) -> None:
    await run_in_threadpool(import_all)
    from emoviz.ui.serving import ROUTER

    await ROUTER(scope, receive, send)


def _to_first_page(request: Request) -> RedirectResponse:
    """Streamlit gives the first page no name, so that its own, typed by hand, was not found."""
    query = request.url.query
    return RedirectResponse(f"./?{query}" if query else "./")


def routes() -> list[BaseRoute]:
    """What is served beside Streamlit, below `server.baseUrlPath` as its pages are."""
    base = st.get_option("server.baseUrlPath")
    return [
        Mount(make_url_path(base, "iiif"), _iiif),
        Route(make_url_path(base, "classify"), _to_first_page),
    ]


MIDDLEWARE = (Middleware(Guard),)
