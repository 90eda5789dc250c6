"""Published sets brought in, each from a small fixture in its layout; what does not fit."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import artist_group
from emoviz.data.importers.registry import bring_in, importers
from emoviz.errors import TableError
from emoviz.labels import EMOTION6, MIKELS8, WIKIART20

Picture = Callable[..., bytes]


@pytest.fixture
def fill(tmp_path: Path, picture: Picture) -> Callable[..., Path]:
    """Makes files below a folder: an image where the content is None."""

    def make(files: Mapping[str, str | bytes | None], root: str = "set") -> Path:
        for number, (name, content) in enumerate(files.items()):
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = picture(seed=number) if content is None else content
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        return tmp_path / root

    return make


def labels(item: Dataset) -> dict[str, str]:
    return {r.name: item.taxonomy.names[r.label] if r.label >= 0 else "" for r in item.records}


def splits(item: Dataset) -> dict[str, str | None]:
    return {record.name: record.split for record in item.records}


def test_emoset(fill: Callable[..., Path]) -> None:
    note = {"brightness": 0.6, "scene": "beach", "object": ["Dog", "Sea"], "human_action": None}
    rows = [
        ["awe", "image/awe/awe_1.jpg", "annotation/awe/awe_1.json"],
        ["anger", "image/anger/anger_1.jpg", "annotation/anger/gone.json"],
        ["awe", "image/awe/gone.jpg", "annotation/awe/awe_1.json"],
        ["boredom", "image/awe/awe_1.jpg"],
        "no row",
    ]
    root = fill(
        {
            "train.json": json.dumps(rows),
            "test.json": json.dumps([["fear", "image/fear/FEAR 1.jpg"]]),
            "image/awe/awe_1.jpg": None,
            "image/anger/anger_1.jpg": None,
            "image/fear/fear 1.jpg": None,
            "annotation/awe/awe_1.json": json.dumps(note),
        }
    )
    found = bring_in("emoset", root)
    assert found.taxonomy == MIKELS8
    assert list(labels(found).values()) == ["awe", "anger", "fear"]
    assert list(splits(found).values()) == ["train", "train", "test"]
    assert found.records[0].metadata == {
        "brightness": "0.6",
        "scene": "beach",
        "object": "Dog, Sea",
    }
    assert [place for place, _ in found.problems] == [
        "train.json, entry 2",
        "train.json, entry 3",
        "train.json, entry 4",
        "train.json, entry 5",
        "val.json",
    ]


def test_fi8_and_imagefolder_and_caers(fill: Callable[..., Path]) -> None:
    plain = fill({f"{name}/é {name}.jpg": None for name in MIKELS8.names}, "plain")
    found = bring_in("fi8", plain)
    assert Counter(labels(found).values()) == dict.fromkeys(MIKELS8.names, 1)
    assert set(splits(found).values()) == {None}
    parted = fill({"Train/ships/1.jpg": None, "val/trees/1.jpg": None, "val/x.jpg": None}, "own")
    found = bring_in("imagefolder", parted)
    assert found.taxonomy.names == ("ships", "trees")
    assert splits(found) == {"Train/ships/1.jpg": "train", "val/trees/1.jpg": "validation"}
    assert found.problems == (("val/x.jpg", "it lies in no folder of a class"),)
    stills = fill({"train/Happy/0001.png": None, "test/Anger/0001.png": None}, "caers")
    assert labels(bring_in("caers", stills)) == {
        "train/Happy/0001.png": "happy",
        "test/Anger/0001.png": "anger",
    }


def test_fi8_in_folders_of_splits(fill: Callable[..., Path]) -> None:
    for place, words in enumerate((("training", "testing"), ("test",))):
        names = (f"{word}/{label}/1.jpg" for word in words for label in MIKELS8.names)
        found = bring_in("fi8", fill(dict.fromkeys(names), f"set {place}"))
        assert len(found.records) == 8 * len(words)
        wanted = {word.removesuffix("ing") for word in words}
        assert {record.split for record in found.records} == wanted


def test_webemo_numbers_levels_and_spaces(fill: Callable[..., Path]) -> None:
    root = fill(
        {
            "train8.txt": "images/a b.jpg 2\nimages/c.jpg sadness\nimages/gone.jpg 1\n",
            "test8.txt": "images/d.jpg 99\nimages/c.jpg 0\n",
            "train25.txt": "images/a b.jpg 19\n",
            "images/a b.jpg": None,
            "images/c.jpg": None,
            "images/d.jpg": None,
        }
    )
    found = bring_in("webemo", root)
    first = next(record for record in found.records if record.name == "images/a b.jpg")
    assert first.label == 2
    assert first.metadata == {"label25": "sadness"}
    assert [r.split for r in found.records] == ["test", "train", "train"]
    assert [place for place, _ in found.problems] == ["test8.txt, line 1", "train8.txt, line 3"]
    assert len(bring_in("webemo", root, "25").taxonomy) == 25
    with pytest.raises(TableError, match=r"level 2.*Levels found: 25, 8"):
        bring_in("webemo", root, "2")
    with pytest.raises(TableError, match="no labels '7'"):
        bring_in("webemo", root, "7")


def test_unbiasedemo_groups_by_object(fill: Callable[..., Path]) -> None:
    emotions = ("anger", "fear", "joy", "love", "sadness", "surprise")
    root = fill({f"images/{name}/{thing}/1.jpg": None for name in emotions for thing in "ab"})
    found = bring_in("unbiasedemo", root)
    assert len(found.records) == 12
    assert {record.group for record in found.records} == {"a", "b"}
    assert found.taxonomy.names == emotions


def test_emotion6_votes_and_keyword(fill: Callable[..., Path]) -> None:
    answers = (*EMOTION6.names, "neutral")
    columns = ["[image_filename]", "[valence]", "[arousal]", *(f"[prob. ({n})]" for n in answers)]
    head = "\t".join(columns)
    shares = dict.fromkeys(answers, 0.0)
    most_joy = {**shares, "joy": 0.6, "sadness": 0.4}
    neutral = {**shares, "fear": 0.3, "neutral": 0.7}
    wrong = {**shares, "joy": 1.6}

    def row(file: str, votes: Mapping[str, float]) -> str:
        return "\t".join([file, "6.5", "3.1", *(f"{votes[name]}" for name in answers)])

    lines = [row("sadness/1.jpg", most_joy), row("fear/2.jpg", neutral), row("joy/3.jpg", wrong)]
    names = ("sadness/1.jpg", "fear/2.jpg", "joy/3.jpg")
    images: dict[str, str | None] = {f"images/{name}": None for name in names}
    root = fill({"ground_truth.txt": "\n".join([head, *lines]), **images})
    found = bring_in("emotion6", root)
    assert list(labels(found).values()) == ["joy", ""]
    assert found.votes
    assert sum(found.records[1].shares) == pytest.approx(0.3)
    assert found.records[0].metadata == {
        "keyword": "sadness",
        "valence": "6.5",
        "arousal": "3.1",
        "kind": "photograph",
    }
    assert found.problems[0][0] == "ground_truth.txt, line 4"
    assert "share of joy is not" in found.problems[0][1]
    assert list(labels(bring_in("emotion6", root, "keyword")).values()) == [
        "sadness",
        "fear",
        "joy",
    ]


def test_dvisa_keeps_artists_together(fill: Callable[..., Path]) -> None:
    table = "file,label,valence,arousal,dominance\nimages/Ann_x.jpg,awe,0.1,0.2,0.3\n"
    table += "images/ann_y.jpg,bored,0,0,0\nimages/bob_z.jpg,fear,1,1,1\n"
    names = ("ann_x", "ann_y", "bob_z")
    root = fill({"labels.csv": table, **{f"images/{name}.jpg": None for name in names}})
    found = bring_in("dvisa", root)
    assert [record.group for record in found.records] == ["ann", "bob"]
    assert found.records[0].valence == pytest.approx(-0.8)
    assert found.records[0].arousal == pytest.approx(-0.6)
    assert found.records[0].metadata["dominance"] == "0.3"
    assert [place for place, _ in found.problems] == ["labels.csv, line 3"]


def test_artphoto_and_abstract(fill: Callable[..., Path]) -> None:
    root = fill({"content_0001.jpg": None, "sad_0002.jpg": None, "holiday.jpg": None}, "photo")
    found = bring_in("artphoto", root)
    assert list(labels(found).values()) == ["contentment", "sadness"]
    assert found.problems[0][0] == "holiday.jpg"
    head = "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'\n"
    rows = "'abstract_1.jpg',0,0,6,2,0,0,0,0\n'abstract_2.jpg',3,3,0,0,0,0,0,0\n"
    rows += "'abstract_1.jpg',0,0,0,0,0,0,0,0\n'gone.jpg',1,0,0,0,0,0,0,0\n"
    root = fill(
        {
            "ABSTRACT_groundTruth.csv": head + rows,
            "abstract_1.jpg": None,
            "abstract_2.jpg": None,
        },
        "abstract",
    )
    found = bring_in("abstract", root)
    shares = dict(zip(found.taxonomy.names, found.records[0].shares, strict=True))
    assert {name: share for name, share in shares.items() if share} == {
        "awe": 0.75,
        "contentment": 0.25,
    }
    assert [record.metadata.get("tie") for record in found.records] == [None, "yes"]
    assert [place[-6:] for place, _ in found.problems] == ["line 4", "line 5"]


def test_wikiart_emotions(fill: Callable[..., Path]) -> None:
    needed = ["ID", "Style", "Category", "Artist", "Title", "Year", "Image URL"]
    voted = [f"ImageOnly: {name}" for name in WIKIART20.names]
    rows = [
        ["id1", "Modern", "Cubism", "Ann", "Sea", "1900", "http://x/ann/sea.jpg"],
        ["id2", "Modern", "Cubism", "Bob", "Sky", "1901", "http://x/bob/sky.jpg"],
    ]
    shares = ["0.0"] * len(voted)
    shares[WIKIART20.names.index("sadness")] = "0.8"
    lines = ["\t".join([*needed, *voted]), *("\t".join([*row, *shares]) for row in rows)]
    root = fill({"WikiArt-Emotions-All.tsv": "\n".join(lines), "images/id1.jpg": None})
    found = bring_in("wikiart_emotions", root)
    assert labels(found) == {"images/id1.jpg": "sadness"}
    assert found.records[0].group == "ann"
    assert [place for place, _ in found.problems] == ["Bob: Sky (id2)"]


def test_artemis_counts_one_row_a_vote(fill: Callable[..., Path]) -> None:
    head = "art_style,painting,emotion,utterance,repetition\n"
    votes = [
        ("Cubism", "ann-lee_sea", "awe"),
        ("Cubism", "ann-lee_sea", "awe"),
        ("Cubism", "ann-lee_sea", "sadness"),
        ("Cubism", "ann-lee_sea", "something else"),
        ("Minimalism", "bob_white", "something else"),
        ("Minimalism", "bob_white", "anger"),
        ("Minimalism", "bob_white", "something else"),
        ("Cubism", "ann-lee_sea", "joy"),
        ("Cubism", "gone_gone", "fear"),
    ]
    text = head + "".join(f'{style},{name},{word},"a, b",5\n' for style, name, word in votes)
    table = {"artemis_dataset_release_v0.csv": text}
    images = {"wikiart/Cubism/ann-lee_sea.jpg": None, "wikiart/Minimalism/bob_white.jpg": None}
    found = bring_in("artemis", fill({**table, **images}))
    sea, white = found.records
    shares = dict(zip(MIKELS8.names, sea.shares, strict=True))
    assert (shares["awe"], shares["sadness"], sum(sea.shares)) == (0.5, 0.25, 0.75)
    assert labels(found) == {"Cubism/ann-lee_sea.jpg": "awe", "Minimalism/bob_white.jpg": ""}
    assert (sea.group, sea.metadata["kind"]) == ("ann-lee", "figurative painting")
    assert white.metadata["kind"] == "abstract painting"
    refused = dict(found.problems)
    assert set(refused) == {f"{next(iter(table))}, line {line}" for line in (9, 10)}
    without = bring_in("artemis", fill(table, "votes"))
    assert [record.shares for record in without.records[:2]] == [sea.shares, white.shares]
    assert without.records[0].path.name == "ann-lee_sea.jpg"
    assert not without.records[0].path.exists()


def test_artemis_counts_of_votes(fill: Callable[..., Path]) -> None:
    names = ",".join(MIKELS8.names)
    text = f"file,style,artist,votes,{names},something else\n"
    text += "images/a.jpg,Baroque,Ann Lee,4,1,0,0,0,0,0,0,3,0\n"
    text += "images/b.jpg,Baroque,Ann Lee,0,0,0,0,0,0,0,0,0,0\n"
    text += "images/c.jpg,Baroque,Ann Lee,1,x,0,0,0,0,0,0,0,0\n"
    found = bring_in("artemis", fill({"labels.csv": text, "images/a.jpg": None}))
    assert labels(found) == {"images/a.jpg": "sadness"}
    assert found.records[0].shares[0] == 0.25
    assert {place for place, _ in found.problems} == {"labels.csv, line 3", "labels.csv, line 4"}


def test_gaped_has_a_sentiment_and_both_dimensions(fill: Callable[..., Path]) -> None:
    text = "file,category,valence,arousal\na.jpg,Sn,10,75\nb.jpg,N,50,0\nc.jpg,P,100,\n"
    text += "d.jpg,P,101,5\ne.jpg,Q,1,5\n"
    root = fill({"labels.csv": text, "a.jpg": None, "b.jpg": None, "c.jpg": None})
    found = bring_in("gaped", root)
    assert labels(found) == {"a.jpg": "negative", "b.jpg": "", "c.jpg": "positive"}
    assert [(r.valence, r.arousal) for r in found.records] == [(-0.8, 0.5), (0, -1), (1, None)]
    assert [place for place, _ in found.problems] == ["labels.csv, line 5", "labels.csv, line 6"]
    assert importers()["gaped"].about["affect_scale"] == "0 to 100"
    tables = {"Sp.txt": "Item Valence Arousal\nSp001.bmp 20 80\n", "Sp/Sp001.jpg": None}
    (spider,) = bring_in("gaped", fill(tables, "given away")).records
    assert (spider.valence, spider.arousal) == (pytest.approx(-0.6), pytest.approx(0.6))


def test_positive_and_negative_images(fill: Callable[..., Path]) -> None:
    text = "file,sentiment,kind\na.jpg,positive,photograph\nb.jpg,0,\nc.jpg,mixed,\n"
    found = bring_in("sentiment", fill({"labels.csv": text, "a.jpg": None, "b.jpg": None}))
    assert labels(found) == {"a.jpg": "positive", "b.jpg": "negative"}
    assert found.records[0].metadata == {"kind": "photograph"}
    assert [place for place, _ in found.problems] == ["labels.csv, line 4"]
    found = bring_in("sentiment", fill({"Positive/a.jpg": None, "neg/b.jpg": None}, "folders"))
    assert labels(found) == {"Positive/a.jpg": "positive", "neg/b.jpg": "negative"}


def test_an_artist_is_one_group_in_all_sets(fill: Callable[..., Path]) -> None:
    dvisa = "file,label,artist\nimages/a.jpg,awe,joan-miro\n"
    artemis = "art_style,painting,emotion\nCubism,joan-miro_dog,awe\n"
    one = bring_in("dvisa", fill({"labels.csv": dvisa, "images/a.jpg": None}))
    other = bring_in("artemis", fill({"artemis.csv": artemis}, "other"))
    assert one.records[0].group == other.records[0].group == artist_group("Joan Miró")


def test_fer2013_csv_is_the_pixels(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (48, 48))
    pixels = " ".join(map(str, values.ravel()))
    path = tmp_path / "fer2013.csv"
    lines = ["emotion,pixels,Usage", f"3,{pixels},Training", f"0,{pixels},PrivateTest"]
    path.write_text("\n".join([*lines, "1,1 2 3,Training", f"1,{pixels},Holiday"]))
    found = bring_in("fer2013", path)
    assert [(found.taxonomy.names[r.label], r.split) for r in found.records] == [
        ("happy", "train"),
        ("anger", "test"),
    ]
    import io

    from PIL import Image

    content = found.records[0].content
    assert content is not None
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), values)
    assert [place for place, _ in found.problems] == ["fer2013.csv, line 4", "fer2013.csv, line 5"]
    assert len(bring_in("fer2013", tmp_path).records) == 2


def test_tables_of_any_labels_with_a_bad_row(fill: Callable[..., Path]) -> None:
    text = "file,label,split,museum\na.jpg,calm,train,Oslo\nb.jpg,wild,sometimes,Rome\n"
    root = fill({"t.csv": text + "c.jpg,wild,,\n", "a.jpg": None, "B.JPG": None})
    found = bring_in("table", root / "t.csv")
    assert found.taxonomy.names == ("calm", "wild")
    assert found.records[0].metadata == {"museum": "Oslo"}
    assert [place for place, _ in found.problems] == ["line 3", "line 4"]


def test_hugging_face_parquet_names_its_labels(tmp_path: Path, picture: Picture) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    names = {"label": {"names": ["awe", "fear"], "_type": "ClassLabel"}}
    about = {b"huggingface": json.dumps({"info": {"features": names}}).encode()}
    rows = {"image": [{"bytes": picture(seed=i), "path": None} for i in (0, 1)], "label": [1, 0]}
    (tmp_path / "data").mkdir()
    table = pa.table(rows).replace_schema_metadata(about)
    parquet.write_table(table, tmp_path / "data" / "validation-00000-of-00001.parquet")
    found = bring_in("huggingface", tmp_path)
    assert list(labels(found).values()) == ["fear", "awe"]
    assert {record.split for record in found.records} == {"validation"}


def test_what_hugging_face_saved_to_disk(tmp_path: Path, picture: Picture) -> None:
    """A stream of Arrow a split; the labels' names stand beside it."""
    import pyarrow as pa

    splits = {"train": [1, 0, None], "test": [0]}
    about = {"features": {"label": {"names": ["awe", "fear"], "_type": "ClassLabel"}}}
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    for split, numbers in splits.items():
        images = [{"bytes": picture(seed=i), "path": None} for i, _ in enumerate(numbers)]
        table = pa.table({"image": images, "label": numbers, "artist": ["Miró"] * len(numbers)})
        path = tmp_path / split / "data-00000-of-00001.arrow"
        path.parent.mkdir()
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table, max_chunksize=2)
        path.with_name("dataset_info.json").write_text(json.dumps(about))
    found = bring_in("huggingface", tmp_path)
    assert found.labels == ["fear", "awe", "", "awe"]
    assert [record.split for record in found.records] == ["train", "train", "train", "test"]
    assert {record.metadata["artist"] for record in found.records} == {"Miró"}
    assert len(set(found.names)) == 4
    assert found.records[1].content == picture(seed=1)


