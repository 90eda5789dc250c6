"""The review store on SQLite and on PostgreSQL: facts, what stands, queues against slow sorting."""

import math
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from reviews import FINGERPRINT, furnish_review, guesses, new_works, say
from sqlalchemy import text

from emoviz.errors import NotAllowedError, ReviewError
from emoviz.labels import MIKELS8
from emoviz.review import database, schema
from emoviz.review.agreement import most_divided
from emoviz.review.database import HEAD, Database, open_database
from emoviz.review.deciding import standing_rows
from emoviz.review.model import (
    ORDERS,
    ArtworkFilters,
    Draft,
    NewWork,
    Order,
    Queue,
    Share,
    ShownWork,
    StoredPrediction,
    Work,
)
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import Settings

# People ----------------------------------------------------------------------------------------


def test_the_first_person_manages_and_names_are_one_whatever_their_capitals(
    store: ReviewStore,
) -> None:
    ona, jonas = store.reviewer("Ona"), store.reviewer(" jonas ")
    assert (ona.role, jonas.role) == ("manager", "reviewer")
    assert store.reviewer("ONA") == ona
    assert [person.name for person in store.reviewers()] == ["jonas", "Ona"]
    with pytest.raises(ReviewError, match="empty"):
        store.reviewer(" \x00".replace("\x00", ""))


def test_a_login_cannot_be_taken_by_typing_its_name(store: ReviewStore) -> None:
    store.reviewer("Ona")
    login = store.login("https://id.example|7", "Ona")
    assert login.name == "Ona (2)"
    assert store.login("https://id.example|7", "renamed") == login
    with pytest.raises(NotAllowedError, match="logs in"):
        store.reviewer("ona (2)")


def test_roles_are_handed_out_by_managers_and_one_remains(store: ReviewStore) -> None:
    ona, jonas = store.reviewer("Ona"), store.reviewer("Jonas")
    with pytest.raises(NotAllowedError):
        store.set_role(jonas.id, "manager", by=jonas.id)
    with pytest.raises(NotAllowedError, match="Nobody could manage"):
        store.set_role(ona.id, "viewer", by=ona.id)
    assert store.set_role(jonas.id, "viewer", by=ona.id).role == "viewer"
    collection, _ = furnish_review(store, new_works(1))
    with pytest.raises(NotAllowedError, match="look but not decide"):
        say(store, replace(jonas), store.works(collection.id)[0], "awe")
    assert store.decisions(collection.id) == []


# Works and estimates ---------------------------------------------------------------------------


def test_works_keep_their_ids_and_decisions_when_they_come_again(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(4))
    before = {work.key: work.id for work in store.works(collection.id)}
    ona = store.reviewer("Ona")
    say(store, ona, before["work 1"], "awe")
    again = [replace(work, title=f"New {work.key}") for work in reversed(new_works(4)[1:])]
    store.put_works(collection.id, [*again, NewWork("new", error="there is no such file")])
    works = store.works(collection.id)
    assert [work.key for work in works] == ["work 3", "work 2", "work 1", "new"]
    assert [work.number for work in works] == [0, 1, 2, 3]
    assert {work.key: work.id for work in works}.items() >= {("work 1", before["work 1"])}
    assert works[0].title == "New work 3"
    assert (works[3].state, works[3].error) == ("failed", "there is no such file")
    assert [work.key for work in store.works(collection.id, removed=True)].count("work 0") == 1
    assert [item.work for item in store.standing(collection.id)] == [before["work 1"]]
    counts = store.counts(collection.id)
    assert (counts.works, counts.ready, counts.failed, counts.decided) == (4, 3, 1, 1)


def test_texts_that_no_database_takes_are_marked(store: ReviewStore) -> None:
    collection = store.add_collection("odd", "O\x00dd", "", "folder", {"a": ["\u2603"]})
    assert collection.title == "O\ufffddd"
    name = os.fsdecode(b"/x/\xff.jpg")
    given = NewWork("k\x00", title="<script>\ud800", file=name, sha256="a", metadata={"a\x00": "="})
    store.put_works(collection.id, [given])
    (work,) = store.works(collection.id)
    assert work.title.startswith("<script>")
    assert work.metadata == {"a\ufffd": "="}
    assert (work.state, work.file) == ("failed", "")
    assert "rename" in work.error


