"""The explorer's parts without a screen: what lies on a map, its colours, links and downloads."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from emoviz.analysis import clustering
from emoviz.analysis.alignment import judge
from emoviz.analysis.clustering import DeltaRule, group_images
from emoviz.analysis.metrics import differences, measure
from emoviz.analysis.resampling import Intervals
from emoviz.experiments.contenders import answers_of
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.labelled import labels_of
from emoviz.inference.vectors import Vectors
from emoviz.labels import EMOTION6, FER7, MIKELS8, Taxonomy
from emoviz.ui.explorer import linking, metrics, taking
from emoviz.ui.explorer.colouring import NONE, colourings, column
from emoviz.ui.explorer.metrics import LabelAgreement
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.scene import found, matched
from emoviz.ui.map import MapEvent

SKIES = ("sky.jpg", "SKY blue.jpg", "sea.jpg", "tree.jpg")


def points(
    labels: tuple[int, ...] = (0, 7, -1, 3),
    label_taxonomy: Taxonomy | None = MIKELS8,
    predicted: tuple[int, ...] = (0, 6, 1, 3),
    **columns: tuple[str, ...],
) -> Points:
    """Four images of Mikels' classes, each predicted with 0.65."""
    probabilities = np.full((4, 8), 0.05)
    probabilities[np.arange(4), list(predicted)] = 0.65
    table = EmbeddingTable(
        taxonomy=MIKELS8,
        paths=SKIES,
        sha256=("aa", "bb", "cc", "dd"),
        embedding=np.arange(12, dtype=np.float32).reshape(4, 3),
        probabilities=probabilities,
        novelty=np.array([0.5, 2.0, np.nan, 0.1]),
        labels=np.array(labels),
        label_taxonomy=label_taxonomy,
        metadata=columns,
    )
    return Points.from_table(table, "Eight emotions")


def no_clusters() -> np.ndarray:
    return np.array([0, 1, 1, 0])


def test_right_and_wrong_and_not_to_be_compared() -> None:
    assert points().right is not None
    assert points().right.tolist() == [1, 0, -1, 1]


def test_labels_of_another_taxonomy_go_through_the_bridge() -> None:
    # Emotion6's joy may be any of the four positives: amusement, contentment, excitement are right.
    joy, fear = EMOTION6.index("joy"), EMOTION6.index("fear")
    found = points((joy, joy, fear, fear), EMOTION6, (0, 6, 6, 3)).right
    assert found is not None
    assert found.tolist() == [1, 0, 1, 0]


def test_labels_that_nothing_joins_are_not_compared() -> None:
    apart = replace(points(), taxonomy=FER7, probabilities=np.full((4, 7), 1 / 7))
    assert apart.bridge is None
    assert apart.right is None


def test_labels_outside_every_taxonomy_keep_their_words() -> None:
    table = EmbeddingTable(
        MIKELS8,
        ("a", "b", "c"),
        ("", "", ""),
        np.zeros((3, 2), np.float32),
        np.full((3, 8), 0.125),
        np.full(3, np.nan),
        np.full(3, -1),
        label_names=("stormy", "", "calm"),
    )
    assert table.named_labels[0].tolist() == [1, -1, 0]
    found = Points.from_table(table, "x")
    assert found.label_names == ("calm", "stormy")
    assert found.labels.tolist() == [1, -1, 0]
    assert found.right is None


def test_brought_vectors_have_labels_but_no_estimates() -> None:
    brought = Vectors("own.csv", np.eye(3, dtype=np.float32), ("a", "b", "c"), ("x", "", "y"))
    found = Points.from_vectors(brought)
    assert found.label_names == ("x", "y")
    assert found.labels.tolist() == [0, -1, 1]
    assert list(colourings(found, no_clusters)) == ["True class", "Cluster (k-means on u)"]


