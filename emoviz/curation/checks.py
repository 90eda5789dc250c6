"""The registry of data checks: one entry a fault, each judging every image of a set.

A check gives each image a score from 0 (sound) to 1 (faulty), says which images are faulty, and has
words for people: what the fault is, what it does to a result, what can be done. Those of plug-ins
stand beside them on the page Data sets, in `data examine` and in the examination's table. Where a
limit decides, the score is 0.5 at the limit.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis import duplicates, label_errors
from emoviz.analysis.duplicates import Pairs
from emoviz.curation.examined import Checked, Detected, Examined
from emoviz.data.dataset import NO_LABEL, fold_indices
from emoviz.data.image_statistics import Looks
from emoviz.plugins import PluginError, Registry

Ints = NDArray[np.int64]
LOOKS = ("brightness", "contrast", "saturation", "colourfulness", "warmth")
FOLDS = 5
_FAR = 5.0  # robust deviations from where on an image is unlike all others
_TOO_MANY = 0.25  # share of doubted labels above which the doubt is the classifier's fault
_MUCH = 0.10  # accuracy above chance from where on a classifier is worth asking
_PRECISE = 0.5  # of doubts, from where on they are called wrong labels


@dataclass(frozen=True)
class FindingLimits:
    """From where on an image is odd.

    Attributes:
        min_side: Least short side in pixels.
        max_aspect: Most long side over short side.
        one_colour: Spread of the channels (0-0.5) below which an image is of one colour.
        grey: Mean distance of the channels (0-1) below which an image is grey.
        bits: Bits of 64 that perceptual hashes of near duplicates may differ in.
        colour: Grey levels (0-255) that near duplicates may differ in, beside brightness.
        text: Share of the area that is text.
        face: Share of the area that the largest face takes.
    """

    min_side: int = 32
    max_aspect: float = 4.0
    one_colour: float = 0.01
    grey: float = 0.015
    bits: int = 8
    colour: float = 16.0
    text: float = 0.005
    face: float = 0.05


@dataclass(frozen=True)
class ImageVectors:
    """What a network makes of the images that it could read.

    Attributes:
        by: Title of the checkpoint.
        rows: (M,) which images of the set.
        u: (M, D).
    """

    by: str
    rows: NDArray[np.int64]
    u: NDArray[np.float32]


def pairs_alike(looks: Looks, limits: FindingLimits) -> Pairs:
    """Images that look alike, distances in bits; those of one colour look like nothing."""
    rows = np.flatnonzero(looks.readable & (looks.spread >= limits.one_colour))
    found = duplicates.near_pairs(looks.hash[rows], limits.bits)
    pairs = Pairs(rows[found.first], rows[found.second], found.distance)
    return pairs.take(duplicates.alike(pairs, looks.tiny, limits.colour))


@dataclass(frozen=True)
class CheckMaterial:
    """What a check judges by.

    Attributes:
        item: N images with labels, splits, size, light, colour and hashes.
        limits: From where on one is odd.
        vectors: Of a checkpoint; None where none was asked.
        missing: Name of a check -> why what it needs is not there.
    """

    item: Examined
    limits: FindingLimits = field(default_factory=FindingLimits)
    vectors: ImageVectors | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def same(self) -> Pairs:
        """Files of equal bytes."""
        return duplicates.equal_pairs(self.item.looks.sha256)

    @cached_property
    def near(self) -> Pairs:
        """Different files that look alike."""
        looks = self.item.looks
        pairs = pairs_alike(looks, self.limits)
        both = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
        return pairs.take(np.array([looks.sha256[i] != looks.sha256[j] for i, j in both], bool))

    @cached_property
    def close(self) -> Pairs:
        """Images that are one to the network."""
        if self.vectors is None:
            return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        found = duplicates.near_vectors(self.vectors.u)
        rows = self.vectors.rows
        return Pairs(rows[found.first], rows[found.second], found.distance)


@dataclass(frozen=True)
class CheckResult(Checked):
    """What a check found.

    Attributes:
        listed: What is shown, where it is not the faulty images one by one, the worst first:
            groups, pairs, or names with their reasons.
        about: Further values that are kept beside the list; lists in them are cut as it is.
        title: In place of the check's own, where what was found changes it.
        words: Likewise.
    """

    listed: Sequence[Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    words: str = ""


@dataclass(frozen=True)
class DataCheck:
    """One kind of fault.

    Attributes:
        title: For people.
        words: What one of them is, and what it does to a result.
        judge: From the images to a score for each; or why they cannot be judged, in words.
        advice: What can be done; empty where nothing need be.
        weight: Whether it should be mended before training or deserves a look.
    """

    title: str
    words: str
    judge: Callable[[CheckMaterial], CheckResult | str]
    advice: str = ""
    weight: Literal["mend", "look"] = "look"


def run_checks(
    material: CheckMaterial, say: Callable[[str], None] = lambda words: None
) -> dict[str, CheckResult | str]:
    """What each of `CHECKS` found, or why it did not look; a plug-in that fails costs nothing else.

    Args:
        material: The images.
        say: Told what is being looked for.
    """
    found: dict[str, CheckResult | str] = {}
    for name, check in CHECKS.items():
        say(f"looking for {check.title[:1].lower()}{check.title[1:]}")
        if name in material.missing:
            found[name] = material.missing[name]
            continue
        try:
            found[name] = CHECKS.guarded(name, lambda check=check: _judged(check, material))  # type: ignore[misc]
        except PluginError as error:
            found[name] = str(error)
    return found


def _judged(check: DataCheck, material: CheckMaterial) -> CheckResult | str:
    result = check.judge(material)
    if isinstance(result, str):
        return result
    score, faulty = np.asarray(result.score, np.float64), np.asarray(result.faulty, bool)
    if score.shape != (len(material.item),) or faulty.shape != score.shape:
        raise ValueError(f"scores of {score.shape} and faults of {faulty.shape}")
    if (score < 0).any() or (score > 1).any():
        raise ValueError("a score is below 0 or above 1")
    return result


# Looks ---------------------------------------------------------------------------------------


def _below(value: NDArray[Any], limit: float, known: NDArray[np.bool_]) -> CheckResult:
    score = np.where(known, limit / np.maximum(limit + value, 1e-12), np.nan)
    return CheckResult(score, (value < limit) & known)


def _unreadable(material: CheckMaterial) -> CheckResult:
    names, reasons = material.item.names, material.item.looks.reason
    faulty = np.array([bool(why) for why in reasons], bool)
    listed = [
        {"name": name, "reason": why} for name, why in zip(names, reasons, strict=True) if why
    ]
    return CheckResult(faulty.astype(float), faulty, listed)


def _tiny(material: CheckMaterial) -> CheckResult:
    looks = material.item.looks
    side = np.minimum(looks.width, looks.height)
    return _below(side, material.limits.min_side, looks.readable)


def _one_coloured(material: CheckMaterial) -> CheckResult:
    looks = material.item.looks
    return _below(looks.spread, material.limits.one_colour, looks.readable)


def _grey(material: CheckMaterial) -> CheckResult:
    looks, limits = material.item.looks, material.limits
    return _below(looks.chroma, limits.grey, looks.readable & (looks.spread >= limits.one_colour))


def _extreme_aspect(material: CheckMaterial) -> CheckResult:
    looks, limit = material.item.looks, material.limits.max_aspect
    score = np.where(looks.readable, looks.aspect / (looks.aspect + limit), np.nan)
    return CheckResult(score, (looks.aspect > limit) & looks.readable)


# Copies --------------------------------------------------------------------------------------


def _duplicates(material: CheckMaterial) -> CheckResult:
    groups, about = _grouped(material.item, material.same)
    rows = np.union1d(material.same.first, material.same.second)
    surplus = about["surplus"]
    words = f"{surplus:,} file{'' if surplus == 1 else 's'} too many. {_COUNTED}" if surplus else ""
    return _of_rows(material.item, rows, groups, about, words)


def _near_duplicates(material: CheckMaterial) -> CheckResult:
    item, near = material.item, material.near
    groups, about = _grouped(item, near)
    score = np.zeros(len(item))
    for side in (near.first, near.second):
        np.maximum.at(score, side, 1 - near.distance / (2 * max(material.limits.bits, 1)))
    about["pairs"] = _pairs(item, near, "hash")
    about["by_vector"] = _pairs(item, material.close, "vector")
    return CheckResult(score, score > 0, groups, about)


def _contradictions(material: CheckMaterial) -> CheckResult:
    """Groups of copies and look-alikes whose labels differ, those of equal bytes first."""
    contradicting = [
        group
        for pairs in (material.same, material.near)
        for group in _grouped(material.item, pairs)[0]
        if len(set(group["labels"])) > 1
    ]
    listed = list({tuple(group["names"]): group for group in contradicting}.values())
    named = {name for group in listed for name in group["names"]}
    rows = np.flatnonzero([name in named for name in material.item.names])
    return _of_rows(material.item, rows, listed)


def _leaks(material: CheckMaterial) -> CheckResult:
    """Pairs across two splits, each once: of equal bytes, of like looks, of like vectors.

    Groups are looked at whole: a copy in the training set leaks into the test set through a
    third copy, too.
    """
    item = material.item
    kinds: dict[tuple[int, int], str] = {}
    for kind, pairs in (
        ("same file", material.same),
        ("hash", material.near),
        ("vector", material.close),
    ):
        for pair in _across(item, pairs):
            kinds.setdefault(pair, kind)
    between = Counter(f"{item.splits[i]} and {item.splits[j]}" for i, j in kinds)
    listed = [
        {
            "kind": kind,
            "first": item.names[i],
            "second": item.names[j],
            "splits": [item.splits[i], item.splits[j]],
            "labels": [_label(item, i), _label(item, j)],
        }
        for (i, j), kind in kinds.items()
    ]
    about = {"between": dict(between), "splits": tuple(sorted(set(item.splits) - {""}))}
    told = ", ".join(f"{n:,} between {name}" for name, n in between.items())
    rows = np.array(sorted({i for pair in kinds for i in pair}), np.int64)
    return _of_rows(item, rows, listed, about, f"{told}. {_LEAKED}" if told else "")


def _of_rows(
    item: Examined,
    rows: Ints,
    listed: Sequence[Any],
    about: Mapping[str, Any] | None = None,
    words: str = "",
) -> CheckResult:
    """Images that are faulty or not, without more or less."""
    faulty = np.zeros(len(item), bool)
    faulty[rows] = True
    return CheckResult(faulty.astype(float), faulty, listed, about or {}, words=words)


def _label(item: Examined, i: int) -> str | None:
    label = int(item.labels[i])
    return None if label == NO_LABEL else item.taxonomy.names[label]


def _grouped(item: Examined, pairs: Pairs) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Groups of images that are one, with what their labels say, the largest first."""
    number = duplicates.groups_of(len(item), pairs)
    sizes = np.bincount(number, minlength=1)
    members: dict[int, list[int]] = {}
    for i in np.flatnonzero(sizes[number] > 1):
        members.setdefault(int(number[i]), []).append(int(i))
    ordered = sorted(members.values(), key=lambda rows: (-len(rows), item.names[rows[0]]))
    groups: list[dict[str, Any]] = [
        {"names": [item.names[i] for i in rows], "labels": [_label(item, i) for i in rows]}
        for rows in ordered
    ]
    contradicting = sum(len(set(group["labels"])) > 1 for group in groups)
    surplus = sum(len(rows) - 1 for rows in ordered)
    return groups, {"surplus": surplus, "contradicting": contradicting}


