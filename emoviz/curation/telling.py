"""What an examination found, in sentences: what each fault means and what can be done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from emoviz.curation.checks import CHECKS

Found = Mapping[str, Any]
Weight = Literal["mend", "look", "fine", "unknown"]
# Shares of images by which light and colour alone beat always guessing the commonest class.
_MUCH, _SOME = 0.10, 0.03
_UNEVEN = 3.0  # images of the commonest class for each of the rarest


@dataclass(frozen=True)
class Verdict:
    """One thing that was looked for.

    Attributes:
        kind: Name of a check (`emoviz.curation.checks`).
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


def verdicts(found: Found) -> list[Verdict]:
    """All that was looked for, what should be mended first.

    Args:
        found: From `findings.find`.
    """
    made = [_verdict(kind, found) for kind in CHECKS]
    order = {"mend": 0, "look": 1, "fine": 2, "unknown": 3}
    return sorted(made, key=lambda item: order[item.weight])


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


def _verdict(kind: str, found: Found) -> Verdict:
    check, result = CHECKS[kind], found.get(kind)
    if result is None:
        why = str(found.get("not_looked_for", {}).get(kind, "not asked for")).rstrip(".")
        told = "." if why == "not asked for" else f": {why}."
        return Verdict(kind, check.title, None, "unknown", f"Not looked for{told}")
    title, words = result.get("title", check.title), result.get("words", check.words)
    if not result["count"]:
        return Verdict(kind, title, 0, "fine", check.words)
    return Verdict(kind, title, result["count"], check.weight, words, check.advice)


def _told_by_light(classes: Found, most: int = 3) -> Sequence[str]:
    """Classes that light and colour find far more often than their share of the images."""
    total = sum(classes["all"].values()) or 1
    recall = classes["by_looks_alone"]["recall"]
    gains = {name: recall[name] - classes["all"].get(name, 0) / total for name in recall}
    best = sorted(gains, key=lambda name: -gains[name])[:most]
    return [f"{name} ({100 * recall[name]:.0f} % found)" for name in best if gains[name] > _MUCH]
