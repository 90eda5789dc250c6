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
from emoviz.review.model import STRENGTH_WORDS
from emoviz.ui.results import Result
from emoviz.ui.wording import has_two_sentiments, wording
from emoviz.ui.words import conflict_note, listed, mixed_note, readable, sentence

# Letters of the desk's own, and R and C, which Streamlit takes.
_TAKEN = frozenset("anskmuhlwzrc")
_LETTERS = [sign for sign in "123456789bdefgijopqtvxy0" if sign not in _TAKEN]
_MOST_FACTS = 40


def emotions_of(taxonomy: Taxonomy) -> list[dict[str, str]]:
    """The emotions that can be chosen, each with its colour and its key."""
    keys = [*_LETTERS, *[""] * max(0, len(taxonomy) - len(_LETTERS))]
    return [
        {"name": item.name, "colour": item.colour, "key": key.upper()}
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
        "Rights": work.rights,
        "Style": work.style,
        "Label of the source": work.label,
        **{name.replace("_", " "): text for name, text in work.metadata.items()},
        "Image": work.url or work.file,
        "IIIF canvas": work.canvas,
    }
    rows = [(readable(name), readable(text)) for name, text in known.items() if text]
    return [("Number", f"{work.number + 1:,}"), *rows[:_MOST_FACTS]]


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
    work: Work, estimate: StoredPrediction, rule: str = "", abstention: Abstention | None = None
) -> str:
    """Flags, one sentence, sentiment, and what to be careful about; the bars are on the keys."""
    (prediction,) = with_abstention([prediction_of(work, estimate)], abstention)
    taxonomy = estimate.taxonomy
    flags = Result(0, prediction).flags
    tags = "".join(f'<li class="ev-tag ev-{flag}">{FLAGS[flag]}</li>' for flag in flags)
    notes = [mixed_note(prediction, taxonomy), conflict_note(prediction, taxonomy)]
    if prediction.unlike_training:
        notes.append(f"Unlike the training images: take the estimate with care. {rule}".strip())
    if prediction.not_sure:
        notes.append("Not sure enough: below the threshold that was set on the Evaluate page.")
    said = "".join(f'<p class="quiet">{escape(readable(note))}</p>' for note in notes if note)
    feelings = sentiment_bar(prediction.sentiment_shares) if has_two_sentiments(taxonomy) else ""
    return (
        f"<p>{escape(sentence(prediction, wording(taxonomy)))}</p>"
        + (f'<ul class="ev-tags" role="list" aria-label="Flags">{tags}</ul>' if tags else "")
        + feelings
        + said
    )


def decided(kind: str, feelings: Sequence[Feeling], note: str = "") -> str:
    """A decision in words."""
    if kind == "none":
        words = "none of these"
    elif kind == "skip":
        words = "skipped"
    else:
        words = listed([f"{STRENGTH_WORDS[item.strength]}{item.emotion}" for item in feelings])
    return f"{words} (with a note)" if note else words


def revealed(decision: Decision, estimate: StoredPrediction | None) -> str:
    """What a blind reviewer said, beside what the model said."""
    own = f"You: {decided(decision.kind, decision.feelings)}."
    if estimate is None:
        return f"{own} There is no estimate of this work."
    first = estimate.first
    same = any(item.emotion == first for item in decision.feelings)
    verdict = "The model's estimate is the same" if same else "The model's estimate"
    return f"{own} {verdict}: {first} ({percent(estimate.probabilities[first])})."


def undo_words(work: Work, decision: Decision) -> str:
    """Which decision is taken back."""
    return f"{title_of(work)}, {decided(decision.kind, decision.feelings, decision.note)}"
