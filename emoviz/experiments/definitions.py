"""The experiments: which question, which rows, what is shown, what the papers found.

Each is defined for two families. ``paper`` takes the papers' own networks, which need pretrained
weights and a GPU. ``lite`` asks the same question of EfficientNet-Lite2, whose weights come with
the installation, with a frozen backbone whose features are computed once and kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from emoviz.errors import RecipeError
from emoviz.experiments.published import FIGURES, Figure

Family = Literal["paper", "lite"]
View = Literal["headline", "classes", "crossing"]
OWN_LABELS = "own"
FROZEN, FROZEN_BASELINE = "mikels8-frozen", "mikels8-frozen-baseline"


@dataclass(frozen=True)
class ExperimentRow:
    """One network of a table.

    Attributes:
        key: Names the row on the command line and in folders.
        label: What people read.
        recipe: A recipe's name or file.
        settings: ``key=value`` that change the recipe.
        figure: The row's name in `emoviz.experiments.published`; ``{epochs}`` in it stands for
            the epochs of the recipe. Empty where the papers have no such network.
    """

    key: str
    label: str
    recipe: str
    settings: tuple[str, ...] = ()
    figure: str = ""


@dataclass(frozen=True)
class Claim:
    """What a paper says that a measure does against the first row.

    Attributes:
        words: The claim, as the table of verdicts prints it.
        measure: By its name in the rows.
        rises: Whether the paper says that it rises; otherwise that it falls.
        papers: What the paper prints for it.
    """

    words: str
    measure: str
    rises: bool
    papers: str


@dataclass(frozen=True)
class Experiment:
    """A table to be made.

    Attributes:
        name: On the command line.
        question: What it answers.
        rows: By family; the first row is what the others are compared with.
        measures: Columns of the first table.
        notes: What a reader must know, beside what is generated from the numbers.
        judged: Measures whose differences are put into words.
        views: Tables shown: the headline measures; precision, recall and F1 of each class of
            sets with two; the counts of the top-2 cross-sentiment measure.
        settings: Changes to every recipe, by family.
        taxonomy: Of the networks: ``own`` takes each set's own labels; empty leaves the recipe's.
        together: One network learns from all sets, instead of one from each.
        finished: A finished network is wanted too, not only those of the folds.
        elsewhere: The finished networks are also measured on every other set.
        unlabelled: Folders without labels are welcome: trained checkpoints read them.
        probe: A linear probe stands beside the networks.
        claims: What the papers say of the rows after the first; see `emoviz.experiments.verdicts`.
    """

    name: str
    question: str
    rows: Mapping[Family, tuple[ExperimentRow, ...]]
    measures: tuple[str, ...]
    notes: tuple[str, ...] = ()
    judged: tuple[str, ...] = ("accuracy",)
    views: tuple[View, ...] = ("headline",)
    settings: Mapping[Family, tuple[str, ...]] | None = None
    taxonomy: str = ""
    together: bool = False
    finished: bool = False
    elsewhere: bool = False
    unlabelled: bool = False
    probe: bool = False
    claims: tuple[Claim, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What the papers print."""
        return FIGURES.get(self.name, ())

    def common(self, family: Family) -> tuple[str, ...]:
        """Settings of every row."""
        return (self.settings or {}).get(family, ())


_CLUSTERS = ("accuracy", "macro_f1", "ari", "nmi", "asr", "cross_sentiment", "cross_sentiment_0.3")
_LABELS = ("accuracy", "macro_f1", "sentiment_accuracy", "cross_sentiment", "ari", "nmi", "asr")
_NO_LOSS: Mapping[Family, tuple[str, ...]] = {
    "paper": ("loss.beta=0",),
    "lite": ("loss.beta=0",),
}
_OTHER_SETS = (
    "The papers' columns were measured on other, larger sets with other networks: compare the "
    "direction of a difference, never one number with another."
)


def _layers(*layers: int) -> str:
    return f"network.layers=[{', '.join(map(str, layers))}]"


