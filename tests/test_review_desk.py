"""What the desk does with what the browser says: stored once, hidden where it must be, undone."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reviews import furnish_review, new_works, say, with_files

from emoviz.checkpoints import Checkpoint
from emoviz.data.reading import open_dataset
from emoviz.inference.abstention import Abstention
from emoviz.inference.embedding import embed_collection
from emoviz.inference.predict import load_model
from emoviz.inference.stored import read_embeddings, write_embeddings
from emoviz.review import Queue, Reviewer, ReviewStore, Work, open_store
from emoviz.settings import Settings
from emoviz.ui.explorer.points import Points
from emoviz.ui.review import agreement, alike, desk_protocol, desk_text
from emoviz.ui.review.desk import packed

Make = Callable[..., bytes]


@pytest.fixture
def store(settings: Settings) -> ReviewStore:
    return open_store(settings)


@pytest.fixture
def ona(store: ReviewStore) -> Reviewer:
    return store.reviewer("Ona")


@pytest.fixture
def queue(store: ReviewStore, ona: Reviewer, tmp_path: Path, picture: Make) -> Queue:
    works = with_files(new_works(6), tmp_path / "images", picture)
    collection, known = furnish_review(store, works)
    return Queue(collection.id, ona.id, known.fingerprint, "number")


def said(does: str, token: str, **values: Any) -> dict[str, Any]:
    return {"n": 1, "act": {"does": does, "token": token, **values}}


def choice(work: int, token: str, *feelings: list[Any], kind: str = "choose") -> dict[str, Any]:
    return said(
        "decide", token, work=work, kind=kind, feelings=list(feelings), note="", seconds=2.5
    )


def first(visit: desk_protocol.Visit, store: ReviewStore, queue: Queue, blind: bool = False) -> int:
    return desk_protocol.standing(visit, store, queue, blind).places[0].work.id


def test_a_press_that_arrives_twice_counts_once(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue)
    for memory in (visit, visit, desk_protocol.Visit()):  # a rerun, and a server that forgot
        desk_protocol.hear(memory, choice(work, "a", ["awe", 3], ["fear", 1]), store, queue, False)
    (only,) = store.standing(queue.collection)
    assert [(item.emotion, item.strength) for item in only.feelings] == [("awe", 3), ("fear", 1)]
    assert (only.shown.estimate, only.shown.blind, only.shown.seconds) == (True, False, 2.5)
    assert only.shown.order == "number"
    assert first(visit, store, queue) != work


def test_blind_shows_the_estimate_only_after_the_decision(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    before = desk_protocol.standing(visit, store, queue, True)
    assert before.hidden
    assert before.revealed is None
    work = before.places[0].work.id
    answer = choice(work, "a", ["awe", 2])
    answer["act"] |= {"heat": True, "near": True, "estimate": True}  # a browser may say anything
    desk_protocol.hear(visit, answer, store, queue, True)
    after = desk_protocol.standing(visit, store, queue, True)
    assert after.places[0].work.id == work
    assert after.revealed is not None
    assert not after.hidden
    shown = after.revealed.shown
    assert (shown.blind, shown.estimate, shown.heat_map, shown.neighbours) == (
        True,
        False,
        "",
        False,
    )
    desk_protocol.hear(visit, said("next", "b"), store, queue, True)
    later = desk_protocol.standing(visit, store, queue, True)
    assert later.places[0].work.id != work
    assert later.hidden


def test_a_correction_of_a_blind_decision_is_not_blind(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue, True)
    desk_protocol.hear(visit, choice(work, "a", ["awe", 2]), store, queue, True)
    desk_protocol.hear(visit, said("undo", "b"), store, queue, True)
    for memory in (visit, desk_protocol.Visit(focus=work)):  # also after a reload
        again = desk_protocol.standing(memory, store, queue, True)
        assert again.places[0].work.id == work
        assert not again.hidden
    desk_protocol.hear(visit, choice(work, "c", ["fear", 2]), store, queue, True)
    *_, last = store.history(work)
    assert not last.shown.blind
    assert last.shown.estimate
    assert [item.kind for item in store.history(work)] == ["choose", "retract", "choose"]


def test_undo_goes_back_work_by_work(store: ReviewStore, queue: Queue) -> None:
    visit, works = desk_protocol.Visit(), []
    for token in "abc":
        works.append(first(visit, store, queue))
        desk_protocol.hear(visit, choice(works[-1], token, kind="none"), store, queue, False)
    for token, work in zip("xyz", reversed(works), strict=True):
        desk_protocol.hear(visit, said("undo", token), store, queue, False)
        assert first(visit, store, queue) == work
    desk_protocol.hear(visit, said("undo", "w"), store, queue, False)
    assert "nothing left to undo" in visit.message
    assert store.progress(queue).decided == 0


@pytest.mark.parametrize(
    "act",
    [
        {"does": "decide", "token": "t"},
        {"does": "decide", "token": "t", "work": "x", "kind": "none", "feelings": []},
        {"does": "decide", "token": "t", "work": 1, "kind": "bribe", "feelings": []},
        {"does": "decide", "token": "t", "work": 1, "kind": "choose", "feelings": [["awe", 9]]},
        {"does": "decide", "token": "t", "work": 1, "kind": "choose", "feelings": []},
        {"does": "drop tables", "token": "t"},
        {"does": "decide", "token": "t", "work": 10**12, "kind": "none", "feelings": []},
    ],
)
def test_nonsense_from_a_browser_is_refused(
    act: dict[str, Any], store: ReviewStore, queue: Queue
) -> None:
    visit = desk_protocol.Visit()
    desk_protocol.hear(visit, {"act": act}, store, queue, False)
    assert visit.message
    assert visit.answered == "t"
    assert store.decisions(queue.collection) == []


def test_an_artwork_that_is_removed_under_review_is_told(
    store: ReviewStore, queue: Queue, tmp_path: Path
) -> None:
    visit = desk_protocol.Visit()
    place = desk_protocol.standing(visit, store, queue, False).places[0]
    others = [work for work in new_works(6) if work.key != place.work.key]
    store.put_works(queue.collection, others)
    desk_protocol.hear(visit, choice(place.work.id, "a", ["awe", 2]), store, queue, False)
    assert "no longer in the collection" in visit.message
    assert store.decisions(queue.collection) == []
    assert first(visit, store, queue) != place.work.id


def test_a_viewer_cannot_decide(store: ReviewStore, queue: Queue, ona: Reviewer) -> None:
    guest = store.reviewer("Guest")
    store.set_role(guest.id, "viewer", by=ona.id)
    theirs, visit = replace(queue, reviewer=guest.id), desk_protocol.Visit()
    desk_protocol.hear(
        visit, choice(first(visit, store, theirs), "a", kind="none"), store, theirs, False
    )
    assert "Guest" in visit.message
    assert store.decisions(queue.collection) == []


def test_reviewers_see_others_only_where_they_decided(
    store: ReviewStore, queue: Queue, ona: Reviewer
) -> None:
    jonas = store.reviewer("Jonas")
    one, two, *_ = store.works(queue.collection)
    say(store, ona, one, "awe")
    say(store, ona, two, "fear")
    say(store, jonas, two, "sadness")
    rows = store.standing(queue.collection)
    assert len(agreement.visible(rows, ona)) == 3  # manages
    assert {(row.work, row.reviewer) for row in agreement.visible(rows, jonas)} == {
        (two.id, ona.id),
        (two.id, jonas.id),
    }
    store.set_role(jonas.id, "viewer", by=ona.id)
    assert agreement.visible(rows, next(p for p in store.reviewers() if p.id == jonas.id)) == []


def test_hostile_titles_stay_text(store: ReviewStore, queue: Queue) -> None:
    place = store.upcoming(queue, 1)[0]
    work = replace(place.work, title="<script>alert(1)</script>\u202egpj.exe")
    assert place.estimate is not None
    assert "<script" not in desk_text.estimate_html(work, place.estimate, "<b>rule</b>")
    assert "<b>" not in desk_text.estimate_html(work, place.estimate, "<b>rule</b>")
    assert "\u202e" not in desk_text.title_of(work)


def test_below_the_threshold_of_the_checkpoint_the_desk_says_not_sure(
    store: ReviewStore, queue: Queue
) -> None:
    place = store.upcoming(queue, 1)[0]
    assert place.estimate is not None
    most = max(place.estimate.probabilities.values())
    for threshold, expected in ((most + 1e-6, True), (most, False)):
        shown = desk_text.estimate_html(place.work, place.estimate, "", Abstention(threshold))
        assert ("Not sure enough" in shown) == expected
    assert "Not sure enough" not in desk_text.estimate_html(place.work, place.estimate)


def test_every_emotion_has_a_key_of_its_own() -> None:
    from emoviz.labels import WIKIART20

    keys = [item["key"] for item in desk_text.emotions_of(WIKIART20)]
    assert len(set(keys)) == len(keys) == 20
    assert not set("ANSKMUHLWZRC") & set(keys)


def test_a_message_is_a_header_and_its_pictures() -> None:
    data = packed({"works": ["ž"]}, {"one": b"\xff\xd8a", "two": b"bc"})
    length = struct.unpack("<I", data[:4])[0]
    header = json.loads(data[4 : 4 + length])
    rest = data[4 + length :]
    cut = {row["name"]: rest[row["from"] : row["to"]] for row in header["pictures"]}
    assert cut == {"one": b"\xff\xd8a", "two": b"bc"}
    assert header["works"] == ["ž"]


@pytest.mark.parametrize(
    ("kappa", "works", "words"),
    [(0.85, 50, "very good"), (0.7, 50, "careful"), (0.0, 50, "guessed"), (-0.4, 50, "worse")],
)
def test_coefficients_have_words(kappa: float, works: int, words: str) -> None:
    assert words in agreement.in_words(kappa, works)
    assert "lightly" in agreement.in_words(kappa, 3)


def test_alike_in_feeling_and_in_style_are_the_nearest(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path, picture: Make
) -> None:
    from emoviz.inference.explainer import load_explainer
    from emoviz.inference.style import kept_grams, observe_collection

    folder = tmp_path / "paintings"
    folder.mkdir()
    for n in range(12):
        (folder / f"{n}.jpg").write_bytes(picture(seed=n))
    collection = open_dataset(folder, settings)
    found = embed_collection(load_model(tiny_checkpoint, settings), collection, settings)
    path = tmp_path / "table.parquet"
    write_embeddings(path, found.parts(settings))
    observe_collection(
        load_explainer(tiny_checkpoint, settings), collection, found.hashes, settings
    )
    points = Points.from_table(read_embeddings(path), "")
    work = Work(1, 1, 0, "0", sha256=points.sha256[3])

    u = [np.linalg.norm(points.vectors[i] - points.vectors[3]) for i in range(12)]
    table = alike._Table(path, path.stat().st_mtime_ns, str(folder))
    tiles = alike._in_feeling(work, table)["tiles"]
    assert [tile["sha256"] for tile in tiles] == [
        points.sha256[i] for i in sorted(range(12), key=lambda i: u[i])[1:9]
    ]
    grams = {
        name: [layer[row] for layer in layers]
        for names, layers in kept_grams(tiny_checkpoint, points.sha256, settings)
        for row, name in enumerate(names)
    }
    own = grams[work.sha256]

    def apart(sha256: str) -> float:
        pairs = zip(own, grams[sha256], strict=True)
        return float(
            np.mean([np.linalg.norm(a - b) / np.sqrt((a @ a) + (b @ b)) for a, b in pairs])
        )

    near = alike._nearest_style(work, points, tiny_checkpoint, settings)
    assert [tile["sha256"] for tile in near] == sorted(grams, key=apart)[1:9]
    unread = replace(work, sha256="0" * 64)
    assert alike._nearest_style(unread, points, tiny_checkpoint, settings) == []
