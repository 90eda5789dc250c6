"""Results as HTML: one block for a whole page of them, every foreign text escaped.

A card is also an element of the browser's top layer (``popover``): pressing its picture shows the
same card large, with all bars, without a script and without asking the server; Escape closes it.
"""

import base64
from collections.abc import Iterator, Sequence
from html import escape

from emoviz.inference.flags import FLAGS, Flag
from emoviz.inference.predict import Prediction
from emoviz.labels import Taxonomy
from emoviz.plots import percent, probability_bars, sentiment_bar
from emoviz.plots.affect import Span, affect_plane
from emoviz.ui.results import Refusal, Result
from emoviz.ui.why_button import why_button
from emoviz.ui.wording import has_two_sentiments, wording
from emoviz.ui.words import conflict_note, mixed_note, readable, sentence

TOP = 3
PLAIN_RULE = "It lies farther from the images that the model was trained on than almost all others."


def grid(rows: Sequence[Result], taxonomy: Taxonomy, rule: str = "") -> str:
    """Small cards side by side.

    Args:
        rows: In the order of display.
        taxonomy: Of the predictions.
        rule: When an image counts as unlike the training images, in the checkpoint's words.
    """
    cells = "".join(f'<li class="ev-cell">{_card(row, taxonomy, rule)}</li>' for row in rows)
    return f'<div class="ev-wrap"><ul class="ev-grid" role="list">{cells}</ul></div>'


def single(row: Result, taxonomy: Taxonomy, rule: str = "") -> str:
    """One image: the large picture beside all bars."""
    inside = (
        f'<div class="ev-picture">{_image(row)}</div>'
        f"<div>{_body(row, taxonomy, rule, len(taxonomy))}"
        f"{why_button(row.number, _title(row))}</div>"
    )
    return (
        f'<div class="ev-wrap"><article class="ev-single" aria-label="{_title(row)}">'
        f"{inside}</article></div>"
    )


def refusals(rows: Sequence[Refusal]) -> str:
    """Each refused file with the reason."""
    items = "".join(
        f"<li><b>{_clean(row.name)}</b><span>{_clean(_as_sentence(row.reason))}</span></li>"
        for row in rows
    )
    return f'<ul class="ev-refused" role="list">{items}</ul>'


def data_uri(jpeg: bytes) -> str:
    """JPEG bytes as an address that needs no second request."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _card(row: Result, taxonomy: Taxonomy, rule: str) -> str:
    name = f"ev-{row.number}"
    rest = len(taxonomy) - TOP
    unit = wording(taxonomy).unit
    more = f"Larger, with all {len(taxonomy)} {unit}s" if rest > 0 else "Larger"
    return (
        f'<article class="ev-card" id="{name}" popover="auto" aria-label="{_title(row)}">'
        f'<button type="button" class="ev-picture" popovertarget="{name}" '
        f'aria-label="Show larger: {_title(row)}">{_image(row)}</button>'
        f"{_body(row, taxonomy, rule, TOP)}"
        f'<button type="button" class="ev-more" popovertarget="{name}">{more}</button>'
        f"{why_button(row.number, _title(row))}"
        f'<div class="ev-shut"><button type="button" popovertarget="{name}" '
        'popovertargetaction="hide">Close</button></div></article>'
    )


def _body(row: Result, taxonomy: Taxonomy, rule: str, visible: int) -> str:
    prediction = row.prediction
    weighed = has_two_sentiments(taxonomy)
    feelings = sentiment_bar(prediction.sentiment_shares) if weighed else ""
    return (
        f'<div class="ev-body">{_heading(row)}'
        f'<p class="ev-sentence">{escape(sentence(prediction, wording(taxonomy)))}</p>'
        f"{_tags(row.flags)}"
        f"{probability_bars(prediction.ranked, taxonomy.colours, visible)}"
        f"{feelings}{_affect(prediction)}"
        f'<div class="ev-notes">{"".join(_notes(row, taxonomy, rule))}</div></div>'
    )


def _affect(prediction: Prediction) -> str:
    """Valence and arousal on their plane, in the large view."""
    valence, arousal = prediction.valence, prediction.arousal
    if valence is None or arousal is None:
        return ""
    spans = [Span(d.value, d.low, d.high) for d in (valence, arousal)]
    return (
        f'<figure class="ev-affect ev-rest">{affect_plane(*spans)}<figcaption>Valence '
        f"{spans[0]}, arousal {spans[1]}, on scales from −1 to 1. Nine in ten held-out "
        "images lay within such intervals.</figcaption></figure>"
    )


def _heading(row: Result) -> str:
    name = _clean(row.prediction.path)
    if not row.caption:
        return f'<h3 class="ev-name" title="{name}">{name}</h3>'
    return f'<h3 class="ev-name" title="{name}">{_clean(row.caption)}</h3>'


def _tags(flags: Sequence[Flag]) -> str:
    tags = "".join(f'<li class="ev-tag ev-{flag}">{FLAGS[flag]}</li>' for flag in flags)
    return f'<ul class="ev-tags" role="list" aria-label="Flags">{tags}</ul>' if tags else ""


def _notes(row: Result, taxonomy: Taxonomy, rule: str) -> Iterator[str]:
    """Short remarks on a card; the longer ones show on the large view alone."""
    prediction = row.prediction
    if mixed := mixed_note(prediction, taxonomy):
        yield f'<p class="ev-rest">{escape(mixed)}</p>'
    if conflict := conflict_note(prediction, taxonomy):
        yield f"<p>{escape(conflict)}</p>"
    if prediction.unlike_training:
        words = rule or PLAIN_RULE
        yield (
            '<p>Unlike the training images: take the estimate with care.<span class="ev-rest"> '
            f"{_clean(words)}</span></p>"
        )
    if prediction.viewers_differ:
        yield (
            '<p>Viewers are likely to differ.<span class="ev-rest"> The model expects their '
            "answers to be spread over several emotions.</span></p>"
        )
    if prediction.kind is not None:
        share = prediction.kinds.get(prediction.kind, 0.0)
        yield f'<p class="ev-rest">Taken for: {escape(prediction.kind)} ({percent(share)}).</p>'
    if prediction.not_sure:
        yield (
            '<p>Not sure enough: better no answer.<span class="ev-rest"> The most likely one is '
            "below the threshold that was set for this network on the Evaluate page.</span></p>"
        )
    yield from (f"<p>Note: {_clean(note)}.</p>" for note in prediction.notes)
    width, height = prediction.size
    name = f"{_clean(prediction.path)}, " if row.caption else ""
    yield f'<p class="ev-rest">{name}{width:,} × {height:,} pixels</p>'


def _image(row: Result) -> str:
    if row.thumbnail is None:
        return '<span class="ev-missing">no picture</span>'
    return f'<img src="{data_uri(row.thumbnail)}" alt="{_title(row)}">'


def _title(row: Result) -> str:
    return _clean(row.caption or row.prediction.path)


def _as_sentence(reason: str) -> str:
    text = reason.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _clean(text: str) -> str:
    return escape(readable(text))
