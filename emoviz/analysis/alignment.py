"""What a model answered beside what people said, through a bridge: where every measure begins."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import NO_LABEL, merge_shares
from emoviz.errors import AnalysisError
from emoviz.labels import Bridge, EmotionClass, Taxonomy

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ModelOutputs:
    """What a model made of N images.

    Attributes:
        name: Of the model, for people.
        taxonomy: Its classes.
        probabilities: (N, C), calibrated.
        embedding: (N, D) u; None where there is no common space, as for an ensemble.
        novelty: (N,) distance from the training images, above 1 for unlike, NaN where it is not
            known; None where the model has no such measure.
    """

    name: str
    taxonomy: Taxonomy
    probabilities: Floats
    embedding: NDArray[np.float32] | None = None
    novelty: Floats | None = None

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True)
class AlignedPredictions:
    """The n of N images whose label a class may be called, with the answers to them.

    Attributes:
        name: Of the model.
        bridge: From its classes to the merged labels, which it can tell apart.
        rows: (n,) which of the N images.
        probabilities: (n, C) of the model's classes.
        scores: (n, S) of the labels; not more than 1 in all unless a class may be called by
            several of them.
        truth: (n,) the true label.
        predicted: (n,) the label of the highest score.
        embedding: (n, D) u, or None.
        novelty: (n,) or None.
        left_out: Label -> images that have it, where no class may be called so.
        unlabelled: Images without a label.
    """

    name: str
    bridge: Bridge
    rows: Indices
    probabilities: Floats
    scores: Floats
    truth: Indices
    predicted: Indices
    embedding: NDArray[np.float32] | None = None
    novelty: Floats | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    unlabelled: int = 0

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def labels(self) -> Taxonomy:
        """The labels that are told apart."""
        return self.bridge.labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether the answer is the label."""
        right: NDArray[np.bool_] = self.truth == self.predicted
        return right

    @property
    def confidence(self) -> Floats:
        """(n,) the score of the answer, 0 to 1."""
        highest: Floats = np.minimum(self.scores.max(axis=1, initial=0.0), 1.0)
        return highest

    @property
    def certainty(self) -> Floats:
        """(n,) the probability of the model's own likeliest class, whatever the labels are."""
        highest: Floats = self.probabilities.max(axis=1, initial=0.0)
        return highest

    def cell(self, truth: int, predicted: int) -> Indices:
        """Which of the N images lie in one cell of the confusion matrix."""
        inside: Indices = self.rows[(self.truth == truth) & (self.predicted == predicted)]
        return inside

    def take(self, positions: NDArray[np.int64] | NDArray[np.bool_]) -> "AlignedPredictions":
        """Some of the n images."""
        return replace(
            self,
            rows=self.rows[positions],
            probabilities=self.probabilities[positions],
            scores=self.scores[positions],
            truth=self.truth[positions],
            predicted=self.predicted[positions],
            embedding=None if self.embedding is None else self.embedding[positions],
            novelty=None if self.novelty is None else self.novelty[positions],
        )


def judge(
    answers: ModelOutputs, labels: Indices, bridge: Bridge, shares: Floats | None = None
) -> AlignedPredictions:
    """Put answers beside labels. Labels that the model cannot tell apart count as one.

    Args:
        answers: To N images.
        labels: (N,) indices among the bridge's labels; -1 for none.
        bridge: From the model's classes to the labels; may be edited by hand.
        shares: (N, S) of people's votes, where there are such: where labels merge, the majority
            is taken anew over the merged ones (`emoviz.data.dataset.merge_labels`).

    Raises:
        AnalysisError: The bridge is another model's, or the arrays differ in length.
    """
    return judge_together([answers], labels, [bridge], shares)[0]


def judge_together(
    answers: Sequence[ModelOutputs],
    labels: Indices,
    bridges: Sequence[Bridge],
    shares: Floats | None = None,
) -> list[AlignedPredictions]:
    """Several models on the same images and the same labels.

    Labels that one of them cannot tell apart count as one for all; images with a label that one of
    them can never answer are left out for all.

    Args:
        answers: Of each model, to the same N images.
        labels: (N,) indices among the labels that all bridges lead to; -1 for none.
        bridges: One a model.
        shares: As in `judge`.

    Raises:
        AnalysisError: As `judge`, or the bridges lead to different labels.
    """
    _check(answers, labels, bridges, shares)
    common, groups = common_bridges(bridges)
    merges = len(common[0].labels) < len(bridges[0].labels)
    if merges and shares is not None:
        truth = merge_shares(shares, groups)[0]
    else:
        truth = np.where(labels >= 0, groups[np.maximum(labels, 0)], NO_LABEL)
    used = (truth >= 0) & common[0].reachable[np.maximum(truth, 0)]
    names = common[0].labels.names
    left_out = Counter(names[i] for i in truth[(truth >= 0) & ~used].tolist())
    unlabelled = int((truth < 0).sum())
    rows = np.flatnonzero(used)
    return [
        replace(
            _answered(item, rows, truth[rows], bridge), left_out=left_out, unlabelled=unlabelled
        )
        for item, bridge in zip(answers, common, strict=True)
    ]