def hugging_face(place: Path, columns: Mapping[str, object]) -> Path:
    """A Parquet file of a repository."""
    import pyarrow as pa
    from pyarrow import parquet

    place.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(dict(columns)), place)
    return place


def test_paths_of_hugging_face_are_below_the_set_or_beside_the_file(
    fill: Callable[..., Path],
) -> None:
    import pyarrow as pa

    root = fill({"images/a.png": None, "data/b.png": None})
    paths = ["images/a.png", "b.png", "c.png"]
    images = pa.array(
        [{"bytes": None, "path": path} for path in paths],
        pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    )
    place = root / "data" / "train-00000-of-00001.parquet"
    for column in (images, paths):
        hugging_face(place, {"image": column, "label": ["awe", "fear", "awe"]})
        found = bring_in("huggingface", root)
        assert labels(found) == {"images/a.png": "awe", "b.png": "fear"}
        assert [r.path for r in found.records] == [root / "images/a.png", root / "data/b.png"]
        assert len(found.problems) == 1


def test_columns_of_hugging_face_that_mean_something_else(tmp_path: Path, picture: Picture) -> None:
    """The file's name says the split; folds are none, nor is where images come from a group."""
    images = [{"bytes": picture(seed=i), "path": None} for i in (0, 1, 2)]
    columns = {"image": images, "label": ["awe", "fear", " N/A "], "source": ["flickr"] * 3}
    for name, split, wanted in (
        ("train-00000-of-00001", ["fold1", "fold2", "test"], ["train"] * 3),
        ("shard-00000-of-00001", ["fold1", "fold2", "fold3"], [None] * 3),
        ("shard-00000-of-00001", ["train", "", "test"], ["train", None, "test"]),
    ):
        place = hugging_face(tmp_path / f"{name}.parquet", {**columns, "split": split})
        found = bring_in("huggingface", tmp_path)
        place.unlink()
        assert [record.split for record in found.records] == wanted
        assert found.taxonomy == MIKELS8
        assert found.labels == ["awe", "fear", ""]
        assert len({record.group for record in found.records}) == 3
        assert found.records[0].metadata["source"] == "flickr"


