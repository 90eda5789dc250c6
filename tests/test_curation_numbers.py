"""The numbers beneath an examination, each against something slow, made by hand or of others."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from emoviz.analysis import balance, duplicates, label_errors
from emoviz.curation.checks import CHECKS, CheckMaterial, CheckResult, ImageVectors
from emoviz.curation.examined import Examined, of_set, read_examined, write_examined
from emoviz.curation.findings import find
from emoviz.curation.prepare import prepare
from emoviz.curation.recipe import read_preparation
from emoviz.data.dataset import Dataset, Record, fold_indices
from emoviz.data.image_statistics import look_at, measure
from emoviz.data.images import Limits
from emoviz.data.reading import read_labelled
from emoviz.errors import RecipeError
from emoviz.labels import EMOTION6
from emoviz.settings import Settings

Make = Callable[..., bytes]


def looked(item: Dataset) -> Examined:
    return of_set(item, look_at(item.records, Limits()))


def inside(image: Image.Image, name: str = "x") -> Record:
    """A record of an image that a table holds."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return Record(name, Path(name), 0, (1.0,), name, content=buffer.getvalue())


# What an image looks like ------------------------------------------------------------------------


def test_light_and_colour_of_pictures_made_by_hand() -> None:
    half = Image.new("RGB", (64, 64), "black")
    half.paste((255, 255, 255), (0, 0, 32, 64))
    pictures = [Image.new("RGB", (64, 64), (255, 0, 0)), half, Image.new("RGB", (64, 64), "blue")]
    found = look_at([inside(image) for image in pictures], Limits())
    assert found.brightness == pytest.approx([0.299, 0.5, 0.114], abs=1e-3)
    assert found.contrast == pytest.approx([0, 0.5, 0], abs=1e-3)
    assert found.saturation == pytest.approx([1, 0, 1], abs=1e-3)
    assert found.warmth == pytest.approx([1, 0, -1], abs=1e-3)
    assert found.spread == pytest.approx([0, 0.5, 0], abs=1e-3)
    assert found.chroma == pytest.approx([1, 0, 1], abs=1e-3)
    # Hasler and Suesstrunk: red has opponents 1 and 0.5, blue 0 and -1, both without spread
    assert found.colourfulness == pytest.approx([0.3 * np.hypot(1, 0.5), 0, 0.3], abs=1e-3)


def test_the_measures_are_those_of_a_slow_loop() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    found = measure(pictures)
    for k, picture in enumerate(pictures):
        pixels = [tuple(int(v) / 255 for v in pixel) for row in picture for pixel in row]
        luma = [0.299 * r + 0.587 * g + 0.114 * b for r, g, b in pixels]
        opponents = [[r - g for r, g, _ in pixels], [(r + g) / 2 - b for r, g, b in pixels]]
        colourful = np.hypot(*map(np.std, opponents)) + 0.3 * np.hypot(*map(np.mean, opponents))
        assert found["brightness"][k] == pytest.approx(np.mean(luma), abs=1e-5)
        assert found["contrast"][k] == pytest.approx(np.std(luma), abs=1e-5)
        assert found["colourfulness"][k] == pytest.approx(colourful, abs=1e-5)
        saturation = [(max(pixel) - min(pixel)) / max(max(pixel), 1e-6) for pixel in pixels]
        assert found["saturation"][k] == pytest.approx(np.mean(saturation), abs=1e-5)
        assert found["spread"][k] == pytest.approx(np.std(pixels, axis=0).max(), abs=1e-5)


def test_equal_hashes_stand_for_each_other() -> None:
    found = duplicates.near_pairs(np.array([5, 9, 5, 5, 4], np.uint64), 1)
    rows = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert rows == [(0, 2), (0, 3), (0, 4)]
    assert duplicates.groups_of(5, found).tolist() == [0, 1, 0, 0, 0]


def test_vectors_of_one_image_are_those_of_the_rule() -> None:
    """Each other's nearest and alone with it, or far nearer than neighbours are; by slow loops."""
    generator = np.random.default_rng(4)
    vectors = generator.normal(size=(120, 12))
    vectors[:40] *= 5  # a sparse part of the space: there a copy may lie farther off
    vectors[100] = vectors[7] + 0.8 * generator.normal(size=12)
    vectors[101:103] = vectors[60] + 0.01 * generator.normal(size=(2, 12))  # three of one image
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    ranked = np.sort(apart, axis=1)
    limit = 0.2 * np.median(ranked[:, 0])
    slow = set()
    for i in range(120):
        for j in range(i + 1, 120):
            mutual = apart[i, j] == ranked[i, 0] == ranked[j, 0]
            alone = mutual and apart[i, j] <= 0.6 * min(ranked[i, 1], ranked[j, 1])
            if alone or apart[i, j] <= limit:
                slow.add((i, j))
    found = duplicates.near_vectors(vectors)
    rows = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert rows == sorted(slow)
    assert {(7, 100), (60, 101), (60, 102), (101, 102)} <= slow
    assert found.distance == pytest.approx([apart[pair] for pair in rows], rel=1e-5)