def test_a_part_keeps_rows_in_the_order_asked_for() -> None:
    part = points(style=("a", "b", "c", "d")).part(np.array([3, 0]))
    assert part.names == ("tree.jpg", "sky.jpg")
    assert part.columns["style"] == ("d", "a")
    assert part.labels.tolist() == [3, 0]
    assert part.vectors[:, 0].tolist() == [9.0, 0.0]


# Colours ---------------------------------------------------------------------------------------


def test_everything_that_is_known_can_colour() -> None:
    ways = colourings(points(style=("a", "b", "a", "b"), same=("x",) * 4), no_clusters)
    assert list(ways) == [
        "True class",
        "Predicted class",
        "Predicted sentiment",
        "Confidence",
        "Right or wrong",
        "Unlike the training images",
        "Cluster (k-means on u)",
        "Style",
    ]
    for make in ways.values():
        colouring = make()
        assert (colouring.codes is None) != (colouring.values is None)


def test_classes_keep_the_colours_of_the_taxonomy_and_none_is_grey() -> None:
    colouring = colourings(points(), no_clusters)["True class"]()
    assert colouring.codes is not None
    assert colouring.codes.tolist() == [0, 7, NONE, 3]
    assert [item.colour for item in colouring.categories] == [
        item.colour for item in MIKELS8.classes
    ]


def test_sentiment_is_that_of_the_larger_sum() -> None:
    colouring = colourings(points(), no_clusters)["Predicted sentiment"]()
    assert colouring.codes is not None
    assert colouring.codes.tolist() == [0, 1, 0, 0]


def test_rare_values_of_a_column_become_other() -> None:
    values = [str(i) + "a" for i in range(40)] + ["often"] * 5 + [""]
    colouring = column("Artist", values)
    assert colouring.codes is not None
    assert colouring.categories[0].name == "often"
    assert colouring.categories[-1].name == "other"
    assert len(colouring.categories) == 21
    assert colouring.codes[-1] == NONE


def test_a_column_of_many_numbers_is_a_scale() -> None:
    colouring = column("Year", [str(1500 + i) for i in range(200)] + [""])
    assert colouring.values is not None
    assert np.isnan(colouring.values[-1])
    assert colouring.low == pytest.approx(np.percentile(np.arange(1500, 1700), 1))


def test_a_column_of_few_numbers_is_categories() -> None:
    assert column("Floor", ["1", "2", "3", "2"]).values is None


# Two views of the same images --------------------------------------------------------------------


def test_images_are_matched_by_name_and_else_by_content() -> None:
    first = points()
    second = replace(first, names=("tree.jpg", "renamed.jpg", "new.jpg"), sha256=("dd", "aa", "ee"))
    assert matched(first, second).tolist() == [1, -1, -1, 0]


def test_search_wants_every_word_whatever_its_capitals() -> None:
    images = points(artist=("Monet", "Manet", "Monet", ""))
    assert found(images, "sky").tolist() == [True, True, False, False]
    assert found(images, "BLUE sky").tolist() == [False, True, False, False]
    assert found(images, "monet s").tolist() == [True, False, True, False]


# Links -------------------------------------------------------------------------------------------


def test_a_selection_survives_the_link() -> None:
    corners = ((0.5, -1.25), (3.0, 2.0), (-7.5, 1e-3))
    event = MapEvent(np.array([1]), None, (), corners, 1, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    region = linking.from_text(linking.to_text(event))
    assert region is not None
    np.testing.assert_allclose(region.polygon, corners)
    assert region.panel == 1
    assert region.rotation == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("text", ["", "x", "0__1,2_3,4", "0__a,b_c,d_e,f", "1_2", "<script>"])
def test_what_is_no_selection_is_none(text: str) -> None:
    assert linking.from_text(text) is None


def test_a_selection_too_long_for_a_link_stays_out() -> None:
    corners = tuple((float(i) / 7, float(i) / 3) for i in range(400))
    assert linking.to_text(MapEvent(np.array([1]), None, (), corners)) == ""


# Downloads ---------------------------------------------------------------------------------------


def test_csv_holds_everything_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(taking.to_csv(points(note=("=1+1", "", "", ""))))))
    assert rows[0]["note"] == "'=1+1"
    assert rows[0]["label"] == "amusement"
    assert rows[2]["label"] == ""
    assert float(rows[1]["p_fear"]) == 0.65
    assert rows[1]["predicted"] == "fear"


