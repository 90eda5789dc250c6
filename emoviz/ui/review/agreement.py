"""Who agrees with whom: people with the model, people with each other, and what divides them."""

from collections.abc import Mapping, Sequence

import streamlit as st

from emoviz.analysis.resampling import FEWEST, MetricEstimate
from emoviz.inference.cache import Thumbnails
from emoviz.plots.reviewing import confusion
from emoviz.review import Decision, ReviewStore, Work
from emoviz.review.agreement import Agreement, ReviewerPair, compare
from emoviz.settings import Settings
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.linked import told_apart
from emoviz.ui.review import desk_text
from emoviz.ui.review.queue import Chosen
from emoviz.ui.words import counted, plain

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
            "Nobody has decided on a work yet that you may see. Go through some artworks first.",
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
        return "cannot be told: too few works, or always the same answer"
    steps = (
        (0.8, "very good: much beyond chance"),
        (0.667, "good enough for careful conclusions"),
        (0.4, "moderate: beyond chance, with much difference"),
        (0.1, "weak: hardly beyond chance"),
        (-0.1, "none: as if both had guessed"),
    )
    words = next((text for least, text in steps if kappa >= least), "worse than chance")
    few = "" if works >= FEWEST else f"; only {counted(works, 'work')}, so take it lightly"
    return f"{words}{few}"


def _with_model(found: Agreement) -> None:
    st.markdown("**People and the model**")
    if not found.model:
        st.caption("No work has both a decision and an estimate of this network.")
        return
    blind = {pair.first: pair for pair in found.blind}
    rows = []
    for pair in found.model:
        alone = blind.get(pair.first)
        rows.append(_row(pair) | {"blind only": _with_works(alone.kappa) if alone else "–"})
    st.dataframe(rows, hide_index=True)
    st.caption(
        f"Cohen's kappa, in brackets its 95 % confidence interval from {FEWEST} works on: 1 is "
        "perfect agreement, 0 what chance alone gives. Who sees the estimate before deciding "
        "agrees with it more readily; **blind only** leaves those decisions out."
    )


def _with_each_other(found: Agreement) -> None:
    st.markdown("**People with each other**")
    st.dataframe([_row(pair) for pair in found.pairs], hide_index=True)
    lines = [
        f"- Krippendorff's alpha, works that at least two decided: "
        f"**{_with_works(found.alpha)}**: {in_words(found.alpha)}.",
        f"- The same over the strengths of all emotions: **{_with_works(found.alpha_strength)}**.",
        f"- Fleiss' kappa, works that all {len(found.people)} decided: "
        f"**{_with_works(found.fleiss)}**: {in_words(found.fleiss)}.",
    ]
    st.markdown("\n".join(lines))


def _row(pair: ReviewerPair) -> dict[str, str | int]:
    return {
        "who": pair.first,
        "with": pair.second,
        "works": pair.works,
        "same": f"{100 * pair.same / max(pair.works, 1):.0f} %",
        "kappa": _number(pair.kappa),
        "in words": in_words(pair.kappa),
    }


def _number(item: MetricEstimate) -> str:
    """``0.62 (0.41 to 0.78)``."""
    if item.value is None:
        return "–"
    if item.low is None or item.high is None:
        return f"{item.value:.2f}"
    return f"{item.value:.2f} ({item.low:.2f} to {item.high:.2f})"


def _with_works(item: MetricEstimate) -> str:
    return f"{_number(item)}, n = {item.n:,}"


def _confusion(found: Agreement, pairs: Sequence[ReviewerPair]) -> None:
    titles = told_apart({i: f"{pair.first} and {pair.second}" for i, pair in enumerate(pairs)})
    with st.expander("Who said what where the other said what", icon=":material/grid_on:"):
        number = st.selectbox(
            "Pair",
            range(len(pairs)),
            format_func=lambda i: titles.get(i, ""),
            key="review-pair",
            width=320,
        )
        pair = pairs[number or 0]
        figure = confusion(pair.table, found.classes, plain(pair.first), plain(pair.second))
        st.plotly_chart(figure, key="review-confusion")
        st.caption("Works on the diagonal got the same answer from both.")


def _dividing(found: Agreement, works: Mapping[int, Work], settings: Settings) -> int | None:
    st.markdown("**Works that divide people**")
    rows = [item for item in found.dividing if item.work in works][:_SHOWN]
    if not rows:
        st.caption("None so far: on no work do two people differ.")
        return None
    with Thumbnails(settings) as kept:
        jpegs = kept.get_many({works[item.work].sha256 for item in rows if works[item.work].sha256})
    tiles = [
        Tile(
            jpegs.get(works[item.work].sha256),
            desk_text.title_of(works[item.work]),
            "\n".join(f"{name}: {label}" for name, label in item.votes.items()),
        )
        for item in rows
    ]
    pressed = gallery(tiles, "review-divided", "Works that divide people", side=150)
    return None if pressed is None else rows[pressed].work
