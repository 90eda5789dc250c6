"""Rights: one table, one door, and nothing on the pages that goes around it."""

import ast
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from app_pages import Login
from full_home import COLLECTION, RUN, SET, furnished
from streamlit.testing.v1 import AppTest
from writing_calls import WRITERS, Code, functions_of_the_pages

from emoviz import jobs
from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.library import find_set
from emoviz.errors import NotAllowedError
from emoviz.review import ROLES, Role, open_store
from emoviz.review.acquire import works_table
from emoviz.review.rights import (
    PAGES,
    RIGHTS,
    RightName,
    checked_place,
    has,
    identity_of,
    is_loopback,
    is_manager,
)
from emoviz.settings import PROJECT_ROOT, Settings, load_settings
from emoviz.ui import access, background
from emoviz.ui.explorer.sources import Source
from emoviz.ui.measure import asking
from emoviz.ui.review import collection_form

ISSUER = "https://login.example"
CLAIMS = {
    "manager": {"sub": "1", "name": "Maria", "email": "maria@museum.example"},
    "reviewer": {"sub": "2", "name": "Rasa"},
    "viewer": {"sub": "3", "name": "Vida"},
    "waiting": {"sub": "4", "name": "Eve"},
}
MANAGERS = "maria@museum.example"


# The table --------------------------------------------------------------------------------------


def test_the_document_shows_the_table() -> None:
    text = (PROJECT_ROOT / "docs" / "rights.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?)( †)? \| (\w+) \| (\w+) \| (\w+) \|$", text, re.M)
    told = {name: (words, bool(mark), *said) for name, words, mark, *said in rows}
    assert told == {
        name: (
            right.words,
            right.by_name,
            *("yes" if has(role, name) else "no" for role in ROLES[1:]),
        )
        for name, right in RIGHTS.items()
    }
    pages = dict(re.findall(r"^\| (\w+) \| `(\w+)` \|$", text, re.M))
    assert pages == PAGES


def test_every_page_is_in_the_table() -> None:
    assert {path.stem for path in (PROJECT_ROOT / "pages").rglob("*.py")} == set(PAGES)


def test_whoever_waits_has_no_right_and_a_manager_every() -> None:
    assert not any(has("waiting", name) for name in RIGHTS)
    assert all(has("manager", name) for name in RIGHTS)


# Nothing goes around the door ---------------------------------------------------------------------

# Functions of the pages that write without asking for a right of their own, each with its reason.
FREE = {
    "emoviz.ui.library.bring_in.Arrival.keep": "called by what takes an arrival, which was asked",
    "emoviz.ui.curation.taking._croissant": "writes into a temporary folder; `_build` was asked",
    "emoviz.ui.curation.taking._csv": "writes into a temporary folder; `_build` was asked",
    "emoviz.ui.curation.taking._zipped": "writes into a temporary folder; `_build` was asked",
    "emoviz.ui.training.run_table._bring_back": "`removed.undo_bar` was asked",
    "emoviz.ui.training.importing._forget": "what this session itself looked at",
    "emoviz.ui.models._load": "keeps what a network that is looked at was found to be",
    "emoviz.ui.explorer.maps._fit_now": "keeps a map of what is looked at",
    "emoviz.ui.explorer.sources._read": "keeps a quicker copy of a table that is looked at",
    "emoviz.ui.review.alike._points": "keeps a quicker copy of a table that is looked at",
    "emoviz.ui.measure.computed.comparing": "keeps what is looked at",
    "emoviz.ui.measure.computed.evaluating": "keeps what is looked at",
    "emoviz.ui.review.desk_protocol._decide": "`desk_page.show` was asked before it hears",
    "emoviz.ui.review.desk_protocol._do": "`desk_page.show` was asked before it hears",
    "emoviz.ui.measure.later._Later.begin": "cancels what the page itself computes",
    "emoviz.ui.measure.later.value": "cancels what the page itself computes",
    "emoviz.ui.review.desk_images.DeferredImages.get": "cancels what the page itself computes",
    "emoviz.ui.review.people._forget": "whoever is at the screen, of themselves",
    "emoviz.ui.review.people.admitted": "`st.login`, which is no login of the store's",
    "emoviz.ui.access.entered": "the door itself: whoever logs in is entered",
    "emoviz.ui.explorer.maps.layout": "removes a damaged map, which is drawn again",
    "emoviz.ui.library.bring_in.Arrival.place": "called by what takes an arrival, which was asked",
    "emoviz.ui.privacy.forget_images": "pictures of the images that this session holds",
    "emoviz.ui.review.taking._written": "`_export` was asked",
}