def test_json_and_list_name_the_same_files() -> None:
    images = points()
    assert [row["path"] for row in json.loads(taking.to_json(images))] == list(SKIES)
    assert taking.to_list(images).splitlines() == list(SKIES)


# Measures ----------------------------------------------------------------------------------------


def clusters_of(spread: float, seed: int = 0) -> Points:
    """Two classes of 40 images each, at 0 and 10, predicted right but for five."""
    random = np.random.default_rng(seed)
    truth = np.repeat([0, 6], 40)
    answers = truth.copy()
    answers[:5] = 6
    u = random.normal(size=(80, 4)) * spread + np.where(truth == 0, 0.0, 10.0)[:, None]
    probabilities = np.full((80, 8), 0.01)
    probabilities[np.arange(80), answers] = 0.93
    names = tuple(f"{i}.jpg" for i in range(80))
    table = EmbeddingTable(
        MIKELS8,
        names,
        names,
        u.astype(np.float32),
        probabilities,
        np.full(80, np.nan),
        truth,
        label_taxonomy=MIKELS8,
    )
    return Points.from_table(table, "two")


def agreement_of(*images: Points, rule: DeltaRule | None = None) -> list[LabelAgreement]:
    aligned = metrics.aligned_views([(item, np.arange(len(item))) for item in images])
    found = [metrics.agreement_of(item, rule or DeltaRule()) for item in aligned]
    return [item for item in found if item is not None]


def test_measures_are_those_of_a_hand_made_case() -> None:
    (found,) = agreement_of(clusters_of(0.1))
    accuracy = found.estimates["accuracy"]
    assert (accuracy.value, accuracy.n) == (75 / 80, 80)
    assert found.estimates["ari"].value == pytest.approx(1.0)
    assert found.estimates["asr"].value == 0.0
    assert accuracy.low < 75 / 80 < accuracy.high  # type: ignore[operator]
    assert found.clustering.delta_error == 0.0
    assert (found.estimates["silhouette"].value or 0) > 0.95


def test_embeddings_and_evaluate_print_the_same_numbers_for_the_same_images() -> None:
    images = clusters_of(6.0)
    (found,) = agreement_of(images)
    table, bridge = images.table, images.bridge
    assert table is not None
    assert bridge is not None
    aligned = judge(answers_of(table), labels_of(table).indices, bridge)
    assert aligned.embedding is not None
    wanted = measure(aligned, group_images(aligned.embedding, aligned.truth), Intervals())
    assert found.estimates == {name: wanted[name] for name in metrics.SHOWN}


def test_the_difference_has_the_sign_of_second_minus_first() -> None:
    one, other = agreement_of(clusters_of(0.1), clusters_of(8.0))
    forth = differences(one.images, other.images, Intervals(), metrics.SHOWN)
    back = differences(other.images, one.images, Intervals(), metrics.SHOWN)
    assert forth["ari"].high < 0 < back["ari"].low  # type: ignore[operator]


def test_delta_of_very_many_images_is_sampled_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clustering, "EXACT_UP_TO", 50)
    monkeypatch.setattr(clustering, "_SAMPLED_PAIRS", 500)
    images = clusters_of(1.0)
    ((sampled,), (exact,)) = (
        agreement_of(images, rule=DeltaRule(exact=wish)) for wish in (False, True)
    )
    assert sampled.clustering.delta_error > 0.0  # type: ignore[operator]
    assert exact.clustering.delta_error == 0.0
    assert sampled.clustering.delta == pytest.approx(exact.clustering.delta, rel=0.2)


def test_one_class_alone_is_not_measured() -> None:
    assert agreement_of(clusters_of(0.1).part(np.arange(40))) == []
