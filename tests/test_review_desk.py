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

from emoviz.analysis.resampling import MetricEstimate
from emoviz.checkpoints import Checkpoint
from emoviz.data.reading import open_dataset
from emoviz.errors import StoreUnavailableError
from emoviz.inference.abstention import Abstention
from emoviz.inference.embedding import embed_collection
from emoviz.inference.predict import load_model
from emoviz.inference.stored import read_embeddings, write_embeddings
from emoviz.review import NewWork, Queue, Reviewer, ReviewStore, Work, open_store
from emoviz.review.agreement import visible
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


def said(*acts: dict[str, Any], at: int | None = None, queue: str = "") -> dict[str, Any]:
    return {"n": 1, "acts": list(acts), "at": at, "queue": queue}


def act(does: str, token: str, **values: Any) -> dict[str, Any]:
    return {"does": does, "token": token, **values}


def choice(work: int, token: str, *feelings: list[Any], kind: str = "choose") -> dict[str, Any]:
    return act("decide", token, work=work, kind=kind, feelings=list(feelings), note="", seconds=2.5)


def first(visit: desk_protocol.Visit, store: ReviewStore, queue: Queue, blind: bool = False) -> int:
    """The work that a desk shows, and says so."""
    found = desk_protocol.state(visit, store, queue, blind)
    visit.at = (found.at or found.ahead[0]).work.id
    return visit.at


def decided_works(store: ReviewStore, queue: Queue) -> list[tuple[int, str]]:
    return [(item.work, item.kind) for item in store.decisions(queue.collection)]


def test_a_press_that_arrives_twice_counts_once(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue)
    press = said(choice(work, "a", ["awe", 3], ["fear", 1]))
    for memory in (visit, visit, desk_protocol.Visit()):  # a rerun, and a server that forgot
        desk_protocol.hear(memory, press, store, queue, False)
        assert memory.answered == {"a": ""}
    (only,) = store.standing(queue.collection)
    assert [(item.emotion, item.strength) for item in only.feelings] == [("awe", 3), ("fear", 1)]
    assert (only.shown.estimate, only.shown.blind, only.shown.seconds) == (True, False, 2.5)
    assert only.shown.order == "number"
    assert desk_protocol.state(visit, store, queue, False).ahead[0].work.id != work


