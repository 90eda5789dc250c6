"""The Classify page without a browser: what it shows for images, broken files and no checkpoint."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from app_pages import healthy
from PIL import Image
from placed import put_checkpoint
from streamlit.testing.v1 import AppTest

from emoviz.checkpoints import Card, Checkpoint, read_checkpoint
from emoviz.inference.abstention import Abstention, clear_abstention, save_abstention
from emoviz.inference.flags import certainty, entropy
from emoviz.inference.predict import Prediction
from emoviz.labels import FER7, MIKELS8, SADNESS2, TEXT2, Taxonomy
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.ui import cards, export, results, running, words
from emoviz.ui.card_page import card_html, novelty_rule
from emoviz.ui.gallery import Tile
from emoviz.ui.results import Result
from emoviz.ui.wording import wording
from emoviz.ui.workspace import FORGOTTEN, Workspace

Make = Callable[..., bytes]
HOSTILE = "<script>alert(1)</script>\"'=1+1\u202egpj.exe" + "long" * 60 + ".jpg"


def open_app(checkpoint: str = "tiny", **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=60)
    app.query_params["checkpoint"] = checkpoint
    for name, value in query.items():
        app.query_params[name] = value
    return healthy(app.run())


def drop(app: AppTest, *files: tuple[str, bytes], into: str = "files") -> AppTest:
    """Drop files into the drop zone, or into the one for folders."""
    zone = next(item for item in app.file_uploader if str(item.key).startswith(f"{into}-"))
    for name, data in files:
        zone.upload(name, data, "application/octet-stream")
    return healthy(app.run())


def html(app: AppTest) -> str:
    """Everything that the page wrote as HTML, without the style sheet."""
    return "".join(item.value for item in app.main.html if "<style>" not in item.value)


def headings(app: AppTest) -> list[str]:
    return [item.value for item in app.header]


def space(app: AppTest) -> Workspace:
    found: Workspace = app.session_state["workspace"]
    return found


@pytest.fixture
def app(tiny_checkpoint: Checkpoint) -> AppTest:
    return open_app()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images the page sent through the network, run by run."""
    sent: list[int] = []
    real = running.predict

    def counting(model: Any, sources: Any, *rest: Any) -> Iterator[Prediction]:
        found = list(sources)
        sent.append(len(found))
        return real(model, iter(found), *rest)

    monkeypatch.setattr(running, "predict", counting)
    return sent


# What a person sees


def as_buttons(tiles: Sequence[Tile], key: str, *_: object, **given: Any) -> None:
    """Stands in for a gallery, which no page without a browser can press."""
    for place, tile in enumerate(tiles):
        st.button(tile.caption, key=f"{key}-{place}", on_click=given["on_press"], args=(place,))


def test_empty_page_says_what_it_does_and_what_to_do(app: AppTest) -> None:
    assert app.title[0].value == "Which emotion does an image evoke?"
    assert "the model's estimate of the emotion that each evokes" in app.main.markdown[0].value
    assert [zone.label for zone in app.file_uploader] == [
        "Drop images here, or a ZIP of images",
        "Drop a whole folder here",
    ]
    assert app.button(key="samples-all").label == "Try all 24"
    assert "csv" not in [item.key for item in app.get("download_button")]


def test_one_image_shows_large_with_every_class(app: AppTest, picture: Make) -> None:
    drop(app, ("meadow.jpg", picture()))
    text = html(app)
    assert headings(app) == ["1 image"]
    assert 'class="ev-single"' in text
    assert text.count('role="meter"') == 8
    assert 'alt="meadow.jpg"' in text
    assert "The model" in text
    assert "data:image/jpeg;base64," in text


def test_several_images_show_as_cards_with_an_overview(app: AppTest, picture: Make) -> None:
    drop(app, *((f"{i}.png", picture("PNG", seed=i)) for i in range(5)))
    text = html(app)
    assert headings(app) == ["5 images", *headings(app)[1:]]
    assert text.count('class="ev-card"') == 5
    assert "Most likely emotion" in text
    assert text.index("0.png") < text.index("4.png")