def common_bridges(bridges: Sequence[Bridge]) -> tuple[list[Bridge], Indices]:
    """Bridges to labels that each of the models can tell apart, and the group of each old label.

    Args:
        bridges: To the same S labels.

    Returns:
        Bridges to G labels, and (S,) which of these each label became. Labels that one of the
        models can never answer are unreachable in all.
    """
    reachable = np.all([bridge.reachable for bridge in bridges], axis=0)
    masked = [replace(bridge, matrix=bridge.matrix * reachable[:, None]) for bridge in bridges]
    groups = _joined_groups([bridge.groups for bridge in masked])
    for bridge in masked:  # one model's own merging says how merged labels are called
        if np.array_equal(bridge.groups, groups):
            labels = bridge.merged.labels
            break
    else:
        labels = _joined_labels(bridges[0].labels, groups)
    firsts = np.eye(len(labels))[groups].T  # (G, S)
    return [
        Bridge(bridge.model, labels, np.minimum(firsts @ bridge.matrix, 1.0)) for bridge in masked
    ], groups


def ensemble(members: Sequence[AlignedPredictions], name: str = "") -> AlignedPredictions:
    """Several models as one: the mean of their bridged probabilities.

    Args:
        members: From `judge_together`: on the same images and labels.
        name: For people; the members' names where left out.

    Returns:
        Answers without u and without novelty. Where the members differ in their classes, the labels
        themselves are the classes.

    Raises:
        AnalysisError: There are fewer than two, or they are not on the same images and labels.
    """
    first = members[0] if members else None
    if first is None or len(members) < 2 or not all(_same(first, item) for item in members):
        raise AnalysisError(
            f"{len(members)} models cannot be one ensemble; wanted two or more on the same images "
            "and labels."
        )
    scores = np.mean([item.scores for item in members], axis=0)
    alike = all(
        item.bridge.model.names == first.bridge.model.names
        and np.array_equal(item.bridge.matrix, first.bridge.matrix)
        for item in members
    )
    labels = first.labels
    return replace(
        first,
        name=name or " + ".join(item.name for item in members),
        bridge=first.bridge if alike else Bridge(labels, labels, np.eye(len(labels))),
        probabilities=np.mean([m.probabilities for m in members], axis=0) if alike else scores,
        scores=scores,
        predicted=scores.argmax(axis=1).astype(np.int64),
        embedding=None,
        novelty=None,
    )


def _same(one: AlignedPredictions, other: AlignedPredictions) -> bool:
    return (
        one.labels.names == other.labels.names
        and np.array_equal(one.rows, other.rows)
        and np.array_equal(one.truth, other.truth)
    )


def _answered(
    answers: ModelOutputs, rows: Indices, truth: Indices, bridge: Bridge
) -> AlignedPredictions:
    p = answers.probabilities[rows]
    scores = bridge.apply(p)
    return AlignedPredictions(
        name=answers.name,
        bridge=bridge,
        rows=rows,
        probabilities=p,
        scores=scores,
        truth=truth.astype(np.int64),
        predicted=scores.argmax(axis=1).astype(np.int64),
        embedding=None if answers.embedding is None else answers.embedding[rows],
        novelty=None if answers.novelty is None else answers.novelty[rows],
    )


def _joined_groups(each: Sequence[Indices]) -> Indices:
    """(S,) the finest grouping that keeps together what any of the groupings has together."""
    label = np.arange(len(each[0]))
    while True:
        before = label.copy()
        for groups in each:
            least = np.full(int(groups.max()) + 1, len(label))
            np.minimum.at(least, groups, label)
            label = least[groups]
        if np.array_equal(label, before):
            return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _joined_labels(labels: Taxonomy, groups: Indices) -> Taxonomy:
    classes = []
    for group in range(int(groups.max()) + 1):
        members = [labels.classes[int(s)] for s in np.flatnonzero(groups == group)]
        feelings = {item.sentiment for item in members}
        feeling = feelings.pop() if len(feelings) == 1 else None
        name = " or ".join(item.name for item in members)
        classes.append(EmotionClass(name, feeling, members[0].colour))
    if len(classes) == len(labels):
        return labels
    title = f"{labels.title}, as far as all models tell them apart"
    return Taxonomy(f"{labels.name} in common", title, tuple(classes))


def _check(
    answers: Sequence[ModelOutputs],
    labels: Indices,
    bridges: Sequence[Bridge],
    shares: Floats | None,
) -> None:
    names = {bridge.labels.names for bridge in bridges}
    if len(names) != 1 or len(answers) != len(bridges):
        raise AnalysisError(
            f"{len(answers)} models came with bridges to {len(names)} lists of labels; wanted one "
            "bridge a model, all to the same labels."
        )
    for item, bridge in zip(answers, bridges, strict=True):
        if item.taxonomy.names != bridge.model.names:
            raise AnalysisError(
                f"'{item.name}' answers {', '.join(item.taxonomy.names)}, its bridge begins at "
                f"{', '.join(bridge.model.names)}."
            )
    lengths = {len(labels), *map(len, answers), *([len(shares)] if shares is not None else [])}
    if len(lengths) != 1:
        raise AnalysisError(
            f"Answers, labels and votes are of lengths {sorted(lengths)}; wanted the same images."
        )
