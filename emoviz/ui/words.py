"""A prediction in plain words, graded: a flat distribution must not read like a verdict.

Everything here speaks of the model's estimate of the emotion that an image evokes, because that
is all there is: people differ, and nobody asked them.
"""

import re

from emoviz.files import printable
from emoviz.inference.flags import certainty
from emoviz.inference.predict import Prediction
from emoviz.labels import Taxonomy
from emoviz.plots import percent
from emoviz.ui.language import emotion, plural, tr, translated
from emoviz.ui.language import listed as listed
from emoviz.ui.wording import EVOKED, Wording

_WORTH_NAMING = 0.1
_MARKDOWN = frozenset(r"\`*_{}[]()#+-.!$~|<>:&")
_SETTING = re.compile(r" \(EMOVIZ_\w+(=\w+)?\)")


def sentence(prediction: Prediction, speech: Wording = EVOKED) -> str:
    """One plain sentence on what the model estimates."""
    ranked = prediction.ranked
    first, *others = [_named(row, speech) for row in ranked]
    said = {"thing": tr(speech.thing), "verb": tr(speech.verb), "first": first}
    grade = certainty(prediction)
    if grade == "unsure":
        spread = listed([first, *others[:2]])
        return tr("The model is unsure: its estimate spreads over {emotions}.", emotions=spread)
    if grade == "divided":
        return tr(
            "The model's estimate is divided: {thing} {verb} {first} or {second}.",
            **said,
            second=others[0],
        )
    if others and ranked[1][1] >= _WORTH_NAMING:
        said["second"] = others[0]
        if grade == "clear":
            return tr(
                "The model's estimate: {thing} very likely {verb} {first}; next {second}.", **said
            )
        return tr(
            "The model's estimate: {thing} most likely {verb} {first}; next {second}.", **said
        )
    if grade == "clear":
        return tr("The model's estimate: {thing} very likely {verb} {first}.", **said)
    return tr("The model's estimate: {thing} most likely {verb} {first}.", **said)


def mixed_note(prediction: Prediction, taxonomy: Taxonomy) -> str | None:
    """What to say where the two most likely emotions have opposite sentiments."""
    if not prediction.top2_opposite:
        return None
    (first, _), (second, _) = prediction.ranked[:2]
    return tr(
        "Mixed: {first} is {sign}, {second} is {other_sign}.",
        first=emotion(first),
        sign=emotion(taxonomy.sentiment_of(first) or ""),
        second=emotion(second),
        other_sign=emotion(taxonomy.sentiment_of(second) or ""),
    )


def conflict_note(prediction: Prediction, taxonomy: Taxonomy) -> str | None:
    """What to say where the emotions of the other sentiment together outweigh the first one's."""
    first = prediction.predicted
    if first is None or prediction.sentiment is None:
        return None
    own = taxonomy.sentiment_of(first)
    if own is None or own == prediction.sentiment:
        return None
    together = percent(prediction.sentiment_shares[prediction.sentiment])
    if together == percent(prediction.sentiment_shares[own]):
        return None  # nobody calls 50 % more than 50 %
    if prediction.sentiment == "negative":
        return tr(
            "The most likely emotion, {first}, is positive, but the negative ones together weigh "
            "more: {share}.",
            first=emotion(first),
            share=together,
        )
    return tr(
        "The most likely emotion, {first}, is negative, but the positive ones together weigh more: "
        "{share}.",
        first=emotion(first),
        share=together,
    )


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 image``, ``2 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def readable(text: str) -> str:
    """Foreign text as `printable` has it.

    The setting that raises a cap, in brackets at an error's end, is for the command line alone.
    """
    return printable(_SETTING.sub("", text))


def plain(text: str) -> str:
    """Foreign text for places that take Markdown, which leaves it as it is."""
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in readable(text))


def duration(seconds: float) -> str:
    """About how long, as people say it."""
    if seconds < 2:
        return tr("a moment")
    if seconds < 100:
        return plural("{count} second", "{count} seconds", _rounded(seconds))
    return plural("{count} minute", "{count} minutes", round(seconds / 60))


def told(error: BaseException) -> str:
    """An error in the session's language, for places that take Markdown."""
    return plain(translated(error))


def _rounded(seconds: float) -> int:
    return round(seconds) if seconds < 10 else 5 * round(seconds / 5)


def _named(row: tuple[str, float], speech: Wording) -> str:
    name, share = row
    return f"{tr(speech.names[name]) if name in speech.names else emotion(name)} ({percent(share)})"