def test_broken_files_are_listed_with_reasons_and_harm_no_other(
    app: AppTest, picture: Make
) -> None:
    whole = picture(size=(400, 300))
    drop(
        app,
        ("good.jpg", whole),
        ("text.jpg", b"These are words, not pixels. " * 9),
        ("cut.jpg", whole[: len(whole) // 3]),
        ("empty.jpg", b""),
        ("fine.png", picture("PNG", seed=3)),
    )
    text = html(app)
    assert headings(app)[0] == "2 images, 3 refused"
    assert next(item.label for item in app.main.expander) == "3 files could not be read"
    refused = text[text.index("ev-refused") :]
    for name in ("text.jpg", "cut.jpg", "empty.jpg"):
        assert f"<b>{name}</b>" in refused
    assert "It is a text, whatever its name says, not an image." in refused
    assert "It is damaged or cut short" in refused
    assert "The file is empty." in refused
    assert "Traceback" not in text


def test_only_broken_files_still_make_a_page(app: AppTest) -> None:
    drop(app, ("a.jpg", b"nothing"))
    assert headings(app)[0] == "0 images, 1 refused"
    assert "a.jpg" in html(app)


def test_a_hostile_file_name_is_text_and_nothing_else(app: AppTest, picture: Make) -> None:
    drop(app, (HOSTILE, picture()), (HOSTILE + "x", b""))
    text = html(app)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;=1+1" in text
    assert "\u202e" not in text


def test_a_zip_is_opened_and_its_bad_members_are_refused(app: AppTest, picture: Make) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/one.jpg", picture(seed=1))
        archive.writestr("../out.jpg", picture(seed=2))
        archive.writestr("notes.txt", "no image by its name")
    drop(app, ("show.ZIP", buffer.getvalue()), ("torn.zip", b"PK\x03\x04 and no more"))
    assert headings(app)[0] == "1 image, 3 refused"
    assert "show.ZIP/a/one.jpg" in html(app)
    assert "Its name leads out of the ZIP" in html(app)


def test_a_folder_gives_its_images_and_names_the_rest(app: AppTest, picture: Make) -> None:
    drop(
        app,
        ("show/b.jpg", picture(seed=1)),
        ("show/a.jpg", picture(seed=2)),
        ("show/notes.txt", b"words"),
        ("show/list.csv", b"a,b"),
        ("show/.DS_Store", b"x"),
        into="folder",
    )
    assert headings(app)[0] == "2 images, 2 refused"
    assert "It is a table; open it by itself" in html(app)
    names = [entry.name for entry in space(app).entries]
    assert names == ["show/a.jpg", "show/b.jpg", "show/list.csv", "show/notes.txt"]


def test_an_animation_says_which_frame_was_used(app: AppTest) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    drop(app, ("moving.gif", buffer.getvalue()))
    assert "Note: animated: its first frame is used." in html(app)


def test_a_sample_is_one_press_away_and_in_the_link(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.ui.intake.gallery", as_buttons)
    shown = [item for item in app.run().button if str(item.key).startswith("sample-gallery")]
    assert len(shown) == 24
    healthy(next(item for item in shown if item.label.startswith("Calf")).click().run())
    assert headings(app)[0] == "1 image"
    assert "Calf with pricked ears" in html(app)
    assert app.query_params["sample"] in ("images/calf.jpg", ["images/calf.jpg"])


def test_a_link_reproduces_its_view(tiny_checkpoint: Checkpoint) -> None:
    app = open_app(sample="images/calf.jpg")
    assert headings(app)[0] == "1 image"
    assert "Calf with pricked ears" in html(app)


def test_a_link_to_what_is_not_here_says_so(tiny_checkpoint: Checkpoint) -> None:
    app = open_app(checkpoint="<b>gone</b>", sample="../../etc/passwd")
    assert "&lt;b&gt;gone&lt;/b&gt;" in "".join(item.value for item in app.sidebar.html)
    assert "which is not here" in app.info[0].value
    assert not space(app).entries


def test_pages_hold_a_dozen_and_order_and_filter_work(app: AppTest, picture: Make) -> None:
    drop(app, *((f"{i:02d}.jpg", picture(seed=i)) for i in range(15)))
    assert html(app).count('class="ev-card"') == 12
    rows = space(app).results(next(iter(space(app).predictions))[1])
    healthy(app.selectbox(key="classify-order").select("Most certain first").run())
    best = min(rows, key=lambda row: entropy(row.prediction))
    assert html(app).index(best.prediction.path) < html(app).index("ev-bars")
    predicted = rows[0].prediction.predicted
    healthy(app.selectbox(key="classify-show").set_value(predicted).run())
    wanted = sum(row.prediction.predicted == predicted for row in rows)
    assert html(app).count('class="ev-card"') == min(wanted, 12)


def test_remove_all_leaves_an_empty_page(app: AppTest, picture: Make) -> None:
    drop(app, ("a.jpg", picture()))
    healthy(app.button(key="remove").click().run())
    assert not space(app).entries
    assert headings(app) == ["Or press a sample image"]


def test_more_images_than_allowed_are_counted(
    tiny_checkpoint: Checkpoint, picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_MAX_IMAGES", "2")
    app = drop(open_app(), *((f"{i}.jpg", picture(seed=i)) for i in range(5)))
    assert headings(app)[0] == "2 images"
    assert app.info[0].value.startswith("3 images left out")


# What is computed, and how often


def test_the_same_bytes_are_computed_once(app: AppTest, picture: Make, batches: list[int]) -> None:
    drop(app, ("a.jpg", picture()))
    drop(app, ("again.jpg", picture()), ("new.jpg", picture(seed=9)))
    assert batches == [1, 1]
    assert headings(app)[0] == "3 images"
    drop(app, ("a.jpg", picture()))
    assert headings(app)[0] == "3 images"
    assert "had been dropped before" in app.info[0].value


def test_another_checkpoint_is_asked_once(
    tiny_checkpoint: Checkpoint, picture: Make, batches: list[int]
) -> None:
    copy_with(tiny_checkpoint, "other", temperature=4.0, title="Another")
    app = drop(open_app(), ("a.jpg", picture()), ("b.jpg", picture(seed=2)))
    before = html(app)
    healthy(app.selectbox(key="checkpoint").set_value("other").run())
    assert html(app) != before
    assert app.query_params["checkpoint"] in ("other", ["other"])
    healthy(app.selectbox(key="checkpoint").set_value("tiny").run())
    assert html(app) == before
    assert batches == [2, 2]


def test_a_stopped_run_keeps_what_is_done_and_can_go_on(app: AppTest, picture: Make) -> None:
    drop(app, ("a.jpg", picture()))
    waiting = [(f"{i}.jpg", picture(seed=i)) for i in range(1, 4)]
    for name, data in waiting:
        space(app).add(running.from_bytes(name, data))
    space(app).paused = True
    healthy(app.run())
    assert headings(app)[0] == "1 image"
    assert "3 images not looked at yet" in "".join(item.value for item in app.main.markdown)
    healthy(app.button(key="go-on").click().run())
    assert headings(app)[0] == "4 images"


def test_a_stopped_run_can_leave_the_rest_out(app: AppTest, picture: Make) -> None:
    space(app).add(running.from_bytes("a.jpg", picture()))
    space(app).paused = True
    healthy(app.run())
    healthy(app.button(key="leave-out").click().run())
    assert not space(app).entries


def test_a_run_that_fails_offers_a_way_out(
    app: AppTest, picture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next visit must not begin what failed all over again, for ever."""

    def out_of_memory(*_: object) -> Iterator[Prediction]:
        raise MemoryError

    monkeypatch.setattr(running, "predict", out_of_memory)
    drop(app, ("a.jpg", picture()), ("b.jpg", picture(seed=1)))
    assert "could not go on" in app.error[0].value
    monkeypatch.undo()
    healthy(app.run())
    assert "2 images not looked at yet" in "".join(item.value for item in app.markdown)
    healthy(app.button(key="go-on").click().run())
    assert html(app).count('class="ev-card"') == 2


def test_originals_over_the_limit_are_let_go_and_say_so(picture: Make) -> None:
    room = Workspace()
    for name in ("old.jpg", "new.jpg"):
        room.add(running.from_bytes(name, picture()), weight=100)
        entry = room.entries[-1]
        room.record(entry, "one", Prediction(name, name, {"awe": 1.0}, "awe"))
    room.let_go(limit=150)
    assert [entry.source is None for entry in room.entries] == [True, False]
    assert [entry.name for entry in room.pending("two")] == ["new.jpg"]
    assert [(row.name, row.reason) for row in room.refusals("two")] == [("old.jpg", FORGOTTEN)]
    assert not room.refusals("one")


def test_pages_import_no_torch(tiny_checkpoint: Checkpoint, picture: Make, tmp_path: Path) -> None:
    image = tmp_path / "a.jpg"
    image.write_bytes(picture())
    script = (
        "import sys; from pathlib import Path; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(PROJECT_ROOT / 'app.py')!r}, default_timeout=60)\n"
        "app.query_params['checkpoint'] = 'tiny'\n"
        "app.run()\n"
        f"app.file_uploader[0].upload('a.jpg', Path({str(image)!r}).read_bytes())\n"
        "app.run(); assert not app.exception and app.header[0].value == '1 image'\n"
        "print([name for name in ('torch', 'timm', 'pandas', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


# When something is wrong


def test_no_checkpoint_at_all_is_explained(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "shipped_checkpoints", home / "none")
    app = open_app()
    assert "card.json" in app.warning[0].value
    assert str(home / "checkpoints") in app.warning[0].value
    assert not app.file_uploader


def test_broken_checkpoints_are_told_apart(tiny_checkpoint: Checkpoint) -> None:
    broken = tiny_checkpoint.folder.parent / "torn"
    broken.mkdir()
    (broken / "card.json").write_text('{"format": 1')
    app = open_app()
    assert "1 network cannot be used" in [item.label for item in app.sidebar.expander]
    assert "torn" in app.sidebar.text[0].value
    assert "torn" not in app.selectbox(key="checkpoint").options


def test_a_checkpoint_that_cannot_be_run_keeps_the_images(
    tiny_checkpoint: Checkpoint, picture: Make
) -> None:
    folder = copy_with(tiny_checkpoint, "bad", title="Bad graph").folder
    (folder / "graph.onnx").write_bytes(b"not a graph")
    app = open_app("bad")
    drop(app, ("a.jpg", picture()))
    assert "Choose another network" in app.main.error[0].value
    assert "Traceback" not in app.main.error[0].value
    healthy(app.selectbox(key="checkpoint").set_value("tiny").run())
    assert headings(app)[0] == "1 image"


def test_an_impossible_setting_is_explained(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_MAX_FILE_MB", "plenty")
    app = open_app()
    assert "plenty" in app.error[0].value
    assert not app.title


# The card


def test_the_card_opens_from_the_sidebar(app: AppTest) -> None:
    opener = next(item for item in app.button if item.label == "About this network")
    healthy(opener.click().run())
    text = "".join(item.value for item in app.html)
    assert "Random weights, for tests only." in text
    assert "amusement (positive)" in text


def test_the_card_shows_what_it_has_and_leaves_out_what_it_lacks(
    tiny_checkpoint: Checkpoint,
) -> None:
    text = card_html(tiny_checkpoint.card)
    assert "Intended use" not in text
    card = with_values(
        tiny_checkpoint.card,
        intended_use="Looking\n\nat <pictures>.",
        data=[{"name": "Set", "counts": {"train": 3, "test": 1}, "extra": [{"deep": {"a": 1}}]}],
        measures={"one": {"accuracy": 0.5, "n": 10}, "two": {"macro_f1": 0.25}, "note": "x"},
        calibration={"ece_before": 0.1234},
        novelty={"rule": "Farther than 99 in 100.", "rate": 0.011},
    )
    text = card_html(card)
    for words_ in ("at &lt;pictures&gt;.", "Macro F1", "ECE before", "0.123", "train&nbsp;3"):
        assert words_ in text
    assert novelty_rule(card) == "Farther than 99 in 100."
    assert text.count("Farther than 99 in 100.") == 1


# Words


@pytest.mark.parametrize(
    ("values", "grade", "part"),
    [
        ({"awe": 0.9, "fear": 0.1}, "clear", "very likely evokes awe (90 %)"),
        ({"awe": 0.5, "fear": 0.22, "anger": 0.2, "sadness": 0.08}, "leaning", "next fear (22 %)"),
        (
            {"awe": 0.5, "fear": 0.4, "anger": 0.1, "joy": 0.0},
            "divided",
            "awe (50 %) or fear (40 %)",
        ),
        ({"awe": 0.35, "fear": 0.33, "anger": 0.32}, "unsure", "The model is unsure"),
        (dict.fromkeys(MIKELS8.names, 0.125), "unsure", "spreads over"),
    ],
)
def test_sentences_are_graded(values: dict[str, float], grade: str, part: str) -> None:
    prediction = Prediction("x", "x", values, next(iter(values)))
    assert certainty(prediction) == grade
    text = words.sentence(prediction).replace("\N{NO-BREAK SPACE}", " ")
    assert part in text
    assert text.startswith("The model")


@pytest.mark.parametrize(
    ("taxonomy", "values", "part"),
    [
        (FER7, {"happy": 0.9, "sad": 0.1}, "this face very likely shows the expression happy"),
        (SADNESS2, {"others": 0.9, "sadness": 0.1}, "evokes something other than sadness (90 %)"),
        (TEXT2, {"text": 0.9, "no text": 0.1}, "this image very likely holds text (90 %)"),
    ],
)
def test_each_kind_of_checkpoint_has_its_words(
    taxonomy: Taxonomy, values: dict[str, float], part: str
) -> None:
    shares = {"positive": 0.9, "negative": 0.1, "none": 0.0}
    prediction = Prediction("x.jpg", "x", values, next(iter(values)), None, shares)
    text = words.sentence(prediction, wording(taxonomy)).replace("\N{NO-BREAK SPACE}", " ")
    assert part in text
    assert ("ev-sentiment" in cards.single(Result(1, prediction), taxonomy)) == (taxonomy == FER7)


def test_a_checkpoint_of_faces_says_what_it_is_not_for(
    tiny_source: Path, home: Path, tmp_path: Path
) -> None:
    card = json.loads((tiny_source / "card.json").read_text())
    folder = home / "checkpoints" / "faces"
    put_checkpoint(tiny_source, home, "faces")
    seven = {**FER7.to_dict(), "classes": [*FER7.to_dict()["classes"]]}
    eighth = {"name": "none", "sentiment": None, "colour": "#888888"}
    seven["classes"].append(eighth)  # the tiny network has eight outputs
    (folder / "card.json").write_text(json.dumps({**card, "id": "faces", "taxonomy": seven}))
    page = open_app("faces").run()
    assert not page.exception
    assert page.title[0].value == "Which expression does a face show?"
    assert "cut-out faces alone" in page.info[0].value


def test_sentiment_that_disagrees_with_the_first_class_is_said() -> None:
    values = {"awe": 0.4, "fear": 0.3, "anger": 0.3}
    shares = {"positive": 0.4, "negative": 0.6, "none": 0.0}
    prediction = Prediction("x", "x", values, "awe", "negative", shares, top2_opposite=True)
    assert "awe, is positive, but the negative ones" in (
        words.conflict_note(prediction, MIKELS8) or ""
    )
    assert words.mixed_note(prediction, MIKELS8) == "Mixed: awe is positive, fear is negative."
    agreeing = Prediction("x", "x", values, "fear", "negative", shares)
    assert words.conflict_note(agreeing, MIKELS8) is None
    assert words.mixed_note(agreeing, MIKELS8) is None


def test_what_is_unlike_training_states_the_rule() -> None:
    prediction = Prediction("x.jpg", "x", {"awe": 1.0}, "awe", unlike_training=True, novelty=1.4)
    text = cards.single(Result(1, prediction), MIKELS8, "Farther than 99 in 100.")
    assert "Unlike the training images" in text
    assert "Farther than 99 in 100." in text


def test_foreign_text_is_shown_but_not_obeyed() -> None:
    assert words.readable("a\u202eb\x00c") == "a\ufffdb\ufffdc"
    assert words.plain("[a](b) :red[c] $x$") == r"\[a\]\(b\) \:red\[c\] \$x\$"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.counted(1, "image") == "1 image"
    assert words.duration(42) == "40 seconds"


# Order, filter, downloads


def rows() -> list[Result]:
    values = [
        ({"awe": 0.9, "fear": 0.1}, False, 0.5),
        ({"awe": 0.5, "fear": 0.5}, True, 0.2),
        ({"fear": 0.7, "awe": 0.3}, True, 1.5),
    ]
    return [
        Result(
            i,
            Prediction(
                f"{i}.jpg",
                str(i),
                probabilities,
                max(probabilities, key=lambda name: probabilities[name]),
                top2_opposite=mixed,
                novelty=novelty,
                unlike_training=novelty > 1,
            ),
        )
        for i, (probabilities, mixed, novelty) in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        ("As given", [0, 1, 2]),
        ("Most certain first", [0, 2, 1]),
        ("Most uncertain first", [1, 2, 0]),
        ("Mixed feelings first", [1, 2, 0]),
        ("Unlike training first", [2, 0, 1]),
        ("an order of another version", [0, 1, 2]),
    ],
)
def test_orders(order: str, numbers: list[int]) -> None:
    assert [row.number for row in results.in_order(rows(), order)] == numbers


def test_filters_count_what_they_give() -> None:
    found = results.choices(rows(), MIKELS8)
    assert found == {"all": 3, "awe": 2, "fear": 1, "mixed": 2, "unlike": 1, "unsure": 1}
    for choice, count in found.items():
        assert len(results.kept(rows(), choice)) == count


def test_downloads_hold_every_image_and_refusal() -> None:
    done = [rows()[0].prediction, Prediction("=cmd|x.jpg", error="the file is empty")]
    values = json.loads(export.to_json(done, "tiny"))
    assert [set(row) for row in values] == [
        {*done[0].to_dict(), "checkpoint"},
        {*done[0].to_dict(), "checkpoint"},
    ]
    assert values[0]["probabilities"] == {"awe": 0.9, "fear": 0.1}
    assert values[1]["error"] == "the file is empty"
    table = list(csv.DictReader(io.StringIO(export.to_csv(done, ("awe", "fear"), "tiny")[1:])))
    assert table[0]["p_awe"] == "0.900000"
    assert table[0]["checkpoint"] == "tiny"
    assert table[1]["path"] == "'=cmd|x.jpg"
    assert table[1]["p_fear"] == ""


def test_download_buttons_appear_with_results(app: AppTest, picture: Make) -> None:
    drop(app, ("a.jpg", picture()))
    assert [item.key for item in app.get("download_button")] == ["csv", "json"]
    outcome = space(app).outcome(next(iter(space(app).predictions))[1])
    assert [item.path for item in outcome] == ["a.jpg"]


def with_values(card: Card, **values: Any) -> Card:
    return Card.from_dict({**card.to_dict(), **values})


def copy_with(checkpoint: Checkpoint, name: str, **values: Any) -> Checkpoint:
    """A copy of a checkpoint under another id, with other words on its card."""
    folder = checkpoint.folder.parent / name
    shutil.copytree(checkpoint.folder, folder)
    card = {**checkpoint.card.to_dict(), "id": name, **values}
    (folder / "card.json").write_text(json.dumps(card))
    return read_checkpoint(folder)


def test_a_threshold_that_was_set_flags_what_is_below_it(
    tiny_checkpoint: Checkpoint, settings: Settings, picture: Make
) -> None:
    """Also on predictions that were made before it was set; then it is cleared again."""
    app = drop(open_app(), ("a.jpg", picture()), ("b.jpg", picture(seed=1)))
    assert "Not sure enough" not in html(app)
    save_abstention(tiny_checkpoint, settings, Abstention(1.0))
    text = html(healthy(app.run()))
    assert text.count('<li class="ev-tag ev-abstains">Not sure enough</li>') == 2
    assert "below the threshold that was set" in text
    clear_abstention(tiny_checkpoint, settings)
    assert "Not sure enough" not in html(healthy(app.run()))


# What if ------------------------------------------------------------------------------------------


def test_what_if_is_tried_on_all_images_or_on_one(app: AppTest, picture: Make) -> None:
    drop(app, ("a.jpg", picture()), ("b.jpg", picture(seed=2)), ("c.jpg", picture(seed=3)))
    app.session_state["whatif"] = True
    healthy(app.run())
    assert "each image is shown to the model anew" in app.main.info[-1].value
    light = next(item for item in app.slider if item.label.startswith("Brightness"))
    healthy(light.set_value(20).run())
    told = next(item.value for item in app.main.markdown if "changes for" in item.value)
    dark = [predict_dark(name, picture(seed=seed)) for name, seed in (("a", 0), ("b", 2), ("c", 3))]
    before = {row.path[0]: row.predicted for row in space(app).outcome(identity_of(app))}
    turned = sum(row.predicted != before[row.path] for row in dark)
    assert f"**{turned} of 3 images**" in told
    picker = app.selectbox(key="whatif-image")
    healthy(picker.set_value(2).run())
    assert any("Bars: the estimate now" in item.value for item in app.main.caption)


def identity_of(app: AppTest) -> str:
    return next(key[1] for key in space(app).predictions)


def predict_dark(name: str, data: bytes) -> Prediction:
    from emoviz.checkpoints import open_checkpoint
    from emoviz.data.edits import Edit, edit_image, to_png
    from emoviz.data.images import open_image
    from emoviz.data.sources import from_bytes
    from emoviz.inference.predict import load_model, predict
    from emoviz.settings import load_settings

    settings = load_settings()
    dark = to_png(edit_image(open_image(data).pixels, Edit(brightness=0.2)))
    (found,) = predict(
        load_model(open_checkpoint("tiny", settings), settings), [from_bytes(name, dark)]
    )
    return found