def test_estimates_are_kept_to_the_last_bit_and_shared_by_works_of_one_image(
    store: ReviewStore,
) -> None:
    works = new_works(3)
    works[2] = replace(works[2], sha256=works[0].sha256)
    collection, known = furnish_review(store, works)
    given = guesses(store.works(collection.id)[:2])
    store.put_estimates(collection.id, "tiny", FINGERPRINT, "0.1.0", MIKELS8, "t.parquet", given)
    (known,) = store.estimate_sets(collection.id)
    found = store.estimates(known)
    assert (known.count, known.table, known.taxonomy) == (3, "t.parquet", MIKELS8)
    expected = [given[0], given[1], given[0]]
    for estimate, new in zip(found, expected, strict=True):
        assert tuple(estimate.probabilities.values()) == new.probabilities
        assert estimate.novelty == new.novelty
        entropy = -sum(p * math.log(p) for p in new.probabilities) / math.log(8)
        assert estimate.uncertainty == pytest.approx(entropy)
        ranked = sorted(MIKELS8.names, key=lambda name: -estimate.probabilities[name])
        assert (estimate.first, estimate.second) == tuple(ranked[:2])
        signs = {MIKELS8.sentiment_of(name) for name in ranked[:2]}
        assert estimate.opposite == (len(signs) == 2)


# Decisions -------------------------------------------------------------------------------------


def test_a_key_press_that_is_sent_twice_counts_once(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(2))
    one, two = store.works(collection.id)
    ona = store.reviewer("Ona")
    first = say(store, ona, one, ("awe", 3), "fear", note="stormy", token="t1")
    assert say(store, ona, one, "anger", token="t1") == first
    assert store.decisions(collection.id) == [first]
    with pytest.raises(ReviewError, match="another artwork"):
        say(store, ona, two, "awe", token="t1")
    assert [(f.emotion, f.strength) for f in first.feelings] == [("awe", 3), ("fear", 2)]
    assert (first.sha256, first.checkpoint, first.note) == (one.sha256, "tiny", "stormy")


def test_corrections_and_undo_are_new_facts(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(2))
    one, two = store.works(collection.id)
    ona = store.reviewer("Ona")
    first = say(store, ona, one, "awe")
    second = say(store, ona, two, kind="skip")
    third = say(store, ona, one, "fear")
    assert third.replaces == first.id

    def stands() -> list[int]:
        return sorted(item.id for item in store.standing(collection.id))

    assert stands() == [second.id, third.id]
    for token, expected in (("u1", [first.id, second.id]), ("u2", [first.id]), ("u3", [])):
        taken = store.undo(collection.id, ona.id, token)
        assert taken is not None
        assert store.undo(collection.id, ona.id, token) == taken
        assert stands() == expected
    assert store.undo(collection.id, ona.id, "u4") is None
    kinds = [item.kind for item in store.decisions(collection.id)]
    assert kinds == ["choose", "skip", "choose", "retract", "retract", "retract"]
    store.rebuild_standing(collection.id)
    assert stands() == []


def test_what_stands_is_what_a_stack_of_each_person_and_work_says(store: ReviewStore) -> None:
    rng = random.Random(4)
    collection, _ = furnish_review(store, new_works(3))
    works = store.works(collection.id)
    people = [store.reviewer(name) for name in ("Ona", "Jonas")]
    stacks: dict[tuple[int, int], list[int]] = {}
    for step in range(80):
        who = rng.choice(people)
        if rng.random() < 0.4:
            taken = store.undo(collection.id, who.id, f"t{step}")
            tops = {stack[-1]: key for key, stack in stacks.items() if stack and key[1] == who.id}
            if tops:
                assert taken is not None
                assert taken.replaces == max(tops)
                stacks[tops[max(tops)]].pop()
            else:
                assert taken is None
        else:
            made = say(store, who, rng.choice(works), "awe", token=f"t{step}")
            stacks.setdefault((made.work, who.id), []).append(made.id)
    expected = sorted(stack[-1] for stack in stacks.values() if stack)
    assert sorted(item.id for item in store.standing(collection.id)) == expected
    with store.read() as found:
        facts = found.execute(schema.decisions.select().order_by("id")).mappings().all()
    assert sorted(row["decision"] for row in standing_rows(facts).values()) == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "agree", "fingerprint": ""}, "no estimate to agree with"),
        ({"kind": "choose"}, "No emotion was chosen"),
        ({"kind": "retract"}, "no decision"),
        ({"token": ""}, "token"),
        ({"reviewer": 999}, "no reviewer"),
        ({"work": 999}, "taken out"),
    ],
)
def test_decisions_that_make_no_sense_are_not_stored(
    store: ReviewStore, change: dict[str, object], reason: str
) -> None:
    collection, _ = furnish_review(store, new_works(1))
    (work,) = store.works(collection.id)
    ona = store.reviewer("Ona")
    draft = Draft(work.id, ona.id, "none", "t", fingerprint=FINGERPRINT)
    with pytest.raises(ReviewError, match=reason):
        store.decide(replace(draft, **change))  # type: ignore[arg-type]
    assert store.decisions(collection.id) == []


