"""Privacy: what is kept of images and people, and that it can be forgotten."""

import gc
import hashlib
import io
import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from reviews import furnish_review, new_works, say
from sqlalchemy import text
from streamlit.error_util import handle_user_script_exception
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager
from streamlit.testing.v1 import AppTest

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.images import Limits
from emoviz.errors import NotAllowedError
from emoviz.review import ReviewStore, open_store
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui import privacy, web
from emoviz.ui.textures import asking
from emoviz.ui.textures.subject import opened
from emoviz.ui.workspace import Workspace, workspace

Make = Callable[..., bytes]
NAME, NOTE, LOGIN = "Ona Petraitė", "reminds me of my mother", "https://login.example 7"


def holds(home: Path, words: str) -> list[Path]:
    """Files of the home in which the words stand, in any case of letters but the first."""
    wanted = words.encode()
    return [path for path in home.rglob("*") if path.is_file() and wanted in path.read_bytes()]


@pytest.mark.usefixtures("tiny_checkpoint")
def test_forgetting_a_session_leaves_nothing_of_its_images(
    settings: Settings, picture: Make
) -> None:
    data = picture(seed=7)
    sha256 = hashlib.sha256(data).hexdigest()
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    app.query_params["checkpoint"] = "tiny"
    app.query_params["sample"] = "hokusai_great_wave.jpg"
    app.run()
    app.file_uploader(key="files-0").upload("mine.jpg", data, "image/jpeg").run()
    assert not app.exception
    sample, entry = app.session_state["workspace"].entries
    assert sample.sha256
    assert entry.sha256 == sha256
    assert not holds(settings.home, "mine.jpg"), "a dropped image is held in memory alone"
    made, other, shown = (settings.home / "textures" / name for name in ("made", "other", "shown"))
    for_all = sample.source.read()
    for folder, content in ((made, data), (other, picture(seed=8)), (shown, for_all)):
        folder.mkdir(parents=True)
        (folder / "original").write_bytes(content)
    app.button(key="remove").click().run()  # taken off the page is not forgotten yet
    asking.remembered(("gradcam", "tiny", sha256), lambda: "a heat map")
    seen = opened(data, 64, Limits.of(settings))
    assert opened(data, 64, Limits.of(settings)) is seen
    app.button(key="forget-session").click().run()
    assert not app.exception
    assert app.session_state["workspace"].entries == []
    assert not made.exists()
    assert (other / "original").is_file(), "somebody else's"
    assert (shown / "original").is_file(), "of an image that everybody has"
    assert asking.remembered(("gradcam", "tiny", sha256), lambda: "anew") == "anew"
    assert opened(data, 64, Limits.of(settings)) is not seen


def test_explanations_end_with_the_session_that_had_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamlit.session_state", {})
    space = workspace()
    space.known.add("0" * 64)
    monkeypatch.undo()
    asking.remembered(("gradcam", "tiny", "0" * 64), lambda: "a heat map")
    privacy.let_go_of_pictures()
    assert asking.remembered(("gradcam", "tiny", "0" * 64), lambda: "anew") == "a heat map"
    del space
    gc.collect()
    privacy.let_go_of_pictures()
    assert asking.remembered(("gradcam", "tiny", "0" * 64), lambda: "anew") == "anew"


def test_a_session_that_has_ended_is_let_go_of_whoever_comes_and_whatever_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage, none, told = MemorySessionStorage(ttl_seconds=0), Any, list[str]()
    manager = WebsocketSessionManager(storage, none, none, None)
    runtime = SimpleNamespace(_session_mgr=manager)
    monkeypatch.setattr("emoviz.ui.web.Runtime.instance", lambda: runtime)
    held: Any = SimpleNamespace(  # by Streamlit's loop, until somebody else comes
        id="1", session_state={"workspace": Workspace()}, shutdown=lambda: told.append("ended")
    )
    storage.save(SessionInfo(None, held, 1))
    other: Any = Workspace()
    other.itself, seen = other, weakref.ref(other)  # for the collector alone
    del other
    gc.freeze()  # as where a network was loaded meanwhile
    try:
        web._let_go_of_sessions()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    assert told == ["ended"]
    assert held.session_state == {}
    assert seen() is None


