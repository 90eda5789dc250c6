"""Images to predictions: order, errors in the middle, batches, flags, and no thread left behind."""

import csv
import hashlib
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emoviz.checkpoints import Checkpoint
from emoviz.data.images import Limits, open_image
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.sources import ImageSource, from_bytes, refusal
from emoviz.errors import CheckpointError
from emoviz.inference.engines import OnnxEngine, RawOutput
from emoviz.inference.predict import Model, Prediction, predict, softmax
from emoviz.inference.tabular import csv_header, csv_row, csv_text, safe_cell, write_csv
from emoviz.labels import EMOTION6, MIKELS8
from emoviz.models.novelty import Novelty

Picture = Callable[..., bytes]


class Scripted:
    """An engine whose logits are written down: row after row, whatever the images show."""

    description = "scripted"

    def __init__(self, logits: list[list[float]], energy: list[list[float]] | None = None) -> None:
        self.rows = np.array(logits, np.float32)
        self.energy = np.array(energy if energy else np.ones((len(logits), 2)), np.float32)
        self.batches: list[int] = []

    def run(self, images: np.ndarray) -> RawOutput:
        start = sum(self.batches)
        self.batches.append(len(images))
        part = slice(start, start + len(images))
        rows = self.rows[part]
        return RawOutput(rows, rows * 10, rows, self.energy[part])


@pytest.fixture
def sources(picture: Picture) -> list[ImageSource]:
    """Seven images and two files that cannot be read, one of them in the middle."""
    made = [from_bytes(f"{i}.jpg", picture(seed=i)) for i in range(7)]
    return [*made[:3], refusal("3 broken", "because"), *made[3:], from_bytes("8 text", b"a text")]


