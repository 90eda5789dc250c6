"""Taxonomies and bridges: what the papers say, Bridge against slow loops, colours that differ."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from emoviz.errors import TaxonomyError
from emoviz.labels import (
    CAER7,
    EMOTION6,
    FER7,
    MIKELS8,
    SADNESS2,
    SENTIMENT2,
    TAXONOMIES,
    TEXT2,
    WEBEMO8,
    WIKIART3,
    WIKIART20,
    Bridge,
    Taxonomy,
    bridge_between,
    get_taxonomy,
    own_taxonomy,
    sentiment_shares,
    sentiments,
    taxonomy_of,
    top2_opposite,
)

# References: the dissertation and the sets' papers; for WikiArt's twenty, Mohammad and
# Kiritchenko (LREC 2018). "+" positive, "-" negative, "0" none, class by class.
REFERENCE: dict[str, tuple[str, str]] = {
    "mikels8": ("amusement awe contentment excitement anger disgust fear sadness", "++++----"),
    "webemo8": (
        "happiness surprise satisfaction excitement anger disgust fear sadness",
        "++++----",
    ),
    "sadness2": ("others sadness", "0-"),
    "caer7": ("anger disgust fear happy neutral sad surprise", "---+0-0"),
    "fer7": ("anger disgust fear happy neutral sad surprise", "---+0-0"),
    "emotion6": ("anger disgust fear joy sadness surprise", "---+-0"),
    "sentiment2": ("positive negative", "+-"),
}
WIKIART_GROUPS = {
    "positive": "gratitude happiness humility love optimism trust",
    "negative": "anger arrogance disgust fear pessimism regret sadness shame",
    None: "agreeableness anticipation disagreeableness neutral shyness surprise",
}


def random_probabilities(rows: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), rows)


@pytest.mark.parametrize("name", REFERENCE)
def test_classes_stand_in_the_order_and_with_the_sentiments_of_the_reference(name: str) -> None:
    names, signs = REFERENCE[name]
    taxonomy = get_taxonomy(name)
    assert taxonomy.names == tuple(names.split())
    assert taxonomy.signs.tolist() == [{"+": 1, "-": -1, "0": 0}[sign] for sign in signs]


def test_wikiart_has_twenty_emotions_in_three_groups() -> None:
    assert len(WIKIART20) == 20
    assert sum(len(names.split()) for names in WIKIART_GROUPS.values()) == 20
    for sentiment, names in WIKIART_GROUPS.items():
        assert {item.name for item in WIKIART20.classes if item.sentiment == sentiment} == set(
            names.split()
        )
    assert WIKIART3.names == ("positive", "negative", "other or mixed")


def test_no_taxonomy_is_missing_or_unchecked() -> None:
    assert set(TAXONOMIES) == {*REFERENCE, "wikiart20", "wikiart3", "text2"}
    assert all(TAXONOMIES[name].name == name for name in TAXONOMIES)


def test_class_names_are_distinct_and_colours_are_hexadecimal() -> None:
    for taxonomy in TAXONOMIES.values():
        assert len(set(taxonomy.names)) == len(taxonomy)
        for item in taxonomy.classes:
            assert len(item.colour) == 7
            assert item.colour[0] == "#"
            int(item.colour[1:], 16)


def test_taxonomy_is_found_whatever_its_capitals_and_unknown_ones_are_told() -> None:
    assert get_taxonomy(" Mikels8 ") is MIKELS8
    with pytest.raises(TaxonomyError, match=r"no taxonomy 'plutchik'.*mikels8.*wikiart20"):
        get_taxonomy("plutchik")


@pytest.mark.parametrize(
    ("taxonomy", "label", "name"),
    [
        (MIKELS8, "  AWE ", "awe"),
        (MIKELS8, "Sad", "sadness"),
        (MIKELS8, "angry", "anger"),
        (EMOTION6, "Happiness", "joy"),
        (EMOTION6, "happy", "joy"),
        (FER7, "Sadness", "sad"),
        (FER7, "joy", "happy"),
        (FER7, "Surprised", "surprise"),
        (WEBEMO8, "joy", "happiness"),
        (SADNESS2, "not_sadness", "others"),
        (SADNESS2, "Non-Sadness", "others"),
        (SADNESS2, "other", "others"),
        (SADNESS2, "sad", "sadness"),
        (WIKIART3, "Other  or\tMixed", "other or mixed"),
        (WIKIART3, "other_or_mixed", "other or mixed"),
        (WIKIART3, "mixed", "other or mixed"),
        (WIKIART3, "other", "other or mixed"),
        (TEXT2, "no_text", "no text"),
        (TEXT2, "Text-Free", "no text"),
        (TEXT2, "without text", "no text"),
        (TEXT2, "TEXT", "text"),
        (TEXT2, "with_text", "text"),
    ],
)
def test_labels_are_found_by_usual_spellings(taxonomy: Taxonomy, label: str, name: str) -> None:
    assert taxonomy.names[taxonomy.index(label)] == name


def test_content_is_an_emotion_among_others_alone() -> None:
    assert taxonomy_of(["content"]) is None
    assert taxonomy_of(["content", "awe"]) is MIKELS8


def test_no_taxonomy_is_asked_for_words_that_none_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A museum's column "label" may hold the text on the wall, in 100,000 rows."""
    asked = list[str]()
    monkeypatch.setattr(Taxonomy, "holds", lambda _, label: bool(asked.append(label)))
    assert taxonomy_of(["a lake at dawn", "oil on canvas"]) is None
    assert not asked
    assert taxonomy_of(["JOY"]) is EMOTION6