def _numbered(
    name: str,
    recipe: str,
    key: str,
    known: tuple[Figure, ...],
    values: tuple[float, ...],
    extra: tuple[str, ...] = (),
) -> tuple[ExperimentRow, ...]:
    """A row for each value of one setting, with its figure where one is printed."""
    rows = []
    for value in values:
        label = f"{name} = {value:g}"
        settings = (*extra, f"{key}={value:g}")
        figure = label if any(item.row == label for item in known) else ""
        rows.append(ExperimentRow(f"{name}{value:g}", label, recipe, settings, figure))
    return tuple(rows)


def _modules(count: int) -> str:
    return f"v = {count}" if count else "v = 0, the plain backbone"


GRAM_GAIN = Experiment(
    name="gram-gain",
    question="Do Gram modules help, and how many?",
    rows={
        "paper": tuple(
            ExperimentRow(
                f"v{v}", _modules(v), f"dissertation-v{v}", (), f"v = {v}" if v else "baseline"
            )
            for v in range(5)
        ),
        "lite": tuple(
            ExperimentRow(
                f"v{len(layers)}",
                _modules(len(layers)),
                FROZEN,
                (_layers(*layers),),
                f"v = {len(layers)}" if layers else "baseline",
            )
            for layers in ((), (2,), (1, 2), (1, 2, 3))
        ),
    },
    measures=_LABELS,
    notes=(
        "As in chapter 5.1 of the dissertation the contrastive-center loss is off (beta = 0), and "
        "the baseline is the plain backbone.",
        "In the family lite, dropout, weight decay and learning rate are those that were chosen "
        "for v = 3; the plain backbone was not tuned by itself, which flatters the modules.",
        _OTHER_SETS,
    ),
    judged=("accuracy", "macro_f1", "cross_sentiment"),
    views=("headline", "classes"),
    settings=_NO_LOSS,
    taxonomy=OWN_LABELS,
    claims=(
        Claim(
            "Gram modules raise accuracy",
            "accuracy",
            True,
            "81.3 → 82.2 to 82.5 (WEBEmo sadness, Table 5.1)",
        ),
    ),
)

_CLAIMS_OF_THE_LOSS = (
    Claim("The loss raises accuracy", "accuracy", True, "77.9 → 80.5 (EmoSet-118K, Table 5.10)"),
    Claim("The loss raises ARI", "ari", True, "0.332 → 0.599 (EmoSet-118K, Table 5.10)"),
    Claim("The loss raises NMI", "nmi", True, "0.455 → 0.624 (EmoSet-118K, Table 5.10)"),
    Claim("The loss lowers ASR", "asr", False, "0.826 → 0.065 (FI-8, Table 5.10)"),
    Claim(
        "The loss lowers top-2 cross-sentiment",
        "cross_sentiment",
        False,
        "22.6 → 7.0 (EmoSet-118K, Table 5.13)",
    ),
)

BETA = Experiment(
    name="beta",
    question="What does the strength beta of the contrastive-center loss do to accuracy and to "
    "the clusters of u?",
    rows={
        "paper": _numbered(
            "beta",
            "dissertation",
            "loss.beta",
            FIGURES["beta"],
            (0, 0.1, 0.3, 0.4, 0.5, 0.8, 1, 1.2),
        ),
        "lite": _numbered(
            "beta", FROZEN, "loss.beta", FIGURES["beta"], (0, 0.003, 0.01, 0.03, 0.1, 0.5, 1)
        ),
    },
    measures=_CLUSTERS,
    notes=(
        "beta = 0 is what chapter 5.2 of the dissertation calls the baseline: the same network "
        "with its Gram modules, without the loss.",
        "beta = 0.003 is the strength that the shipped networks were trained with; it was chosen "
        "for their small sets.",
        "ASR falls when u shrinks onto its centers, so read it together with accuracy and ARI.",
        _OTHER_SETS,
    ),
    judged=("accuracy", "ari", "nmi", "asr", "cross_sentiment"),
    taxonomy=OWN_LABELS,
    claims=_CLAIMS_OF_THE_LOSS,
)

