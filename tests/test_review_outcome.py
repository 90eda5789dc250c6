"""What decisions amount to: agreement by hand and by scikit-learn, labels that training takes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reviews import furnish_review, new_works, say, with_files
from sklearn.metrics import cohen_kappa_score

from emoviz.cli import main
from emoviz.data.dataset import NO_LABEL
from emoviz.data.library import find_set
from emoviz.data.reading import read_labelled
from emoviz.errors import ReviewError
from emoviz.labels import EMOTION6, MIKELS8
from emoviz.review.agreement import measure
from emoviz.review.database import open_database
from emoviz.review.labelling import NONE, divided_share, label, label_of, make_set, tally, winners
from emoviz.review.model import ArtworkCollection
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import Settings


@pytest.fixture
def opened(settings: Settings) -> ReviewStore:
    open_database.cache_clear()
    return open_store(settings)


@pytest.fixture
def collection(
    opened: ReviewStore, tmp_path: Path, picture: Callable[..., bytes]
) -> ArtworkCollection:
    """Three people on five of six works with images."""
    made, _ = furnish_review(opened, with_files(new_works(6), tmp_path / "images", picture))
    works = opened.works(made.id)
    ona, jonas, egle = (opened.reviewer(name) for name in ("Ona", "Jonas", "Eglė"))
    say(opened, ona, works[0], ("awe", 3), ("fear", 1))
    say(opened, jonas, works[0], "awe", blind=True)
    say(opened, egle, works[0], "fear")
    say(opened, ona, works[1], "anger")
    say(opened, jonas, works[1], "disgust", blind=True)
    say(opened, ona, works[2])
    say(opened, jonas, works[2])
    say(opened, egle, works[2], "awe")
    say(opened, ona, works[3], kind="agree")
    say(opened, jonas, works[4], kind="skip")
    return made


# Agreement -------------------------------------------------------------------------------------


def test_agreement_is_that_of_the_decisions_that_stand(
    opened: ReviewStore, collection: ArtworkCollection
) -> None:
    found = measure(opened, collection.id)
    assert found.people == ("Eglė", "Jonas", "Ona")
    assert found.classes == (*MIKELS8.names, NONE)
    assert (found.works, found.alpha.n, found.fleiss.n) == (4, 3, 2)
    pair = next(p for p in found.pairs if {p.first, p.second} == {"Jonas", "Ona"})
    said = (["awe", "anger", NONE], ["awe", "disgust", NONE])
    assert (pair.works, pair.same) == (3, 2)
    assert pair.kappa.value == pytest.approx(cohen_kappa_score(*said))
    assert pair.kappa.n == 3
    assert pair.kappa.low is None  # of three works
    assert [item.work for item in found.dividing] == [
        opened.works(collection.id)[n].id for n in (1, 0, 2)
    ]
    assert found.dividing[0].share == 1.0
    assert found.dividing[2].votes == {"Eglė": "awe", "Jonas": NONE, "Ona": NONE}
    assert found.dividing[1].share == pytest.approx(2 / 3)


def test_agreement_with_the_model_is_told_for_blind_decisions_too(
    opened: ReviewStore, collection: ArtworkCollection
) -> None:
    found = measure(opened, collection.id)
    (known,) = opened.estimate_sets(collection.id)
    first = {item.work: item.first for item in opened.estimates(known)}
    for person in ("Eglė", "Jonas", "Ona"):
        who = opened.reviewer(person).id
        mine = [d for d in opened.standing(collection.id) if d.reviewer == who and d.kind != "skip"]
        pair = next(p for p in found.model if p.first == person)
        assert pair.works == len(mine)
        assert pair.same == sum(label_of(item) == first[item.work] for item in mine)
    assert [(pair.first, pair.works) for pair in found.blind] == [("Jonas", 2)]


def test_answers_are_distributed_as_a_slow_count_says(
    opened: ReviewStore, collection: ArtworkCollection
) -> None:
    found = measure(opened, collection.id)
    (known,) = opened.estimate_sets(collection.id)
    p = {item.work: item.probabilities for item in opened.estimates(known)}
    standing = [d for d in opened.standing(collection.id) if d.kind != "skip"]
    works = sorted({d.work for d in standing})
    people: dict[str, float] = {}
    model: dict[str, float] = {}
    for work in works:
        mine = [d for d in standing if d.work == work]
        for d in mine:
            total = sum(f.strength for f in d.feelings)
            split = [(f.emotion, f.strength / total) for f in d.feelings] or [("", 1.0)]
            for name, part in split:
                people[name] = people.get(name, 0.0) + part / len(mine) / len(works)
        for name in MIKELS8.names:
            model[name] = model.get(name, 0.0) + p[work][name] / len(works)
    assert found.distribution.works == len(works) == 4
    assert found.distribution.people == pytest.approx(people)
    assert found.distribution.model == pytest.approx(model)
    assert sum(found.distribution.people.values()) == pytest.approx(1.0)
    for item in found.dividing:
        assert sum(item.shares.values()) == pytest.approx(1.0)
        assert item.model == p[item.work]
        mine = [d for d in standing if d.work == item.work]
        assert divided_share(mine) == pytest.approx(item.share)


def test_nothing_to_agree_on_is_none(opened: ReviewStore) -> None:
    made, _ = furnish_review(opened, new_works(2))
    empty = measure(opened, made.id)
    assert (empty.people, empty.alpha.value, empty.fleiss.value, empty.pairs) == (
        (),
        None,
        None,
        (),
    )
    say(opened, opened.reviewer("Ona"), opened.works(made.id)[0], "a feeling of our own")
    alone = measure(opened, made.id)
    assert alone.classes[-2:] == ("a feeling of our own", NONE)
    assert (alone.works, alone.alpha.value, alone.fleiss.n) == (1, None, 0)


# Labels ----------------------------------------------------------------------------------------


def test_votes_are_counted_one_a_person(opened: ReviewStore, collection: ArtworkCollection) -> None:
    votes = tally(opened.standing(collection.id))
    works = [work.id for work in opened.works(collection.id)]
    assert votes[works[0]] == {"awe": 1.75, "fear": 1.25}
    assert votes[works[2]] == {"": 2.0, "awe": 1.0}
    assert works[4] not in votes
    assert winners({"a": 1 / 3 + 1 / 3, "b": 2 / 3, "c": 0.1}) == ["a", "b"]


def test_a_majority_becomes_a_set_that_training_takes(
    opened: ReviewStore, collection: ArtworkCollection, settings: Settings
) -> None:
    made = make_set(opened, settings, collection, "ours", "Our labels")
    again = find_set(settings, "ours")
    labelled = read_labelled(again.path)
    works = opened.works(collection.id)
    (known,) = opened.estimate_sets(collection.id)
    agreed = next(e.first for e in opened.estimates(known) if e.work == works[3].id)
    names = {record.name: MIKELS8.names[record.label] for record in labelled.records}
    assert names == {"work 0": "awe", "work 3": agreed}
    assert labelled.taxonomy == MIKELS8
    assert labelled.records[0].path == Path(works[0].file)
    assert labelled.records[0].group == "Artist 0"
    assert labelled.records[0].metadata["place"] == "Room 0"
    lineage = made.about["lineage"]
    assert lineage["reviewers"] == ["Ona", "Jonas", "Eglė"]
    assert (lineage["decisions"], lineage["tied"], lineage["none_of_these"]) == (9, 1, 1)
    assert (lineage["collection"], lineage["store"]) == (collection.uid, opened.uid)


def test_shares_are_soft_labels_with_what_went_to_none(
    opened: ReviewStore, collection: ArtworkCollection, settings: Settings
) -> None:
    make_set(opened, settings, collection, "soft", "Shares", "shares")
    labelled = read_labelled(find_set(settings, "soft").path)
    assert labelled.votes
    shares = {
        record.name: dict(zip(MIKELS8.names, record.shares, strict=True))
        for record in labelled.records
    }
    assert shares["work 0"]["awe"] == pytest.approx(1.75 / 3)
    assert shares["work 0"]["fear"] == pytest.approx(1.25 / 3)
    assert sum(shares["work 2"].values()) == pytest.approx(1 / 3)
    by_name = {record.name: record for record in labelled.records}
    assert by_name["work 2"].label == NO_LABEL
    assert by_name["work 1"].label == NO_LABEL  # even


def test_the_set_is_evaluated_as_it_is(
    opened: ReviewStore,
    collection: ArtworkCollection,
    settings: Settings,
    tiny_checkpoint: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = make_set(opened, settings, collection, "ours", "Our labels")
    assert (
        main(["evaluate", "--checkpoint", "tiny", "--data", str(made.path), "--format", "json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["n"] == 2


def test_images_that_are_gone_and_emotions_of_ones_own_are_told(
    opened: ReviewStore, collection: ArtworkCollection, settings: Settings
) -> None:
    works = opened.works(collection.id)
    Path(works[0].file).unlink()
    say(opened, opened.reviewer("Ona"), works[5], "melancholy")
    found = label(opened, settings, collection)
    assert found.refused == (("Title 0", "there is no such file any more"),)
    assert found.item.taxonomy.names == (*MIKELS8.names, "melancholy")
    assert (found.undecided, found.tied, found.none) == (1, ("Title 1",), ("Title 2",))


def test_without_a_label_there_is_no_set(opened: ReviewStore, settings: Settings) -> None:
    made, _ = furnish_review(opened, new_works(2))
    with pytest.raises(ReviewError, match="give no label yet: 0 works decided"):
        make_set(opened, settings, made, "none", "None")
    with pytest.raises(ReviewError, match="no rule"):
        label(opened, settings, made, "loudest")  # type: ignore[arg-type]


def test_emotions_of_another_taxonomy_are_labels_of_it(
    opened: ReviewStore, settings: Settings, tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    works = with_files(new_works(2), tmp_path / "pictures", picture)
    made = opened.add_collection("plain", "Plain", "", "folder", {})
    opened.put_works(made.id, works)
    one, two = opened.works(made.id)
    ona = opened.reviewer("Ona")
    say(opened, ona, one, "joy")
    say(opened, ona, two, "surprise")
    assert label(opened, settings, made).item.taxonomy == EMOTION6


# The command line ------------------------------------------------------------------------------


def test_the_verbs_of_a_review(
    opened: ReviewStore,
    collection: ArtworkCollection,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*words: str, code: int = 0) -> str:
        assert main([*words]) == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    for form in ("csv", "json", "w3c", "iiif", "linked-art", "lido", "imagefolder", "html"):
        out = tmp_path / f"taken-{form}"
        assert str(out) in run("review", "export", "gallery", "--as", form, "--out", str(out))
        assert out.exists()
    words = ("review", "export", "gallery", "--as", "quickstatements", "--out", str(tmp_path / "q"))
    (tmp_path / "terms").write_text("property = P1\nawe = Q1")
    assert "nothing to write" in run(*words, "--terms", str(tmp_path / "terms"), code=2)
    assert not (tmp_path / "q").exists()
    assert "no word of its own" in run(*words, code=2)
    assert "no text file" in run(*words, "--terms", str(tmp_path / "gone"), code=2)
    values = json.loads(run("review", "agreement", "gallery", "--format", "json"))
    found = measure(opened, collection.id)
    assert values["krippendorff_alpha"] == found.alpha.to_dict()
    assert np.array(values["pairs"][0]["table"]).sum() == found.pairs[0].works
    table = run("review", "agreement", "gallery")
    assert "Cohen's kappa" in table
    assert "Title 1: Jonas: disgust, Ona: anger; model: " in table
    assert "mean shares, works with both" in table
    assert values["distribution"]["people"] == pytest.approx(
        {name or NONE: share for name, share in found.distribution.people.items()}
    )
    assert "2 works" in run("review", "label", "gallery", "--id", "ours")
    assert "0 new decisions (10 were here)" in run("review", "import", str(tmp_path / "taken-json"))
    assert "10 decisions" in run("backup", str(tmp_path / "backup"))
    assert "not empty" in run("review", "import", str(tmp_path / "backup"), code=2)
    assert "Known: gallery" in run("review", "agreement", "galery", code=2)
    assert "Known: tiny" in run(
        *("review", "agreement", "gallery", "--checkpoint", "other"), code=2
    )


def test_a_backup_is_put_back_by_import(
    opened: ReviewStore,
    collection: ArtworkCollection,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["backup", str(tmp_path / "backup")]) == 0
    monkeypatch.setenv("EMOVIZ_DATABASE_URL", f"sqlite:///{tmp_path}/new.sqlite")
    assert main(["review", "import", str(tmp_path / "backup")]) == 0
    assert "1 collections, 6 works, 3 reviewers, 10 decisions" in capsys.readouterr().out
    new = open_store(replace(settings, database_url=f"sqlite:///{tmp_path}/new.sqlite"))
    assert new.decisions(collection.id) == opened.decisions(collection.id)