def no_decoder_is_left() -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any(thread.name == "emoviz-decode" for thread in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


# Order and errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 100])
def test_order_is_kept_and_an_unreadable_file_costs_only_itself(
    model: Model, sources: list[ImageSource], batch: int
) -> None:
    results = list(predict(model, sources, batch=batch))
    assert [result.path for result in results] == [source.name for source in sources]
    assert [result.path for result in results if result.error] == ["3 broken", "8 text"]
    assert results[3].error == "because"
    assert results[3].probabilities == {}
    assert results[3].predicted is results[3].sentiment is None
    assert results[3].sha256 == ""


@pytest.mark.parametrize("error", [MemoryError(), ValueError("bad"), OverflowError("large")])
def test_whatever_a_file_does_after_unpacking_is_its_own_error(
    model: Model, picture: Picture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A PNG of 119,000,000 x 1 ended the run of 1,110 others where it was made small."""
    real = Preprocessing.to_array

    def to_array(fit: Preprocessing, image: Image.Image) -> np.ndarray:
        if image.size == (31, 30):
            raise error
        return real(fit, image)

    monkeypatch.setattr(Preprocessing, "to_array", to_array)
    sizes = [(40, 30), (31, 30), (100_001, 1), (50, 30)]
    found = list(predict(model, [from_bytes(str(s), picture("PNG", size=s)) for s in sizes]))
    assert [item.error is None for item in found] == [True, False, False, True]
    assert "100,001 x 1 pixels" in str(found[2].error)


def test_results_do_not_depend_on_the_size_of_a_batch(
    model: Model, sources: list[ImageSource]
) -> None:
    alone = list(predict(model, sources, batch=1))
    for batch in (2, 5, 32):
        for one, many in zip(alone, predict(model, sources, batch=batch), strict=True):
            assert many.probabilities == pytest.approx(one.probabilities, abs=1e-5)
            assert (many.predicted, many.sha256) == (one.predicted, one.sha256)


def test_results_belong_to_their_images(model: Model, picture: Picture) -> None:
    """Each is what the engine and a softmax give for that image by itself."""
    data = [picture(seed=i) for i in range(5)]
    card = model.checkpoint.card
    results = predict(model, [from_bytes(str(i), d) for i, d in enumerate(data)], batch=2)
    for image, result in zip(data, results, strict=True):
        pixels = Image.open(io.BytesIO(image)).resize((96, 96), Image.Resampling.BICUBIC)
        raw = model.engine.run(np.asarray(pixels)[None])
        scaled = np.exp(raw.logits[0].astype(float) / card.temperature)
        wanted = dict(zip(MIKELS8.names, scaled / scaled.sum(), strict=True))
        assert result.probabilities == pytest.approx(wanted, abs=1e-5)
        assert result.sha256 == hashlib.sha256(image).hexdigest()
        assert result.size == (96, 64)
        assert result.embedding is not None
        np.testing.assert_allclose(result.embedding, raw.embedding[0], atol=1e-4)
        assert result.predicted == max(wanted, key=wanted.__getitem__)


def test_no_sources_and_only_unreadable_ones(model: Model) -> None:
    assert list(predict(model, [])) == []
    results = list(predict(model, [refusal(str(i), "no") for i in range(5)], batch=2))
    assert [result.error for result in results] == ["no"] * 5


def test_limits_are_held(model: Model, picture: Picture) -> None:
    (result,) = predict(model, [from_bytes("a", picture())], Limits(10**6, 100))
    assert result.error is not None
    assert "EMOVIZ_MAX_MEGAPIXELS" in result.error


def test_notes_of_an_image_are_passed_on(model: Model) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    (result,) = predict(model, [from_bytes("a.gif", buffer.getvalue())])
    assert result.notes == ("animated: its first frame is used",)


def test_thumbnails_are_made_where_asked_for(model: Model, picture: Picture) -> None:
    sources = [from_bytes("a", picture(size=(300, 200)))]
    (result,) = predict(model, sources, thumbnail_side=60)
    assert result.thumbnail is not None
    assert open_image(result.thumbnail).size == (60, 40)
    (bare,) = predict(model, sources)
    assert bare.thumbnail is None


# What the numbers say ------------------------------------------------------------------------


def scripted(
    tiny: Checkpoint,
    logits: list[list[float]],
    energy: list[list[float]] | None = None,
    novelty: Novelty | None = None,
    temperature: float = 1.0,
) -> Model:
    card = replace(tiny.card, temperature=temperature)
    return Model(Checkpoint(card, tiny.folder), Scripted(logits, energy), novelty)


def run_scripted(model: Model, picture: Picture, count: int) -> list[Prediction]:
    return list(predict(model, [from_bytes(str(i), picture()) for i in range(count)], batch=2))


def test_temperature_divides_the_logits(tiny_checkpoint: Checkpoint, picture: Picture) -> None:
    logits = [[1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, -1.0]]
    for temperature in (0.5, 1.0, 4.0):
        (result,) = run_scripted(
            scripted(tiny_checkpoint, logits, temperature=temperature), picture, 1
        )
        e = [np.exp(value / temperature) for value in logits[0]]
        wanted = [value / sum(e) for value in e]
        assert list(result.probabilities.values()) == pytest.approx(wanted)
    assert list(result.probabilities) == list(MIKELS8.names)


def test_softmax_survives_large_logits() -> None:
    p = softmax(np.array([[1000.0, 0.0], [-1000.0, -1001.0]]), 1.0)
    assert p.tolist() == [pytest.approx([1, 0]), pytest.approx([0.731059, 0.268941], abs=1e-6)]


def test_sentiment_comes_from_sums_and_opposites_from_the_top_two(
    tiny_checkpoint: Checkpoint, picture: Picture
) -> None:
    shares = [
        # amu   awe   con   exc   ang   dis   fea   sad
        [0.16, 0.15, 0.15, 0.15, 0.30, 0.03, 0.03, 0.03],  # anger first, yet mostly positive
        [0.40, 0.30, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05],  # both positive
        [0.02, 0.02, 0.02, 0.02, 0.40, 0.30, 0.12, 0.10],  # both negative
        [0.40, 0.02, 0.02, 0.02, 0.09, 0.09, 0.30, 0.06],  # amusement against fear
    ]
    model = scripted(tiny_checkpoint, np.log(shares).tolist())
    results = run_scripted(model, picture, 4)
    assert [r.predicted for r in results] == ["anger", "amusement", "anger", "amusement"]
    assert [r.sentiment for r in results] == ["positive", "positive", "negative", "negative"]
    assert [r.top2_opposite for r in results] == [True, False, False, True]
    assert results[0].sentiment_shares == pytest.approx(
        {"positive": 0.61, "negative": 0.39, "none": 0.0}, abs=1e-6
    )
    assert [name for name, _ in results[3].ranked[:2]] == ["amusement", "fear"]


def test_classes_without_sentiment_may_win(tiny_checkpoint: Checkpoint, picture: Picture) -> None:
    card = replace(tiny_checkpoint.card, taxonomy=EMOTION6, temperature=1.0)
    shares = [[0.1, 0.1, 0.1, 0.1, 0.1, 0.5]]
    model = Model(Checkpoint(card, tiny_checkpoint.folder), Scripted(np.log(shares).tolist()), None)
    (result,) = run_scripted(model, picture, 1)
    assert (result.predicted, result.sentiment, result.top2_opposite) == ("surprise", None, False)


def test_image_far_from_training_is_flagged_by_hand(
    tiny_checkpoint: Checkpoint, picture: Picture
) -> None:
    """Log strengths with standard deviations 2 and 1 around 0, threshold 3."""
    precision = np.diag([1 / 4, 1.0]).astype(np.float32) * 2  # d is the root of the mean
    novelty = Novelty(np.zeros(2, np.float32), precision, threshold=3.0)
    energy = np.exp([[5.9, 0.0], [6.1, 0.0], [0.0, 2.9], [0.0, -3.1]])
    model = scripted(tiny_checkpoint, [[0.0] * 8] * 4, (energy - 1e-4).tolist(), novelty)
    results = run_scripted(model, picture, 4)
    assert [r.unlike_training for r in results] == [False, True, False, True]
    distances = [r.novelty for r in results]
    assert distances == pytest.approx([2.95 / 3, 3.05 / 3, 2.9 / 3, 3.1 / 3], rel=1e-3)


@pytest.mark.parametrize(
    ("mean", "words"), [(np.zeros(3), "does not fit"), (np.full(2, np.inf), "no finite numbers")]
)
def test_a_statistic_of_another_network_and_a_damaged_one_are_told(
    tiny_checkpoint: Checkpoint, picture: Picture, mean: np.ndarray, words: str
) -> None:
    novelty = Novelty(mean.astype(np.float32), np.eye(len(mean), dtype=np.float32))
    model = scripted(tiny_checkpoint, [[0.0] * 8], [[1.0, 1.0]], novelty)
    with pytest.raises(CheckpointError, match=words):
        run_scripted(model, picture, 1)


def test_checkpoint_without_the_statistic_flags_nothing(
    tiny_checkpoint: Checkpoint, picture: Picture
) -> None:
    (result,) = run_scripted(scripted(tiny_checkpoint, [[0.0] * 8], [[1e9, 1e9]]), picture, 1)
    assert (result.unlike_training, result.novelty) == (False, None)


def test_rows_are_matched_to_images_around_errors(
    tiny_checkpoint: Checkpoint, picture: Picture
) -> None:
    model = scripted(tiny_checkpoint, np.eye(8).tolist())
    good = [from_bytes(name, picture()) for name in "abcdef"]
    mixed = [
        refusal("x", "no"),
        good[0],
        good[1],
        refusal("y", "no"),
        *good[2:],
        refusal("z", "no"),
    ]
    results = [r for r in predict(model, mixed, batch=3) if r.error is None]
    assert [r.predicted for r in results] == list(MIKELS8.names[:6])
    assert isinstance(model.engine, Scripted)
    assert model.engine.batches == [2, 2, 2]


# Threads -------------------------------------------------------------------------------------


def test_work_ends_with_the_last_image(model: Model, sources: list[ImageSource]) -> None:
    list(predict(model, sources, batch=2))
    assert no_decoder_is_left()


def test_consumer_that_stops_early_leaves_no_thread(model: Model, picture: Picture) -> None:
    read: list[int] = []

    def endless() -> Iterator[ImageSource]:
        for i in range(10**9):
            read.append(i)
            yield from_bytes(str(i), picture())

    results = predict(model, endless(), batch=2)
    assert next(results).path == "0"
    results.close()
    assert no_decoder_is_left()
    assert len(read) <= 8, "one batch ahead, not more"


def test_reading_runs_at_most_a_batch_or_two_ahead(model: Model, picture: Picture) -> None:
    read: list[int] = []

    def counted(i: int) -> ImageSource:
        def bytes_of() -> bytes:
            read.append(i)
            return picture()

        return ImageSource(str(i), bytes_of)

    for done, _ in enumerate(predict(model, [counted(i) for i in range(40)], batch=4), start=1):
        assert len(read) <= done + 3 * 4
    assert len(read) == 40


def test_error_that_is_not_the_images_surfaces_and_leaves_no_thread(
    model: Model, picture: Picture
) -> None:
    def broken() -> bytes:
        raise ZeroDivisionError("a defect of ours")

    sources = [from_bytes("0", picture()), from_bytes("1", picture()), ImageSource("2", broken)]
    results = predict(model, sources, batch=1)
    assert [next(results).path, next(results).path] == ["0", "1"]
    with pytest.raises(ZeroDivisionError, match="a defect of ours"):
        next(results)
    assert no_decoder_is_left()


def test_error_of_the_sources_themselves_surfaces(model: Model) -> None:
    def failing() -> Iterator[ImageSource]:
        raise KeyError("listing failed")
        yield

    with pytest.raises(KeyError, match="listing failed"):
        list(predict(model, failing()))
    assert no_decoder_is_left()


def test_error_of_the_engine_surfaces_and_leaves_no_thread(
    tiny_checkpoint: Checkpoint, picture: Picture
) -> None:
    class Failing:
        description = "failing"

        def run(self, images: np.ndarray) -> RawOutput:
            raise RuntimeError("out of memory")

    model = Model(tiny_checkpoint, Failing(), None)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(predict(model, [from_bytes(str(i), picture()) for i in range(9)], batch=2))
    assert no_decoder_is_left()


# Rows for spreadsheets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|calc", "%0A=1"),
        *(
            "＝1+1",
            "＋1",
            "－1",
            "＠SUM(A1)",
            "｜calc",
            "％1",
            " =1",
            "\N{NO-BREAK SPACE}=1",
            "\ufeff=1",
        ),
    ],
)
def test_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == "'" + text
    for inside in (f"a\r{text}", f"a\n{text}", f'a"\r\n{text}'):  # a bare one would begin a row
        rows = [[inside, "b"], [inside, inside]]
        assert list(csv.reader(io.StringIO(csv_text(rows), newline=""))) == rows
    assert safe_cell("a" + text) == "a" + text


def test_names_that_are_no_text_are_written_all_the_same(tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", [["path"], [os.fsdecode(b"in/\xff.jpg"), "-1.5"]])
    assert (tmp_path / "rows.csv").read_text("utf-8") == "path\nin/?.jpg,-1.5\n"


def test_rows_fit_their_header(model: Model, sources: list[ImageSource]) -> None:
    header = csv_header(MIKELS8.names)
    for result in predict(model, sources):
        row = dict(zip(header, csv_row(result, MIKELS8.names), strict=True))
        if result.error:
            assert row["p_awe"] == row["predicted"] == ""
            assert row["error"] == result.error
        else:
            assert float(row["p_awe"]) == pytest.approx(result.probabilities["awe"], abs=1e-6)
            assert row["top2_opposite"] in ("true", "false")


def test_loaded_model_knows_its_classes(model: Model) -> None:
    assert model.taxonomy == MIKELS8
    assert isinstance(model.engine, OnnxEngine)
    assert model.novelty is not None


def test_a_batch_of_nothing_is_an_error(model: Model) -> None:
    with pytest.raises(ValueError, match="batch is 0"):
        list(predict(model, [], batch=0))


# Kinds of image, valence and arousal ------------------------------------------------------------


class Gated(Scripted):
    """Two kinds of image, whose logits and dimensions are written down."""

    def run(self, images: np.ndarray) -> RawOutput:
        raw = super().run(images)
        n = len(images)
        photograph = np.tile(np.r_[np.eye(8)[6] * 9, 0.9, 0.2, 0.7], (n, 1))
        painting = np.tile(np.r_[np.eye(8)[2] * 9, -3.0, 0.0, 0.1], (n, 1))
        kinds = np.tile([0.75, 0.25], (n, 1))
        mean = 0.75 * photograph + 0.25 * painting
        return raw._replace(
            logits=mean[:, :8].astype(np.float32),
            dimensions=mean[:, 8:].astype(np.float32),
            kinds=kinds.astype(np.float32),
            by_kind=np.hstack([photograph, painting]).astype(np.float32),
        )


@pytest.fixture
def gated(model: Model) -> Model:
    network = {
        **model.checkpoint.card.network,
        "kinds": ["photograph", "painting"],
        "dimensions": ["valence", "arousal", "division"],
    }
    width = {"half_width": 0.5, "half_width_by_kind": {"photograph": 0.25}}
    card = replace(
        model.checkpoint.card,
        network=network,
        dimensions=dict.fromkeys(("valence", "arousal", "division"), width),
    )
    checkpoint = replace(model.checkpoint, card=card)
    return replace(model, checkpoint=checkpoint, engine=Gated([[0.0] * 8] * 3), novelty=None)


def test_dimensions_come_with_intervals_of_the_image_s_kind(gated: Model, picture: Picture) -> None:
    (found,) = predict(gated, [from_bytes("a.jpg", picture())])
    told = found.to_dict()
    assert (told["predicted"], told["kind"]) == ("fear", "photograph")
    assert told["kinds"] == {"photograph": 0.75, "painting": 0.25}
    assert told["valence"] == pytest.approx(0.75 * 0.9 - 0.25 * 3, abs=1e-4)
    assert told["valence_interval"] == pytest.approx([-0.325, 0.175], abs=1e-4)
    assert told["arousal"] == pytest.approx(0.15, abs=1e-4)
    assert told["viewers_differ"] is False


def test_a_person_overrules_the_kind(gated: Model, picture: Picture) -> None:
    (found,) = predict(gated, [from_bytes("a.jpg", picture())], kind="painting")
    told = found.to_dict()
    assert (told["predicted"], told["kind"]) == ("contentment", "painting")
    assert told["valence"] == -1  # kept on its scale
    assert told["valence_interval"] == [-1, -0.5]
    with pytest.raises(CheckpointError, match="photograph, painting"):
        list(predict(gated, [from_bytes("a.jpg", picture())], kind="sculpture"))
    (other,) = predict(gated, [from_bytes("a.jpg", picture())], kind="photograph")
    assert other.viewers_differ is True


def test_networks_without_kinds_say_nothing_of_them(model: Model, picture: Picture) -> None:
    (found,) = predict(model, [from_bytes("a.jpg", picture())])
    assert not {"valence", "arousal", "division", "kind", "viewers_differ"} & set(found.to_dict())