def test_to_agree_is_to_choose_what_the_model_found_most_probable(store: ReviewStore) -> None:
    collection, known = furnish_review(store, new_works(1))
    (work,), (estimate,) = store.works(collection.id), store.estimates(known)
    made = say(store, store.reviewer("Ona"), work, kind="agree")
    assert [item.emotion for item in made.feelings] == [estimate.first]


def test_a_work_removed_under_review_is_told_and_its_decisions_stay(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(2))
    one, two = store.works(collection.id)
    ona = store.reviewer("Ona")
    say(store, ona, one, "awe")
    store.put_works(collection.id, new_works(2)[1:])
    with pytest.raises(ReviewError, match="taken out of the collection"):
        say(store, ona, one, "fear", token="late")
    assert store.standing(collection.id) == []
    assert len(store.decisions(collection.id)) == 1
    store.put_works(collection.id, new_works(2))
    assert [item.work for item in store.standing(collection.id)] == [one.id]
    assert two.id in {work.id for work in store.works(collection.id)}


def test_two_people_on_one_work_at_once_both_count(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(1))
    (work,) = store.works(collection.id)
    people = [store.reviewer(f"Person {n}") for n in range(4)]
    threads = [
        threading.Thread(target=lambda who=who: say(store, who, work, "awe", token=f"t{who.id}"))
        for who in people
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    standing = store.standing(collection.id)
    assert {item.reviewer for item in standing} == {person.id for person in people}
    assert all(item.replaces is None for item in standing)


# The queue -------------------------------------------------------------------------------------


def slowly(
    works: list[Work], estimates: dict[int, StoredPrediction], order: str, open_: set[int]
) -> list[str]:
    """The keys in order, by sorting what the facts say."""

    def value(work: Work) -> float | str:
        estimate = estimates[work.id]
        first, second = (
            estimate.probabilities[estimate.first],
            estimate.probabilities[estimate.second],
        )
        return {
            "uncertain": -estimate.uncertainty,
            "opposite": -((1 if estimate.opposite else 0) + 1 - (first - second)),
            "unlike": -(-1.0 if estimate.novelty is None else estimate.novelty),
            "style": work.style,
            "artist": work.artist,
            "number": 0.0,
        }[order]

    wanted = [work for work in works if work.id in open_]
    return [work.key for work in sorted(wanted, key=lambda work: (value(work), work.number))]


def walked(store: ReviewStore, queue: Queue, step: int = 1) -> list[str]:
    """The keys as a reviewer meets them, always going on from the last."""
    keys, after = [], None
    while places := store.upcoming(queue, step, after):
        keys += [place.work.key for place in places]
        after = places[-1].mark
        assert len(keys) < 1000
    return keys


@pytest.mark.parametrize("order", ["uncertain", "opposite", "unlike", "style", "artist", "number"])
def test_queues_are_in_the_order_of_a_slow_sort(store: ReviewStore, order: str) -> None:
    collection, known = furnish_review(store, new_works(23))
    works = store.works(collection.id)
    estimates = {item.work: item for item in store.estimates(known)}
    ona = store.reviewer("Ona")
    queue = Queue(collection.id, ona.id, FINGERPRINT, order)  # type: ignore[arg-type]
    open_ = {work.id for work in works}
    assert walked(store, queue, 4) == slowly(works, estimates, order, open_)
    for work in works[3:20:2]:
        say(store, ona, work, kind="skip" if work.number % 4 == 1 else "none")
        open_.remove(work.id)
    assert walked(store, queue) == slowly(works, estimates, order, open_)
    place = store.upcoming(queue)[0]
    assert place.estimate == estimates[place.work.id]
    progress = store.progress(queue)
    assert (progress.works, progress.open) == (23, len(open_))
    skipped = Queue(
        collection.id, ona.id, FINGERPRINT, "number", filters=ArtworkFilters(stage="skipped")
    )
    assert walked(store, skipped) == [w.key for w in works[3:20:2] if w.number % 4 == 1]


def test_an_undone_work_is_met_again(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(5))
    ona = store.reviewer("Ona")
    queue = Queue(collection.id, ona.id, FINGERPRINT, "uncertain")
    first = store.upcoming(queue, 1)[0].work
    say(store, ona, first, "awe")
    assert store.upcoming(queue, 1)[0].work != first
    store.undo(collection.id, ona.id, "u")
    assert store.upcoming(queue, 1)[0].work == first


def test_a_restarted_queue_goes_on_where_it_was_left_and_ends_with_what_was_left_behind(
    store: ReviewStore,
) -> None:
    collection, _ = furnish_review(store, new_works(9))
    ona = store.reviewer("Ona")
    for order in ("uncertain", "artist", "random", "number"):
        queue = Queue(collection.id, ona.id, FINGERPRINT, order, 5)  # type: ignore[arg-type]
        store.database.frontiers.clear()
        before = store.upcoming(queue, 9)
        for place in (before[1], before[3]):  # the first and the third are left behind
            shown = ShownWork(order=order)
            token = f"{order}-{place.work.id}"
            store.decide(Draft(place.work.id, ona.id, "none", token, (), "", FINGERPRINT, shown))
        store.database.frontiers.clear()  # as in a process that has just begun
        after = [place.work.id for place in store.upcoming(queue, 5)]
        assert after == [place.work.id for place in before[4:]]
        every = {place.work.id for place in store.upcoming(queue, 9)}
        assert every == {before[n].work.id for n in (0, 2, 4, 5, 6, 7, 8)}
        with_filter = replace(queue, filters=ArtworkFilters(years=(1600, 1700)))
        assert store.upcoming(with_filter, 1)[0].work == before[0].work
        for number in ("a", "b"):
            store.undo(collection.id, ona.id, f"{order}-{number}")


def test_random_queues_hold_every_work_once_and_differ_by_seed(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(40))
    ona = store.reviewer("Ona")
    orders = []
    for seed in (0, 1, 2):
        queue = Queue(collection.id, ona.id, FINGERPRINT, "random", seed)
        orders.append(walked(store, queue, 7))
        assert walked(store, queue, 3) == orders[-1]
    keys = [f"work {n}" for n in range(40)]
    assert all(sorted(order) == sorted(keys) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert keys not in orders


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (ArtworkFilters(artist="Artist 1"), lambda work, e: work.artist == "Artist 1"),
        (ArtworkFilters(style="Cubism"), lambda work, e: work.style == "Cubism"),
        (ArtworkFilters(text="ROOM 3"), lambda work, e: work.number % 5 == 3),
        (ArtworkFilters(text="100%"), lambda work, e: False),
        (ArtworkFilters(emotion="awe"), lambda work, e: e.first == "awe"),
        (ArtworkFilters(opposite=True), lambda work, e: e.opposite),
        (ArtworkFilters(unlike=True), lambda work, e: (e.novelty or 0) > 1),
        (ArtworkFilters(years=(1605, 1610)), lambda work, e: 1605 <= work.year <= 1610),
        (ArtworkFilters(decided=True), lambda work, e: work.number in (2, 3)),
        (ArtworkFilters(decided=False), lambda work, e: work.number not in (2, 3)),
    ],
)
def test_filters_hold_what_they_say(
    store: ReviewStore, filters: ArtworkFilters, fits: object
) -> None:
    collection, known = furnish_review(store, new_works(20))
    works = store.works(collection.id)
    estimates = {item.work: item for item in store.estimates(known)}
    other, ona = store.reviewer("Other"), store.reviewer("Ona")
    say(store, other, works[2], "awe")
    say(store, other, works[3], "none of ours")
    say(store, other, works[4], kind="skip")
    expected = [work.key for work in works if fits(work, estimates[work.id])]  # type: ignore[operator]
    queue = Queue(collection.id, ona.id, FINGERPRINT, "number", filters=filters)
    assert walked(store, queue) == expected
    assert store.matching(queue) == len(expected)
    assert [place.work.key for place in store.listed(queue, 100)] == expected