def test_every_class_is_found_by_its_own_name() -> None:
    for taxonomy in TAXONOMIES.values():
        assert [taxonomy.index(name) for name in taxonomy.names] == list(range(len(taxonomy)))


@pytest.mark.parametrize("label", ["joy", "surprise", "", "  ", "amusement!", "amusements"])
def test_label_of_another_taxonomy_is_refused_with_the_known_ones(label: str) -> None:
    with pytest.raises(TaxonomyError, match=r"no label of taxonomy 'mikels8'.*amusement, awe"):
        MIKELS8.index(label)


def test_sentiment_of_a_class() -> None:
    assert MIKELS8.sentiment_of("Awe") == "positive"
    assert EMOTION6.sentiment_of("surprise") is None
    assert WEBEMO8.sentiment_of("surprise") == "positive"


@pytest.mark.parametrize("taxonomy", TAXONOMIES.values(), ids=TAXONOMIES)
def test_card_gives_the_taxonomy_back(taxonomy: Taxonomy) -> None:
    assert Taxonomy.from_dict(json.loads(json.dumps(taxonomy.to_dict()))) == taxonomy


@pytest.mark.parametrize(
    "change",
    [
        {"classes": None},
        {"classes": [{"name": "awe"}]},
        {"classes": ["awe"]},
        {"classes": [{"name": "awe", "sentiment": "glad", "colour": "#000000"}]},
        {"classes": [{"name": "awe", "sentiment": None, "colour": "#000000"}] * 2},
        {"classes": [{"name": "awe", "sentiment": [], "colour": "#000000"}]},
        {"classes": [{"name": 5, "sentiment": None, "colour": "#000000"}]},
        {"classes": []},
    ],
)
def test_damaged_taxonomy_of_a_card_is_told(change: dict[str, Any]) -> None:
    with pytest.raises(TaxonomyError, match="taxonomy does not fit"):
        Taxonomy.from_dict({**MIKELS8.to_dict(), **change})


def test_bridge_from_mikels_to_emotion6_by_hand() -> None:
    #    amu awe con exc ang dis fea sad
    wanted = [
        [0, 0, 0, 0, 1, 0, 0, 0],  # anger
        [0, 0, 0, 0, 0, 1, 0, 0],  # disgust
        [0, 0, 0, 0, 0, 0, 1, 0],  # fear
        [1, 1, 1, 1, 0, 0, 0, 0],  # joy
        [0, 0, 0, 0, 0, 0, 0, 1],  # sadness
        [0, 0, 0, 0, 0, 0, 0, 0],  # surprise
    ]
    bridge = bridge_between(MIKELS8, EMOTION6)
    assert bridge.matrix.tolist() == wanted
    assert bridge.reachable.tolist() == [True, True, True, True, True, False]
    assert bridge.single.tolist() == [4, 5, 6, -1, 7, -1]
    assert bridge.merged is bridge


