"""Taxonomies of evoked emotions, and the bridges between them.

A **taxonomy** is an ordered list of classes, each with a sentiment (polarity) and a colour.
A **bridge** is a 0/1 matrix M from a model's classes to a data set's labels: M[s, c] = 1 where
model class c may be called s. One mechanism then serves training on foreign labels, evaluation
across data sets, and the grouping into sentiments::

    training     -sum_s t_s log sum_c M[s, c] p_c        (t: a label or a vote distribution)
    evaluation   argmax_s of sum_c M[s, c] p_c

Labels with equal rows of M are the same to the model: a network of "sadness" and "others" cannot
tell amusement from fear. They are merged before answers are compared (`Bridge.merged`).

No torch here: arrays only.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from itertools import cycle
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emoviz.errors import TaxonomyError

Sentiment = Literal["positive", "negative"]
Matrix = NDArray[np.float64]

# One emotion keeps its colour in every taxonomy. The eight of Mikels were searched for: the
# smallest CIEDE2000 difference between two of them is above 15 for normal sight and under
# simulated protanopia, deuteranopia and tritanopia (tests/test_labels.py measures it again).
_GOLD, _LAVENDER, _MINT, _ROSE = "#e7ac13", "#cba7ff", "#23d1a0", "#be4472"
_RED, _KHAKI, _TEAL, _BLUE = "#bb0004", "#9d8b4d", "#008fab", "#2a57b9"
_GREY = "#8a8f98"
# For labels that are no emotions of the field, in turn.
_SPARE = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b")
SENTIMENT_COLOURS: Mapping[str, str] = {"positive": _GOLD, "negative": _BLUE, "none": _GREY}

# Spellings met in the field for the same emotion.
_SYNONYMS: tuple[frozenset[str], ...] = (
    frozenset({"joy", "happy", "happiness"}),
    frozenset({"sad", "sadness"}),
    frozenset({"anger", "angry"}),
    frozenset({"fear", "fearful", "scared"}),
    frozenset({"disgust", "disgusted"}),
    frozenset({"contentment", "content"}),
    frozenset({"positive", "pos"}),
    frozenset({"negative", "neg"}),
    frozenset({"surprise", "surprised"}),
    frozenset({"others", "other", "not sadness", "non sadness"}),
    frozenset({"other or mixed", "mixed", "other"}),
    frozenset({"text", "with text", "has text"}),
    frozenset({"no text", "notext", "text free", "textless", "without text"}),
)


@dataclass(frozen=True)
class EmotionClass:
    """One class of a taxonomy: its name, its sentiment (None where it has none), its colour."""

    name: str
    sentiment: Sentiment | None
    colour: str


@dataclass(frozen=True)
class Taxonomy:
    """An ordered list of emotion classes.

    Attributes:
        name: The identifier used in recipes, cards and on the command line.
        title: What people read.
        classes: The classes, in the order of a network's outputs.
    """

    name: str
    title: str
    classes: tuple[EmotionClass, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in output order."""
        return tuple(item.name for item in self.classes)

    @property
    def colours(self) -> dict[str, str]:
        """Colour of each class as ``#rrggbb``."""
        return {item.name: item.colour for item in self.classes}

    @cached_property
    def signs(self) -> NDArray[np.int8]:
        """(C,) +1 for a positive class, -1 for a negative one, 0 where there is no sentiment."""
        sign = {"positive": 1, "negative": -1, None: 0}
        return np.array([sign[item.sentiment] for item in self.classes], dtype=np.int8)

    def __len__(self) -> int:
        return len(self.classes)

    def index(self, label: str) -> int:
        """Index of a label, whatever its capitals, spaces or usual spelling.

        Raises:
            TaxonomyError: The label is not in this taxonomy.
        """
        wanted, known = _normalised(label), self._places
        if wanted in known:
            return known[wanted]
        for group in _SYNONYMS:
            hits = [i for name, i in known.items() if name in group]
            if wanted in group and len(hits) == 1:
                return hits[0]
        raise TaxonomyError(
            f"'{label}' is no label of taxonomy '{self.name}'. Its labels: {', '.join(self.names)}."
        )

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """Normalised name -> index; a table of a million rows asks a million times."""
        return {_normalised(name): i for i, name in enumerate(self.names)}

    def holds(self, label: str) -> bool:
        """Whether `index` knows the label."""
        try:
            return self.index(label) >= 0
        except TaxonomyError:
            return False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Taxonomy":
        """Read what a card holds.

        Raises:
            TaxonomyError: A field is missing or unknown, or two classes have one name.
        """
        try:
            classes = tuple(EmotionClass(**row) for row in values["classes"])
            made = cls(values["name"], values["title"], classes)
            made.check()
        except (KeyError, TypeError) as error:
            raise TaxonomyError(f"The card's taxonomy does not fit: {error}.") from None
        return made

    def check(self) -> None:
        """Raise `TaxonomyError` unless there are classes of distinct names and known sentiments."""
        names = [item.name for item in self.classes]
        wrong = {item.sentiment for item in self.classes} - {"positive", "negative", None}
        texts = all(isinstance(name, str) for name in names)
        if not names or not texts or len(set(names)) < len(names) or wrong:
            raise TaxonomyError(
                f"The card's taxonomy does not fit: classes {names}, sentiments "
                f"{sorted(map(str, wrong)) or 'as wanted'}; wanted distinct names, and the "
                "sentiments positive, negative or null."
            )

    def sentiment_of(self, name: str) -> Sentiment | None:
        """Sentiment of the class called `name`."""
        return self.classes[self.index(name)].sentiment