@pytest.mark.parametrize("kind", ["huggingface", "fer2013"])
def test_images_with_votes_alone_are_told(kind: str, tmp_path: Path, picture: Picture) -> None:
    images = [{"bytes": picture(), "path": None}]
    hugging_face(tmp_path / "train.parquet", {"image": images, "p_awe": [0.6], "p_fear": [0.4]})
    with pytest.raises(TableError, match=r"3 columns, none of them of labels; wanted: image and"):
        bring_in(kind, tmp_path)


def test_fer2013_tells_what_its_tables_lack(tmp_path: Path, picture: Picture) -> None:
    images = [{"bytes": picture(), "path": None}]
    hugging_face(tmp_path / "train.parquet", {"image": images, "label": ["calm"]})
    with pytest.raises(TableError, match=r"First: train.parquet, row 0: its label is none"):
        bring_in("fer2013", tmp_path)


def test_a_row_of_fer2013_without_its_image_is_told(tmp_path: Path, picture: Picture) -> None:
    images = [{"bytes": picture(), "path": None}, {"bytes": None, "path": None}]
    hugging_face(tmp_path / "train.parquet", {"image": images, "label": ["fear", "fear"]})
    found = bring_in("fer2013", tmp_path)
    assert len(found) == 1
    assert found.problems == (("train.parquet, row 1", "the row has no image"),)