def test_bridges_from_mikels_to_groups_by_hand() -> None:
    positive, negative = [1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]
    assert bridge_between(MIKELS8, SENTIMENT2).matrix.tolist() == [positive, negative]
    assert bridge_between(MIKELS8, WIKIART3).matrix.tolist() == [positive, negative, [0] * 8]
    assert bridge_between(MIKELS8, SADNESS2).matrix.tolist() == [
        [1, 1, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
    ]


def test_classes_without_sentiment_go_to_other_or_mixed() -> None:
    bridge = bridge_between(WIKIART20, WIKIART3)
    for row, sentiment in enumerate(("positive", "negative", None)):
        members = {WIKIART20.names[c] for c in np.flatnonzero(bridge.matrix[row])}
        assert members == set(WIKIART_GROUPS[sentiment].split())


def test_faces_bridge_to_sadness_by_their_own_spelling() -> None:
    bridge = bridge_between(FER7, SADNESS2)
    assert bridge.single.tolist() == [-1, FER7.names.index("sad")]
    assert bridge.matrix.sum() == 7


def test_equal_class_names_make_an_identity() -> None:
    assert bridge_between(FER7, CAER7).matrix.tolist() == np.eye(7).tolist()
    for taxonomy in TAXONOMIES.values():
        bridge = bridge_between(taxonomy, taxonomy)
        assert bridge.matrix.tolist() == np.eye(len(taxonomy)).tolist()


def test_bridge_scores_and_answers_equal_a_slow_loop() -> None:
    checked = 0
    for model, labels in itertools.product(TAXONOMIES.values(), repeat=2):
        try:
            bridge = bridge_between(model, labels)
        except TaxonomyError:
            continue
        p = random_probabilities(7, len(model), seed=checked)
        scores = bridge.apply(p)
        for k in range(len(p)):
            slow = [
                sum(bridge.matrix[s, c] * p[k, c] for c in range(len(model)))
                for s in range(len(labels))
            ]
            assert scores[k].tolist() == pytest.approx(slow)
            assert bridge.predict(p)[k] == slow.index(max(slow))
        checked += 1
    assert checked > 30


def test_single_and_reachable_equal_a_slow_loop() -> None:
    for labels in (EMOTION6, WIKIART20, WEBEMO8, FER7):
        bridge = bridge_between(MIKELS8, labels)
        for s in range(len(labels)):
            classes = [c for c in range(8) if bridge.matrix[s, c] == 1]
            assert bridge.reachable[s] == (len(classes) > 0)
            assert bridge.single[s] == (classes[0] if len(classes) == 1 else -1)


def test_bridge_joins_only_labels_of_the_same_sentiment() -> None:
    for model, labels in itertools.product(TAXONOMIES.values(), repeat=2):
        try:
            bridge = bridge_between(model, labels)
        except TaxonomyError:
            continue
        for s, c in zip(*np.nonzero(bridge.matrix), strict=True):
            assert int(model.signs[c]) * int(labels.signs[s]) != -1, (model.name, labels.name)


def test_missing_bridge_says_what_to_do() -> None:
    with pytest.raises(TaxonomyError) as caught:
        bridge_between(EMOTION6, MIKELS8)
    text = str(caught.value)
    assert "'emotion6'" in text
    assert "'mikels8'" in text
    assert "fer7, sadness2, sentiment2, wikiart3" in text
    assert "labels.py or choose another network" in text


def test_text_is_no_emotion_and_has_no_sentiment() -> None:
    assert TEXT2.names == ("no text", "text")
    assert TEXT2.signs.tolist() == [0, 0]
    assert sentiments(TEXT2, np.array([[0.2, 0.8], [0.9, 0.1]])) == [None, None]
    assert sentiment_shares(TEXT2, np.array([[0.2, 0.8]])).tolist() == [[0.0, 0.0, 1.0]]
    assert not top2_opposite(TEXT2, np.array([[0.5, 0.5]])).any()


@pytest.mark.parametrize("other", [t for t in TAXONOMIES.values() if t is not TEXT2])
def test_no_bridge_joins_text_with_emotions(other: Taxonomy) -> None:
    for model, labels in ((TEXT2, other), (other, TEXT2)):
        with pytest.raises(TaxonomyError, match="no bridge joins them"):
            bridge_between(model, labels)


# Groups and merged labels --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "sad"),
    [
        (MIKELS8, "sadness"),
        (WEBEMO8, "sadness"),
        (EMOTION6, "sadness"),
        (WIKIART20, "sadness"),
        (FER7, "sad"),
        (CAER7, "sad"),
    ],
)
def test_network_of_sadness_and_others_learns_from_finer_labels(labels: Taxonomy, sad: str) -> None:
    bridge = bridge_between(SADNESS2, labels)
    assert bridge.matrix.tolist() == [[0, 1] if n == sad else [1, 0] for n in labels.names]
    assert bridge.single.tolist() == [int(n == sad) for n in labels.names]
    assert bridge.merged.labels.names == ("others", sad)
    assert bridge.groups.tolist() == [int(n == sad) for n in labels.names]
    assert bridge.merged.matrix.tolist() == [[1, 0], [0, 1]]
    assert bridge.merged.labels.name == f"{labels.name} as sadness2"