@dataclass(frozen=True)
class Bridge:
    """A 0/1 matrix from a model's classes to a data set's labels.

    Attributes:
        model: Taxonomy of the probabilities that come in.
        labels: Taxonomy of the labels that they are compared with.
        matrix: (S, C) with M[s, c] = 1 where model class c may be called label s.
    """

    model: Taxonomy
    labels: Taxonomy
    matrix: Matrix

    def __post_init__(self) -> None:
        wanted = (len(self.labels), len(self.model))
        if self.matrix.shape != wanted:
            raise TaxonomyError(
                f"A bridge from '{self.model.name}' to '{self.labels.name}' is a matrix of "
                f"{wanted[0]} labels x {wanted[1]} classes; this one is {self.matrix.shape}."
            )
        if not np.isin(self.matrix, (0, 1)).all():
            raise TaxonomyError("A bridge holds only zeros and ones.")

    @property
    def reachable(self) -> NDArray[np.bool_]:
        """(S,) True for labels that at least one model class may be called."""
        return np.asarray(self.matrix.any(axis=1))

    @property
    def single(self) -> NDArray[np.int64]:
        """(S,) the one model class of each label, or -1 where there are none or several.

        Only samples with a single class pull on a class center.
        """
        index = self.matrix.argmax(axis=1)
        single: NDArray[np.int64] = np.full(len(self.labels), -1, dtype=np.int64)
        one = self.matrix.sum(axis=1) == 1
        single[one] = index[one]
        return single

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """(S,) index of each label among the labels of `merged`.

        Labels with equal rows share one; labels that no class may be called stay by themselves.
        """
        rows = [row.tobytes() if row.any() else s for s, row in enumerate(self.matrix)]
        place = {row: i for i, row in enumerate(dict.fromkeys(rows))}
        return np.array([place[row] for row in rows], dtype=np.int64)

    @cached_property
    def merged(self) -> "Bridge":
        """The bridge to the labels that the model can tell apart; this one where it can all.

        Merged labels take the name, sentiment and colour of the one class that they may be
        called. Where that is several classes, the labels' names are joined.
        """
        count = int(self.groups.max()) + 1
        if count == len(self.labels):
            return self
        members = [np.flatnonzero(self.groups == group) for group in range(count)]
        labels = Taxonomy(
            f"{self.labels.name} as {self.model.name}",
            f"{self.labels.title}, as far as '{self.model.title}' tells them apart",
            tuple(self._merged_class(group) for group in members),
        )
        return Bridge(self.model, labels, self.matrix[[group[0] for group in members]])

    def _merged_class(self, members: NDArray[np.int64]) -> EmotionClass:
        labels = [self.labels.classes[int(s)] for s in members]
        if len(labels) == 1:
            return labels[0]
        single = int(self.single[members[0]])
        names = {item.name for item in labels}
        if single >= 0 and self.model.names[single] not in set(self.labels.names) - names:
            return self.model.classes[single]
        feelings = {item.sentiment for item in labels}
        feeling = feelings.pop() if len(feelings) == 1 else None
        return EmotionClass(" or ".join(item.name for item in labels), feeling, labels[0].colour)

    def apply(self, probabilities: NDArray[np.floating]) -> Matrix:
        """Label scores (N, S) = sum_c M[s, c] p_c from class probabilities (N, C)."""
        return np.asarray(probabilities, dtype=np.float64) @ self.matrix.T

    def predict(self, probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
        """(N,) label indices: argmax_s of sum_c M[s, c] p_c."""
        best: NDArray[np.int64] = self.apply(probabilities).argmax(axis=1)
        return best


def _normalised(label: str) -> str:
    """Small letters, single spaces, accents composed: machines differ in how they write them."""
    composed = unicodedata.normalize("NFC", label)
    return " ".join(composed.replace("_", " ").replace("-", " ").casefold().split())


def _taxonomy(name: str, title: str, *rows: tuple[str, Sentiment | None, str]) -> Taxonomy:
    return Taxonomy(name, title, tuple(EmotionClass(*row) for row in rows))


_ANGER: tuple[str, Sentiment, str] = ("anger", "negative", _RED)
_DISGUST: tuple[str, Sentiment, str] = ("disgust", "negative", _KHAKI)
_FEAR: tuple[str, Sentiment, str] = ("fear", "negative", _TEAL)
_SADNESS: tuple[str, Sentiment, str] = ("sadness", "negative", _BLUE)
# Surprise has no sentiment of its own where people may be surprised by anything; WEBEmo's
# hierarchy puts it among the positive emotions.
_SURPRISE: tuple[str, None, str] = ("surprise", None, _LAVENDER)
_FACES: tuple[tuple[str, Sentiment | None, str], ...] = (
    _ANGER,
    _DISGUST,
    _FEAR,
    ("happy", "positive", _GOLD),
    ("neutral", None, _GREY),
    ("sad", "negative", _BLUE),
    _SURPRISE,
)

MIKELS8 = _taxonomy(
    "mikels8",
    "Mikels, eight emotions",
    ("amusement", "positive", _GOLD),
    ("awe", "positive", _LAVENDER),
    ("contentment", "positive", _MINT),
    ("excitement", "positive", _ROSE),
    _ANGER,
    _DISGUST,
    _FEAR,
    _SADNESS,
)
WEBEMO8 = _taxonomy(
    "webemo8",
    "WEBEmo, eight emotions",
    ("happiness", "positive", _GOLD),
    ("surprise", "positive", _LAVENDER),
    ("satisfaction", "positive", _MINT),
    ("excitement", "positive", _ROSE),
    _ANGER,
    _DISGUST,
    _FEAR,
    _SADNESS,
)
EMOTION6 = _taxonomy(
    "emotion6",
    "Emotion6, Ekman's six",
    _ANGER,
    _DISGUST,
    _FEAR,
    ("joy", "positive", _GOLD),
    _SADNESS,
    _SURPRISE,
)
CAER7 = _taxonomy("caer7", "CAER, seven emotions in context", *_FACES)
FER7 = _taxonomy("fer7", "FER2013, seven facial emotions", *_FACES)
SADNESS2 = _taxonomy("sadness2", "Sadness or not", ("others", None, _GREY), _SADNESS)
SENTIMENT2 = _taxonomy(
    "sentiment2",
    "Sentiment",
    ("positive", "positive", _GOLD),
    ("negative", "negative", _BLUE),
)
# No emotion: for networks that sort out images with writing in them.
TEXT2 = _taxonomy(
    "text2",
    "Text in the image or not",
    ("no text", None, _GREY),
    ("text", None, _BLUE),
)

# Groups of Mohammad and Kiritchenko, WikiArt Emotions (LREC 2018), table of emotions.
_WIKIART: dict[str, tuple[Sentiment | None, str]] = {
    "agreeableness": (None, _GREY),
    "anger": ("negative", _RED),
    "anticipation": (None, _GREY),
    "arrogance": ("negative", "#7a1f2b"),
    "disagreeableness": (None, _GREY),
    "disgust": ("negative", _KHAKI),
    "fear": ("negative", _TEAL),
    "gratitude": ("positive", "#7fb800"),
    "happiness": ("positive", _GOLD),
    "humility": ("positive", "#b0b36a"),
    "love": ("positive", _ROSE),
    "optimism": ("positive", "#f08a24"),
    "pessimism": ("negative", "#4a4e8f"),
    "regret": ("negative", "#6d5a7e"),
    "sadness": ("negative", _BLUE),
    "shame": ("negative", "#8c5b3f"),
    "shyness": (None, _GREY),
    "surprise": (None, _LAVENDER),
    "trust": ("positive", _MINT),
    "neutral": (None, _GREY),
}
WIKIART20 = _taxonomy(
    "wikiart20",
    "WikiArt Emotions, twenty",
    *((name, sentiment, colour) for name, (sentiment, colour) in _WIKIART.items()),
)
WIKIART3 = _taxonomy(
    "wikiart3",
    "WikiArt Emotions, three groups",
    ("positive", "positive", _GOLD),
    ("negative", "negative", _BLUE),
    ("other or mixed", None, _GREY),
)

TAXONOMIES: Mapping[str, Taxonomy] = {
    item.name: item
    for item in (
        MIKELS8,
        EMOTION6,
        SADNESS2,
        FER7,
        CAER7,
        WEBEMO8,
        WIKIART20,
        WIKIART3,
        SENTIMENT2,
        TEXT2,
    )
}

# Taxonomies whose classes are groups of other taxonomies' emotions.
_GROUPS = ("sentiment2", "wikiart3", "sadness2")

# label -> the model classes that may be called so. Bridges to and from groups follow from the
# sentiments and from "sadness", and need no row here. Labels left out cannot be reached.
_POSITIVES = ("amusement", "awe", "contentment", "excitement")
_SAME_NEGATIVES = {name: (name,) for name in ("anger", "disgust", "fear", "sadness")}
_FROM_MIKELS_TO_FACES = {
    "anger": ("anger",),
    "disgust": ("disgust",),
    "fear": ("fear",),
    "happy": _POSITIVES,
    "sad": ("sadness",),
}
_FROM_EMOTION6_TO_FACES = {
    "anger": ("anger",),
    "disgust": ("disgust",),
    "fear": ("fear",),
    "happy": ("joy",),
    "sad": ("sadness",),
    "surprise": ("surprise",),
}
_FROM_WEBEMO_TO_FACES = {
    **_FROM_EMOTION6_TO_FACES,
    "happy": ("happiness", "satisfaction", "excitement"),
}
_RULES: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]] = {
    ("mikels8", "emotion6"): {**_SAME_NEGATIVES, "joy": _POSITIVES},
    ("mikels8", "fer7"): _FROM_MIKELS_TO_FACES,
    ("mikels8", "caer7"): _FROM_MIKELS_TO_FACES,
    ("mikels8", "webemo8"): {
        **_SAME_NEGATIVES,
        "happiness": ("amusement",),
        "surprise": ("awe",),
        "satisfaction": ("contentment",),
        "excitement": ("excitement",),
    },
    ("mikels8", "wikiart20"): {
        **_SAME_NEGATIVES,
        "happiness": ("amusement", "contentment", "excitement"),
        "love": ("contentment",),
        "trust": ("contentment",),
        "optimism": ("excitement",),
        "anticipation": ("excitement",),
        "surprise": ("awe",),
        "pessimism": ("sadness",),
        "regret": ("sadness",),
        "shame": ("disgust",),
    },
    ("webemo8", "mikels8"): {
        **_SAME_NEGATIVES,
        "amusement": ("happiness",),
        "awe": ("surprise",),
        "contentment": ("satisfaction",),
        "excitement": ("excitement",),
    },
    ("webemo8", "emotion6"): {
        **_SAME_NEGATIVES,
        "joy": ("happiness", "satisfaction", "excitement"),
        "surprise": ("surprise",),
    },
    **{("emotion6", faces): _FROM_EMOTION6_TO_FACES for faces in ("fer7", "caer7")},
    **{("webemo8", faces): _FROM_WEBEMO_TO_FACES for faces in ("fer7", "caer7")},
}


