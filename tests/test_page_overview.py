"""The Overview page without a browser: the wall, shares, agreement, what goes home."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from app_pages import drawn_tables
from reviews import say
from test_jobs import until
from test_page_artworks import HOSTILE, healthy, open_page, words
from test_page_artworks import gallery as gallery  # the fixture

from emoviz.data.library import find_set
from emoviz.data.reading import read_labelled
from emoviz.jobs import list_jobs
from emoviz.plots.bars import shares_by
from emoviz.plots.reviewing import confusion, confusion_table
from emoviz.review import open_store
from emoviz.settings import Settings
from emoviz.ui.gallery import Tile


@pytest.mark.usefixtures("tiny_checkpoint")
def test_without_a_collection_the_way_is_shown() -> None:
    assert "There is no collection yet" in words(open_page("overview"))


def test_before_any_decision_there_is_a_wall_and_no_kappa(gallery: str) -> None:
    app = open_page("overview", review=gallery)
    assert "**6 works**, 0 decided" in words(app)
    assert "Nobody has decided" in words(app)


def test_two_people_and_the_model(gallery: str, settings: Settings) -> None:
    store = open_store(settings)
    ona, jonas = store.reviewer("Ona"), store.reviewer("Jonas")
    works = store.works(store.collection(gallery).id)  # type: ignore[union-attr]
    for work in works:
        say(store, ona, work, "amusement" if work.number < 3 else "fear")
        say(store, jonas, work, "amusement" if work.number < 2 else "fear")
    app = open_page("overview", review=gallery)
    text = words(app)
    assert "6 decided by 2 people, 12 decisions" in text
    assert "Krippendorff's alpha" in text
    rows = [row for frame in drawn_tables(app) for row in frame.to_dict("records")]
    (pair,) = [row for row in rows if {row["who"], row["with"]} == {"Ona", "Jonas"}]
    # Five of six the same; by chance (3/6)(2/6) + (3/6)(4/6) = 1/2: kappa = (5/6 - 1/2) / (1/2).
    assert pair["kappa"] == "0.67"
    assert pair["same"] == "83\u00a0% (44\u00a0% to 100\u00a0%)"


def test_the_wall_is_filtered_by_what_people_answered(
    gallery: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls: dict[str, Sequence[Tile]] = {}

    def wall(tiles: Sequence[Tile], key: str, *_: object, **__: object) -> None:
        walls[key] = tiles

    monkeypatch.setattr("emoviz.ui.review.wall.gallery", wall)
    store = open_store(settings)
    ona, jonas = store.reviewer("Ona"), store.reviewer("Jonas")
    works = store.works(store.collection(gallery).id)  # type: ignore[union-attr]
    say(store, ona, works[0], "amusement")  # the model's first of every work
    say(store, ona, works[1], "fear", note="so dark")
    say(store, ona, works[2], "amusement")
    say(store, jonas, works[2], "awe", "sadness")
    say(store, ona, works[3])
    say(store, ona, works[4], kind="skip")
    expected = {
        "answers=differs": [1, 2, 3],
        "answers=divided": [2],
        "answers=note": [1],
        "said=amusement": [0, 2],
        "said=sadness": [2],
        "said=none of these": [3],
        "answers=differs&said=amusement": [2],
        "": [0, 1, 2, 3, 4, 5],
    }
    for link, wanted in expected.items():
        walls.clear()
        query = dict(part.split("=") for part in link.split("&") if part)
        app = open_page("overview", review=gallery, order="number", **query)
        titles = [tile.caption for tile in walls["review-wall"]]
        assert titles == [f"Title {n}" for n in wanted], link
        assert f"{len(wanted)} work" in words(app)
    detail = walls["review-wall"][2].detail
    assert detail.replace("\xa0", " ").splitlines() == [
        "✓ amusement",
        "2 people: amusement 50 %, awe 25 %, sadness 25 %",
        "model: amusement 30 %, awe 10 %, contentment 10 %",
    ]


def test_one_press_makes_a_set_that_training_reads(gallery: str, settings: Settings) -> None:
    store = open_store(settings)
    ona = store.reviewer("Ona")
    for work in store.works(store.collection(gallery).id)[:4]:  # type: ignore[union-attr]
        say(store, ona, work, "awe")
    app = open_page("overview", review=gallery)
    app.button(key="set-make").click()
    healthy(app.run())
    (told,) = app.success
    made = find_set(settings, told.value.split("`")[1])
    assert [made.taxonomy.names[row.label] for row in read_labelled(made.path).records] == [
        "awe"
    ] * 4


@pytest.mark.parametrize("at_once", [300, 1])
def test_an_export_is_made_at_once_or_in_the_background(
    gallery: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("emoviz.ui.review.taking.AT_ONCE", at_once)
    store = open_store(settings)
    ona = store.reviewer("Ona")
    work = store.works(store.collection(gallery).id)[0]  # type: ignore[union-attr]
    say(store, ona, work, "awe")
    app = open_page("overview", review=gallery)
    app.button(key="export-make").click()
    healthy(app.run())
    if at_once == 1:
        (job,) = list_jobs(settings)
        until(lambda: not job.is_live)
        assert (job.state, job.code) == ("done", 0)
        assert job.progress.result == {"count": 6, "what": "rows", "left_out": 0}
        healthy(app.run())
    assert "6 rows." in words(app)
    table = (settings.home / "exports" / f"{gallery}-csv.csv").read_text("utf-8-sig")
    assert len(table.splitlines()) == 7
    assert "awe" in table


def test_reviewers_do_not_take_home(gallery: str, settings: Settings) -> None:
    store = open_store(settings)
    store.reviewer("Ona")
    store.reviewer("Jonas")
    app = open_page("overview", name="Jonas", review=gallery)
    assert not [item for item in app.button if item.key == "set-make"]
    assert HOSTILE not in words(app)


def test_shares_add_up_and_confusion_keeps_what_was_used() -> None:
    counts = {"<b>A</b>": {"awe": 3, "fear": 1}}
    bars = shares_by(counts, ["awe", "fear", "anger"], {"awe": "#112233"}, "works")
    assert re.findall(r"flex:(\S+) 0 0", bars) == ["0.7500", "0.2500"]
    assert "awe: 75\N{NO-BREAK SPACE}%, 3 works" in bars
    assert "anger" not in bars
    assert "&lt;b&gt;A&lt;/b&gt; (4)" in bars
    table = np.zeros((3, 3), np.int64)
    table[0, 2] = 4
    matrix = confusion(table, ["awe", "fear", "anger"], "Ona", "model").data[0]
    assert list(matrix.x) == ["awe", "anger"]
    assert np.asarray(matrix.z).tolist() == [[0, 4], [0, 0]]
    drawn = confusion_table(table, ["awe", "fear", "anger"], "Ona", "model")
    assert re.findall(r">(\d+)</td>", drawn) == ["0", "4", "0", "0"]
    assert "Ona: awe\nmodel: anger\n4 works" in drawn
    assert "fear" not in drawn