def test_networks_of_sentiments_learn_from_finer_labels() -> None:
    assert bridge_between(SENTIMENT2, MIKELS8).matrix.tolist() == [[1, 0]] * 4 + [[0, 1]] * 4
    #                        anger   disgust fear    joy     sadness surprise
    by_hand = [[0, 1], [0, 1], [0, 1], [1, 0], [0, 1], [0, 0]]
    assert bridge_between(SENTIMENT2, EMOTION6).matrix.tolist() == by_hand
    merged = bridge_between(SENTIMENT2, EMOTION6).merged
    assert merged.labels.names == ("negative", "joy", "surprise")
    assert merged.matrix.tolist() == [[0, 1], [1, 0], [0, 0]]
    assert merged.labels.signs.tolist() == [-1, 1, 0]


def test_sentiments_say_nothing_of_sadness() -> None:
    for model in (SENTIMENT2, WIKIART3):
        with pytest.raises(TaxonomyError, match="no bridge"):
            bridge_between(model, SADNESS2)


def test_labels_of_equal_rows_are_merged_and_unreachable_ones_are_not() -> None:
    bridge = bridge_between(MIKELS8, WIKIART20)
    merged = bridge.merged
    together: dict[str, set[str]] = {}
    for label, group in zip(WIKIART20.names, bridge.groups, strict=True):
        together.setdefault(merged.labels.names[group], set()).add(label)
    assert {name: labels for name, labels in together.items() if len(labels) > 1} == {
        "excitement": {"anticipation", "optimism"},
        "contentment": {"love", "trust"},
        "sadness": {"sadness", "pessimism", "regret"},
        "disgust": {"disgust", "shame"},
    }
    assert {name for name, labels in together.items() if not {name} <= labels} == {
        "excitement",
        "contentment",
    }
    for s in range(len(WIKIART20)):
        assert merged.matrix[bridge.groups[s]].tolist() == bridge.matrix[s].tolist()
    assert merged.merged is merged


def test_merged_labels_keep_their_own_names_where_no_one_class_names_them() -> None:
    two = Taxonomy("two", "Two", MIKELS8.classes[:2])  # amusement, awe
    rows = np.array([[1, 1], [1, 1], [0, 1], [0, 0], [0, 1], [0, 0]])
    merged = Bridge(two, EMOTION6, rows).merged
    assert merged.labels.names == ("anger or disgust", "awe", "joy", "surprise")
    assert merged.labels.signs.tolist() == [-1, 1, 1, 0]
    labels = Taxonomy("clash", "Clash", (*EMOTION6.classes[:2], MIKELS8.classes[1]))
    merged = Bridge(two, labels, np.array([[0, 1], [0, 1], [1, 0]])).merged
    assert merged.labels.names == ("anger or disgust", "awe")