# Labels and balance ------------------------------------------------------------------------------


def test_suspects_are_those_of_the_definition() -> None:
    """Confident from the class's mean probability on, and from 0.8 in any case."""
    generator = np.random.default_rng(2)
    p = generator.dirichlet(np.full(4, 0.3), 120)
    labels = generator.integers(-1, 4, 120)
    sure = labels == 3
    p[sure] = [0.02, 0.02, 0.02, 0.94]  # the mean of class 3 is above 0.8, which is always enough
    p[np.flatnonzero(~sure)[0]] = [0.05, 0.05, 0.05, 0.85]
    means = [min(p[labels == j, j].mean(), 0.8) for j in range(4)]
    assert means[3] == 0.8
    slow = {}
    for i in range(120):
        confident = [j for j in range(4) if p[i, j] >= means[j]]
        if labels[i] >= 0 and confident:
            best = max(confident, key=lambda j: p[i, j])
            if best != labels[i]:
                slow[i] = p[i, best] - p[i, labels[i]]
    found = label_errors.suspect_labels(p, labels)
    assert found.index.tolist() == sorted(slow, key=lambda i: -slow[i])
    assert found.margin == pytest.approx([slow[i] for i in found.index.tolist()])


@pytest.mark.parametrize(
    ("apart", "good", "worth"),
    [
        (8.0, True, "finds 100 % of the labels by itself (mean over the classes)."),
        (0.3, False, "hardly more than by chance"),
        (1.0, False, "doubts 26 %: too many"),
    ],
)
def test_doubts_are_called_what_a_trial_with_planted_labels_says(
    apart: float, good: bool, worth: str
) -> None:
    """The trial's count answers to a loop over the list; its precision decides on the title."""
    truth = np.arange(300) % 3
    u = np.random.default_rng(0).normal(size=(300, 6))
    u[:, :3] += apart * np.eye(3)[truth]
    folds = fold_indices([str(i) for i in range(300)], 5)
    trial = label_errors.planted_trial(u, truth, folds, 3)
    assert trial is not None
    generator = np.random.default_rng(0)
    changed = generator.choice(300, 15, replace=False)  # as it draws them
    wrong = truth.copy()
    wrong[changed] = (truth[changed] + generator.integers(1, 3, 15)) % 3
    doubts = label_errors.suspect_labels(label_errors.out_of_fold(u, wrong, folds, 3), wrong)
    hits = count = 0
    while hits < 5:  # of 15: the first to reach 0.3
        hits += doubts.index[count] in changed
        count += 1
    assert trial == (15, count, 5)
    assert (trial.precision >= 0.5) == good
    assert label_errors.planted_trial(u[:100], truth[:100], folds[:100], 3) is None
    small = inside(Image.new("RGB", (40, 40), "red"))
    records = [
        replace(small, name=str(i), group=str(i), label=int(truth[i]), shares=(0.0,) * 6)
        for i in range(300)
    ]
    item = looked(Dataset("many", EMOTION6, tuple(records)))
    vectors = ImageVectors("a network", np.arange(300), u.astype(np.float32))
    result = CHECKS["suspect_labels"].judge(CheckMaterial(item, vectors=vectors))
    assert isinstance(result, CheckResult)
    assert result.title == ("" if good else "Labels to look at first")
    assert "15 of the set's labels were changed on purpose" in result.words
    assert worth in result.words


def test_balance_by_hand() -> None:
    found = balance.balance_of(np.array([0, 0, 0, 1, -1]), 3)
    assert found.counts.tolist() == [3, 1, 0]
    assert (found.majority, found.ratio) == (0.75, 3.0)
    assert found.evenness == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(3))
    gap = balance.look_gap(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]), 2)
    assert gap.explained == 1.0


def test_one_class_alone_is_told_and_does_not_stop_the_rest(
    tmp_path: Path, make_table: Callable[..., Path]
) -> None:
    item = looked(read_labelled(make_table(tmp_path / "one", ["awe"] * 12)))
    rows = np.arange(12)
    u = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    found, _ = find(CheckMaterial(item, vectors=ImageVectors("a network", rows, u)))
    assert found["classes"]["by_looks_alone"] is None
    assert found["suspect_labels"] is None
    assert (found["classes"]["majority"], found["classes"]["evenness"]) == (1.0, 0.0)


def test_far_images_are_outliers() -> None:
    vectors = np.random.default_rng(3).normal(size=(200, 4))
    vectors[17] += 40
    far = label_errors.remoteness(vectors)
    assert far.argmax() == 17
    assert (far > 5).sum() == 1