@pytest.mark.parametrize("way", ["index", "many", "none"])
@pytest.mark.parametrize("words", ["Title 1", "itle 19", "19", 'a "quoted" title', "oom_2", "t\nu"])
def test_a_text_is_found_whichever_way_it_is_looked_for(
    store: ReviewStore, way: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the index, past its most hits, and without one; held against a plain search."""
    monkeypatch.setattr(store.database, "has_trigrams", way != "none")
    if way == "many":
        monkeypatch.setattr("emoviz.review.queueing._MOST_HITS", 2)
    given = [*new_works(20), NewWork("q", title='A "quoted" title; room_2', sha256="0" * 64)]
    collection, _ = furnish_review(store, given)
    furnish_review(store, new_works(20), "another")
    ona = store.reviewer("Ona")
    expected = [
        work.key
        for work in given
        if any(
            words.casefold() in text.casefold()
            for text in (work.key, work.title, work.artist, work.style, *work.metadata.values())
        )
    ]
    for order in ("number", "uncertain"):
        filters = ArtworkFilters(text=words)
        queue = Queue(collection.id, ona.id, FINGERPRINT, order, filters=filters)  # type: ignore[arg-type]
        assert sorted(walked(store, queue)) == sorted(expected)
        assert store.matching(queue) == len(expected)


def test_the_index_of_words_keeps_in_step_with_the_works(store: ReviewStore) -> None:
    assert store.database.has_trigrams
    collection, _ = furnish_review(store, new_works(6))
    store.put_works(collection.id, [replace(w, title=f"Wave {w.key}") for w in new_works(3)])
    ona = store.reviewer("Ona")

    def found(words: str) -> list[str]:
        filters = ArtworkFilters(text=words)
        return walked(store, Queue(collection.id, ona.id, order="number", filters=filters))

    assert found("wave") == ["work 0", "work 1", "work 2"]
    assert found("title") == []


@pytest.mark.parametrize("hindered", [False, True])
def test_a_store_of_before_gets_its_index_or_goes_on_without(
    store: ReviewStore, hindered: bool
) -> None:
    """As version 0001 left it; `hindered` where the database lets nobody make the index."""
    collection, _ = furnish_review(store, new_works(6))
    ona, sqlite = store.reviewer("Ona"), store.database.is_sqlite
    with store.write() as made:
        if sqlite:
            for name in ("added", "gone", "changed"):
                made.execute(text(f"DROP TRIGGER works_search_{name}"))
            made.execute(text("DROP TABLE works_search"))
        else:
            made.execute(text("DROP INDEX works_search"))
        if hindered:  # a name that is taken
            kind = "TRIGGER works_search_gone AFTER DELETE ON works BEGIN SELECT 1; END"
            view = "VIEW works_search AS SELECT 1 AS one"
            made.execute(text(f"CREATE {kind if sqlite else view}"))
        made.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    again = ReviewStore(Database(store.engine.url.render_as_string(hide_password=False)))
    try:
        assert again.database.has_trigrams is not hindered
        queue = Queue(collection.id, ona.id, order="number", filters=ArtworkFilters(text="title 4"))
        assert walked(again, queue) == ["work 4"]
    finally:
        again.engine.dispose()
        if hindered and not sqlite:
            with store.write() as made:
                made.execute(text("DROP VIEW works_search"))


def test_what_is_kept_of_a_collection_ends_when_another_process_changes_it(
    store: ReviewStore,
) -> None:
    collection, _ = furnish_review(store, new_works(6))
    ona = store.reviewer("Ona")
    queue = Queue(collection.id, ona.id, order="number", filters=ArtworkFilters(stage="any"))

    def seen() -> tuple[int, int, int, int]:
        works, styles = store.counts(collection.id).works, store.values(collection.id, "style")
        return works, sum(n for _, n in styles), store.progress(queue).works, store.matching(queue)

    assert seen() == seen() == (6, 6, 6, 6)
    other = ReviewStore(Database(store.engine.url.render_as_string(hide_password=False)))
    other.put_works(collection.id, new_works(9))
    other.engine.dispose()
    assert seen() == (9, 9, 9, 9)


def test_what_the_model_says_is_counted_by_every_column(store: ReviewStore) -> None:
    collection, known = furnish_review(store, new_works(30))
    works = store.works(collection.id)
    said = {item.work: item.first for item in store.estimates(known)}
    for column in ("artist", "style", "year"):
        slow: dict[tuple[str, str], int] = {}
        for work in works:
            place = (str(getattr(work, column)), said[work.id])
            slow[place] = slow.get(place, 0) + 1
        fast = {(value, first): n for value, first, n in store.model_counts(known, column)}
        assert fast == slow
    assert store.model_counts(known, "label") == []
    with pytest.raises(ReviewError, match="no 'colour'"):
        store.model_counts(known, "colour")


def test_works_and_estimates_of_what_was_decided_alone(store: ReviewStore) -> None:
    collection, known = furnish_review(store, new_works(10))
    works = store.works(collection.id)
    ona, jonas = store.reviewer("Ona"), store.reviewer("Jonas")
    say(store, ona, works[7], "awe")
    say(store, jonas, works[7], "fear")
    say(store, ona, works[2], kind="skip")
    say(store, jonas, works[5], "awe")
    store.undo(collection.id, jonas.id, "back")
    assert store.decided_works(collection.id) == [works[2], works[7]]
    all_of_them = {item.work: item for item in store.estimates(known)}
    few = store.estimates(known, decided=True)
    assert few == [all_of_them[works[2].id], all_of_them[works[7].id]]


def test_shares_deal_every_work_and_give_the_common_ones_to_all(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(300))
    people = [store.reviewer(f"Person {n}") for n in range(3)]
    held = []
    for part, person in enumerate(people):
        store.set_share(collection.id, Share(person.id, part, 3, 0.2), person.id)
        queue = Queue(collection.id, person.id, FINGERPRINT, "number")
        held.append(set(walked(store, queue, 50)))
        assert store.progress(queue).works == len(held[-1])
    common = held[0] & held[1] & held[2]
    assert set.union(*held) == {f"work {n}" for n in range(300)}
    assert 35 <= len(common) <= 85
    assert held[0] & held[1] == common
    assert all(120 <= len(part) <= 180 for part in held)


def test_orders_of_estimates_end_with_works_without_one(store: ReviewStore) -> None:
    works = new_works(6)
    collection, _ = furnish_review(store, works)
    given = guesses(store.works(collection.id)[:4])
    store.put_estimates(collection.id, "tiny", FINGERPRINT, "0.1.0", MIKELS8, "", given)
    ona = store.reviewer("Ona")
    keys = walked(store, Queue(collection.id, ona.id, FINGERPRINT, "unlike"))
    assert keys[4:] == ["work 4", "work 5"]
    with pytest.raises(ReviewError, match="has not looked"):
        store.upcoming(Queue(collection.id, ona.id, "", "unlike"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", [0, 3])
def test_what_lies_around_a_work_is_a_piece_of_the_whole_order(
    store: ReviewStore, order: Order, seed: int
) -> None:
    collection, _ = furnish_review(store, new_works(13))
    given = guesses(store.works(collection.id)[:10])  # three have no estimate
    store.put_estimates(collection.id, "tiny", FINGERPRINT, "0.1.0", MIKELS8, "", given)
    ona = store.reviewer("Ona")
    everything = ArtworkFilters(stage="any")
    ids = [work.id for work in store.works(collection.id)]
    queue = Queue(collection.id, ona.id, FINGERPRINT, order, seed, everything, tuple(ids[9:2:-2]))
    keys = walked(store, queue, 3)
    assert len(keys) == 13
    for work in store.works(collection.id):
        say(store, ona, work)  # what was decided stays in sight
        place = store.place(queue, work.id)
        assert place is not None
        at = keys.index(work.key)
        before, after = store.around(queue, place.mark, 4, 3)
        assert [item.work.key for item in before] == keys[max(at - 4, 0) : at]
        assert [item.work.key for item in after] == keys[at + 1 : at + 4]
        assert store.numbered(queue, work.number) == place


def test_works_that_divide_people_come_first(store: ReviewStore) -> None:
    collection, _ = furnish_review(store, new_works(9))
    works = store.works(collection.id)
    said = {2: "awe fear anger", 5: "awe awe fear", 7: "awe awe awe", 4: "fear", 8: "awe fear awe"}
    for number, answers in said.items():
        for name, emotion in zip(("Ona", "Jonas", "Rasa"), answers.split(), strict=False):
            say(store, store.reviewer(name), works[number], emotion)
    first = most_divided(store.standing(collection.id), 500)
    assert [works.index(work) for id in first for work in works if work.id == id] == [2, 5, 8]
    assert len(most_divided(store.standing(collection.id), 2)) == 2
    everything = ArtworkFilters(stage="any")
    ona = store.reviewer("Ona")
    queue = Queue(collection.id, ona.id, FINGERPRINT, "divided", 0, everything, first)
    assert walked(store, queue, 2) == [works[n].key for n in (2, 5, 8, 0, 1, 3, 4, 6, 7)]
    assert [item.work.number for item in store.listed(queue, 4)] == [2, 5, 8, 0]


# The database ----------------------------------------------------------------------------------


def test_migrations_make_the_tables_that_the_code_expects(store: ReviewStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    def ours(name: str | None, *_: object) -> bool:
        return not (name or "").startswith("works_search")  # of SQLite's and PostgreSQL's own kinds

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == HEAD
    config = Config()
    config.set_main_option("script_location", "emoviz/review/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_store_of_a_newer_version_is_refused_and_left_alone(store: ReviewStore) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    with store.write() as made:
        made.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ReviewError, match="newer emoviz"):
        Database(url)
    with store.write() as made:
        assert made.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        made.execute(text(f"UPDATE alembic_version SET version_num = '{HEAD}'"))


def test_several_processes_may_make_the_store_at_once(settings: Settings) -> None:
    code = (
        "from emoviz.settings import load_settings\n"
        "from emoviz.review.store import open_store\n"
        "print(open_store(load_settings()).uid)"
    )
    made = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    uids = {process.communicate(timeout=60)[0].strip() for process in made}
    assert len(uids) == 1
    assert "" not in uids
    assert open_store(settings).uid in uids


def test_a_database_held_by_another_program_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At the desk it is told after two seconds, whatever else waits for longer.
    assert database.PATIENCE == 2.0 < database._WAIT
    monkeypatch.setattr("emoviz.review.deciding.PATIENCE", 0.2)
    open_database.cache_clear()
    store = open_store(settings)
    ona = store.reviewer("Ona")
    collection, _ = furnish_review(store, new_works(1))
    (work,) = store.works(collection.id)
    other = sqlite3.connect(settings.home / "review.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ReviewError, match="held by another program; nothing was stored"):
        say(store, ona, work, "awe", token="t")
    other.rollback()
    say(store, ona, work, "awe", token="t")
    other.close()
    open_database.cache_clear()


def test_whoever_reads_a_store_that_is_kept_by_another_program_is_told_soon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page asks several times, and waited 20 seconds each time."""
    open_store(settings).engine.dispose()
    open_database.cache_clear()
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    other = sqlite3.connect(settings.home / "review.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    with pytest.raises(ReviewError, match="held by another program"):
        open_store(settings).reviewers()
    assert time.monotonic() - begun < 10
    other.close()
    open_database.cache_clear()
    assert open_store(settings).reviewers() == []


def test_a_full_disk_is_told_and_nothing_is_half_stored(settings: Settings) -> None:
    store = open_store(settings)
    ona = store.reviewer("Ona")
    collection, _ = furnish_review(store, new_works(1))
    (work,) = store.works(collection.id)
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    store.engine.dispose()

    from sqlalchemy import event

    @event.listens_for(store.engine, "connect")
    def _small(raw: sqlite3.Connection, _: object) -> None:
        raw.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(ReviewError, match="no room on its disk; nothing was stored"):
        say(store, ona, work, "awe", note="x" * 100_000, token="t")
    event.remove(store.engine, "connect", _small)
    store.engine.dispose()
    assert store.decisions(collection.id) == []
    assert say(store, ona, work, "awe", token="t").kind == "choose"


def test_a_store_that_cannot_be_opened_is_told(settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database at all" * 100)
    for url, words in (
        (f"sqlite:///{broken}", "damaged"),
        ("mysql://x/y", "wanted postgresql"),
        ("nonsense", "cannot be used"),
        ("sqlite://", "in memory"),
        ("postgresql://nobody:secret@127.0.0.1:1/none", "cannot be used"),
    ):
        with pytest.raises(ReviewError, match=words) as told:
            open_store(replace(settings, database_url=url))
        assert "secret" not in str(told.value)