MARGIN = Experiment(
    name="margin",
    question="What does the margin m between the class centers do?",
    rows={
        "paper": _numbered("m", "dissertation", "loss.margin", FIGURES["margin"], (1.5, 3, 5, 10)),
        "lite": _numbered("m", FROZEN, "loss.margin", FIGURES["margin"], (1.5, 3, 5, 10)),
    },
    measures=(*_CLUSTERS[:6], "center_distance.least", "center_distance.largest"),
    notes=(
        "Distances are those between the learned centers of the finished network; the papers' are "
        "read off the colours of Figure 5.4.",
    ),
    judged=("accuracy", "ari", "center_distance.least"),
    taxonomy=OWN_LABELS,
    finished=True,
    claims=(
        Claim(
            "A wider margin moves the centers apart",
            "center_distance.least",
            True,
            "about 1.8 → 6.5 from m = 3 to 10 (Figure 5.4)",
        ),
    ),
)

LAMBDA = Experiment(
    name="lambda",
    question="What does the weight lambda of the inter-class term do?",
    rows={
        "paper": _numbered(
            "lambda",
            "dissertation",
            "loss.lambda",
            FIGURES["lambda"],
            (0.05, 0.1, 0.6, 1, 2, 5, 10, 20),
            ("loss.beta=0.5", "loss.margin=5"),
        ),
        "lite": _numbered("lambda", FROZEN, "loss.lambda", FIGURES["lambda"], (0.1, 1, 5, 20)),
    },
    measures=_CLUSTERS,
    notes=(_OTHER_SETS,),
    judged=("accuracy", "ari", "asr"),
    taxonomy=OWN_LABELS,
)

_PLAIN_LITE = (
    ExperimentRow("lite2", "EfficientNet-Lite2", FROZEN, (_layers(),)),
    ExperimentRow(
        "lite2-untrained",
        "EfficientNet-Lite2 without pre-training",
        FROZEN,
        (_layers(), "network.pretrained=false"),
    ),
)
_UNTRAINED = (
    "Plain backbones without Gram modules and without the contrastive-center loss.",
    "In the family lite a backbone without pre-training gives frozen features of random filters, "
    "where the papers trained the whole network from random weights.",
)

BACKBONES = Experiment(
    name="backbones",
    question="How much does the backbone matter?",
    rows={
        "paper": (
            ExperimentRow("resnet50", "ResNet50", "backbone-resnet50", (), "ResNet50"),
            ExperimentRow("xception", "Xception", "backbone-xception", (), "Xception"),
            ExperimentRow("v2s", "EfficientNetV2-S", "backbone-v2s", (), "EfficientNetV2-S"),
        ),
        "lite": _PLAIN_LITE,
    },
    measures=_LABELS,
    notes=(*_UNTRAINED, _OTHER_SETS),
    judged=("accuracy", "macro_f1"),
    settings=_NO_LOSS,
    taxonomy=OWN_LABELS,
)

POSTER = Experiment(
    name="poster",
    question="How much do the backbone and its pre-training matter for sadness against the rest?",
    rows={
        "paper": tuple(
            ExperimentRow(f"poster-{key}", name, f"poster-{key}", (), f"poster {name}")
            for key, name in (
                ("xception", "Xception"),
                ("v2b0", "EfficientNetV2-B0"),
                ("v2b2", "EfficientNetV2-B2"),
                ("v2s", "EfficientNetV2-S"),
                ("xception-untrained", "Xception without pre-training"),
            )
        ),
        "lite": _PLAIN_LITE,
    },
    measures=("accuracy", "macro_f1", "ari", "nmi", "asr"),
    notes=(*_UNTRAINED, _OTHER_SETS),
    judged=("accuracy", "macro_f1"),
    views=("headline", "classes"),
    settings=_NO_LOSS,
    taxonomy="sadness2",
)

_SADNESS_LAYER = "blocks.2.1.conv_pwl"  # the second block of the third stage, as in the paper


_LEAKY = "network.pooled_activation=leaky_relu"


def _parallel(count: int, *figure: str) -> ExperimentRow:
    settings = (
        f"network.layers=[{_SADNESS_LAYER}]",
        "network.module=multiplicative",
        f"network.parallel={count}",
        _LEAKY,
    )
    return ExperimentRow(f"k{count}", f"k = {count}", FROZEN, settings, *figure)