def _pairs(item: Examined, pairs: Pairs, kind: str) -> list[dict[str, Any]]:
    rows = zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True)
    return [
        {
            "first": item.names[i],
            "second": item.names[j],
            "kind": kind,
            "distance": round(apart, 4),
            "labels": [_label(item, i), _label(item, j)],
            "splits": [item.splits[i] or None, item.splits[j] or None],
        }
        for i, j, apart in rows
    ]


def _across(item: Examined, pairs: Pairs) -> list[tuple[int, int]]:
    """Of each group and each two of its splits, the first image of either."""
    if not len(pairs):
        return []
    number = duplicates.groups_of(len(item), pairs)
    firsts: dict[int, dict[str, int]] = {}
    for i in sorted({*pairs.first.tolist(), *pairs.second.tolist()}):
        if item.splits[i]:
            firsts.setdefault(int(number[i]), {}).setdefault(item.splits[i], i)
    found = []
    for by_split in firsts.values():
        rows = sorted(by_split.values())
        found += [(one, two) for k, one in enumerate(rows) for two in rows[k + 1 :]]
    return found


# Labels and the whole picture ------------------------------------------------------------------


def _suspect_labels(material: CheckMaterial) -> CheckResult | str:
    """Doubted labels, and how often such doubts are right where wrong labels were planted."""
    item, vectors = material.item, material.vectors
    if vectors is None:
        return "needs a network"
    known = np.flatnonzero(item.labels[vectors.rows] != NO_LABEL)
    rows, u = vectors.rows[known], vectors.u[known]
    labels = item.labels[rows]
    folds = fold_indices([item.groups[i] for i in rows], FOLDS)
    if len(np.unique(labels)) < 2 or len(np.unique(folds)) < 2:
        return "needs two classes in two folds that the network could read"
    names = item.taxonomy.names
    p = label_errors.out_of_fold(u, labels, folds, len(names))
    found = label_errors.suspect_labels(p, labels)
    listed = [
        {
            "name": item.names[rows[i]],
            "label": names[labels[i]],
            "rather": names[other],
            "margin": round(float(margin), 4),
        }
        for i, other, margin in zip(found.index, found.other, found.margin, strict=True)
    ]
    trial = label_errors.planted_trial(u, labels, folds, len(names))
    score, faulty = np.full(len(item), np.nan), np.zeros(len(item), bool)
    score[rows] = label_errors.doubt(p, labels)
    faulty[rows[found.index]] = True
    about = {
        "by": vectors.by,
        "accuracy": round(found.accuracy, 4),
        "balanced": round(found.balanced, 4),
        "looked_at": found.looked_at,
        "trial": None if trial is None else trial.to_dict(),
    }
    title = "" if trial and trial.precision >= _PRECISE else "Labels to look at first"
    words = f"{_DOUBTED} {_worth(found, item)} {_tried(trial)}"
    return CheckResult(score, faulty, listed, about, title, words)


