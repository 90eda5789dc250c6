"""The pages Collections and WikiArt study without a browser: empty, normal and broken input."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_pages import drawn_tables, healthy, words
from local_server import local_server
from museum import furnish
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint
from emoviz.data.importers import Item, Place
from emoviz.data.importers.content_state import encoded
from emoviz.jobs import Reporter
from emoviz.review import open_store
from emoviz.review.acquire import AcquireRequest, list_gathered, read_gathered
from emoviz.review.ingest import add_collection
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui.review.collections import details_html, fits

pytestmark = pytest.mark.usefixtures("jobs_end")

Make = Callable[..., bytes]
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def paintings(tmp_path: Path, picture: Make) -> Path:
    folder = tmp_path / "paintings"
    folder.mkdir()
    names = ["m-k-ciurlionis_jura-1905", "hokusai_wave-1831", "berthe-morisot_garden-1884"]
    for seed, name in enumerate(names):
        (folder / f"{name}.jpg").write_bytes(picture(seed=seed))
    (folder / "van-gogh_broken.jpg").write_bytes(b"<html>")
    return folder


def open_page(page: str = "collections", **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    for name, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[name] = value
    app.run()
    app.switch_page(f"pages/{'measure' if page == 'study' else 'review'}/{page}.py")
    for name, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[name] = value
    return healthy(app.run())


def way(app: AppTest) -> Any:
    """Where what is to be brought in is."""
    return app.button_group(key="collections-way")


def bring(app: AppTest, how: str, text: str) -> AppTest:
    way(app).set_value(how).run()
    app.text_input(key=f"collections-{how}").set_value(text)
    return healthy(app.button(key="collections-bring").click().run())


def press(app: AppTest, label: str) -> AppTest:
    button = next(item for item in app.button if label in item.label)
    return healthy(button.click().run())


def wait_for(settings: Settings, key: str) -> str:
    job = jobs.find(settings, key)
    assert job is not None
    return job.wait(90)


def test_the_empty_page_says_what_to_do(settings: Settings, tiny_checkpoint: Checkpoint) -> None:
    app = open_page()
    assert "There is no collection yet" in words(app)
    assert any("Take the sample images" in item.label for item in app.button)
    assert way(app).options[0] == "A museum's IIIF address"


def test_the_sample_comes_in_with_one_press(
    settings: Settings, tiny_checkpoint: Checkpoint
) -> None:
    app = press(open_page(), "Take the sample images")
    assert wait_for(settings, "collection sample-artworks") == "done"
    app = healthy(app.run())
    assert "72 artworks" in words(app)
    labels = [item.label for item in app.button]
    assert any("map" in label for label in labels)
    assert app.button(key="collections-sample").disabled
    found = read_gathered(settings, "sample-artworks")
    assert len(found.ready) == 72
    assert any(item.artist == "Katsushika Hokusai" for item in found.items)
    row = open_store(settings).collection("sample-artworks")
    assert row is not None
    assert open_store(settings).counts(row.id).ready == 72


def test_a_folder_comes_in_with_what_failed_and_is_searched(
    settings: Settings, tiny_checkpoint: Checkpoint, paintings: Path
) -> None:
    app = open_page()
    app.text_input(key="collections-title").set_value("Spring **show**")
    app = bring(app, "path", str(paintings))
    assert app.button(key="collections-bring").disabled
    assert wait_for(settings, "collection spring-show") == "done"
    app = healthy(app.run())
    assert "3 artworks" in words(app)
    assert any("taken, 1 problem" in item.label for item in app.expander)
    app.text_input(key="words").set_value("wave 1831")
    app = healthy(app.run())
    assert "1 artwork of 3" in words(app)
    again = open_page(shown="spring-show", words="nothing fits")
    assert "0 artworks of 3" in words(again)
    again = press(again, "Try 1 missing one")
    assert wait_for(settings, "collection spring-show") == "done"


def test_a_link_of_content_state_opens_what_is_here_and_fetches_nothing(
    settings: Settings, tiny_checkpoint: Checkpoint, tmp_path: Path, picture: Make
) -> None:
    """Two museums; the link means a canvas of the second, and one that is nowhere here."""
    allowed = replace(settings, allow_private_urls=True, fetch_pause=0.001)
    report = Reporter(tmp_path / "progress.jsonl")
    addresses = []
    for name in ("first", "second"):
        with local_server() as server:
            addresses.append(furnish(server, picture).removesuffix("collection.json"))
            source = f"{addresses[-1]}collection.json"
            add_collection(AcquireRequest(name, source, "iiif", name, side=800), allowed, report)
    here = addresses[1]
    link = encoded(f"{here}wave.json", f"{here}canvas/wave")
    app = open_page(**{"iiif-content": link})
    assert app.session_state["review"] == "second"
    assert "Great Wave" in str([item.proto for item in app.get("html")])  # in large, as asked
    assert "not here" not in words(app)
    manifest = open_page(**{"iiif-content": f"{addresses[0]}night.json"})
    assert manifest.session_state["review"] == "first"
    gone = open_page(**{"iiif-content": "https://museum.example/other.json"})
    assert "museum" in words(gone)
    assert "not here" in words(gone)
    assert any(item.key == "linked-content-bring" for item in gone.button)
    assert not [job for job in jobs.list_jobs(settings) if job.is_live]
    broken = open_page(**{"iiif-content": "%%%"})
    assert "This link cannot be opened" in words(broken)


def test_a_bad_source_is_told_and_leaves_nothing(
    settings: Settings, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    app = open_page()
    app = bring(app, "path", str(tmp_path / "gone"))
    assert "There is no" in words(app)
    assert app.text_input(key="collections-path").value == str(tmp_path / "gone")  # to be mended
    for bad in ("file:///etc/passwd", "http://me:pw@a.example/"):
        app = bring(app, "address", bad)
        assert "cannot be asked" in words(app)
    assert "Paste an address first" in words(bring(app, "address", ""))
    assert jobs.list_jobs(settings) == []
    address = "http://127.0.0.1:9/manifest.json"
    app = bring(app, "address", address)
    (job,) = jobs.list_jobs(settings)
    assert job.wait(60) == "failed"
    app = healthy(app.run())
    (told,) = app.error
    assert "of a private network; whoever installed emoviz can allow these" in told.value
    assert "EMOVIZ" not in words(app)
    assert not app.code
    assert app.text_input(key="collections-address").value == address
    assert list_gathered(settings) == []


def test_a_sent_table_names_no_files_of_this_machine(
    settings: Settings, tiny_checkpoint: Checkpoint, paintings: Path
) -> None:
    inside = paintings / "hokusai_wave-1831.jpg"
    app = open_page()
    way(app).set_value("file").run()
    app.file_uploader(key="collections-file-0").upload(
        "list.csv", f"file\n{inside}\n".encode(), "text/csv"
    )
    press(app, "Bring it in")
    assert wait_for(settings, "collection list") == "failed"
    app = healthy(app.run())
    assert "cannot be brought in" in app.error[0].proto.body + str(app.error[0].proto)
    assert list_gathered(settings) == []
    assert not (settings.home / "collections" / "list").exists()


def test_removing_deletes_what_was_fetched_and_nothing_else(
    settings: Settings, tiny_checkpoint: Checkpoint, paintings: Path
) -> None:
    add_collection(AcquireRequest("mine", str(paintings), "folder"), settings, Reporter(None))
    app = open_page(shown="mine")
    app = healthy(app.button(key="collections-remove").click().run())
    assert [item.value for item in app.toast] == ["The collection is removed."]
    assert (paintings / "hokusai_wave-1831.jpg").is_file()
    assert open_store(settings).collection("mine") is None
    assert not (settings.home / "collections" / "mine").exists()


def test_who_only_looks_may_neither_bring_in_nor_remove(
    settings: Settings, tiny_checkpoint: Checkpoint, paintings: Path
) -> None:
    add_collection(AcquireRequest("mine", str(paintings), "folder"), settings, Reporter(None))
    store = open_store(settings)
    chief, guest = store.reviewer("Ona"), store.reviewer("Guest")
    store.set_role(guest.id, "viewer", by=chief.id)
    app = open_page()
    assert not any("Remove" in item.label for item in app.button)
    for name, may in (("Guest", False), ("Ona", True)):
        app.session_state["reviewer"] = name
        app = healthy(app.run())
        assert any(b.label.startswith("Remove") for b in app.button) is may
        assert ("A manager can bring in" in words(app)) is not may


def test_review_and_map_open_the_collection_that_is_shown(
    settings: Settings,
    tiny_checkpoint: Checkpoint,
    paintings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("one", "two", "three"):
        request = AcquireRequest(name, str(paintings), "folder", name.title())
        add_collection(request, settings, Reporter(None), tiny_checkpoint)
    headers: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "emoviz.ui.review.desk.show", lambda _key, header, _: headers.append(header)
    )
    app = open_page("artworks", review="one")  # the session remembers another collection
    app.text_input(key="who-name").set_value("Ona")
    next(item for item in app.button if item.label == "Go on").click()
    healthy(app.run())
    assert app.selectbox(key="review").value == "one"
    app.switch_page("pages/review/collections.py")
    healthy(app.run())
    assert app.selectbox(key="review").value == "one"
    app.selectbox(key="review").set_value("two").run()
    press(app, "Review them")
    assert app.selectbox(key="review").value == "two"
    store = open_store(settings)
    works = {work.id for work in store.works(store.collection("two").id)}  # type: ignore[union-attr]
    assert len(headers[-1]["ahead"]) == 3
    assert set(headers[-1]["ahead"]) <= works
    app.switch_page("pages/review/collections.py")
    healthy(app.run())
    app.selectbox(key="review").set_value("three").run()
    press(app, "See them on the map")
    assert app.selectbox(key="collection").value.startswith("three-works.csv")


def test_search_wants_every_word_whatever_the_capitals() -> None:
    item = Item("k", Place(), "Great Wave", "Hokusai", date="1831", metadata={"room": "Hall 3"})
    assert fits(item, "")
    assert fits(item, "hall WAVE 1831")
    assert not fits(item, "wave garden")


def test_hostile_metadata_stays_text() -> None:
    item = Item(
        HOSTILE,
        Place(),
        HOSTILE,
        page="javascript:alert(1)",
        rights='https://a.example/"onclick="x',
        metadata={HOSTILE: HOSTILE, "good": "https://a.example/x"},
    )
    html = details_html(item)
    assert "<script" not in html
    assert html.count("<a ") == 1
    assert 'href="https://a.example/x"' in html


# The WikiArt study -------------------------------------------------------------------------------


def test_the_study_says_what_is_missing(settings: Settings, tiny_checkpoint: Checkpoint) -> None:
    app = open_page("study", paintings="sample", baseline="mikels8-baseline", model="tiny")
    assert "Not run yet" in words(app)


def test_the_study_of_the_sample_is_run_and_shown(
    settings: Settings, tiny_checkpoint: Checkpoint
) -> None:
    import shutil

    other = tiny_checkpoint.folder.parent / "second"
    shutil.copytree(tiny_checkpoint.folder, other)
    card = (other / "card.json").read_text().replace('"id": "tiny"', '"id": "second"')
    (other / "card.json").write_text(card)
    query = {"baseline": "second", "model": "tiny"}
    app = press(open_page("study", **query), "Run the study")
    (job,) = jobs.list_jobs(settings)
    assert job.wait(120) == "done", job.tail()
    app = healthy(app.run())
    told = words(app)
    assert "How the two see the images" in told
    assert "+0.0 points" in told  # the same weights on both sides
    tables = drawn_tables(app)
    assert list(tables[0]["opposite %"])[1::2] == ["41.4", "19.4", "43.5", "19.9"]
    downloads = [button.proto.label for button in app.get("download_button")]
    assert {"table.md", "maps.png", "strip.png"} <= set(downloads), downloads
    assert downloads.count("Table as CSV") == len(tables), downloads
    folder = next((settings.home / "studies").iterdir())
    (folder / "table.json").write_text("{")
    assert "Not run yet" in words(open_page("study", **query))