def test_acts_that_waited_land_on_their_works_in_order(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    one, two, three = (
        place.work.id for place in desk_protocol.state(visit, store, queue, False).ahead[:3]
    )
    acts = [
        choice(one, "a", ["awe", 2]),
        choice(two, "b", kind="none"),
        choice(three, "c", kind="skip"),
    ]
    desk_protocol.hear(visit, said(*acts[:1]), store, queue, False)
    desk_protocol.hear(visit, said(*acts), store, queue, False)  # more waited, the first too
    assert decided_works(store, queue) == [(one, "choose"), (two, "none"), (three, "skip")]
    assert visit.answered == dict.fromkeys("abc", "")


def test_what_the_store_cannot_take_now_waits_with_all_after_it(
    store: ReviewStore, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = desk_protocol.Visit()
    one, two = (place.work.id for place in store.upcoming(queue, 2))
    acts = said(choice(one, "a", kind="none"), choice(two, "b", kind="none"))
    with monkeypatch.context() as patched:

        def busy(*_: Any) -> None:
            raise StoreUnavailableError("The review store is locked.")

        patched.setattr(store.__class__, "decide", busy)
        desk_protocol.hear(visit, acts, store, queue, False)
        assert visit.answered == {}
        assert "tried again" in visit.message
    desk_protocol.hear(visit, acts, store, queue, False)
    assert visit.answered == {"a": "", "b": ""}
    assert visit.message == ""
    assert decided_works(store, queue) == [(one, "none"), (two, "none")]


def test_an_act_of_another_collection_is_stored_there(
    store: ReviewStore, queue: Queue, ona: Reviewer
) -> None:
    other, _ = furnish_review(store, new_works(3), "other")
    work = store.works(other.id)[1].id
    desk_protocol.hear(
        desk_protocol.Visit(), said(choice(work, "a", kind="agree")), store, queue, False
    )
    assert store.decisions(queue.collection) == []
    (only,) = store.decisions(other.id)
    assert (only.work, only.reviewer, only.kind) == (work, ona.id, "agree")


def test_an_act_of_somebody_else_waits_for_them(
    store: ReviewStore, queue: Queue, ona: Reviewer
) -> None:
    jonas = store.reviewer("Jonas")
    visit, work = desk_protocol.Visit(), store.upcoming(queue, 1)[0].work.id
    theirs = said({**choice(work, "a", kind="none"), "reviewer": jonas.id})
    desk_protocol.hear(visit, theirs, store, queue, False)
    assert visit.answered == {}
    assert store.decisions(queue.collection) == []
    desk_protocol.hear(visit, theirs, store, replace(queue, reviewer=jonas.id), False)
    assert [item.reviewer for item in store.decisions(queue.collection)] == [jonas.id]


def test_the_queue_goes_on_from_the_work_on_the_screen_and_comes_back(
    store: ReviewStore, queue: Queue
) -> None:
    works = [work.id for work in store.works(queue.collection)]
    visit = desk_protocol.Visit()
    visit.show(works[3])
    visit.turn_to("q")
    found = desk_protocol.state(visit, store, queue, False)
    assert [place.work.id for place in found.ahead] == works[3:] + works[:3]
    assert [place.work.id for place in found.around] == works
    desk_protocol.hear(
        visit, said(choice(works[3], "a", kind="none"), at=works[4], queue="q"), store, queue, False
    )
    found = desk_protocol.state(visit, store, queue, False)
    assert [place.work.id for place in found.ahead] == [*works[4:], *works[:3]]
    assert found.own[works[3]].kind == "none"
    visit.turn_to("another order")
    assert desk_protocol.state(visit, store, queue, False).at is None


def test_a_number_leads_to_its_work(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit(queue="q")
    desk_protocol.hear(
        visit, said(act("go", "a", number=5, queue="q"), act("go", "b", number=99, queue="q")),
        store, queue, False,
    )  # fmt: skip
    place = desk_protocol.state(visit, store, queue, False).at
    assert place is not None
    assert place.work.number == 4
    assert "99" in visit.answered["b"]
    desk_protocol.hear(visit, said(act("go", "c", number=1, queue="old")), store, queue, False)
    assert visit.go == (1, place.work.id)


def test_a_work_without_an_estimate_is_decided_in_an_order_by_estimates(
    store: ReviewStore, queue: Queue
) -> None:
    late = NewWork(key="late", title="Late", sha256="a" * 64)
    store.put_works(queue.collection, [*new_works(6), late])
    queue = replace(queue, order="uncertain")
    work = next(item for item in store.works(queue.collection) if item.key == "late")
    visit = desk_protocol.Visit()
    desk_protocol.hear(visit, said(choice(work.id, "a", ["awe", 2])), store, queue, False)
    assert decided_works(store, queue) == [(work.id, "choose")]


def test_blind_shows_the_estimate_only_after_the_decision(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue, True)
    before = desk_protocol.state(visit, store, queue, True)
    assert before.open == frozenset()
    assert before.revealed is None
    answer = choice(work, "a", ["awe", 2])
    answer |= {"heat": True, "near": True, "estimate": True}  # a browser may say anything
    desk_protocol.hear(visit, said(answer, at=work), store, queue, True)
    after = desk_protocol.state(visit, store, queue, True)
    assert after.at is not None
    assert after.at.work.id == work
    assert after.revealed is not None
    assert after.open == {work}
    shown = after.revealed.shown
    assert (shown.blind, shown.estimate, shown.heat_map, shown.neighbours) == (
        True,
        False,
        "",
        False,
    )
    later = after.ahead[0].work.id
    desk_protocol.hear(visit, said(at=later), store, queue, True)
    found = desk_protocol.state(visit, store, queue, True)
    assert found.revealed is None
    assert later not in found.open


def test_an_estimate_that_was_seen_before_the_switch_to_blind_is_told(
    store: ReviewStore, queue: Queue
) -> None:
    visit = desk_protocol.Visit()
    two = desk_protocol.state(visit, store, queue, False).ahead[1].work.id
    answer = choice(two, "a", ["awe", 2]) | {"estimate": True}
    desk_protocol.hear(visit, said(answer), store, queue, True)
    (only,) = store.decisions(queue.collection)
    assert not only.shown.blind
    assert only.shown.estimate


def test_a_correction_of_a_blind_decision_is_not_blind(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue, True)
    desk_protocol.hear(visit, said(choice(work, "a", ["awe", 2]), at=work), store, queue, True)
    desk_protocol.hear(visit, said(act("undo", "b", work=work)), store, queue, True)
    for memory in (visit, desk_protocol.Visit(at=work)):  # also after a reload
        assert work in desk_protocol.state(memory, store, queue, True).open
    desk_protocol.hear(visit, said(choice(work, "c", ["fear", 2])), store, queue, True)
    *_, last = store.history(work)
    assert not last.shown.blind
    assert last.shown.estimate
    assert [item.kind for item in store.history(work)] == ["choose", "retract", "choose"]


def test_undo_goes_back_work_by_work(store: ReviewStore, queue: Queue) -> None:
    visit = desk_protocol.Visit()
    works = [place.work.id for place in store.upcoming(queue, 3)]
    decided = [choice(work, f"d{work}", kind="none") for work in works]
    desk_protocol.hear(visit, said(*decided), store, queue, False)
    last = desk_protocol.state(visit, store, queue, False).last
    assert [item.work for item in last] == works[::-1]
    undone = [act("undo", f"u{work}", work=work) for work in works[::-1]]
    desk_protocol.hear(visit, said(*undone, act("undo", "z", work=works[0])), store, queue, False)
    assert "nothing left to undo" in visit.answered["z"]
    assert store.progress(queue).decided == 0


def test_undo_never_takes_back_another_decision(store: ReviewStore, queue: Queue) -> None:
    one, two = (place.work.id for place in store.upcoming(queue, 2))
    here, there = desk_protocol.Visit(), desk_protocol.Visit()
    desk_protocol.hear(here, said(choice(one, "a", kind="none")), store, queue, False)
    desk_protocol.hear(there, said(choice(two, "b", kind="none")), store, queue, False)
    desk_protocol.hear(here, said(act("undo", "c", work=one)), store, queue, False)
    assert "nothing was taken back" in here.answered["c"]
    assert [item.work for item in store.standing(queue.collection)] == [one, two]


@pytest.mark.parametrize(
    "nonsense",
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
    nonsense: dict[str, Any], store: ReviewStore, queue: Queue
) -> None:
    visit = desk_protocol.Visit()
    desk_protocol.hear(visit, said(nonsense), store, queue, False)
    assert visit.answered["t"].startswith("Not stored") or "no longer" in visit.answered["t"]
    assert store.decisions(queue.collection) == []


def test_an_artwork_that_is_removed_under_review_is_told(
    store: ReviewStore, queue: Queue, tmp_path: Path
) -> None:
    visit = desk_protocol.Visit()
    place = store.upcoming(queue, 1)[0]
    visit.at = place.work.id
    others = [work for work in new_works(6) if work.key != place.work.key]
    store.put_works(queue.collection, others)
    found = desk_protocol.state(visit, store, queue, False)
    assert (found.at, found.gone) == (None, place.work.id)
    desk_protocol.hear(visit, said(choice(place.work.id, "a", ["awe", 2])), store, queue, False)
    assert "no longer in the collection" in visit.answered["a"]
    assert store.decisions(queue.collection) == []
    assert first(visit, store, queue) != place.work.id


def test_a_collection_that_is_removed_under_review_is_told_and_keeps_its_decisions(
    store: ReviewStore, queue: Queue
) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue)
    desk_protocol.hear(visit, said(choice(work, "a", ["awe", 2])), store, queue, False)
    then = first(visit, store, queue)
    store.remove_collection(queue.collection)
    late = said(choice(then, "b", ["fear", 2]), choice(work, "c", ["awe", 3]))
    desk_protocol.hear(visit, late, store, queue, False)
    told = "This collection was removed meanwhile; what was decided before is kept."
    assert all(told in visit.answered[token] for token in "bc")
    assert decided_works(store, queue) == [(work, "choose")]


@pytest.mark.parametrize(
    "note",
    ["x" * 100_000, "\u05e9\u05dc\u05d5\u05dd \u202eabc", "<script>alert(1)</script>", "'\"; --"],
    ids=["long", "right to left", "script", "quotes"],
)
def test_a_note_is_stored_as_it_was_written(store: ReviewStore, queue: Queue, note: str) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue)
    desk_protocol.hear(
        visit, said(choice(work, "a", ["awe", 2]) | {"note": note}), store, queue, False
    )
    assert visit.answered == {"a": ""}
    assert store.own(queue.reviewer, [work])[work].note == note


def test_an_act_without_a_note_leaves_the_one_that_is_there(
    store: ReviewStore, queue: Queue
) -> None:
    visit = desk_protocol.Visit()
    work = first(visit, store, queue)
    noted = choice(work, "a", ["awe", 2]) | {"note": "kept"}
    unknown = choice(work, "b", kind="none")
    del unknown["note"]
    emptied = choice(work, "c", kind="none")
    for one, note in ((noted, "kept"), (unknown, "kept"), (emptied, "")):
        desk_protocol.hear(visit, said(one), store, queue, False)
        assert store.own(queue.reviewer, [work])[work].note == note


def test_a_note_that_is_too_long_is_told_and_nothing_is_cut(
    store: ReviewStore, queue: Queue
) -> None:
    visit = desk_protocol.Visit()
    act = choice(first(visit, store, queue), "a", ["awe", 2]) | {"note": "x" * 100_001}
    desk_protocol.hear(visit, said(act), store, queue, False)
    assert visit.answered == {"a": "Not stored: a note has at most 100,000 letters."}
    assert store.decisions(queue.collection) == []


def test_ten_thousand_works_are_a_short_filmstrip_that_leads_to_each(
    store: ReviewStore, ona: Reviewer
) -> None:
    collection = store.add_collection("many", "Many", "folder", "folder", {})
    store.put_works(collection.id, new_works(10_000))
    queue = Queue(collection.id, ona.id, "", "number")
    visit = desk_protocol.Visit()
    first(visit, store, queue)
    for number in (10_000, 5_000, 1):
        desk_protocol.hear(
            visit, said(act("go", f"t{number}", number=number, queue="")), store, queue, False
        )
        found = desk_protocol.state(visit, store, queue, False)
        assert found.at is not None
        assert found.at.work.number == number - 1
        assert len(found.around) <= desk_protocol.BEFORE + 1 + desk_protocol.AFTER


def test_a_viewer_cannot_decide(store: ReviewStore, queue: Queue, ona: Reviewer) -> None:
    guest = store.reviewer("Guest")
    store.set_role(guest.id, "viewer", by=ona.id)
    theirs, visit = replace(queue, reviewer=guest.id), desk_protocol.Visit()
    desk_protocol.hear(
        visit, said(choice(first(visit, store, theirs), "a", kind="none")), store, theirs, False
    )
    assert "Guest" in visit.answered["a"]
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
    assert len(visible(rows, ona)) == 3  # manages
    assert {(row.work, row.reviewer) for row in visible(rows, jonas)} == {
        (two.id, ona.id),
        (two.id, jonas.id),
    }
    store.set_role(jonas.id, "viewer", by=ona.id)
    assert visible(rows, next(p for p in store.reviewers() if p.id == jonas.id)) == []


def test_hostile_titles_stay_text(store: ReviewStore, queue: Queue) -> None:
    place = store.upcoming(queue, 1)[0]
    work = replace(place.work, title="<script>alert(1)</script>\u202egpj.exe")
    assert place.estimate is not None
    assert "<script" not in desk_text.estimate_html(work, place.estimate)
    assert "\u202e" not in desk_text.title_of(work)


def test_below_the_threshold_of_the_checkpoint_the_desk_says_not_sure(
    store: ReviewStore, queue: Queue
) -> None:
    place = store.upcoming(queue, 1)[0]
    assert place.estimate is not None
    most = max(place.estimate.probabilities.values())
    for threshold, expected in ((most + 1e-6, True), (most, False)):
        shown = desk_text.estimate_html(place.work, place.estimate, Abstention(threshold))
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
    told = agreement.in_words(MetricEstimate(kappa, None, None, works))
    assert words in told
    assert "lightly" not in told
    assert "lightly" in agreement.in_words(MetricEstimate(kappa, None, None, 3))


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
    tiles = alike._in_feeling(work, table)
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