def get_taxonomy(name: str) -> Taxonomy:
    """The taxonomy called `name`.

    Raises:
        TaxonomyError: There is none of that name.
    """
    try:
        return TAXONOMIES[name.strip().casefold()]
    except KeyError:
        raise TaxonomyError(
            f"There is no taxonomy '{name}'. Known: {', '.join(TAXONOMIES)}."
        ) from None


def own_taxonomy(name: str, labels: Iterable[str], title: str = "") -> Taxonomy:
    """A taxonomy of any labels, for sets whose labels no taxonomy of the field holds.

    A label that is an emotion of a registered taxonomy keeps its colour and its sentiment there;
    any other has no sentiment, and takes no part in the measures of sentiment.

    Args:
        name: Identifier, none of the registered ones.
        labels: In the order of the outputs; spaces around them and repeats do not count, and of
            spellings that `Taxonomy.index` cannot tell apart the first stands for all.
        title: For people; the labels themselves where left out.

    Raises:
        TaxonomyError: There is no label, or the name is taken.
    """
    spelt: dict[str, str] = {}
    for label in labels:
        if text := unicodedata.normalize("NFC", label).strip():
            spelt.setdefault(_normalised(text), text)
    names = tuple(spelt.values())
    if name.strip().casefold() in TAXONOMIES:
        raise TaxonomyError(f"'{name}' is a registered taxonomy; choose another name.")
    if not names:
        raise TaxonomyError(f"Taxonomy '{name}' would have no label; wanted one at least.")
    spare = cycle(_SPARE)
    classes = [_known_class(label) or EmotionClass(label, None, next(spare)) for label in names]
    made = Taxonomy(name, title or ", ".join(names), tuple(classes))
    made.check()
    return made