def test_vectors_find_leaks_and_doubt_labels(
    tmp_path: Path, make_table: Callable[..., Path]
) -> None:
    labels = ["awe", "fear", "sadness"] * 30
    splits = ["train"] * 60 + ["test"] * 30
    item = looked(read_labelled(make_table(tmp_path / "set", labels, split=splits)))
    u = np.random.default_rng(0).normal(size=(90, 8)).astype(np.float32)
    u += 6 * np.eye(8, dtype=np.float32)[item.labels]
    u[61] = u[4]  # an image of the test set is one of the training set to the network
    u[9] = u[7] + 0.5  # labelled awe, and lies among fear
    vectors = ImageVectors("a network", np.arange(90), u)
    found, judged = find(CheckMaterial(item, vectors=vectors))
    leaks = {(row["kind"], row["first"], row["second"]) for row in found["leaks"]["list"]}
    assert ("vector", "4.jpg", "61.jpg") in leaks
    doubt = found["suspect_labels"]["list"][0]
    assert (doubt["name"], doubt["label"], doubt["rather"]) == ("9.jpg", "awe", "fear")
    suspect = judged.checked["suspect_labels"]
    assert suspect.score.argmax() == 9
    assert suspect.faulty[9]
    assert judged.checked["leaks"].score[[4, 61]].tolist() == [1, 1]
    for name, checked in judged.checked.items():  # 0.5 is where a limit decides
        known = ~np.isnan(checked.score)
        assert ((checked.score[known] >= 0) & (checked.score[known] <= 1)).all(), name
        assert not checked.faulty[~known].any(), name
        if name not in ("suspect_labels", "near_duplicates"):
            assert (checked.faulty[known] == (checked.score[known] > 0.5)).all(), name
    write_examined(tmp_path / "x.parquet", judged, {"table": "", "stamp": []})
    again, _ = read_examined(tmp_path / "x.parquet")
    assert set(again.checked) == set(judged.checked)
    assert again.checked["suspect_labels"].faulty.tolist() == suspect.faulty.tolist()
    np.testing.assert_array_equal(again.checked["suspect_labels"].score, suspect.score)


# Recipes -----------------------------------------------------------------------------------------


def test_votes_through_a_bridge_may_change_the_majority() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    votes = (0.3, 0.0, 0.3, 0.0, 0.4, 0.0)  # anger, fear, sadness of Emotion6
    record = replace(inside(Image.fromarray(pixels), "a"), label=4, shares=votes)
    item = Dataset("votes", EMOTION6, (record,), votes=True)
    recipe = read_preparation("name: r\nrelabel: {to: sadness2}\n", "r.yaml")
    [made] = prepare(item, looked(item), recipe).labelled.records
    assert made.label == 0  # others: 0.6 against 0.4
    assert made.shares == pytest.approx((0.6, 0.4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filters: {text: 0.1}", "filters by text, which was not looked for"),
        ("filters: {labels: [joy]}", "'joy' is no label of the set"),
        ("undersample: {counts: {joy: 3}}", "counts: 'joy' is no label"),
        ("relabel: {names: {joy: x}}", "names: 'joy' is no label"),
    ],
)
def test_a_recipe_that_does_not_fit_the_set_is_told(table: Path, text: str, message: str) -> None:
    item = read_labelled(table)
    recipe = read_preparation(f"name: r\n{text}\n", "r.yaml")
    with pytest.raises(RecipeError, match=message):
        prepare(item, looked(item), recipe)


# Kept --------------------------------------------------------------------------------------------


def test_rows_whose_names_are_no_text_can_be_kept(tmp_path: Path, table: Path) -> None:
    item = looked(read_labelled(table))
    odd = replace(item, names=("caf\udce9.jpg", *item.names[1:]))
    write_examined(tmp_path / "x.parquet", odd, {"table": "", "stamp": []})
    again, _ = read_examined(tmp_path / "x.parquet")
    assert again.names[0] == "caf\ufffd.jpg"
    assert (again.looks.hash == item.looks.hash).all()
    assert (again.looks.tiny == item.looks.tiny).all()


def test_text_is_read_once_and_remembered(settings: Settings, tmp_path: Path) -> None:
    from emoviz.inference import detect

    image = Image.effect_mandelbrot((320, 240), (-2, -1.5, 1, 1.5), 40).convert("RGB")
    image.save(tmp_path / "without.png")
    ImageDraw.Draw(image).text((30, 90), "MUSEUM OPEN", "white", ImageFont.load_default(40))
    image.save(tmp_path / "with.png")
    records = [Record(n, tmp_path / n, 0, (1.0,), n) for n in ("with.png", "without.png")]
    hashes = look_at(records, Limits()).sha256
    looking = detect.text_detector(settings)
    share, words = detect.detect(looking, records, hashes, settings)
    assert share[0] > 0.05
    assert words[0] >= 1
    assert share[1] == 0
    with detect.DetectedStore(settings, looking) as store:
        assert "MUSEUM" in store.get_many(hashes)[hashes[0]].words

    def never(image: Image.Image) -> detect.Detection:
        raise AssertionError("looked at again")

    known = detect.detect(looking._replace(look=never), records, hashes, settings)
    assert known[0].tolist() == share.tolist()
