"""The page Data sets without a browser, the data card, sets put away: faults are planted."""

import csv
import io
import json
import re
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_pages import drawn_tables, healthy, labels, open_page
from digests import digest
from PIL import Image
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.curation.card import card_of
from emoviz.curation.examine import FOUND, ROWS, kept
from emoviz.curation.examined import (
    Detected,
    Examined,
    examination_folder,
    read_examined,
    write_examined,
)
from emoviz.curation.prepare import prepare
from emoviz.curation.recipe import load_preparation, read_preparation
from emoviz.curation.telling import balance_words, headline, light_words, verdicts
from emoviz.data.dataset_file import KnownSet
from emoviz.data.images import Limits
from emoviz.data.library import bring_back_set, find_set, list_sets, remove_set, save_set
from emoviz.data.reading import read_labelled
from emoviz.errors import TableError
from emoviz.files import read_json
from emoviz.plots.bars import counts_by_class
from emoviz.plots.data_card import data_card
from emoviz.settings import Settings
from emoviz.ui.curation.faults import groups_of
from emoviz.ui.gallery import Tile

pytestmark = pytest.mark.usefixtures("jobs_end")

HOSTILE = "<img src=x onerror=alert(1)>"


def texture(seed: int, side: int = 96, top: int = 256) -> Image.Image:
    """Twelve by twelve colours, enlarged: no two seeds look alike."""
    values = np.random.default_rng(seed).integers(0, top, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """40 images in two splits and two classes, the fearful ones dark, and one of each fault."""
    root = tmp_path / "planted"

    def put(image: Image.Image, place: str) -> None:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / place, quality=92)

    for seed in range(40):
        split, label = ("test" if seed >= 30 else "train"), ("awe" if seed % 2 else "fear")
        put(texture(seed, top=256 if seed % 2 else 90), f"{split}/{label}/{seed}.png")
    shutil.copy(root / "train/awe/3.png", root / "test/awe/leak.png")
    shutil.copy(root / "train/fear/6.png", root / "train/fear/again.png")
    shutil.copy(root / "train/awe/5.png", root / "train/fear/other label.png")
    (root / "train/awe/broken.jpg").write_bytes(b"no image")
    put(texture(90, side=16), "train/fear/tiny.png")
    put(Image.new("RGB", (64, 64), (200, 10, 10)), "train/fear/red.png")
    return root


@pytest.fixture
def known(planted: Path, settings: Settings) -> KnownSet:
    """The planted set in the library."""
    labelled = read_labelled(planted)
    return save_set(settings, "planted", "Planted *set*", labelled, {"source": "a test"})


