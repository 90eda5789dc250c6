"""What an examination found, in sentences: what each fault means and what can be done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Found = Mapping[str, Any]
Weight = Literal["mend", "look", "fine", "unknown"]
# Shares of images by which light and colour alone beat always guessing the commonest class.
_MUCH, _SOME = 0.10, 0.03
_TOO_MANY = 0.25  # share of doubted labels above which the doubt is the classifier's fault
_UNEVEN = 3.0  # images of the commonest class for each of the rarest


@dataclass(frozen=True)
class Verdict:
    """One thing that was looked for.

    Attributes:
        kind: As `findings.find` calls it, or ``contradictions``.
        title: For people.
        count: How many; None where nobody looked.
        weight: Whether it should be mended before training, deserves a look, or is fine.
        words: What it means, or why nobody looked.
        advice: What can be done; empty where nothing need be.
    """

    kind: str
    title: str
    count: int | None
    weight: Weight
    words: str
    advice: str = ""


# kind: title, what one of them is, what it does to a result, what to do, how much it matters
_KINDS: Mapping[str, tuple[str, str, str, Weight]] = {
    "leaks": (
        "The same picture in two splits",
        "A network that learned from one of them knows the other: its result is too good.",
        "Prepare the set: copies keep to one split, or all but one are thrown out.",
        "mend",
    ),
    "contradictions": (
        "One picture, several labels",
        "Copies or look-alikes have different labels; no network can be right for all of them.",
        "Look at them; throw out all, or those that you find wrong.",
        "mend",
    ),
    "duplicates": (
        "The same file again",
        "Files with equal bytes count several times, in training and in results.",
        "Throw out all but one.",
        "mend",
    ),
    "near_duplicates": (
        "Nearly the same picture",
        "Another size, cut or compression of one picture; also series of one scene.",
        "Keep them in one split, or throw out all but one.",
        "look",
    ),
    "suspect_labels": (
        "Labels that look wrong",
        "A classifier that never saw the image is confident of another label. It may be mistaken.",
        "Look at each; throw out those that you find wrong too.",
        "look",
    ),
    "unreadable": (
        "Files that cannot be read",
        "Damaged, missing or no images. They are always left out.",
        "",
        "look",
    ),
    "tiny": (
        "Very small pictures",
        "Enlarged to what a network sees they are a blur.",
        "Throw them out, or find larger files.",
        "look",
    ),
    "one_coloured": (
        "Pictures of one colour",
        "Often a failed download or an empty frame.",
        "Look at them; throw them out where they are no artworks.",
        "look",
    ),
    "grey": (
        "Pictures without colour",
        "Nothing is wrong with them, unless one class has most of them.",
        "",
        "look",
    ),
    "extreme_aspect": (
        "Very long or tall pictures",
        "A network sees a square out of the middle, or the picture squeezed.",
        "Throw out banners and strips.",
        "look",
    ),
    "outliers": (
        "Pictures unlike all others",
        "Far from their nearest neighbours: screenshots, diagrams, another kind of image.",
        "Look whether they belong here.",
        "look",
    ),
    "text": (
        "Pictures with text",
        "A network may read the mood off captions and posters instead of the picture.",
        "Set a threshold under Text and faces.",
        "look",
    ),
    "faces": (
        "Faces as main focus",
        "A large face is judged by its expression, another question than the mood of a scene.",
        "Set a threshold under Text and faces.",
        "look",
    ),
}


def verdicts(found: Found) -> list[Verdict]:
    """All that was looked for, what should be mended first.

    Args:
        found: From `findings.find`, with ``not_looked_for`` of an examination.
    """
    made = [_verdict(kind, found) for kind in _KINDS]
    order = {"mend": 0, "look": 1, "fine": 2, "unknown": 3}
    return sorted(made, key=lambda item: order[item.weight])


def contradictions(found: Found) -> list[dict[str, Any]]:
    """Groups of copies and look-alikes whose labels differ, those of equal bytes first."""
    rows = [
        group
        for kind in ("duplicates", "near_duplicates")
        for group in found[kind]["list"]
        if len(set(group["labels"])) > 1
    ]
    return list({tuple(group["names"]): group for group in rows}.values())


def leaks_left(found: Found, splits: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of equal bytes or like looks that stand in two splits of a prepared set.

    Args:
        found: Of the set before; its lists hold `findings.SHOWN` groups and pairs each.
        splits: Name -> split of the images that stay, "" for none.
    """
    near = found["near_duplicates"]["pairs"]["list"]
    pairs = [(row["first"], row["second"]) for row in near]
    for group in found["duplicates"]["list"]:
        pairs += [(group["names"][0], name) for name in group["names"][1:]]
    return [
        (first, second)
        for first, second in pairs
        if splits.get(first) and splits.get(second) and splits[first] != splits[second]
    ]