def _known_class(label: str) -> EmotionClass | None:
    """An emotion of the field under the name that it was given."""
    for taxonomy in (MIKELS8, EMOTION6, WEBEMO8, WIKIART20):
        if taxonomy.holds(label):
            return replace(taxonomy.classes[taxonomy.index(label)], name=label)
    return None


def taxonomy_of(labels: Iterable[str], likely: Taxonomy | None = None) -> Taxonomy | None:
    """The smallest taxonomy that holds all the labels, by its own names before other spellings.

    Args:
        labels: Texts; empty ones do not count.
        likely: Taken instead of a smaller one where it holds them all.

    Returns:
        None where there are no labels, or no taxonomy holds them all; also of "content" alone,
        which folders and cells mean otherwise.
    """
    found = {unicodedata.normalize("NFC", label).strip().casefold() for label in labels} - {""}
    if likely is None and not all(_normalised(label) in _spellings() for label in found):
        return None
    by_size = sorted(TAXONOMIES.values(), key=len)
    candidates = [likely, *by_size] if likely is not None else by_size
    exact = (item for item in candidates if found <= set(item.names))
    spelt = (item for item in candidates if all(item.holds(label) for label in found))
    return (next(exact, None) or next(spelt, None)) if found - {"content"} else None


@cache
def _spellings() -> frozenset[str]:
    """Of all labels: a million texts that are none are told from them in no time."""
    names = (name for item in TAXONOMIES.values() for name in item.names)
    return frozenset(map(_normalised, names)).union(*_SYNONYMS)