# What cannot be brought in ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(set(importers()) - {"table"}))
def test_a_wrong_root_is_told_with_what_was_wanted_and_found(
    kind: str, fill: Callable[..., Path]
) -> None:
    root = fill({"holiday.txt": "nothing"})
    with pytest.raises(TableError) as caught:
        bring_in(kind, root)
    assert "anted" in str(caught.value)
    if kind != "artphoto":  # which has no folders or tables to look for, only images
        assert "holiday.txt" in str(caught.value)


def test_the_right_folder_is_named_where_it_is_near(fill: Callable[..., Path]) -> None:
    root = fill({f"FI/data/{name}/1.jpg": None for name in MIKELS8.names})
    with pytest.raises(TableError, match=r"FI/data' holds it: point there"):
        bring_in("fi8", root)
    with pytest.raises(TableError, match="holds it: point there"):
        bring_in("fi8", root / "FI" / "data" / "awe")
    with pytest.raises(TableError, match="There is no folder"):
        bring_in("fi8", root / "gone")


def test_an_unknown_kind_lists_the_known() -> None:
    with pytest.raises(TableError, match="emoset, fi8"):
        bring_in("imagenet", Path())


def test_every_importer_says_where_a_set_comes_from() -> None:
    assert len(importers()) == 17
    for kind, importer in importers().items():
        assert importer.kind == kind
        assert importer.layout
        assert importer.source
        if importer.source != "your own":
            assert importer.terms
            assert importer.citation


def test_links_that_loop_or_leave_are_not_followed(fill: Callable[..., Path]) -> None:
    root = fill({"calm/1.jpg": None, "wild/2.jpg": None})
    (root / "calm" / "loop").symlink_to(root)
    (root / "wild" / "self.jpg").symlink_to(root / "wild" / "self.jpg")
    found = bring_in("imagefolder", root)
    assert sorted(labels(found)) == ["calm/1.jpg", "wild/2.jpg"]
    assert dict(found.problems) == {
        "calm/loop": "it is a link to a folder that is here already",
        "wild/self.jpg": "it is a link that leads nowhere",
    }


def test_a_long_table_with_one_bad_row(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.jpg").write_bytes(picture())
    with (tmp_path / "long.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label"])
        writer.writerows([("a.jpg", "awe")] * 20_000)
        writer.writerow(("a.jpg", "boredom"))
        writer.writerows([("a.jpg", "fear")] * 20_000)
    found = bring_in("table", tmp_path / "long.csv", "mikels8")
    assert len(found.records) == 40_000
    assert [place for place, _ in found.problems] == ["line 20002"]