def test_a_person_is_forgotten_with_name_login_and_notes(store: ReviewStore) -> None:
    keeper = store.reviewer("Keeper")
    person = store.login(LOGIN, NAME)
    store.set_role(person.id, "reviewer", by=keeper.id)
    collection, _ = furnish_review(store, new_works(3))
    works = store.works(collection.id)
    for work in works:
        say(store, person, work, "awe", note=NOTE)
    say(store, person, works[0], "fear", note=NOTE)
    say(store, keeper, works[0], "awe", note="a colour study")
    with pytest.raises(NotAllowedError):
        store.forget(keeper.id, by=person.id)
    store.forget(person.id, by=keeper.id)
    with store.read() as found:
        for table, column in (
            ("reviewers", "name"),
            ("reviewers", "subject"),
            ("decisions", "note"),
        ):
            kept = found.scalars(text(f"SELECT {column} FROM {table}")).all()
            assert not {NAME, LOGIN, NOTE} & set(kept)
        assert person.uid not in found.scalars(text("SELECT uid FROM reviewers")).all()
        assert "a colour study" in found.scalars(text("SELECT note FROM decisions")).all()
    assert len(store.standing(collection.id)) == 4, "what was decided stays, as nobody's"
    again = store.login(LOGIN, NAME)
    assert again.id != person.id
    assert again.role == "waiting"


def test_a_person_is_forgotten_with_their_decisions(store: ReviewStore) -> None:
    keeper, person = store.reviewer("Keeper"), store.reviewer(NAME)
    collection, _ = furnish_review(store, new_works(3))
    works = store.works(collection.id)
    for emotion in ("awe", "fear"):
        say(store, person, works[0], emotion)
    say(store, keeper, works[1], "awe")
    store.forget(person.id, by=person.id, decisions_too=True)
    assert {item.reviewer for item in store.decisions(collection.id)} == {keeper.id}
    assert {item.reviewer for item in store.standing(collection.id)} == {keeper.id}
    assert [item.name for item in store.reviewers()] == ["Keeper"]


def test_the_last_manager_cannot_leave_others_without_one(store: ReviewStore) -> None:
    keeper = store.reviewer("Keeper")
    store.reviewer(NAME)
    with pytest.raises(NotAllowedError, match="Nobody could manage"):
        store.forget(keeper.id, by=keeper.id)


def test_the_verb_forgets_and_removes_exports(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(settings)
    store.reviewer("Keeper")
    store.reviewer(NAME)
    export = settings.home / "exports" / "gallery.csv"
    export.parent.mkdir()
    export.write_text(NAME)
    assert main(["review", "forget", "Nobody"]) == 2
    assert main(["review", "forget", NAME]) == 0
    assert not export.exists()
    assert "backups still hold" in capsys.readouterr().err
    store.engine.dispose()
    assert NAME not in [item.name for item in open_store(settings).reviewers()]


def test_what_failed_is_logged_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    said, stream = list[str](), io.StringIO()
    monkeypatch.setattr("streamlit.error", lambda text, **_: said.append(text))
    monkeypatch.setattr("streamlit.markdown", lambda *_, **__: None)
    known, handler = logging.getLogRecordFactory(), logging.StreamHandler(stream)
    logging.setLogRecordFactory(web.wordless)
    logging.getLogger("streamlit.error_util").addHandler(handler)
    secret = "password=" + "hunter2"
    try:
        with pytest.raises(ValueError, match=secret) as caught:
            int(secret)
        handle_user_script_exception(caught.value, web.failed)  # as Streamlit runs a page
        error = caught.value
        task = f"Task exception was never retrieved: exception={error!r}"  # as asyncio says it
        logging.getLogger("streamlit.error_util").error(task, exc_info=error)
        logging.getLogger("streamlit.error_util").warning("not done: %s", error)
    finally:
        logging.getLogger("streamlit.error_util").removeHandler(handler)
        logging.setLogRecordFactory(known)
    logged = stream.getvalue()
    assert logged.count("ValueError") >= 4
    assert "not done: ValueError" in logged
    assert __file__ in logged
    assert not st.get_option("logger.enableRich"), "it would print the words past all loggers"
    for words in (logged, *said):
        assert secret not in words
        assert "Cloud" not in words


def test_the_page_says_what_is_kept(settings: Settings, tiny_checkpoint: Checkpoint) -> None:
    assert tiny_checkpoint.card.id == "tiny"
    privacy.forget_images({"0" * 64}, settings)  # of nothing there
    document = (PROJECT_ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for place in ("textures", "collections", "exports", "thumbnails.sqlite", "review.sqlite"):
        assert f"`{place}" in document
