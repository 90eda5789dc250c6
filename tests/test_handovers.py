"""From one page to another, each time with two objects of which the second is meant.

A page that leads to another says in the link what the other shall show; what the session showed
there before is always something else here. The same in a browser: `test_handover_journeys`, and
the journeys that it names.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from app_pages import healthy
from stored_tables import answers, store
from streamlit.testing.v1 import AppTest
from test_page_train import RECIPE
from test_page_train import run as run  # the fixture

from emoviz.checkpoints import Checkpoint
from emoviz.data.library import save_set
from emoviz.data.reading import read_labelled
from emoviz.jobs import Reporter
from emoviz.labels import MIKELS8
from emoviz.review import open_store
from emoviz.review.acquire import AcquireRequest
from emoviz.review.ingest import add_collection
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.training.promote import promote
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder

pytestmark = pytest.mark.usefixtures("jobs_end", "no_graph")
Make = Callable[..., bytes]
PAGES = {
    file.stem: str(file.relative_to(PROJECT_ROOT)) for file in PROJECT_ROOT.glob("pages/*/*.py")
}


def visit(app: AppTest, page: str, **query: str) -> AppTest:
    """As a link leads there: its parameters and no others."""
    app.switch_page(PAGES[page])
    app.query_params.clear()
    for name, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[name] = value
    return healthy(app.run())


def start(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=120)
    app.session_state["reviewer"] = "Ona"
    app.query_params["checkpoint"] = "tiny"
    app.run()
    return visit(app, page, **query)


def press(app: AppTest, label: str) -> AppTest:
    button = next(item for item in app.button if item.label.startswith(label))
    return healthy(button.click().run())


def follow(app: AppTest, label: str) -> AppTest:
    """Press a link of the page."""
    link: Any = next(item for item in app.get("page_link") if item.proto.label == label)
    return visit(app, link.proto.page, **dict(parse_qsl(link.proto.query_string)))


class Desk:
    """Stands in for the component: remembers what it was given, says a thing once."""

    def __init__(self) -> None:
        self.headers: list[dict[str, Any]] = []
        self.acts: list[dict[str, Any]] = []

    def show(self, key: str, header: dict[str, Any], pictures: dict[str, bytes]) -> None:
        self.headers.append(header)

    def said(self, key: str) -> dict[str, Any]:
        acts, self.acts = self.acts, []
        return {"acts": acts}

    def act(self, does: str, **values: object) -> None:
        queue = self.headers[-1]["queue"]
        self.acts = [{"token": does, "does": does, "queue": queue, **values}]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    fake = Desk()
    monkeypatch.setattr("emoviz.ui.review.desk.show", fake.show)
    monkeypatch.setattr("emoviz.ui.review.desk.said", fake.said)
    return fake


@pytest.fixture
def works(
    settings: Settings, tiny_checkpoint: Checkpoint, tmp_path: Path, picture: Make
) -> list[int]:
    """Two collections, one and two, of three artworks each; the ids of those of the second."""
    for name, seed in (("one", 0), ("two", 10)):
        folder = tmp_path / name
        folder.mkdir()
        for n in range(3):
            (folder / f"{name}-{n}.jpg").write_bytes(picture(seed=seed + n))
        request = AcquireRequest(name, str(folder), "folder", name.title())
        add_collection(request, settings, Reporter(None), tiny_checkpoint)
    store = open_store(settings)
    two = store.collection("two")
    assert two is not None
    return [work.id for work in store.works(two.id)]


def test_from_an_artwork_to_why_and_back_to_the_same(works: list[int], desk: Desk) -> None:
    app = start("artworks", review="one")
    app = visit(app, "artworks", review="two", order="number")
    desk.act("why", work=works[1])
    app = healthy(app.run())
    assert app.title[0].value == "Why does the network say so?"
    assert app.selectbox(key="textures-image").options == ["Two 1"]
    app = visit(app, "artworks", review="one")  # looked at in between
    app = visit(app, "textures", review="two", work=str(works[2]))
    image = app.selectbox(key="textures-image")
    assert image.options[image.index or 0] == "Two 2"
    app = follow(app, "Back")
    assert app.selectbox(key="review").value == "two"
    assert desk.headers[-1]["first"] == works[2]


def test_from_the_collections_to_an_artwork_to_why_and_back(works: list[int], desk: Desk) -> None:
    app = start("collections", review="one")
    app.selectbox(key="review").set_value("two").run()
    app = press(app, "Review them")
    assert app.selectbox(key="review").value == "two"
    assert set(desk.headers[-1]["ahead"]) == set(works)
    # AppTest would go on with the page that led there; a browser goes on with this one.
    app = visit(app, "artworks", review=app.selectbox(key="review").value)
    desk.act("why", work=works[2])
    app = healthy(app.run())
    image = app.selectbox(key="textures-image")
    assert image.options[image.index or 0] == "Two 2"
    app = follow(app, "Back")
    assert app.selectbox(key="review").value == "two"
    assert desk.headers[-1]["first"] == works[2]


def test_a_link_to_why_counts_again_after_another_image(works: list[int], desk: Desk) -> None:
    app = start("textures", review="two", work=str(works[1]))
    app = visit(app, "textures", sample="images/calf.jpg")
    app = visit(app, "textures", review="two", work=str(works[1]))  # the browser's own way back
    image = app.selectbox(key="textures-image")
    assert image.options[image.index or 0] == "Two 1"


def test_from_the_desk_to_the_overview_and_from_there_to_a_work(
    works: list[int], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start("overview", review="one")
    app = visit(app, "artworks", review="two")
    desk.act("overview")
    app = healthy(app.run())
    assert "agree" in app.title[0].value
    assert app.selectbox(key="review").value == "two"
    app = visit(app, "artworks", review="one")
    app = visit(app, "overview", review="two")
    app = follow(app, "Review")
    assert app.selectbox(key="review").value == "two"
    monkeypatch.setattr("emoviz.ui.review.wall.show", lambda *_: works[2])
    app = visit(app, "artworks", review="one")
    app = visit(app, "overview", review="two")
    assert app.selectbox(key="review").value == "two"
    assert desk.headers[-1]["first"] == works[2]


def test_from_the_overview_to_the_map_of_the_same_collection(works: list[int]) -> None:
    app = start("embeddings")
    assert not str(app.selectbox(key="collection").value).startswith("two")
    app = follow(visit(app, "overview", review="two"), "As a map")
    assert app.selectbox(key="collection").value.startswith("two-works.csv")


def test_a_network_is_asked_about_the_collection_on_the_desk(
    works: list[int], settings: Settings, desk: Desk
) -> None:
    other = settings.home / "checkpoints" / "other"
    shutil.copytree(settings.home / "checkpoints" / "tiny", other)
    card = (other / "card.json").read_text()
    (other / "card.json").write_text(
        card.replace('"id": "tiny"', '"id": "other"').replace("1.3", "2.6")
    )
    app = start("collections", review="one")
    app = visit(app, "artworks", review="two", checkpoint="other")
    app = follow(app, "Ask it")
    assert app.selectbox(key="review").value == "two"
    assert app.selectbox(key="checkpoint").value == "other"
    assert any(item.label.startswith("Ask ") for item in app.button)


@pytest.mark.parametrize(
    ("leads", "page", "picker"),
    [("Retrain with it", "retrain", "set"), ("Evaluate on it", "evaluate", "collection")],
)
def test_what_is_done_with_a_set_is_done_with_that_set(
    leads: str,
    page: str,
    picker: str,
    settings: Settings,
    tiny_checkpoint: Checkpoint,
    make_table: Callable[..., Path],
    tmp_path: Path,
) -> None:
    for name, seed in (("one", 0), ("two", 50)):
        made = make_table(tmp_path / name, ["awe", "fear"] * 6, seed=seed)
        save_set(settings, name, name.title(), read_labelled(made), {})
    app = start(page, set="one")
    app = press(visit(app, "datasets", set="two"), leads)
    assert str(app.selectbox(key=picker).value).casefold().startswith("two")


def test_of_two_runs_the_chosen_one_is_watched(run: Path, settings: Settings) -> None:
    shutil.copytree(run, settings.runs / "second")
    app = start("retrain", run="finished")
    app = press(visit(app, "runs", run="second"), "Watch")
    assert app.query_params["run"] in ("second", ["second"])


def test_of_two_runs_the_chosen_one_is_compared(
    run: Path, table: Path, settings: Settings, tiny_checkpoint: Checkpoint
) -> None:
    recipe, second = read_recipe(RECIPE + "seed: 7\n"), settings.runs / "second"
    train_in_folder(recipe, [str(table)], second, settings, lambda line: None)
    for folder, id in ((run, "zebra"), (second, "ant")):  # neither the first nor the last is meant
        promote(folder / "checkpoints" / "little", id, {}, settings)
    app = visit(start("runs", run="finished"), "retrain")  # and the second from there
    app = press(visit(app, "runs", run="second"), "Compare with")
    assert app.selectbox(key="checkpoint").value == "ant"
    assert app.query_params["pair"] in ("tiny", ["tiny"])


def test_what_is_evaluated_is_compared(
    settings: Settings, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    labels = [label for label in range(8) for _ in range(4)]
    names = [MIKELS8.names[label] for label in labels]
    one = store(settings, tiny_checkpoint, answers(labels), names)
    two = store(settings, tiny_checkpoint, answers(labels[::-1]), names, title="two")
    app = start("evaluate", collection=one)
    app = follow(visit(app, "evaluate", collection=two), "Set it against another network")
    assert app.selectbox(key="collection").value == two
