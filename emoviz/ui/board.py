"""The board of results on the Classify page: what there is, the cards, and what to take away."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from emoviz.inference.flags import FLAGS
from emoviz.labels import Taxonomy
from emoviz.plots import shares_strip
from emoviz.ui import cards, export, intake
from emoviz.ui.results import (
    EVERYTHING,
    ORDERS,
    Refusal,
    Result,
    choices,
    in_order,
    kept,
    predicted_counts,
)
from emoviz.ui.shell import Context
from emoviz.ui.stepping import begin_at, stepped
from emoviz.ui.wording import wording
from emoviz.ui.words import counted
from emoviz.ui.workspace import Workspace, workspace

PER_PAGE = 12
_PLACE = "classify-place"  # of the image in the large view


_AS_SEEN = "As the network sees it"


def of_kind(context: Context) -> Context:
    """Ask what kind of image these are, where the checkpoint's estimate depends on it."""
    kinds = context.checkpoint.card.kinds if context.checkpoint else ()
    if not kinds:
        return context
    chosen = st.selectbox(
        "Kind of image",
        [_AS_SEEN, *kinds],
        key="kind",
        persist_state="session",
        width=280,
        format_func=lambda kind: f"{kind[:1].upper()}{kind[1:]}",
        help="The estimate depends on the kind of image. The network tells it by itself; say it "
        "here for all images where it is mistaken.",
    )
    if chosen not in kinds:
        return context
    return replace(context, kind=chosen, identity=f"{context.identity} {chosen}")


def heading(rows: Sequence[Result], refused: Sequence[Refusal], context: Context) -> None:
    """How many images there are, and the buttons for all of them."""
    words = counted(len(rows), "image")
    if refused:
        words += f", {len(refused)} refused"
    with st.container(horizontal=True, vertical_alignment="center", key="results"):
        st.header(words, anchor=False, width="stretch")
        _downloads(context)
        st.button("Remove all", key="remove", icon=":material/delete:", on_click=intake.remove_all)


def overview(rows: Sequence[Result], taxonomy: Taxonomy) -> None:
    """The share of each emotion among the most likely ones, where there are several images."""
    if len(rows) > 1:
        title = f"Most likely {wording(taxonomy).unit}"
        st.html(shares_strip(predicted_counts(rows, taxonomy), taxonomy.colours, title))


def refusals(refused: Sequence[Refusal]) -> None:
    """Each file that could not be read, with the reason."""
    if refused:
        label = f"{counted(len(refused), 'file')} could not be read"
        with st.expander(label, expanded=len(refused) <= 5, icon=":material/report:"):
            st.html(cards.refusals(refused))


@st.fragment
def results(rows: Sequence[Result], taxonomy: Taxonomy, rule: str) -> None:
    """One image large, or cards in an order, filtered, a dozen at a time."""
    if len(rows) == 1:
        st.html(cards.single(rows[0], taxonomy, rule))
    elif rows:
        order, choice, one_by_one = _controls(rows, taxonomy)
        shown = in_order(kept(rows, choice), order)
        if one_by_one and shown:
            begin_at(_PLACE, 0)
            st.dialog("One by one", width="large")(_large)(shown, taxonomy, rule)
        _pages(shown, taxonomy, rule, f"classify-page-{order}-{choice}")


def _large(rows: Sequence[Result], taxonomy: Taxonomy, rule: str) -> None:
    st.html(cards.single(rows[stepped(_PLACE, len(rows))], taxonomy, rule))


def preview(space: Workspace, context: Context, taxonomy: Taxonomy) -> bool:
    """The first cards of a run that is still going on; whether its page is full."""
    rows = space.results(context.identity, context.abstention)[:PER_PAGE]
    if rows:
        st.html(cards.grid(rows, taxonomy, context.rule))
    return len(rows) == PER_PAGE


def _controls(rows: Sequence[Result], taxonomy: Taxonomy) -> tuple[str, str, bool]:
    """Order, what is shown, and whether the large view was asked for."""
    found = choices(rows, taxonomy)
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        order = st.selectbox(
            "Order", list(ORDERS), key="classify-order", persist_state="session", width=226
        )
        choice = st.selectbox(
            "Show",
            list(found),
            format_func=lambda key: f"{_label(key)} ({found.get(key, 0)})",
            key="classify-show",
            persist_state="session",
            width=226,
        )
        large = st.button("One by one", key="classify-large", icon=":material/fullscreen:")
    return order or "", choice or EVERYTHING, large


def _label(key: str) -> str:
    names = {EVERYTHING: "All images", **{str(flag): words for flag, words in FLAGS.items()}}
    return names.get(key, f"Most likely {key}")


def _pages(rows: Sequence[Result], taxonomy: Taxonomy, rule: str, key: str) -> None:
    place = st.container()
    number, count = 1, -(-len(rows) // PER_PAGE)
    if count > 1:
        with st.container(horizontal_alignment="center"):
            number = st.pagination(count, key=key)
    part = rows[(number - 1) * PER_PAGE : number * PER_PAGE]
    place.html(cards.grid(part, taxonomy, rule))


def _downloads(context: Context) -> None:
    """Tables of all results, made when the button is pressed."""
    assert context.checkpoint is not None
    card, identity, abstention = context.checkpoint.card, context.identity, context.abstention
    space = workspace()
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "CSV, for a spreadsheet",
            lambda: export.to_csv(
                space.outcome(identity, abstention), card.taxonomy.names, card.id
            ),
            f"emoviz-{card.id}.csv",
            "text/csv",
            key="csv",
            on_click="ignore",
            width="stretch",
        )
        st.download_button(
            "JSON, for a program",
            lambda: export.to_json(space.outcome(identity, abstention), card.id),
            f"emoviz-{card.id}.json",
            "application/json",
            key="json",
            on_click="ignore",
            width="stretch",
        )
        st.caption("All images with all probabilities, refused files with the reason.")
