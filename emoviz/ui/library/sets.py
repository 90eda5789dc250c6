"""The picker of labelled sets, and removing one so that it can be taken back."""

from html import escape

import streamlit as st

from emoviz.data.dataset_file import KnownSet
from emoviz.data.library import SAMPLE, bring_back_set, list_sets, remove_set
from emoviz.errors import EmovizError
from emoviz.settings import Settings
from emoviz.ui import access, removed
from emoviz.ui.linked import linked_choice
from emoviz.ui.words import counted, plain, readable

_KEY = "datasets"
CHOICE, NOTES = "set", f"{_KEY}-notes"


def tell() -> None:
    """What there is to say of the last thing that was done."""
    for note in st.session_state.pop(NOTES, []):
        st.info(note, icon=":material/info:")


def undo_bar(settings: Settings) -> None:
    """Sets that were removed in this session, each with a way back."""
    removed.undo_bar(_KEY, "prepare", "was removed from the library.", _bring_back, settings)


def choose(settings: Settings) -> KnownSet | None:
    """The set that is looked at; None where there is none at all."""
    known, refused = list_sets(settings)
    if refused:
        with st.expander(f"{counted(len(refused), 'set')} cannot be used", icon=":material/error:"):
            items = "".join(f"<li><span>{escape(readable(why))}</span></li>" for why in refused)
            st.html(f'<ul class="ev-refused">{items}</ul>')
    if not known:
        return None
    by_id = {item.id: item for item in known}
    titles = [item.title for item in known]
    words = {
        i: f"{readable(k.title)}, {counted(k.count, 'image')}"
        + (f" ({i})" if titles.count(k.title) > 1 else "")
        for i, k in by_id.items()
    }
    asked = st.query_params.get(CHOICE, "")
    if asked and asked not in by_id and st.session_state.get(CHOICE) not in by_id:
        st.warning(
            f"The link asks for the set “{plain(asked[:80])}”, which is not here.",
            icon=":material/link_off:",
        )
    chosen = linked_choice(
        "Labelled images",
        words,
        CHOICE,
        SAMPLE,
        help="Sets that came along, were brought in or prepared here, or were made by review.",
        width=420,
    )
    return by_id[chosen]


@access.offers("prepare")
def remove_button(settings: Settings, known: KnownSet) -> None:
    """Out of the library, with what that does and does not delete."""
    with st.popover("Remove", icon=":material/delete:", disabled=known.id == SAMPLE):
        st.markdown(
            "The set leaves the library; your images stay where they are, and networks that were "
            "trained on it keep what they know. It can be undone."
        )
        st.button(
            f"Remove {plain(known.title)}",
            key="datasets-remove",
            on_click=_remove,
            args=(settings, known.id),
        )


@access.acts("prepare")
def _remove(settings: Settings, id: str) -> None:
    try:
        remove_set(settings, id)
    except (EmovizError, OSError) as error:
        st.session_state[NOTES] = [plain(str(error))]
        return
    removed.remember(_KEY, id)
    st.query_params.pop(CHOICE, None)
    st.toast(f"{plain(id)} was removed; Undo stands above.", icon=":material/delete:")


def _bring_back(settings: Settings, id: str) -> None:
    bring_back_set(settings, id)
    st.session_state[CHOICE] = id