@pytest.fixture
def examined(known: KnownSet, settings: Settings) -> Path:
    """Examined without a network; the folder where that is kept."""
    folder = examination_folder(settings, known.path)
    assert main(["data", "examine", str(known.path), "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def walls(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Tile]]:
    """What was given to the walls of pictures, by their keys."""
    shown: dict[str, list[Tile]] = {}

    def record(tiles: Sequence[Tile], key: str, *args: Any, **options: Any) -> None:
        shown[key] = list(tiles)

    monkeypatch.setattr("emoviz.ui.curation.pictures.gallery", record)
    return shown


def said(app: AppTest) -> str:
    """All plain text of the page."""
    kinds: tuple[Any, ...] = (
        app.markdown,
        app.info,
        app.caption,
        app.warning,
        app.error,
        app.success,
        app.main.html,
    )
    return "\n".join(str(item.value) for kind in kinds for item in kind)


def press(app: AppTest, label: str) -> AppTest:
    button = next(b for b in app.button if b.label.startswith(label))
    return healthy(button.click().run())


def wait(job: jobs.Job | None, seconds: float = 90) -> None:
    assert job is not None
    end = time.monotonic() + seconds
    while job.is_live:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def with_seen(folder: Path, kind: str, shares: list[float]) -> Examined:
    """As if a detector had found these shares in the first images, and nothing in the others."""
    item, about = read_examined(folder / ROWS)
    share = np.zeros(len(item))
    share[: len(shares)] = shares
    item = replace(item, **{kind: Detected(share, (share > 0).astype(np.int64))})
    write_examined(folder / ROWS, item, about)
    return item


# What is in it ---------------------------------------------------------------------------------


def test_the_sample_is_there_at_once(tiny_checkpoint: Checkpoint) -> None:
    app = open_page()
    assert app.selectbox(key="set").value == "sample"
    words = said(app)
    assert "62 images" in words
    assert "no split" in words
    assert any("awe (8)" in item.value for item in app.main.html)
    assert not app.get("plotly_chart")
    numbers = drawn_tables(app)[0]
    assert numbers["no split"].astype(int).sum() == 62
    assert "comes with the project" in words
    assert app.button(key="datasets-bring").label == "Bring it in"


def test_a_home_without_any_set_says_what_to_do(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Settings, "sample_data", property(lambda self: tmp_path / "none"))
    app = open_page()
    assert "There is no labelled set yet" in said(app)
    assert "Bring it in" in labels(app)


def test_counts_by_class_and_split_are_those_of_the_records(
    tiny_checkpoint: Checkpoint, known: KnownSet
) -> None:
    app = open_page(set="planted")
    records = read_labelled(known.path).records
    wanted = Counter((r.split, known.taxonomy.names[r.label]) for r in records)
    shown = drawn_tables(app)[0]
    for split in ("train", "test"):
        for name in ("awe", "fear"):
            assert int(shown.loc[name, split]) == wanted[split, name]
    app = open_page(set="planted", **{"class": f"c{known.taxonomy.index('fear')}", "split": "test"})
    assert f"{wanted['test', 'fear']} images; press one" in said(app)


def test_bars_of_classes_are_as_long_as_their_counts() -> None:
    bars = counts_by_class({"train": {"<i>": 2, "awe": 3, "fear": 0}, "test": {"awe": 1}})
    rows = re.findall(r"<li><span>(.+?)</span><div class=\S+ style=\"width:(.+?)%\"", bars)
    assert rows == [("awe (4)", "100.0"), ("&lt;i&gt; (2)", "50.0")]
    assert "train: 75\N{NO-BREAK SPACE}%, 3 images; test: 25\N{NO-BREAK SPACE}%, 1 images" in bars


def test_a_link_to_a_set_that_is_gone_and_a_damaged_one_are_told(
    tiny_checkpoint: Checkpoint, known: KnownSet, settings: Settings
) -> None:
    app = open_page(set="*gone*")
    assert r"The link asks for the set “\*gone\*”, which is not here" in said(app)
    known.path.write_bytes(known.path.read_bytes()[:-200])
    app = open_page(set="planted")
    assert "1 set cannot be used" in [item.label for item in app.expander]


# Bringing in -----------------------------------------------------------------------------------


def test_a_folder_is_brought_in_by_a_job_and_chosen(
    tiny_checkpoint: Checkpoint, planted: Path, settings: Settings
) -> None:
    app = open_page()
    app.text_input(key="datasets-path").set_value(str(planted)).run()
    app.text_input(key="datasets-title").set_value("My faults").run()
    press(app, "Bring it in")
    wait(jobs.find(settings, "import my-faults"))
    app = healthy(app.run())
    assert app.selectbox(key="set").value == "my-faults"
    assert "is in the library now" in said(app)
    assert find_set(settings, "my-faults").count == 46
    assert app.query_params["set"] in ("my-faults", ["my-faults"])


def test_a_table_with_lines_that_do_not_fit_lists_them(
    tiny_checkpoint: Checkpoint, make_table: Callable[..., Path], tmp_path: Path, settings: Settings
) -> None:
    table = make_table(tmp_path / "rows", ["awe", "fear"] * 4)
    with table.open("a") as stream:
        stream.write(f"{HOSTILE}.jpg,awe\n")
    app = open_page(kind="table")
    app.text_input(key="datasets-path").set_value(str(table)).run()
    press(app, "Bring it in")
    wait(jobs.find(settings, "import labels"))
    app = healthy(app.run())
    words = said(app)
    assert {"1 problem", "9 found: 8 taken, 1 problem"} <= {item.label for item in app.expander}
    assert HOSTILE not in "".join(item.value for item in app.main.html)
    assert "<li><b>line 10</b><span>&lt;img" in words
    assert ": there is no such file</span>" in words
    assert any("problems-" in b.key for b in app.get("download_button"))
    assert len(find_set(settings, "labels").taxonomy) >= 2


def test_a_wrong_root_says_what_was_expected_and_found(
    tiny_checkpoint: Checkpoint, planted: Path, settings: Settings
) -> None:
    app = open_page(kind="emoset")
    assert "annotation" in said(app)  # the layout, before anything is tried
    app.text_input(key="datasets-path").set_value(str(planted)).run()
    press(app, "Bring it in")
    wait(jobs.find(settings, "import planted"))
    app = healthy(app.run())
    told = app.error[0].value.replace("\\", "")
    assert "is not the folder of EmoSet" in told
    assert "Found: test, train" in told
    assert app.text_input(key="datasets-path").value == str(planted)  # to be mended
    again = open_page(adding="planted")  # after a reload
    assert len(again.error) == 1
    press(again, "Close")
    assert not again.error
    assert [item.id for item in list_sets(settings)[0]] == ["sample"]


def test_a_zip_that_is_none_and_one_that_is(
    tiny_checkpoint: Checkpoint, planted: Path, settings: Settings
) -> None:
    app = open_page()
    app.button_group(key="datasets-way").set_value("file").run()
    app.file_uploader(key="datasets-file-0").upload("broken.zip", b"PK no zip", "application/zip")
    press(app, "Bring it in")
    wait(jobs.find(settings, "import broken"))
    app = healthy(app.run())
    assert "it is not a ZIP archive" in app.error[0].value
    assert [item.id for item in list_sets(settings)[0]] == ["sample"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for label, name in (("awe", "1.png"), ("fear", "2.png"), ("fear", "tiny.png")):
            archive.write(planted / f"train/{label}/{name}", f"train/{label}/{name}")
    app.file_uploader(key="datasets-file-0").upload(
        "sent.zip", packed.getvalue(), "application/zip"
    )
    press(app, "Bring it in")
    wait(jobs.find(settings, "import sent"))
    app = healthy(app.run())
    assert find_set(settings, "sent").count == 3
    assert app.selectbox(key="set").value == "sent"


def test_the_other_reading_is_one_press_away(
    tiny_checkpoint: Checkpoint, tmp_path: Path, picture: Callable[..., bytes], settings: Settings
) -> None:
    for i, name in enumerate(("cats/old", "cats/new", "dogs/old")):
        file = tmp_path / "pets" / name / f"{i}.jpg"
        file.parent.mkdir(parents=True)
        file.write_bytes(picture(seed=i))
    app = open_page()
    app.text_input(key="datasets-path").set_value(str(tmp_path / "pets")).run()
    press(app, "Bring it in")
    for names, button in (
        ({"cats", "dogs"}, "Take folder level 2"),
        ({"old", "new"}, "Read it as before"),
    ):
        wait(jobs.find(settings, "import pets"))
        app = healthy(app.run())
        assert set(find_set(settings, "pets").taxonomy.names) == names
        press(app, button)
    wait(jobs.find(settings, "import pets"))
    assert len(list_sets(settings)[0]) == 2


def test_a_set_is_removed_and_taken_back(
    tiny_checkpoint: Checkpoint, known: KnownSet, settings: Settings
) -> None:
    before = digest(known.path)
    app = open_page(set="planted")
    press(app, "Remove Planted")
    assert "planted" not in [item.id for item in list_sets(settings)[0]]
    press(app, "Undo")
    assert digest(known.path) == before
    assert app.selectbox(key="set").value == "planted"


def test_what_cannot_be_removed_or_taken_back_is_told(settings: Settings, known: KnownSet) -> None:
    for id in ("sample", "nothing", "../planted"):
        with pytest.raises(TableError, match="could be removed"):
            remove_set(settings, id)
    remove_set(settings, "planted")
    save_set(settings, "planted", "Another", read_labelled(settings.sample_data / "labels.csv"), {})
    with pytest.raises(TableError, match="cannot be brought back"):
        bring_back_set(settings, "planted")


# Examination -----------------------------------------------------------------------------------


def test_an_examination_runs_in_the_background_and_is_there_again(
    tiny_checkpoint: Checkpoint, known: KnownSet, settings: Settings
) -> None:
    app = open_page(set="planted", view="faults")
    assert "was not examined yet" in said(app)
    press(app, "Examine it")
    job = jobs.find(settings, f"examine {known.path}")
    wait(job)
    assert job is not None
    assert job.state == "done", job.tail()
    app = open_page(set="planted", view="faults")
    words = said(app)
    assert "Mend before training" in words
    assert "1 between test and train" in words
    assert "One picture, several labels" in words
    options = app.selectbox(key="fault").options
    assert "Very small pictures (1)" in options
    assert any(text.startswith("Labels to look at first") for text in options)


def test_pairs_across_splits_stand_side_by_side(
    tiny_checkpoint: Checkpoint, examined: Path, walls: dict[str, list[Tile]]
) -> None:
    app = open_page(set="planted", view="faults", fault="leaks")
    assert r"equal bytes\: test and train" in said(app)
    (pair,) = [tiles for key, tiles in walls.items() if key.startswith("datasets-leaks")]
    assert {(tile.caption, tile.detail) for tile in pair} == {
        ("awe, test", "leak.png"),
        ("awe, train", "3.png"),
    }
    assert all(tile.picture for tile in pair)
    open_page(set="planted", view="faults", fault="contradictions")
    (both,) = [tiles for key, tiles in walls.items() if key.startswith("datasets-contradictions")]
    assert sorted(tile.caption for tile in both) == ["awe, train", "fear, train"]


def test_near_pairs_leave_out_copies_and_come_once() -> None:
    def pair(first: str, second: str, kind: str) -> dict[str, Any]:
        return {"first": first, "second": second, "kind": kind, "distance": 3.0}

    found = {
        "duplicates": {"list": [{"names": ["a", "b"], "labels": ["x", "x"]}]},
        "near_duplicates": {
            "pairs": {"list": [pair("c", "d", "hash")]},
            "by_vector": {
                "list": [
                    pair("b", "a", "vector"),
                    pair("d", "c", "vector"),
                    pair("a", "e", "vector"),
                ]
            },
        },
    }
    assert groups_of(found, "near_duplicates") == [
        (["c", "d"], "look alike (3 of 64 bits differ)"),
        (["a", "e"], "alike to the network"),
    ]


def test_pictures_can_be_thrown_out_by_hand_and_taken_back(
    tiny_checkpoint: Checkpoint, known: KnownSet, examined: Path, walls: dict[str, list[Tile]]
) -> None:
    app = open_page(set="planted", view="faults", fault="one_coloured")
    press(app, "Throw out all 1")
    item, _ = read_examined(examined / ROWS)
    red = item.looks.sha256[item.names.index("train/fear/red.png")]
    assert (read_json(examined / "decided.json") or {})["drop"] == [red]
    (tile,) = walls["datasets-fault-one_coloured"]
    assert tile.detail == "thrown out by hand: fear"
    press(app, "Take back")
    assert (read_json(examined / "decided.json") or {})["drop"] == []


def test_an_examination_of_a_set_that_changed_or_a_damaged_one_does_not_count(
    tiny_checkpoint: Checkpoint, known: KnownSet, examined: Path, settings: Settings
) -> None:
    assert kept(examined, known.path) is not None
    (examined / ROWS).write_bytes(b"damaged")
    assert "was not examined yet" in said(open_page(set="planted", view="light"))
    save_set(settings, "planted", "Another", read_labelled(known.path), {})
    assert kept(examined, known.path) is None
    assert "was not examined yet" in said(open_page(set="planted", view="prepare"))


def test_light_that_gives_the_class_away_is_told(
    tiny_checkpoint: Checkpoint, examined: Path
) -> None:
    app = open_page(set="planted", view="light")
    words = said(app)
    assert "a lot for knowing no more than light and colour" in words
    assert len(app.get("plotly_chart")) == 1
    medians = drawn_tables(app)[0]
    brightness = medians.loc["brightness"].astype(float)
    assert brightness["awe"] > brightness["fear"] + 0.2


# Text and faces --------------------------------------------------------------------------------


def test_a_threshold_counts_what_goes_and_fills_the_recipe(
    tiny_checkpoint: Checkpoint, examined: Path
) -> None:
    assert "Nobody looked for text" in said(open_page(set="planted", view="seen"))
    with_seen(examined, "text", [0.001, 0.004, 0.006, 0.02, 0.3])
    app = open_page(set="planted", view="seen")
    assert "3 images of 46" in said(app)  # at half a percent
    app = open_page(set="planted", view="seen", **{"from-text": "2"})
    assert "2 images of 46" in said(app)
    press(app, "Use 2 % in Preparation")
    assert app.session_state["prep-text"] == 2.0
    app.session_state["view"] = "prepare"
    app = healthy(app.run())
    assert "text on 2.0% or more of it (2)" in app.selectbox(key="because").options


def test_nothing_found_is_good_news(tiny_checkpoint: Checkpoint, examined: Path) -> None:
    with_seen(examined, "faces", [])
    app = open_page(set="planted", view="seen", seen="faces")
    assert "In none of 46 images faces was found" in said(app)


# Preparation -----------------------------------------------------------------------------------


def test_the_preview_is_what_the_recipe_does_and_the_set_is_made(
    tiny_checkpoint: Checkpoint, known: KnownSet, examined: Path, settings: Settings
) -> None:
    labelled = read_labelled(known.path)
    item, _ = read_examined(examined / ROWS)
    wanted = prepare(labelled, item, load_preparation("clean"))
    app = open_page(set="planted", view="prepare")
    words = said(app)
    assert f"{len(wanted.labelled.records)} of 46 images stay" in words
    assert wanted.fingerprint[:16] in words
    shown = drawn_tables(app)[0]
    assert {name: int(shown.loc[name, "train"]) for name in ("awe", "fear")} == {
        name: wanted.counts()["train"][name] for name in ("awe", "fear")
    }
    app.text_input(key="prep-title").set_value("Cleaned faults").run()
    press(app, "Make the set")
    made = find_set(settings, "cleaned-faults")
    assert made.count == len(wanted.labelled.records)
    assert made.about["source"] == "a test"
    step = made.about["lineage"][-1]
    assert step["fingerprint"] == wanted.fingerprint
    assert step["from"] == "planted"
    assert "is in the library" in said(app)
    retrain = open_page("retrain", set="cleaned-faults", **{"from": "tiny"})
    assert retrain.selectbox(key="set").value == "cleaned-faults"
    again = read_preparation(json.dumps(step["recipe"]), "again")
    assert prepare(labelled, item, again).fingerprint == wanted.fingerprint


def test_look_alikes_that_stay_in_two_splits_are_warned_of(
    tiny_checkpoint: Checkpoint, planted: Path, settings: Settings
) -> None:
    near = texture(7).resize((72, 72), Image.Resampling.BICUBIC)
    near.save(planted / "test/awe/near.png")
    known = save_set(settings, "planted", "Planted", read_labelled(planted), {})
    folder = examination_folder(settings, known.path)
    assert main(["data", "examine", "planted", "--out", str(folder)]) == 0
    app = open_page(set="planted", view="prepare")
    words = said(app)
    assert "1 pair that look alike still stand in two splits" in words
    assert "No labelled image is in validation" in words
    app.selectbox(key="prep-near").set_value("drop").run()
    assert "still stand in two splits" not in said(healthy(app))
    app.selectbox(key="prep-near").set_value("together").run()
    app.checkbox(key="prep-own").uncheck().run()
    words = said(healthy(app))
    assert "still stand in two splits" not in words
    assert "No labelled image is in" not in words


def test_what_is_thrown_out_can_be_kept_after_all(
    tiny_checkpoint: Checkpoint, examined: Path
) -> None:
    app = open_page(set="planted", view="prepare", because="of one colour")
    before = re.search(r"\*\*(\d+) of 46", said(app))
    press(app, "Keep all 1 after all")
    after = re.search(r"\*\*(\d+) of 46", said(app))
    assert before is not None
    assert after is not None
    assert int(after[1]) == int(before[1]) + 1
    assert "of one colour (1)" not in app.selectbox(key="because").options
    press(app, "Take back what was decided by hand (1)")
    assert "of one colour (1)" in app.selectbox(key="because").options


def test_impossible_recipes_are_told_and_make_nothing(
    tiny_checkpoint: Checkpoint, examined: Path
) -> None:
    app = open_page(set="planted", view="prepare")
    app.text_input(key="prep-names").set_value("awe").run()
    assert "wanted old=new" in said(healthy(app))
    assert "Make the set" not in labels(app)
    app.text_input(key="prep-names").set_value("joy=fear").run()
    assert "is no label of the set" in said(healthy(app))
    app.text_input(key="prep-names").set_value("awe=calm, fear=dread").run()
    assert "calm" in drawn_tables(app)[0].index
    app.text_input(key="prep-counts").set_value("calm=many").run()
    assert "whole number" in said(healthy(app))
    app.text_input(key="prep-counts").set_value("calm=5").run()
    assert drawn_tables(app)[0].loc["calm", "all"] == "5"
    app.number_input(key="prep-text").set_value(1.0).run()
    assert "was not looked for" in said(healthy(app))


def test_a_reload_brings_the_form_back_as_it_was_for_this_set(
    tiny_checkpoint: Checkpoint, examined: Path
) -> None:
    app = open_page(set="planted", view="prepare")
    app.number_input(key="prep-seed").set_value(5).run()
    app.text_input(key="prep-names").set_value("awe=wonder").run()
    again = open_page(set="planted", view="prepare")
    assert again.number_input(key="prep-seed").value == 5
    assert again.text_input(key="prep-names").value == "awe=wonder"
    (examined / "last-recipe.yaml").write_text("name: [broken")
    assert open_page(set="planted", view="prepare").number_input(key="prep-seed").value == 0


def test_a_recipe_file_fills_the_form(tiny_checkpoint: Checkpoint, examined: Path) -> None:
    app = open_page(set="planted", view="prepare")
    recipe = b"name: mine\nfilters: {min_side: 0, grey: drop}\nsplit: {test: 0.3, seed: 7}\n"
    uploader = next(u for u in app.file_uploader if str(u.key).startswith("prep-file"))
    uploader.upload("mine.yaml", recipe, "application/yaml")
    healthy(app.run())
    assert app.number_input(key="prep-seed").value == 7
    assert app.number_input(key="prep-test").value == 30.0
    assert app.checkbox(key="prep-grey").value is True
    uploader = next(u for u in app.file_uploader if str(u.key).startswith("prep-file"))
    uploader.upload("bad.yaml", b"name: x\nfilters: {colour: red}", "application/yaml")
    healthy(app.run())
    assert "colour" in said(app)
    assert app.number_input(key="prep-seed").value == 7


# Taking out ------------------------------------------------------------------------------------


def test_files_are_made_when_asked(
    tiny_checkpoint: Checkpoint, known: KnownSet, examined: Path
) -> None:
    app = open_page(set="planted", view="out")
    for form in ("card", "csv", "croissant", "imagefolder"):
        app.button(key=f"datasets-prepare-{form}").click().run()
        healthy(app)
        name, data = app.session_state[f"datasets-ready-{form}"][1:]
        assert name.startswith("planted")
        if form == "csv":
            rows = list(csv.DictReader(io.StringIO(data.decode())))
            assert Counter(row["label"] for row in rows) == {"awe": 22, "fear": 24}
        if form == "imagefolder":
            names = zipfile.ZipFile(io.BytesIO(data)).namelist()
            assert sum(not name.endswith("/") for name in names) == 46
            assert "train/fear/red.png" in names


def test_a_folder_is_written_in_the_background(
    tiny_checkpoint: Checkpoint, known: KnownSet, settings: Settings, tmp_path: Path
) -> None:
    app = open_page(set="planted", view="out")
    press(app, "Write the folder")
    assert "Write the path of a new folder first" in said(app)
    app.text_input(key="datasets-out").set_value(str(tmp_path / "out")).run()
    press(app, "Write the folder")
    wait(jobs.find(settings, "export planted"))
    assert len(list((tmp_path / "out").rglob("*.png"))) == 45


def test_the_card_has_the_numbers_and_escapes_what_is_foreign(
    known: KnownSet, examined: Path, settings: Settings
) -> None:
    labelled = read_labelled(known.path)
    found = kept(examined, known.path)
    about = {**known.about, "terms": HOSTILE, "lineage": [{"words": f"made by {HOSTILE}"}]}
    card = card_of(labelled, about, found, Limits.of(settings), f"Set {HOSTILE}")
    text = data_card(card)
    assert HOSTILE not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") >= 4  # twice the title
    assert "made by" in text
    assert "The same picture in two splits" in text
    assert text.count('src="data:image/jpeg;base64,') == 8  # four of each class that has any
    assert not re.search(r'(src|href)="https?:', text)
    assert '<td class="number">22</td>' in text  # of awe
    bare = data_card(card_of(labelled, {}, None, Limits.of(settings)))
    assert "was not examined" in bare
    assert "Nothing is known of its origin" in bare


def test_the_card_is_written_on_the_command_line(
    examined: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "card.html"
    assert main(["data", "export", "planted", "--as", "card", "--out", str(out)]) == 0
    assert "a card of 46 images" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert "<h1>Data card: Planted *set*</h1>" in text
    assert "The same picture in two splits" in text
    assert main(["data", "export", "sample", "--as", "card", "--out", str(out)]) == 0
    assert "which were not examined" in capsys.readouterr().out


def test_sentences_say_what_numbers_mean(examined: Path) -> None:
    found = json.loads((examined / FOUND).read_text())
    by_kind = {row.kind: row for row in verdicts(found)}
    assert by_kind["leaks"].weight == "mend"
    assert by_kind["duplicates"].count == 3
    assert by_kind["contradictions"].count == 1
    assert by_kind["suspect_labels"].count is None
    assert "needs a network" in by_kind["suspect_labels"].words
    assert "(3)" in headline(found)
    even = {"all": {"a": 50, "b": 50}, "majority": 0.5, "ratio": 1.0}
    assert "of like size" in balance_words(even)
    lopsided = {"all": {"a": 90, "b": 10}, "majority": 0.9, "ratio": 9.0}
    assert "9.0 times as many images as “b”" in balance_words(lopsided)
    assert "one label" in balance_words({"all": {"a": 9, "b": 0}, "majority": 1.0, "ratio": 1.0})
    guess = {"accuracy": 0.51, "majority": 0.5, "recall": {"a": 0.6, "b": 0.4}}
    assert "no more than guessing" in light_words({**even, "by_looks_alone": guess})