SADNESS = Experiment(
    name="sadness",
    question="Does the sadness network, with k parallel Gram modules on one layer, beat its plain "
    "backbone?",
    rows={
        "paper": (
            ExperimentRow("plain", "plain backbone", "sadness-baseline", (), "baseline B2"),
            ExperimentRow("zhang", "Zhang et al.", "zhang", (), "Zhang et al."),
            *(
                ExperimentRow(f"k{k}", f"k = {k}", f"sadness-k{k}", (), f"k = {k}")
                for k in range(2, 6)
            ),
        ),
        "lite": (
            ExperimentRow("plain", "plain backbone", FROZEN, (_layers(), _LEAKY), "baseline B2"),
            *(_parallel(k, f"k = {k}") for k in range(2, 6)),
        ),
    },
    measures=("accuracy", "macro_f1", "ari", "nmi", "asr", "ece"),
    notes=(
        "Two classes, sadness and others; finer labels come in through the bridge.",
        "Sadness is the smaller class in our sets, so the macro F1 says more than the accuracy, "
        "which a network reaches that never says sadness.",
        _OTHER_SETS,
    ),
    judged=("accuracy", "macro_f1"),
    views=("headline", "classes"),
    settings=_NO_LOSS,
    taxonomy="sadness2",
    claims=(
        Claim(
            "k Gram modules in parallel beat the plain backbone",
            "accuracy",
            True,
            "81.4 → 81.8 (WEBEmo sadness, IJCCC 2024)",
        ),
    ),
)

CROSS_DATASET = Experiment(
    name="cross-dataset",
    question="Does a network that learned sadness on one set find it on another?",
    rows={
        "paper": (
            ExperimentRow("v0", "plain backbone", "dissertation-v0"),
            ExperimentRow("v4", "v = 4", "dissertation-v4", (), "v = 4"),
            ExperimentRow("k4", "k = 4", "sadness-k4", (), "k = 4"),
        ),
        "lite": (
            ExperimentRow("v0", "plain backbone", FROZEN, (_layers(),)),
            ExperimentRow("v3", "v = 3", FROZEN, (_layers(1, 2, 3),), "v = 4"),
            _parallel(4, "k = 4"),
        ),
    },
    measures=("accuracy", "macro_f1"),
    notes=(
        "Sadness against the rest, through the bridge. A network is measured on the test split "
        "of its own set and on all images of the others.",
        "Where a family has no network with v = 4, the papers' figure stands beside v = 3.",
    ),
    judged=("accuracy", "macro_f1"),
    views=("headline", "classes"),
    settings={"paper": _NO_LOSS["paper"], "lite": (*_NO_LOSS["lite"], "data.folds=0")},
    taxonomy="sadness2",
    finished=True,
    elsewhere=True,
)

CROSS_SENTIMENT = Experiment(
    name="cross-sentiment",
    question="Does the contrastive-center loss keep a network from wavering between opposite "
    "sentiments?",
    rows={
        "paper": (
            ExperimentRow(
                "baseline", "baseline, beta = 0", "dissertation-baseline", (), "baseline"
            ),
            ExperimentRow("ours", "with the loss", "dissertation", (), "ours"),
        ),
        "lite": (
            ExperimentRow("baseline", "baseline, beta = 0", FROZEN_BASELINE, (), "baseline"),
            ExperimentRow("ours", "with the loss", FROZEN, (), "ours"),
        ),
    },
    measures=("accuracy", "sentiment_accuracy", "cross_sentiment", "cross_sentiment_0.3"),
    notes=(
        "Top-2 cross-sentiment: the share of eligible images whose two most probable classes have "
        "opposite sentiments. Eligible are those whose two top probabilities reach theta.",
        "One network learns from all labelled sets together. Folders without labels are read by "
        "the shipped pair mikels8-baseline and mikels8, one trained network each.",
        "A lower rate is not a better one by itself: a network that always says the same two "
        "classes has a rate of 0. Read it beside the accuracy.",
    ),
    judged=("accuracy", "cross_sentiment", "cross_sentiment_0.3"),
    views=("headline", "crossing"),
    taxonomy="mikels8",
    together=True,
    unlabelled=True,
    claims=_CLAIMS_OF_THE_LOSS[-1:],
)