@pytest.fixture(scope="module")
def code() -> Code:
    return functions_of_the_pages()


def test_every_function_that_writes_asks_for_a_right(code: Code) -> None:
    asking = {name for name, item in code.items() if item.asks}
    writing = {name for name, item in code.items() if item.writes}
    assert len(writing) > 30
    assert writing - asking - set(FREE) == set()
    assert set(FREE) <= writing - asking, "no longer needed"


def test_the_test_finds_a_function_that_writes_unasked() -> None:
    source = """
from emoviz.data.library import remove_set
from emoviz.ui import access, background
def bad(settings, id): remove_set(settings, id)
def worse(path): path.unlink()
@access.acts("prepare")
def good(settings, id): remove_set(settings, id)
"""
    found = functions_of_the_pages({"emoviz.ui.invented": source})
    assert found["emoviz.ui.invented.bad"].writes
    assert not found["emoviz.ui.invented.bad"].asks
    assert found["emoviz.ui.invented.worse"].writes
    assert found["emoviz.ui.invented.good"].asks
    assert "emoviz.data.library.remove_set" in WRITERS()


# Modules with downloads, and why each may offer them.
LOOKED_AT = {
    "emoviz.ui.board": "one's own images",
    "emoviz.ui.centers": "numbers of the page",
    "emoviz.ui.curation.preparing": "recipe and reasons of the page",
    "emoviz.ui.curation.taking": "`show` was asked",
    "emoviz.ui.curation.thresholds": "numbers of the page",
    "emoviz.ui.explorer.board": "what was drawn around",
    "emoviz.ui.measure.reporting": "numbers of the page",
    "emoviz.ui.measure.study": "numbers and pictures of the page",
    "emoviz.ui.problems": "reasons of the page",
    "emoviz.ui.review.taking": "`show` was asked",
    "emoviz.ui.shell": "the card of the page",
    "emoviz.ui.tables": "numbers of the page",
    "emoviz.ui.textures.pictures": "pictures of the page",
    "emoviz.ui.training.promotion": "`_downloads` was asked",
    "emoviz.ui.training.run_table": "the recipe of the page",
    "pages.train.retrain": "the recipe of the page",
}