@cache
def bridge_between(model: Taxonomy, labels: Taxonomy) -> Bridge:
    """The bridge from a model's classes to the labels of a data set.

    Raises:
        TaxonomyError: No bridge joins the two.
    """
    rule = _rule(model, labels)
    if rule is None:
        joined = [name for name, other in TAXONOMIES.items() if _rule(model, other) is not None]
        raise TaxonomyError(
            f"A network with the classes of '{model.name}' cannot be measured on labels of "
            f"'{labels.name}': no bridge joins them. From '{model.name}' there are bridges to "
            f"{', '.join(sorted(joined))}. Add one in emoviz/labels.py or choose another "
            "network."
        )
    matrix = np.zeros((len(labels), len(model)))
    for label, classes in rule.items():
        for name in classes:
            matrix[labels.index(label), model.index(name)] = 1.0
    matrix.setflags(write=False)
    return Bridge(model, labels, matrix)


def sentiment_shares(taxonomy: Taxonomy, probabilities: NDArray[np.floating]) -> Matrix:
    """(N, 3) probability of the positive, the negative and the classes without sentiment."""
    signs = np.stack([taxonomy.signs > 0, taxonomy.signs < 0])
    grouped = np.asarray(probabilities, dtype=np.float64) @ signs.T
    rest = np.clip(1.0 - grouped.sum(axis=1, keepdims=True), 0.0, 1.0)
    return np.hstack([grouped, rest])


