"""The Artworks page without a browser: who reviews, empty, normal and broken input."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_pages import healthy, words
from reviews import new_works, say, with_files
from streamlit.testing.v1 import AppTest

from emoviz.checkpoints import Checkpoint
from emoviz.inference.cache import fingerprint
from emoviz.labels import MIKELS8
from emoviz.review import NewEstimate, open_store
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui.review import queue

pytestmark = pytest.mark.usefixtures("jobs_end")

Make = Callable[..., bytes]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def gallery(settings: Settings, tiny_checkpoint: Checkpoint, tmp_path: Path, picture: Make) -> str:
    """Six works with files and estimates of the tiny checkpoint."""
    store = open_store(settings)
    found = store.add_collection("gallery", HOSTILE, "folder", "folder", {})
    works = with_files(new_works(6), tmp_path / "images", picture)
    store.put_works(found.id, works)
    shares = (0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    estimates = [NewEstimate(work.sha256, shares, 0.5) for work in works]
    store.put_estimates(found.id, "tiny", fingerprint(tiny_checkpoint), "1", MIKELS8, "", estimates)
    return found.name


class FakeDesk:
    """Stands in for the component: remembers what it was given, says what a test wants said."""

    def __init__(self) -> None:
        self.headers: list[dict[str, Any]] = []

    def show(self, key: str, header: dict[str, Any], pictures: dict[str, bytes]) -> None:
        self.headers.append(header)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> FakeDesk:
    fake = FakeDesk()
    monkeypatch.setattr("emoviz.ui.review.desk.show", fake.show)
    return fake


def open_page(page: str = "artworks", name: str = "Ona", **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    if name:
        app.session_state["reviewer"] = name
    for key, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[key] = value
    app.run()
    app.switch_page(f"pages/review/{page}.py")
    for key, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[key] = value
    return healthy(app.run())


def titles(header: dict[str, Any]) -> list[str]:
    """Of the works to decide on, in order."""
    known = {work["id"]: work["title"] for work in header["works"]}
    return [known[id] for id in header["ahead"]]


@pytest.mark.usefixtures("tiny_checkpoint")
def test_a_stranger_is_asked_for_a_name_once(settings: Settings) -> None:
    app = open_page(name="")
    assert "Who is reviewing?" in words(app)
    app.text_input(key="who-name").set_value("  Ona\u202e ")
    next(item for item in app.button if item.label == "Go on").click()
    healthy(app.run())
    assert "Who is reviewing?" not in words(app)
    assert [person.role for person in open_store(settings).reviewers()] == ["manager"]


@pytest.mark.usefixtures("tiny_checkpoint")
def test_without_a_collection_the_sample_is_offered() -> None:
    app = open_page()
    assert "There is no collection yet" in words(app)
    assert any(item.label == "Take the sample images" for item in app.button)


def test_the_first_work_is_on_the_desk(gallery: str, desk: FakeDesk) -> None:
    app = open_page(review=gallery, order="number")
    header = desk.headers[-1]
    assert titles(header) == [f"Title {n}" for n in range(6)]
    assert [frame["title"] for frame in header["strip"]] == titles(header)
    assert header["works"][0]["agree"] == "amusement"
    assert header["progress"]["words"] == "0 of 6 works decided"
    assert app.query_params["review"] == [gallery] or app.query_params["review"] == gallery


@pytest.mark.parametrize("how", ["by the link", "begun while the page is open"])
def test_blind_sends_no_estimate_to_the_browser(
    how: str, gallery: str, desk: FakeDesk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose, store = queue.choose, open_store(settings)

    def chosen(*arguments: Any, **options: Any) -> queue.Chosen:
        found = choose(*arguments, **options)
        store.set_blind(gallery, True, store.reviewer("Ona").id)
        return found

    if how != "by the link":
        monkeypatch.setattr(queue, "choose", chosen)
    open_page(review=gallery, **({"blind": "1"} if how == "by the link" else {}))
    for work in (work for header in desk.headers for work in header["works"]):
        assert work["estimate"] is None
        assert work["shares"] is None
        assert not work["agree"]


def test_a_link_leads_to_one_work_and_filters_are_kept(gallery: str, desk: FakeDesk) -> None:
    open_page(review=gallery, order="number", work="4", style="Cubism")
    header = desk.headers[-1]
    assert titles(header) == ["Title 3", "Title 5", "Title 1"]
    assert header["first"] == header["ahead"][0]
    assert [frame["title"] for frame in header["strip"]] == ["Title 1", "Title 3", "Title 5"]


def test_a_link_to_a_collection_that_is_not_here_says_so(gallery: str, desk: FakeDesk) -> None:
    app = open_page(review="gone")
    assert "“gone”" in app.toast[0].value
    assert not open_page(review=gallery).toast


def test_a_file_that_changed_or_went_is_not_decided_on(
    gallery: str, desk: FakeDesk, tmp_path: Path, picture: Make
) -> None:
    (tmp_path / "images" / "0.jpg").write_bytes(picture(seed=99))
    (tmp_path / "images" / "1.jpg").unlink()
    app = open_page(review=gallery, order="number")
    for _ in range(50):
        errors = [work.get("error", "") for work in desk.headers[-1]["works"]]
        if errors[0] and errors[1]:
            break
        healthy(app.run())
    assert "another than the one" in errors[0]
    assert "no such file" in errors[1]
    assert errors[2] == ""


def test_the_collection_of_the_last_decision_comes_first(
    gallery: str, settings: Settings, desk: FakeDesk
) -> None:
    store = open_store(settings)
    other = store.add_collection("another", "Another", "folder", "folder", {})
    store.put_works(other.id, new_works(2))
    assert open_page().selectbox(key="review").value == "another"  # by name
    say(store, store.reviewer("Ona"), store.works(store.collection(gallery).id)[0], "awe")  # type: ignore[union-attr]
    assert open_page().selectbox(key="review").value == gallery
    assert open_page(name="Jonas").selectbox(key="review").value == "another"


def test_why_carries_the_artwork_and_the_way_back(
    gallery: str, settings: Settings, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(review=gallery)
    work = open_store(settings).works(1)[3].id
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    app.query_params["checkpoint"] = "tiny"
    app.run()  # a fresh session: a reload, or a bookmark
    app.switch_page("pages/predict/textures.py")
    for key, value in {"checkpoint": "tiny", "review": gallery, "work": str(work)}.items():
        app.query_params[key] = value
    app = healthy(app.run())
    assert app.selectbox(key="textures-image").options == ["Title 3, Artist 0"]
    link = app.session_state["textures-back-link"]
    assert link == ("pages/review/artworks.py", {"review": gallery, "work": str(work)})
    app.query_params["work"] = "99999"
    assert "is not here" in words(healthy(app.run()))


def test_who_only_looks_gets_no_desk(gallery: str, settings: Settings, desk: FakeDesk) -> None:
    store = open_store(settings)
    ona, guest = store.reviewer("Ona"), store.reviewer("Guest")
    store.set_role(guest.id, "viewer", by=ona.id)
    app = open_page(name="Guest", review=gallery)
    assert "not decide" in words(app)
    assert desk.headers == []


def test_a_store_that_cannot_be_opened_is_explained(
    gallery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    app = open_page(review=gallery)
    assert any(item.value for item in app.error)
