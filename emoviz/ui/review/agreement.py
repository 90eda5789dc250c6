"""Who agrees with whom: people with the model, people with each other, and what divides them."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from emoviz.analysis.resampling import FEWEST, MetricEstimate, share
from emoviz.plots import percent
from emoviz.plots.reviewing import confusion_table
from emoviz.review import Decision, ReviewStore, Work
from emoviz.review.agreement import MODEL, Agreement, ReviewerPair, compare
from emoviz.settings import Settings
from emoviz.ui import tables
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.language import emotion, number, plural, tr
from emoviz.ui.linked import told_apart
from emoviz.ui.review import desk_text
from emoviz.ui.review.queue import Chosen
from emoviz.ui.words import readable

_SHOWN = 24


def measured(store: ReviewStore, chosen: Chosen, decisions: Sequence[Decision]) -> Agreement:
    """The numbers, of the decisions that may be seen."""
    known = chosen.estimates
    estimates = store.estimates(known, decided=True) if known is not None else []
    return compare(decisions, store.reviewers(), chosen.estimates, estimates)


def show(found: Agreement, works: Mapping[int, Work], settings: Settings) -> int | None:
    """Tables, a confusion matrix and the works that divide people; the work that was pressed."""
    if not found.works:
        st.info(
            tr(
                "Nobody has decided on a work yet that you may see. Go through some artworks first."
            ),
            icon=":material/hourglass_empty:",
        )
        return None
    pairs = [*found.model, *found.pairs]
    _with_model(found)
    if len(found.people) > 1:
        _with_each_other(found)
    if pairs:
        _confusion(found, pairs)
    return _dividing(found, works, settings)


def in_words(item: MetricEstimate) -> str:
    """What a coefficient means, for people who have never met one."""
    kappa, works = item.value, item.n
    if kappa is None:
        return tr("cannot be told: too few works, or always the same answer")
    steps = (
        (0.8, tr("very good: much beyond chance")),
        (0.667, tr("good enough for careful conclusions")),
        (0.4, tr("moderate: beyond chance, with much difference")),
        (0.1, tr("weak: hardly beyond chance")),
        (-0.1, tr("none: as if both had guessed")),
    )
    words = next((text for least, text in steps if kappa >= least), tr("worse than chance"))
    if works >= FEWEST:
        return words
    few = plural(
        "only {count} work, so take it lightly", "only {count} works, so take it lightly", works
    )
    return f"{words}; {few}"


def _with_model(found: Agreement) -> None:
    st.markdown(f"**{tr('People and the model')}**")
    if not found.model:
        st.caption(tr("No work has both a decision and an estimate of this network."))
        return
    blind = {pair.first: pair for pair in found.blind}
    rows = []
    for pair in found.model:
        alone = blind.get(pair.first)
        rows.append(_row(pair) | {tr("blind only"): _with_works(alone.kappa) if alone else "–"})
    _table(rows, "agreement-model")
    st.caption(
        tr(
            "Cohen's kappa: 1 is perfect agreement, 0 what chance alone gives. In brackets stand "
            "95 % confidence intervals, of kappa from {least} works on. Who sees the estimate "
            "before deciding agrees with it more readily; **blind only** leaves those decisions "
            "out.",
            least=FEWEST,
        )
    )


def _with_each_other(found: Agreement) -> None:
    st.markdown(f"**{tr('People with each other')}**")
    _table([_row(pair) for pair in found.pairs], "agreement-people")
    lines = [
        tr(
            "Krippendorff's alpha, works that at least two decided: **{value}**: {meaning}.",
            value=_with_works(found.alpha),
            meaning=in_words(found.alpha),
        ),
        tr(
            "The same over the strengths of all emotions: **{value}**.",
            value=_with_works(found.alpha_strength),
        ),
        tr(
            "Fleiss' kappa, works that all {people} decided: **{value}**: {meaning}.",
            people=len(found.people),
            value=_with_works(found.fleiss),
            meaning=in_words(found.fleiss),
        ),
    ]
    st.markdown("\n".join(f"- {line}" for line in lines))


def _table(rows: Sequence[Mapping[str, str | int]], key: str) -> None:
    """Drawn as text, so that whole sentences stand in it at any width."""
    table = pd.DataFrame(rows)
    tables.draw(table, index=False)
    tables.offer(table, key)


def _row(pair: ReviewerPair) -> dict[str, str | int]:
    return {
        tr("who"): _name(pair.first),
        tr("with"): _name(pair.second),
        tr("works"): pair.works,
        tr("same"): _number(share(pair.same, pair.works), percent),
        tr("kappa"): _number(pair.kappa),
        tr("in words"): in_words(pair.kappa),
    }


def _name(who: str) -> str:
    """Of a person, who may be the model."""
    return tr("model") if who == MODEL else who


def _number(
    item: MetricEstimate, words: Callable[[float], str] = lambda value: number(value, 2)
) -> str:
    """``0.62 (0.41 to 0.78)``."""
    if item.value is None:
        return "–"
    if item.low is None or item.high is None:
        return words(item.value)
    return tr(
        "{value} ({low} to {high})",
        value=words(item.value),
        low=words(item.low),
        high=words(item.high),
    )


def _with_works(item: MetricEstimate) -> str:
    return f"{_number(item)}, n = {number(item.n)}"


def _confusion(found: Agreement, pairs: Sequence[ReviewerPair]) -> None:
    titles = told_apart(
        {
            i: tr("{one} and {other}", one=_name(pair.first), other=_name(pair.second))
            for i, pair in enumerate(pairs)
        }
    )
    with st.expander(tr("Who said what where the other said what"), icon=":material/grid_on:"):
        chosen = st.selectbox(
            tr("Pair"),
            range(len(pairs)),
            format_func=lambda i: titles.get(i, ""),
            key="review-pair",
            width=320,
        )
        pair = pairs[chosen or 0]
        names = [emotion(name) for name in found.classes]
        rows, columns = (readable(_name(who)) for who in (pair.first, pair.second))
        st.html(confusion_table(pair.table, names, rows, columns, tr("works")))
        st.caption(tr("Works on the diagonal got the same answer from both."))


def _dividing(found: Agreement, works: Mapping[int, Work], settings: Settings) -> int | None:
    st.markdown(f"**{tr('Works that divide people')}**")
    rows = [item for item in found.dividing if item.work in works][:_SHOWN]
    if not rows:
        st.caption(tr("None so far: on no work do two people differ."))
        return None
    jpegs = Pictures(settings).get_many({works[item.work].sha256 for item in rows})
    tiles = [
        Tile(
            jpegs.get(works[item.work].sha256),
            desk_text.title_of(works[item.work]),
            "\n".join(f"{name}: {emotion(label)}" for name, label in item.votes.items()),
        )
        for item in rows
    ]
    pressed = gallery(tiles, "review-divided", tr("Works that divide people"), side=150)
    return None if pressed is None else rows[pressed].work
