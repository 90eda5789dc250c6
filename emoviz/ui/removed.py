"""What was removed in this session, each with its way back, on every page that removes."""

from collections.abc import Callable

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.review.rights import RightName
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.words import plain

_SHOWN = 3


def remember(key: str, id: str) -> None:
    """Something of that id was removed just now."""
    st.session_state.setdefault(f"{key}-removed", []).append(id)


def undo_bar(
    key: str,
    right: RightName,
    words: str,
    bring_back: Callable[[Settings, str], None],
    settings: Settings,
) -> None:
    """The last things that were removed, for those who have the right.

    Args:
        key: What the names in the session begin with; why something cannot be brought back goes
            to ``<key>-notes``, for the page to say.
        right: To remove, and to bring back.
        words: What happened, after the name.
        bring_back: Undoes it for two weeks, or raises `EmovizError` or `OSError`.
        settings: Where it was.
    """
    if not access.allowed(right):
        return
    removed: list[str] = st.session_state.get(f"{key}-removed", [])

    @access.acts(right)
    def undo(id: str) -> None:
        try:
            bring_back(settings, id)
        except (EmovizError, OSError) as error:
            st.session_state[f"{key}-notes"] = [plain(str(error))]
        st.session_state[f"{key}-removed"] = [item for item in removed if item != id]

    for id in removed[-_SHOWN:]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/delete: **{plain(id)}** {words}")
            st.button(
                "Undo",
                key=f"{key}-undo-{id}",
                icon=":material/undo:",
                on_click=undo,
                args=(id,),
                help="Possible for two weeks as long as this page is open.",
            )