_RESNET18 = ExperimentRow("resnet18", "ResNet18", "faces-resnet18", (), "ResNet18, {epochs} epochs")
FACES = Experiment(
    name="faces",
    question="How well do ResNet18, VGG19 and their fusion read faces, trained from scratch?",
    rows={
        "paper": (
            _RESNET18,
            ExperimentRow("vgg19", "VGG19", "faces-vgg19", (), "VGG19, {epochs} epochs"),
            ExperimentRow("fusion", "fusion", "faces-fusion", (), "fusion, {epochs} epochs"),
        ),
        "lite": (_RESNET18,),
    },
    measures=("accuracy", "macro_f1", "ece"),
    notes=(
        "The thesis gives one run each and does not say which of FER2013's two test files its "
        "figures are of; ours are of the file that was given with --test-data.",
    ),
    judged=("accuracy", "macro_f1"),
    views=("headline", "classes"),
    taxonomy="",
)

SHIPPED = Experiment(
    name="shipped",
    question="How do the networks that come along compare with linear probes and each other?",
    rows={
        family: tuple(ExperimentRow(name, name, name) for name in ("mikels8-baseline", "mikels8"))
        for family in ("paper", "lite")
    },
    measures=_LABELS,
    notes=("All sets are learned together, through bridges, as the shipped networks were.",),
    judged=("accuracy", "cross_sentiment"),
    together=True,
    finished=True,
    probe=True,
    claims=_CLAIMS_OF_THE_LOSS,
)

_VOTE_SETS = ("emotion6", "mikels8")


def _sharpened(power: float) -> tuple[str, ...]:
    return tuple(f"data.sets.{name}.sharpen={power:g}" for name in _VOTE_SETS)


VOTES = Experiment(
    name="votes",
    question="Does a network that learns from the distribution of votes tell how people differ "
    "better than one that learns from majorities?",
    rows={
        family: (
            ExperimentRow("majority", "majorities", FROZEN, _sharpened(50)),
            ExperimentRow("votes", "shares of votes", FROZEN, _sharpened(1)),
        )
        for family in ("paper", "lite")
    },
    measures=("accuracy", "votes_kl", "votes_emd", "votes_entropy_r"),
    notes=(
        "Divergence (KL) and earth mover's distance (EMD) of the calibrated probabilities from the "
        "votes of images not learned from, and the correlation of the two entropies.",
        "Both rows differ in their targets alone: shares of votes to the power of 50, which leaves "
        "the majority, or as they are.",
        "Both are calibrated to the leading answer by a temperature, as every network here is.",
    ),
    judged=("accuracy", "votes_kl", "votes_emd", "votes_entropy_r"),
    settings=dict.fromkeys(("paper", "lite"), ("data.sets.mikels8.sentiment_smoothing=0",)),
    taxonomy="mikels8",
    together=True,
)

EXPERIMENTS: Mapping[str, Experiment] = {
    item.name: item
    for item in (
        GRAM_GAIN,
        BETA,
        MARGIN,
        LAMBDA,
        BACKBONES,
        POSTER,
        SADNESS,
        CROSS_DATASET,
        CROSS_SENTIMENT,
        FACES,
        SHIPPED,
        VOTES,
    )
}


def get_experiment(name: str) -> Experiment:
    """The experiment called `name`.

    Raises:
        RecipeError: There is none of that name.
    """
    if name not in EXPERIMENTS:
        raise RecipeError(f"There is no experiment '{name}'. Known: {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]


def chosen_rows(
    experiment: Experiment,
    family: Family,
    keys: tuple[str, ...] = (),
    recipes: tuple[str, ...] = (),
) -> tuple[ExperimentRow, ...]:
    """The rows to run: the family's, some of either family's, or recipes as they are.

    Args:
        experiment: Whose rows.
        family: Which networks.
        keys: Only these, in this order; a row of the other family may be named too.
        recipes: A row for each of these instead.

    Raises:
        RecipeError: A key names no row.
    """
    if recipes:
        return tuple(ExperimentRow(name, name, name) for name in recipes)
    other: Family = "lite" if family == "paper" else "paper"
    known = {row.key: row for row in (*experiment.rows[other], *experiment.rows[family])}
    missing = [key for key in keys if key not in known]
    if missing:
        raise RecipeError(
            f"Experiment '{experiment.name}' has no row '{missing[0]}'. Known: {', '.join(known)}."
        )
    return tuple(known[key] for key in keys) if keys else experiment.rows[family]