def _worth(found: label_errors.Suspects, item: Examined) -> str:
    """How much the doubts are worth, by how often the classifiers are right themselves."""
    classes = len(np.unique(item.labels[item.labels != NO_LABEL]))
    share = len(found.index) / max(found.looked_at, 1)
    words = f"It finds {100 * found.balanced:.0f} % of the labels by itself (mean over the classes)"
    if found.balanced - 1 / max(classes, 1) < _MUCH:
        return f"{words}, hardly more than by chance: make little of its doubts."
    if share > _TOO_MANY:
        return f"{words} and doubts {100 * share:.0f} %: too many to be mistakes, trust the first."
    return f"{words}."


def _tried(trial: label_errors.PlantedTrial | None) -> str:
    if trial is None:
        return "Too few images for a trial of how often it is right."
    return (
        f"In a trial {trial.planted:,} of the set's labels were changed on purpose: "
        f"{trial.found:,} of the first {trial.doubted:,} doubts were among them, a precision of "
        f"{trial.precision:.2f} at recall {trial.recall:.2f}."
    )


def _outliers(material: CheckMaterial) -> CheckResult:
    """Images far from all others in u, or without a network in light and colour."""
    item, vectors = material.item, material.vectors
    if vectors is not None:
        rows, data, by = vectors.rows, np.asarray(vectors.u, np.float64), vectors.by
    else:
        rows, by = np.flatnonzero(item.looks.readable), "light and colour"
        data = np.stack([getattr(item.looks, name)[rows] for name in LOOKS], axis=1)
    score = np.full(len(item), np.nan)
    far = np.maximum(label_errors.remoteness(data), 0)
    score[rows] = far / (far + _FAR)
    return CheckResult(score, score > 0.5, about={"by": by})