def test_every_download_is_accounted_for() -> None:
    found = set()
    for path in [
        *(PROJECT_ROOT / "emoviz/ui").rglob("*.py"),
        *(PROJECT_ROOT / "pages").rglob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "download_button":
                found.add(".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts))
    assert found == set(LOOKED_AT)


def test_no_page_makes_a_path_of_what_was_written_without_the_door() -> None:
    """`expanduser` is what a path that a person wrote needs; it stands in the door alone."""
    for path in [
        *(PROJECT_ROOT / "emoviz/ui").rglob("*.py"),
        *(PROJECT_ROOT / "pages").rglob("*.py"),
    ]:
        assert "expanduser" not in path.read_text(encoding="utf-8"), path


# Who somebody is ----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["iss", "sub"])
@pytest.mark.parametrize("value", [None, "", "  ", 7, ["x"], True])
def test_without_issuer_and_subject_there_is_nobody(missing: str, value: object) -> None:
    claims: dict[str, Any] = {"iss": ISSUER, "sub": "1", missing: value}
    with pytest.raises(NotAllowedError):
        identity_of(claims)
    with pytest.raises(NotAllowedError):
        identity_of({name: text for name, text in claims.items() if name != missing})


@pytest.mark.parametrize("verified", [None, False, "true", "True", 1, "yes", [True]])
def test_an_address_counts_only_where_verified_is_exactly_true(
    verified: object, settings: Settings
) -> None:
    claims = {"iss": ISSUER, "sub": "1", "email": "Maria@museum.example"}
    managed = replace(settings, managers=MANAGERS)
    who = identity_of({**claims, "email_verified": verified})
    assert who.email == ""
    assert not is_manager(who, managed)
    assert not is_manager(identity_of(claims), managed)
    assert is_manager(identity_of({**claims, "email_verified": True}), managed)


def test_no_mail_address_is_stored_as_a_name(settings: Settings) -> None:
    claims = {"iss": ISSUER, "sub": "1", "email": "ona@museum.example", "email_verified": True}
    assert access.entered(claims, settings).name == "ona"


def test_managers_are_named_by_issuer_and_subject_too(settings: Settings) -> None:
    managed = replace(settings, managers=f" eve@museum.example ,{ISSUER}   auth0|7 ")
    assert is_manager(identity_of({"iss": ISSUER, "sub": "auth0|7"}), managed)
    assert not is_manager(identity_of({"iss": "https://other.example", "sub": "auth0|7"}), managed)
    assert not is_manager(identity_of({"iss": ISSUER, "sub": "auth0|8"}), managed)
    assert not is_manager(
        identity_of({"iss": ISSUER, "sub": "1"}), replace(settings, managers=" , ")
    )


@pytest.mark.parametrize(
    ("address", "alone"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        (None, False),
        ("", False),
        ("192.168.1.7", False),
        ("localhost.example", False),
        ("emoviz.museum.example", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(address: object, alone: bool) -> None:
    assert is_loopback(address) is alone


# Paths of the machine -----------------------------------------------------------------------------


def test_a_folder_whose_network_is_asked_lies_in_the_named_ones(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    said: list[str] = []
    monkeypatch.setattr(access, "allowed", lambda right: True)
    monkeypatch.setattr(asking.background, "begin", lambda *given: begun.append(given[2]))
    monkeypatch.setattr(asking.st, "error", lambda words, **_: said.append(words))
    limited, source = replace(settings, paths=str(tmp_path)), Source("x", "X", "sample")
    asking._begin("/etc", ["--data", "sample"], source, "x", limited)
    assert not begun
    assert "may be named here" in said[0]
    for place in (str(tmp_path), "http://127.0.0.1:1/v1"):
        asking._begin(place, ["--data", "sample"], source, "x", limited)
        assert begun.pop() == ["ask", place, "--data", "sample"]


def test_paths_stay_inside_the_named_folders(settings: Settings, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    limited = replace(settings, paths=str(inside))
    assert checked_place(str(inside / "a.csv"), limited) == inside / "a.csv"
    for text in (
        outside,
        inside / "link" / "a.csv",
        f"{inside}/../outside",
        f"{inside}2",
        "/",
        "~",
    ):
        with pytest.raises(NotAllowedError):
            checked_place(str(text), limited)
    with pytest.raises(NotAllowedError):
        checked_place("a\0b", settings)
    assert checked_place(str(outside), settings) == outside


@pytest.mark.parametrize(
    ("address", "forwarded", "login", "folders", "open_"),
    [
        ("127.0.0.1", False, False, False, True),
        ("127.0.0.1", False, False, True, True),
        ("127.0.0.1", True, False, True, False),
        ("0.0.0.0", False, False, True, False),
        ("127.0.0.1", False, True, False, False),
        ("0.0.0.0", False, True, True, True),
    ],
)
def test_when_paths_may_be_named(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    tmp_path: Path,
    address: str,
    forwarded: bool,
    login: bool,
    folders: bool,
    open_: bool,
) -> None:
    monkeypatch.setenv("EMOVIZ_MANAGERS", MANAGERS)
    if folders:
        monkeypatch.setenv("EMOVIZ_PATHS", str(tmp_path))
    monkeypatch.setattr(st, "get_option", lambda name: address)
    monkeypatch.setattr(access, "_is_forwarded", lambda: forwarded)
    monkeypatch.setattr(access, "login_is_set_up", lambda: login)
    signed_in(monkeypatch, "manager")
    assert access.allowed("paths") is open_
    if login:
        signed_in(monkeypatch, "reviewer")
        assert not access.allowed("paths")


@pytest.mark.parametrize(
    "first",
    [
        "password=hunter2,user=root",
        "root:x:0:0:root:/root:/bin/bash",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        '{"token": "hunter2"}',
        "name,hunter2!",
    ],
)
@pytest.mark.parametrize("verb", ["embed", "collection"])
def test_a_file_that_is_no_table_is_refused_without_its_first_line(
    settings: Settings,
    tiny_checkpoint: Checkpoint,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    first: str,
    verb: str,
) -> None:
    file = tmp_path / "secret.csv"
    file.write_text(f"{first}\nhunter2,hunter2\n")
    named = ["--checkpoint", tiny_checkpoint.card.id]
    words = ["collection", "add", "x"] if verb == "collection" else [verb]
    assert main([*words, str(file), *named]) == 2
    said = capsys.readouterr()
    assert str(file) in said.err or file.name in said.err
    for word in ("hunter2", "root:x", "BEGIN"):
        assert word not in said.err + said.out


# Pages and actions by role ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, tiny_source: Path) -> Iterator[Settings]:
    with furnished(tmp_path_factory.mktemp("full"), tiny_source) as settings:
        yield settings


def signed_in(monkeypatch: pytest.MonkeyPatch, who: Role | None) -> None:
    claims = {"iss": ISSUER, "email_verified": True, **CLAIMS[who]} if who else {}
    monkeypatch.setattr(st, "user", Login(**claims))


@pytest.fixture
def team(
    full: Settings, monkeypatch: pytest.MonkeyPatch, _no_leftover_environment: None
) -> Settings:
    """The full home with a login, and people in every role."""
    monkeypatch.setenv("EMOVIZ_HOME", str(full.home))
    monkeypatch.setenv("EMOVIZ_MANAGERS", MANAGERS)
    monkeypatch.setattr(access, "login_is_set_up", lambda: True)
    monkeypatch.setattr("emoviz.ui.review.people.login_is_set_up", lambda: True)
    store = open_store(full)
    maria = store.login(f"{ISSUER} 1", "Maria", manages=True)
    for role in ("reviewer", "viewer"):
        person = store.login(f"{ISSUER} {CLAIMS[role]['sub']}", str(CLAIMS[role]["name"]))
        store.set_role(person.id, role, by=maria.id)
    return full


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120)
    asked = {"checkpoint": "tiny", **query}
    for name, value in asked.items():
        app.query_params[name] = value
    app.run()
    return go(app, page, **query)


def go(app: AppTest, page: str, **query: str) -> AppTest:
    (file,) = (PROJECT_ROOT / "pages").rglob(f"{page}.py")
    app.switch_page(str(file.relative_to(PROJECT_ROOT)))
    # Not the project's sample, which would be embedded first.
    tables = next((load_settings().home / "tables").glob("Little-set-*")).name
    for name, value in {"checkpoint": "tiny", "collection": tables, **query}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, (page, app.exception)
    return app


def seen(app: AppTest) -> set[str]:
    """What can be pressed, written into or dropped on, by its label."""
    parts = [*app.button, *app.text_input, *app.selectbox, *app.file_uploader, *app.text_area]
    ways = {way for group in app.get("button_group") for way in group.options}
    return {str(part.label) for part in parts} | ways


@pytest.mark.parametrize("who", [None, "waiting"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("team")
def test_nobody_unknown_sees_anything(
    monkeypatch: pytest.MonkeyPatch, page: str, who: Role | None
) -> None:
    signed_in(monkeypatch, who)
    app = opened(page)
    assert [item.value for item in app.title] == ["emoviz"]
    assert seen(app) == {"Sign in" if who is None else "Sign out"}
    assert not app.sidebar.children
    words = [item.value for item in (*app.markdown, *app.caption, *app.info, *app.warning)]
    assert [text.replace("\\", "") for text in words] == [
        "Please sign in." if who is None else "A manager has to let you in first."
    ]


# Page -> what stands on it for those who have a right, and for nobody else.
SHOWN: dict[str, dict[str, set[str]]] = {
    "classify": {"try": {"Drop images here, or a ZIP of images"}},
    "textures": {"try": {"Drop images here, or a ZIP of images"}},
    "embeddings": {"prepare": {"A file from your computer"}, "paths": {"Path"}},
    "evaluate": {"look": {"Collection"}, "paths": {"Path"}},
    "compare": {"paths": {"Path"}},
    "centers": {"look": {"Collection"}},
    "collections": {
        "look": {"Collection", "Find"},
        "collect": {"Take the sample images", "What shall it be called?", "Remove gallery"},
        "people": {"Begin blind review"},
        "paths": {"On this machine"},
    },
    "artworks": {"people": {"Jonas", "Rasa"}, "decide": {"Take this part"}},
    "overview": {
        "people": {"Jonas", "Rasa"},
        "export": {"Prepare the download", "Make a labelled set of it"},
    },
    "study": {"compute": {"Run the study"}},
    "datasets": {
        "look": {"Labelled images"},
        "prepare": {"What is it?", "What shall it be called?", "Remove Little set"},
        "paths": {"Path"},
    },
    "retrain": {"train": {"Start", "Start the sweep"}},
    "runs": {
        "look": {"Watch"},
        "train": {"Delete", "Save"},
        "keep": {"Keep among the networks"},
    },
}


@pytest.mark.parametrize("role", ROLES[1:])
@pytest.mark.usefixtures("no_graph")
def test_each_role_sees_what_it_may_use(
    team: Settings, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    signed_in(monkeypatch, role)
    app = opened("classify")
    assert set(SHOWN) == set(PAGES)
    for page, parts in SHOWN.items():
        query = {"set": SET, "review": COLLECTION, "run": RUN if page == "runs" else ""}
        shown = seen(go(app, page, **query))
        for right, labels in parts.items():
            may = access.allowed(right) and access.allowed(PAGES[page])  # type: ignore[arg-type]
            assert labels <= shown if may else not labels & shown, (page, right, labels, shown)
    assert open_store(team).reviewers()


@pytest.mark.usefixtures("no_graph")
def test_managers_name_paths_below_the_named_folders_alone(
    team: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password=hunter2,more\n1,2\n")
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    monkeypatch.setenv("EMOVIZ_PATHS", str(allowed))
    signed_in(monkeypatch, "manager")
    for page, key in (
        ("embeddings", "explore"),
        ("retrain", "retrain"),
        ("datasets", "datasets"),
        ("collections", "collections"),
    ):
        app = opened(page)
        app.button_group(key=f"{key}-way").set_value("path").run()
        app.text_input(key=f"{key}-path").set_value(str(secret)).run()
        app.button(key=f"{key}-bring").click().run()
        said = " ".join(str(item.value) for item in (*app.info, *app.error, *app.warning))
        assert "Only what lies in" in said, (page, said)
        assert "hunter2" not in said
    assert not any(str(secret) in job.command for job in jobs.list_jobs(team))


def test_what_was_drawn_before_a_role_was_taken_away_does_nothing(
    team: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback runs before the visit: it has to ask by itself."""
    presses = (
        ("datasets", {"set": SET}, "datasets-remove"),
        ("runs", {"run": RUN}, f"delete-{RUN}"),
        ("collections", {"shown": COLLECTION}, "collections-remove"),
        ("collections", {"shown": COLLECTION}, "collections-blind"),
    )
    for page, query, key in presses:
        for who in ("viewer", None):
            signed_in(monkeypatch, "manager")
            button = opened(page, **query).button(key=key)
            signed_in(monkeypatch, who)  # type: ignore[arg-type]
            button.click().run()
        assert find_set(team, SET) is not None
        assert (team.runs / RUN).is_dir()
        assert works_table(team, COLLECTION).is_file()
        assert not open_store(team).blind_collections()


@pytest.mark.parametrize("role", ["viewer", "reviewer", "manager"])
def test_a_link_clears_no_collection_away(
    team: Settings, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    """One whose `about.json` was damaged went with all of its images at anybody's visit."""
    signed_in(monkeypatch, role)
    damaged, begun = (team.home / "collections" / name for name in ("damaged", "begun"))
    for folder in (damaged, begun):
        (folder / "images").mkdir(parents=True)
    (damaged / "about.json").write_text("{")
    for folder in (damaged, begun):
        collection_form._free(team, folder.name)
    assert damaged.is_dir()
    assert begun.is_dir() is (role != "manager")
    for folder in (damaged, begun):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    ("role", "right", "stops"),
    [
        ("viewer", "compute", False),
        ("reviewer", "compute", True),
        ("reviewer", "collect", False),
        ("manager", "collect", True),
    ],
)
@pytest.mark.usefixtures("team")
def test_a_task_is_stopped_by_those_who_may_start_it(
    monkeypatch: pytest.MonkeyPatch, role: Role, right: RightName, stops: bool
) -> None:
    signed_in(monkeypatch, role)
    stopped: list[bool] = []
    monkeypatch.setattr(st, "toast", lambda *given, **named: None)
    monkeypatch.setattr(jobs.Job, "cancel", lambda job: stopped.append(True))
    background._cancel(jobs.Job(Path("nowhere"), "x", "x", (), 0.0), right)
    assert bool(stopped) is stops


def test_off_the_list_is_no_manager_at_the_next_visit(
    team: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(monkeypatch, "manager")
    assert access.allowed("people")
    monkeypatch.setenv("EMOVIZ_MANAGERS", "")
    assert not access.allowed("people")
    assert access.person(team).role == "reviewer"
    assert all(
        person.role != "manager" for person in open_store(team).reviewers() if person.subject
    )


def test_a_handed_out_role_makes_nobody_a_manager(team: Settings) -> None:
    store = open_store(team)
    maria, rasa = (next(p for p in store.reviewers() if p.name == n) for n in ("Maria", "Rasa"))
    with pytest.raises(NotAllowedError):
        store.set_role(rasa.id, "manager", by=maria.id)
    with pytest.raises(NotAllowedError):
        store.set_role(rasa.id, "viewer", by=rasa.id)


# Blind review -------------------------------------------------------------------------------------


@pytest.fixture
def blind(team: Settings) -> Iterator[Settings]:
    store = open_store(team)
    maria = next(person for person in store.reviewers() if person.name == "Maria")
    store.set_blind(COLLECTION, True, maria.id)
    yield team
    store.set_blind(COLLECTION, False, maria.id)


@pytest.mark.parametrize("role", ROLES[1:])
def test_blind_review_hides_the_estimates_from_everybody(
    blind: Settings, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    signed_in(monkeypatch, role)
    app = opened("collections", shown=COLLECTION)
    assert not any("map" in str(item.label) for item in app.button)
    overview = go(app, "overview", review=COLLECTION, order="uncertain", emotion="fear")
    told = " ".join(str(item.value) for item in (*overview.markdown, *overview.caption))
    assert "under blind review" in told
    assert not any("Most likely emotion" in str(item.label) for item in overview.selectbox)
    orders = next(item for item in overview.selectbox if item.label == "Order")
    assert not any("uncertain" in str(word) for word in orders.options)
    table = works_table(blind, COLLECTION)
    for page in ("embeddings", "evaluate", "centers", "compare"):
        picker = next(i for i in go(app, page).selectbox if i.label == "Collection")
        assert not any(table.parent.name in str(word) for word in picker.options), page


def test_a_reviewer_who_is_blind_is_blind_on_every_page(
    team: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(monkeypatch, "reviewer")

    def offered(app: AppTest) -> bool:
        picker = next(i for i in go(app, "embeddings").selectbox if i.label == "Collection")
        return any(COLLECTION in str(word).casefold() for word in picker.options)

    app = opened("artworks", review=COLLECTION)
    assert offered(app)
    go(app, "artworks", review=COLLECTION)
    app.toggle(key="blind").set_value(True).run()
    assert not offered(app)
    overview = go(app, "overview", review=COLLECTION)
    assert "under blind review" in " ".join(str(item.value) for item in overview.caption)


def test_only_a_manager_begins_a_blind_review(team: Settings) -> None:
    store = open_store(team)
    rasa = next(person for person in store.reviewers() if person.name == "Rasa")
    with pytest.raises(NotAllowedError):
        store.set_blind(COLLECTION, True, rasa.id)
    assert store.blind_collections() == set()
