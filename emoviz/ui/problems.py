"""What was found and not taken, on every page that brings things in: a count, the list one press
away."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from emoviz.ui.language import number, plural, tr
from emoviz.ui.words import readable

_LISTED = 200


def show_problems(
    problems: Sequence[tuple[str, str]],
    taken: int | None = None,
    notes: Sequence[str] = (),
    whole: tuple[str, bytes] | None = None,
) -> None:
    """A count of problems that opens to the list.

    Args:
        problems: What each is, and why it was not taken.
        taken: How much was; with it the count says found = taken + problems.
        notes: How it was read, where it might have been read in another way.
        whole: Name and bytes of a CSV of all of them, to take home.
    """
    for note in notes:
        st.info(readable(note), icon=":material/alt_route:")
    if not problems:
        return
    title = plural("{count} problem", "{count} problems", len(problems))
    if taken is not None:
        title = tr(
            "{all} found: {taken} taken, {problems}",
            all=number(taken + len(problems)),
            taken=number(taken),
            problems=title,
        )
    with st.expander(title, icon=":material/report:"):
        rows = "".join(
            f"<li><b>{escape(readable(what))}</b><span>{escape(readable(why))}</span></li>"
            for what, why in problems[:_LISTED]
        )
        st.html(f'<ul class="ev-refused">{rows}</ul>')
        if len(problems) > _LISTED:
            st.caption(tr("The first {count} of {all}.", count=_LISTED, all=number(len(problems))))
        if whole is not None:
            st.download_button(
                tr("All of them as CSV"),
                whole[1],
                whole[0],
                "text/csv",
                key=f"problems-{whole[0]}",
                on_click="ignore",
                icon=":material/download:",
            )
