"""Import a checkpoint: what it says of itself, what was checked, and whether a person wants it.

No `BringInForm`: that brings images in at one press, while of a network a person first reads
what was found out about it, and only then says whether it is kept.
"""

import hashlib

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from emoviz.errors import EmovizError
from emoviz.inference.incoming import Incoming, bring_in, discard, look_at
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.card_page import card_html
from emoviz.ui.words import plain

_KEY = "incoming-checkpoint"


@access.offers("keep")
def form(settings: Settings) -> None:
    """A ZIP to choose; then its card, remarks and two buttons."""
    with st.expander("Import a network", icon=":material/move_to_inbox:"):
        st.caption(
            "A network that somebody gave you, as the ZIP that *Weights and card* or *ONNX* makes. "
            "It is looked at first; nothing is kept until you say so."
        )
        file = st.file_uploader("ZIP of a network", type="zip", key="checkpoint-zip")
        if file is None:
            _forget()
            return
        incoming = _looked_at(file, settings)
        if incoming is not None:
            _ask(incoming, settings)


@access.acts("keep")
def _looked_at(file: UploadedFile, settings: Settings) -> Incoming | None:
    data = file.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    kept: tuple[str, Incoming | None, str] | None = st.session_state.get(_KEY)
    if kept is None or kept[0] != digest:
        _forget()
        try:
            with st.spinner("Its files are checked and its network is run on two images of noise"):
                kept = (digest, look_at(data, file.name, settings), "")
        except (EmovizError, OSError) as error:
            kept = (digest, None, str(error))
        st.session_state[_KEY] = kept
    _, incoming, reason = kept
    if incoming is None:
        st.error(f"{plain(reason)}\n\nNothing was kept of it.", icon=":material/gpp_bad:")
    return incoming


@access.acts("keep")
def _ask(incoming: Incoming, settings: Settings) -> None:
    remarks = "\n".join(f"- {plain(words)}" for words in incoming.remarks)
    show = st.info if incoming.signer else st.warning
    show(remarks, icon=":material/verified_user:" if incoming.signer else ":material/gpp_maybe:")
    st.html(card_html(incoming.card))
    id = st.text_input("What it is called here", incoming.id, key="incoming-id")
    with st.container(horizontal=True):
        if st.button("Bring it in", type="primary", icon=":material/check:", key="incoming-yes"):
            try:
                kept = bring_in(incoming, id.strip(), settings)
            except EmovizError as error:
                st.error(plain(str(error)), icon=":material/error:")
                return
            st.query_params["checkpoint"] = kept.card.id  # the sidebar follows the link
            st.session_state.pop(_KEY)
            st.toast(f"{kept.card.id} is in every page's picker.", icon=":material/check:")
            st.rerun()
        st.button("Leave it", key="incoming-no", on_click=_leave)


def _leave() -> None:
    digest, _, _ = st.session_state[_KEY]
    _forget()
    st.session_state[_KEY] = (digest, None, "You left it.")


def _forget() -> None:
    kept = st.session_state.pop(_KEY, None)
    if kept is not None and kept[1] is not None:
        discard(kept[1])