def _detected(found: Detected | None, limit: float, item: Examined) -> CheckResult | str:
    if found is None:
        return "not asked for"
    share = np.nan_to_num(found.share, nan=0.0)
    rows = np.flatnonzero(share >= limit)
    rows = rows[np.argsort(-share[rows], kind="stable")]
    listed = [
        {"name": item.names[i], "share": round(float(share[i]), 4), "count": int(found.count[i])}
        for i in rows
    ]
    about = {"looked_at": int(np.isfinite(found.share).sum()), "limit": limit}
    return CheckResult(found.share / (found.share + limit), share >= limit, listed, about)


_LEAKED = "A network that learned from one of them knows the other: its result is too good."
_COUNTED = "Files with equal bytes count several times, in training and in results."
_DOUBTED = (
    "A classifier that never saw the image is confident of another label. It may be mistaken."
)
_OWN: Mapping[str, DataCheck] = {
    "leaks": DataCheck(
        "The same picture in two splits",
        _LEAKED,
        _leaks,
        "Prepare the set: copies keep to one split, or all but one are thrown out.",
        "mend",
    ),
    "contradictions": DataCheck(
        "One picture, several labels",
        "Copies or look-alikes have different labels; no network can be right for all of them.",
        _contradictions,
        "Look at them; throw out all, or those that you find wrong.",
        "mend",
    ),
    "duplicates": DataCheck(
        "The same file again", _COUNTED, _duplicates, "Throw out all but one.", "mend"
    ),
    "near_duplicates": DataCheck(
        "Nearly the same picture",
        "Another size, cut or compression of one picture; also series of one scene.",
        _near_duplicates,
        "Keep them in one split, or throw out all but one.",
    ),
    "suspect_labels": DataCheck(
        "Labels that look wrong",
        _DOUBTED,
        _suspect_labels,
        "Look at each; throw out those that you find wrong too.",
    ),
    "unreadable": DataCheck(
        "Files that cannot be read",
        "Damaged, missing or no images. They are always left out.",
        _unreadable,
    ),
    "tiny": DataCheck(
        "Very small pictures",
        "Enlarged to what a network sees they are a blur.",
        _tiny,
        "Throw them out, or find larger files.",
    ),
    "one_coloured": DataCheck(
        "Pictures of one colour",
        "Often a failed download or an empty frame.",
        _one_coloured,
        "Look at them; throw them out where they are no artworks.",
    ),
    "grey": DataCheck(
        "Pictures without colour",
        "Nothing is wrong with them, unless one class has most of them.",
        _grey,
    ),
    "extreme_aspect": DataCheck(
        "Very long or tall pictures",
        "A network sees a square out of the middle, or the picture squeezed.",
        _extreme_aspect,
        "Throw out banners and strips.",
    ),
    "outliers": DataCheck(
        "Pictures unlike all others",
        "Far from their nearest neighbours: screenshots, diagrams, another kind of image.",
        _outliers,
        "Look whether they belong here.",
    ),
    "text": DataCheck(
        "Pictures with text",
        "A network may read the mood off captions and posters instead of the picture.",
        lambda given: _detected(given.item.text, given.limits.text, given.item),
        "Set a threshold under Text and faces.",
    ),
    "faces": DataCheck(
        "Faces as main focus",
        "A large face is judged by its expression, another question than the mood of a scene.",
        lambda given: _detected(given.item.faces, given.limits.face, given.item),
        "Set a threshold under Text and faces.",
    ),
}
CHECKS = Registry("emoviz.checks", DataCheck, _OWN)