def sentiments(taxonomy: Taxonomy, probabilities: NDArray[np.floating]) -> list[Sentiment | None]:
    """Which sentiment holds most of the probability, for each of N rows (N, C).

    None where the classes without a sentiment hold more than either.
    """
    names: tuple[Sentiment | None, ...] = ("positive", "negative", None)
    return [names[i] for i in sentiment_shares(taxonomy, probabilities).argmax(axis=1)]


def top2_opposite(taxonomy: Taxonomy, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(N,) whether the two most probable classes have opposite sentiments."""
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    signs = taxonomy.signs[top].astype(np.int64)
    return np.asarray(signs[:, 0] * signs[:, -1] == -1)


def _rule(source: Taxonomy, target: Taxonomy) -> Mapping[str, Iterable[str]] | None:
    if source.names == target.names:
        return {name: (name,) for name in source.names}
    if target.name in ("sentiment2", "wikiart3") and source.signs.any():
        return _sentiment_rule(source, others="other or mixed" if len(target) == 3 else None)
    if target.name == "sadness2" and any(name in source.names for name in ("sad", "sadness")):
        sad = source.names[source.index("sadness")]
        return {"sadness": (sad,), "others": tuple(n for n in source.names if n != sad)}
    if source.name in _GROUPS and target.name not in _GROUPS:
        return _turned(_rule(target, source), target)
    return _RULES.get((source.name, target.name))


def _turned(
    rule: Mapping[str, Iterable[str]] | None, labels: Taxonomy
) -> Mapping[str, Iterable[str]] | None:
    """From groups to their members: each label may be called by the group that it belongs to."""
    if rule is None:
        return None
    return {
        label: tuple(group for group, members in rule.items() if label in members)
        for label in labels.names
    }


def _sentiment_rule(source: Taxonomy, others: str | None) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {"positive": [], "negative": []}
    if others is not None:
        groups[others] = []
    for item in source.classes:
        group = item.sentiment or others
        if group is not None:
            groups[group].append(item.name)
    return {label: tuple(names) for label, names in groups.items()}
