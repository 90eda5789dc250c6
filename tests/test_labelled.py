"""Labelled sets in every shape that they come in, and tables beside their labels."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from emoviz.checkpoints import Checkpoint, read_checkpoint
from emoviz.data.images import Limits
from emoviz.data.library import save_set
from emoviz.data.reading import read_labelled
from emoviz.errors import CheckpointError, TableError, TaxonomyError
from emoviz.inference.abstention import (
    Abstention,
    abstention_of,
    clear_abstention,
    save_abstention,
    with_abstention,
)
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.labelled import (
    Labels,
    bridge_from,
    bridge_words,
    duplicates,
    joined,
    labels_of,
    open_labelled,
    proposed_bridge,
    table_digest,
)
from emoviz.inference.predict import Prediction
from emoviz.labels import EMOTION6, MIKELS8, SADNESS2, bridge_between, own_taxonomy
from emoviz.settings import Settings

MakeTable = Callable[..., Path]


def table(hashes: Sequence[str], labels: Sequence[int] = ()) -> EmbeddingTable:
    count = len(hashes)
    return EmbeddingTable(
        taxonomy=MIKELS8,
        paths=tuple(f"{i}.jpg" for i in range(count)),
        sha256=tuple(hashes),
        embedding=np.zeros((count, 2), np.float32),
        probabilities=np.full((count, 8), 1 / 8),
        novelty=np.full(count, np.nan),
        labels=np.array(labels or [0] * count),
        label_taxonomy=MIKELS8,
    )


def test_a_table_a_folder_and_an_id_of_the_library_are_opened(
    settings: Settings, tmp_path: Path, make_table: MakeTable
) -> None:
    csv = make_table(tmp_path / "set", ["awe", "fear", "awe"], style=["a", "b", "a"])
    saved = save_set(settings, "mine", "My set", read_labelled(csv), {"source": "here"})
    for label, name in (("awe", "0.jpg"), ("fear", "1.jpg"), ("awe", "2.jpg")):
        (tmp_path / "folder" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(csv.parent / name, tmp_path / "folder" / label)
    for what in (csv, tmp_path / "folder", "mine", saved.path):
        found = open_labelled(what, settings, likely=MIKELS8)
        assert sorted(found.labels) == ["awe", "awe", "fear"], what
        assert all(found.records[i].read(Limits())[:2] == b"\xff\xd8" for i in range(3))
    assert open_labelled("mine", settings).about["source"] == "here"
    assert open_labelled(csv, settings).metadata["style"] == ["a", "b", "a"]


def test_a_file_comes_before_an_id(
    settings: Settings, tmp_path: Path, make_table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_set(settings, "both", "B", read_labelled(make_table(tmp_path / "b", ["awe"])), {})
    make_table(tmp_path / "both", ["fear"]).rename(tmp_path / "both" / "x.csv")
    monkeypatch.chdir(tmp_path)
    found = open_labelled("both", settings, MIKELS8)  # not the library's set
    assert set(found.labels) == {"fear"}


def test_labels_with_spaces_and_capitals_in_another_encoding(
    settings: Settings, tmp_path: Path, make_table: MakeTable
) -> None:
    csv = make_table(tmp_path / "set", ["x", "x"])
    rows = "Image;Emotion;Künstler\n0.jpg; AWE ;Dürer\n1.jpg;Fear;Böcklin\n"
    csv.write_bytes(rows.encode("cp1252"))
    found = open_labelled(csv, settings, likely=MIKELS8)
    assert list(found.labels) == ["awe", "fear"]
    assert found.metadata["Künstler"] == ["Dürer", "Böcklin"]


def test_unknown_labels_are_left_out_listed_and_counted(
    settings: Settings, tmp_path: Path, make_table: MakeTable
) -> None:
    csv = make_table(
        tmp_path / "set", ["awe", "boredom", "fear", "boredom", "joyful", "awe", "awe"]
    )
    found = open_labelled(csv, settings, likely=MIKELS8)
    assert found.taxonomy is MIKELS8
    assert found.unknown == {"boredom": 2, "joyful": 1}
    assert len(found) == 4
    assert len(found.problems) == 3
    csv = make_table(tmp_path / "other", ["red", "green", "blue", "awe"])
    assert set(open_labelled(csv, settings, likely=MIKELS8).taxonomy.names) == {
        *("red", "green", "blue", "awe")
    }


def test_a_split_and_a_missing_set(
    settings: Settings, tmp_path: Path, make_table: MakeTable
) -> None:
    csv = make_table(tmp_path / "set", ["awe", "fear"], split=["train", "test"])
    assert list(open_labelled(csv, settings, split="test").labels) == ["fear"]
    for what in ("nowhere.csv", "nobody"):
        with pytest.raises(TableError):
            open_labelled(what, settings)


def test_votes_come_along_by_name_or_by_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("file,p_others,p_sadness\n0.jpg,0.4,0.6\n1.jpg,0.9,0.1\n")
    for name in ("0.jpg", "1.jpg"):
        (tmp_path / name).touch()
    labelled = read_labelled(tmp_path / "votes.csv")
    seen = EmbeddingTable(
        **{
            **vars(table(["a" * 64, "b" * 64], [1, 0])),
            "label_taxonomy": SADNESS2,
            "paths": ("0.jpg", str(tmp_path / "1.jpg")),
        }
    )
    shares = labels_of(seen, labelled).shares
    assert shares is not None
    assert shares.tolist() == [[0.4, 0.6], [0.9, 0.1]]
    assert labels_of(seen).shares is None


def test_bridges_are_proposed_read_and_written() -> None:
    assert proposed_bridge(MIKELS8, EMOTION6) is bridge_between(MIKELS8, EMOTION6)
    own = own_taxonomy("own", ["joy", "fear", "surprise", "nostalgia"])
    made = bridge_words(proposed_bridge(MIKELS8, own))
    assert made["joy"] == ["amusement", "awe", "contentment", "excitement"]
    assert (made["fear"], made["nostalgia"]) == (["fear"], [])
    colours = own_taxonomy("colours", ["red", "green"])
    assert not proposed_bridge(MIKELS8, colours).matrix.any()
    rule = {"red": ["anger", "excitement"], "green": ["contentment"]}
    assert bridge_words(bridge_from(rule, MIKELS8, colours)) == {
        "red": ["excitement", "anger"],
        "green": ["contentment"],
    }
    for wrong in ({"red": "anger"}, {"blue": ["anger"]}, {"red": ["bliss"]}):
        with pytest.raises(TaxonomyError):
            bridge_from(wrong, MIKELS8, colours)


def test_tables_are_joined_by_content_and_doubles_in_order() -> None:
    one, other = table(["a", "b", "a", "c"]), table(["c", "a", "d", "a"])
    rows = joined([one, other])
    assert [one.sha256[i] for i in rows[0]] == [other.sha256[i] for i in rows[1]] == ["a", "a", "c"]
    assert [row.tolist() for row in rows] == [[0, 2, 3], [1, 3, 0]]
    assert (duplicates(one), duplicates(table(["a", "b"]))) == (1, 0)


def test_the_digest_is_of_images_and_labels_in_any_order() -> None:
    one, turned = table(["a", "b"], [0, 1]), table(["b", "a"], [1, 0])
    other = table(["a", "b"], [1, 1])
    digests = [table_digest(item, Labels(item.labels, MIKELS8)) for item in (one, turned, other)]
    assert digests[0] == digests[1] != digests[2]


# Abstention ----------------------------------------------------------------------------------


def test_a_threshold_stays_with_the_weights(
    settings: Settings, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    assert abstention_of(tiny_checkpoint, settings) is None
    chosen = Abstention(0.45, "sample", "d" * 64, 0.6, 0.8, 62, "80 % right")
    save_abstention(tiny_checkpoint, settings, chosen)
    assert abstention_of(tiny_checkpoint, settings) == chosen
    shutil.copytree(tiny_checkpoint.folder, tmp_path / "renamed")
    assert abstention_of(read_checkpoint(tmp_path / "renamed"), settings) == chosen
    card = json.loads((tmp_path / "renamed" / "card.json").read_text())
    (tmp_path / "renamed" / "card.json").write_text(json.dumps({**card, "temperature": 9.0}))
    assert abstention_of(read_checkpoint(tmp_path / "renamed"), settings) is None
    clear_abstention(tiny_checkpoint, settings)
    assert abstention_of(tiny_checkpoint, settings) is None
    with pytest.raises(CheckpointError, match="0 to 1"):
        save_abstention(tiny_checkpoint, settings, Abstention(1.5))


@pytest.mark.parametrize("text", ["{", "[]", '{"threshold": 3}', '{"threshold": 0.5, "odd": 1}'])
def test_a_damaged_threshold_counts_as_none(
    settings: Settings, tiny_checkpoint: Checkpoint, text: str
) -> None:
    save_abstention(tiny_checkpoint, settings, Abstention(0.5))
    (file,) = (settings.home / "abstention").iterdir()
    file.write_text(text)
    assert abstention_of(tiny_checkpoint, settings) is None


def test_predictions_are_told_and_refusals_stay() -> None:
    given = [
        Prediction("a", probabilities={"awe": 0.6, "fear": 0.4}),
        Prediction("b", probabilities={"awe": 0.5, "fear": 0.5}),
        Prediction("c", error="no image"),
    ]
    told = list(with_abstention(given, Abstention(0.55)))
    assert [item.not_sure for item in told] == [False, True, None]
    assert "not_sure" not in told[2].to_dict()
    assert told[1].to_dict()["not_sure"] is True
    assert list(with_abstention(given, None)) == given