def test_bridge_of_the_wrong_shape_or_with_shares_is_refused() -> None:
    with pytest.raises(TaxonomyError, match="6 labels x 8 classes; this one is \\(8, 6\\)"):
        Bridge(MIKELS8, EMOTION6, np.zeros((8, 6)))
    with pytest.raises(TaxonomyError, match="zeros and ones"):
        Bridge(MIKELS8, EMOTION6, np.full((6, 8), 0.5))


def test_sentiment_is_that_with_the_larger_sum_not_that_of_the_top_class() -> None:
    #                amu  awe  con  exc  ang  dis  fea  sad
    p = np.array([[0.16, 0.16, 0.16, 0.16, 0.30, 0.02, 0.02, 0.02]])
    assert sentiments(MIKELS8, p) == ["positive"]
    assert sentiment_shares(MIKELS8, p)[0].tolist() == pytest.approx([0.64, 0.36, 0.0])


def test_classes_without_sentiment_may_hold_the_most() -> None:
    #                ang dis fea joy sad surprise
    p = np.array([[0.1, 0.1, 0.0, 0.25, 0.05, 0.5], [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]])
    assert sentiment_shares(EMOTION6, p).tolist() == [
        pytest.approx([0.25, 0.25, 0.5]),
        pytest.approx([0.1, 0.4, 0.5]),
    ]
    assert sentiments(EMOTION6, p) == [None, None]


@pytest.mark.parametrize("taxonomy", [MIKELS8, EMOTION6, FER7, WIKIART20, SADNESS2, TEXT2])
def test_sentiment_shares_and_opposites_equal_a_slow_loop(taxonomy: Taxonomy) -> None:
    p = random_probabilities(40, len(taxonomy), seed=3)
    shares, opposite = sentiment_shares(taxonomy, p), top2_opposite(taxonomy, p)
    for k in range(len(p)):
        slow = {"positive": 0.0, "negative": 0.0, None: 0.0}
        for item, value in zip(taxonomy.classes, p[k], strict=True):
            slow[item.sentiment] += value
        assert shares[k].tolist() == pytest.approx(list(slow.values()))
        one, two = sorted(range(len(taxonomy)), key=lambda c, k=k: -p[k, c])[:2]
        both = {taxonomy.classes[one].sentiment, taxonomy.classes[two].sentiment}
        assert opposite[k] == (both == {"positive", "negative"})


# Colours -------------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of #rrggbb as seen with one kind of sight."""
    coded = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(sight @ linear, 0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055))


def smallest_difference(taxonomy: Taxonomy, sight: str) -> float:
    seen = [lab(item.colour, SIGHT[sight]) for item in taxonomy.classes]
    return min(float(deltaE_ciede2000(a, b)) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_the_eight_emotions_differ_for_every_sight(sight: str) -> None:
    assert smallest_difference(MIKELS8, sight) > 12


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_the_smaller_taxonomies_differ_for_every_sight(sight: str) -> None:
    small = [taxonomy for taxonomy in TAXONOMIES.values() if len(taxonomy) <= 8]
    assert len(small) == 9
    for taxonomy in small:
        assert smallest_difference(taxonomy, sight) > 8, taxonomy.name


def test_spellings_that_cannot_be_told_apart_are_one_label() -> None:
    """Folders of two machines: other capitals, and accents that are composed or not."""
    made = own_taxonomy("own", ["Calm_sea", "Trübsinn", "calm sea", "Tru\u0308bsinn", "x"])
    assert made.names == ("Calm_sea", "Trübsinn", "x")
    assert [made.index(label) for label in ("CALM-SEA", "tru\u0308bsinn", "X")] == [0, 1, 2]
    assert own_taxonomy("other", ["Tru\u0308bsinn"]).names == ("Tr\u00fcbsinn",)