def headline(found: Found) -> str:
    """The examination in one sentence."""
    bad = [item for item in verdicts(found) if item.weight == "mend"]
    told = [f"{item.title.lower()} ({item.count:,})" for item in bad]
    count = found["images"]
    if told:
        return f"{count:,} images looked at. Mend before training: {'; '.join(told)}."
    return f"{count:,} images looked at; nothing that must be mended before training."


def balance_words(classes: Found) -> str:
    """What the numbers of images by class mean."""
    counts = {name: n for name, n in classes["all"].items() if n}
    if not counts:
        return "No image has a label of these classes."
    if len(counts) < 2:
        return "All labelled images have one label: nothing can be told apart."
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    share = 100 * classes["majority"]
    words = f"Always answering “{most}” would be right for {share:.0f} % of the images."
    if classes["ratio"] < _UNEVEN:
        return f"The classes are of like size. {words}"
    return (
        f"“{most}” has {classes['ratio']:.1f} times as many images as “{least}”. {words} Judge a "
        "network by the mean over the classes too, and undersample or gather more of the rare ones."
    )


def light_words(classes: Found) -> str:
    """How far light and colour alone tell the classes apart, and which."""
    guess = classes["by_looks_alone"]
    if guess is None:
        return "Light and colour cannot be judged: that needs two classes with images in two folds."
    right, base = guess["accuracy"], guess["majority"]
    gain = right - base
    much = (
        "a lot for knowing no more than light and colour"
        if gain >= _MUCH
        else "a little more than guessing"
        if gain >= _SOME
        else "no more than guessing"
    )
    words = (
        f"Knowing only light and colour, a simple classifier finds the label of "
        f"{100 * right:.0f} % of images that it did not see; always guessing the commonest class "
        f"finds {100 * base:.0f} %. That is {much}."
    )
    easy = _told_by_light(classes) if gain >= _SOME else []
    return f"{words} Told by light and colour most of all: {', '.join(easy)}." if easy else words


def split_words(found: Found) -> str:
    """Across which splits pictures stand, or that there is one at most."""
    leaks = found["leaks"]
    if len(leaks["splits"]) < 2:
        return "The set has no split yet, so nothing can stand in two."
    between = ", ".join(f"{n:,} between {name}" for name, n in leaks["between"].items())
    return between or "No picture was found in two splits."


def _verdict(kind: str, found: Found) -> Verdict:
    title, words, advice, weight = _KINDS[kind]
    if kind == "contradictions":
        count: int | None = sum(
            found[k]["contradicting"] for k in ("duplicates", "near_duplicates")
        )
    else:
        count = found[kind]["count"] if found.get(kind) else None
    if count is None:
        why = str(found.get("not_looked_for", {}).get(kind, "not asked for")).rstrip(".")
        told = "." if why == "not asked for" else f": {why}."
        return Verdict(kind, title, None, "unknown", f"Not looked for{told}")
    if not count:
        return Verdict(kind, title, 0, "fine", words)
    if kind == "duplicates":
        surplus = found[kind]["surplus"]
        words = f"{surplus:,} file{'' if surplus == 1 else 's'} too many. {words}"
    if kind == "suspect_labels":
        words = f"{words} {_worth(found)}"
    if kind == "leaks":
        words = f"{split_words(found)}. {words}"
    return Verdict(kind, title, count, weight, words, advice)


def _worth(found: Found) -> str:
    """How much the doubts are worth, by how often the classifiers are right themselves."""
    doubts = found["suspect_labels"]
    right, share = doubts["balanced"], doubts["count"] / max(doubts["looked_at"], 1)
    classes = sum(count > 0 for count in found["classes"]["all"].values())
    words = f"It finds {100 * right:.0f} % of the labels by itself (mean over the classes)"
    if right - 1 / max(classes, 1) < _MUCH:
        return f"{words}, hardly more than by chance: make little of its doubts."
    if share > _TOO_MANY:
        return f"{words} and doubts {100 * share:.0f} %: too many to be mistakes, trust the first."
    return f"{words}."


def _told_by_light(classes: Found, most: int = 3) -> Sequence[str]:
    """Classes that light and colour find far more often than their share of the images."""
    total = sum(classes["all"].values()) or 1
    recall = classes["by_looks_alone"]["recall"]
    gains = {name: recall[name] - classes["all"].get(name, 0) / total for name in recall}
    best = sorted(gains, key=lambda name: -gains[name])[:most]
    return [f"{name} ({100 * recall[name]:.0f} % found)" for name in best if gains[name] > _MUCH]
