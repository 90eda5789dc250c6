"""An artwork and its estimate as the desk shows them: escaped, in words, nothing that is hidden."""

from collections.abc import Sequence
from html import escape

import numpy as np

from emoviz.inference.abstention import Abstention, with_abstention
from emoviz.inference.flags import FLAGS
from emoviz.inference.predict import Prediction
from emoviz.labels import Taxonomy, sentiment_shares, sentiments
from emoviz.plots import percent, sentiment_bar
from emoviz.review import Decision, Feeling, StoredPrediction, Work
from emoviz.ui.language import emotion, listed, number, tr
from emoviz.ui.results import Result
from emoviz.ui.wording import has_two_sentiments, wording
from emoviz.ui.words import conflict_note, mixed_note, readable, sentence

# Letters of the desk's own, and R and C, which Streamlit takes.
_TAKEN = frozenset("anskmuhlwzrc")
_LETTERS = [sign for sign in "123456789bdefgijopqtvxy0" if sign not in _TAKEN]
_MOST_FACTS = 40


def emotions_of(taxonomy: Taxonomy) -> list[dict[str, str]]:
    """The emotions that can be chosen, each with its colour and its key."""
    keys = [*_LETTERS, *[""] * max(0, len(taxonomy) - len(_LETTERS))]
    return [
        {
            "name": item.name,
            "label": emotion(item.name),
            "colour": item.colour,
            "key": key.upper(),
        }
        for item, key in zip(taxonomy.classes, keys, strict=False)
    ]


def title_of(work: Work) -> str:
    """What people call it."""
    return readable(work.title or work.key.replace("\\", "/").rsplit("/", 1)[-1])


def by_line(work: Work) -> str:
    """Artist, date, and who has to be named, as far as they are known."""
    own = ", ".join(filter(None, (work.artist, work.date)))
    return readable(" · ".join(filter(None, (own, work.metadata.get("attribution")))))


def facts_of(work: Work) -> list[tuple[str, str]]:
    """Everything else that is known, for the table below."""
    known = {
        tr("Rights"): work.rights,
        tr("Style"): work.style,
        tr("Label of the source"): work.label,
        **{name.replace("_", " "): text for name, text in work.metadata.items()},
        tr("Image"): work.url or work.file,
        tr("IIIF canvas"): work.canvas,
    }
    rows = [(readable(name), readable(text)) for name, text in known.items() if text]
    return [(tr("Number"), number(work.number + 1)), *rows[:_MOST_FACTS]]


def prediction_of(work: Work, estimate: StoredPrediction) -> Prediction:
    """The stored estimate in the form that the other pages speak of."""
    probabilities = np.array([list(estimate.probabilities.values())])
    taxonomy = estimate.taxonomy
    shares = sentiment_shares(taxonomy, probabilities)[0].tolist()
    return Prediction(
        path=title_of(work),
        sha256=estimate.sha256,
        probabilities=dict(estimate.probabilities),
        predicted=estimate.first,
        sentiment=sentiments(taxonomy, probabilities)[0],
        sentiment_shares=dict(zip(("positive", "negative", "none"), shares, strict=True)),
        top2_opposite=estimate.opposite,
        unlike_training=estimate.novelty is not None and estimate.novelty > 1.0,
        novelty=estimate.novelty,
    )


def estimate_html(
    work: Work, estimate: StoredPrediction, abstention: Abstention | None = None
) -> str:
    """Flags, one sentence, sentiment, and what to be careful about; the bars are on the keys."""
    (prediction,) = with_abstention([prediction_of(work, estimate)], abstention)
    taxonomy = estimate.taxonomy
    flags = Result(0, prediction).flags
    tags = "".join(f'<li class="ev-tag ev-{flag}">{escape(tr(FLAGS[flag]))}</li>' for flag in flags)
    notes = [mixed_note(prediction, taxonomy), conflict_note(prediction, taxonomy)]
    if prediction.unlike_training:
        notes.append(
            tr(
                "Unlike the training images: take the estimate with care. It lies farther from "
                "them than almost all others do."
            )
        )
    if prediction.not_sure:
        notes.append(tr("Not sure enough: below the threshold that was set on the Evaluate page."))
    said = "".join(f'<p class="quiet">{escape(readable(note))}</p>' for note in notes if note)
    feelings = ""
    if has_two_sentiments(taxonomy):
        names = {name: emotion(name) for name in ("positive", "negative")}
        names["none"] = tr("neither")
        feelings = sentiment_bar(prediction.sentiment_shares, names, tr("Sentiment"))
    return (
        f"<p>{escape(sentence(prediction, wording(taxonomy)))}</p>"
        + (
            f'<ul class="ev-tags" role="list" aria-label="{escape(tr("Flags"))}">{tags}</ul>'
            if tags
            else ""
        )
        + feelings
        + said
    )


def decided(kind: str, feelings: Sequence[Feeling], note: str = "") -> str:
    """A decision in words."""
    if kind == "none":
        words = tr("none of these")
    elif kind == "skip":
        words = tr("skipped")
    else:
        words = listed(_felt(item) for item in feelings)
    return tr("{decision} (with a note)", decision=words) if note else words


def own_words(own: Decision, work: Work) -> str:
    """The person's decision on a work, whose picture may be another by now."""
    words = decided(own.kind, own.feelings, own.note)
    if own.sha256 and work.sha256 and own.sha256 != work.sha256:
        return tr("{decision} (the picture was another one then)", decision=words)
    return words


def _felt(item: Feeling) -> str:
    name = emotion(item.emotion)
    if item.strength == 1:
        return tr("a little {emotion}", emotion=name)
    return tr("strongly {emotion}", emotion=name) if item.strength == 3 else name


def revealed(decision: Decision, estimate: StoredPrediction | None) -> str:
    """What a blind reviewer said, beside what the model said."""
    own = tr("You: {decision}.", decision=decided(decision.kind, decision.feelings))
    if estimate is None:
        return f"{own} {tr('There is no estimate of this work.')}"
    first = estimate.first
    values = {"emotion": emotion(first), "share": percent(estimate.probabilities[first])}
    if any(item.emotion == first for item in decision.feelings):
        verdict = tr("The model's estimate is the same: {emotion} ({share}).", **values)
    else:
        verdict = tr("The model's estimate: {emotion} ({share}).", **values)
    return f"{own} {verdict}"


def undo_words(work: Work, decision: Decision) -> str:
    """Which decision is taken back."""
    return f"{title_of(work)}, {decided(decision.kind, decision.feelings, decision.note)}"
