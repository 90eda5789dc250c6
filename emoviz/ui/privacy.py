"""What is kept of the images that a session brings, and forgetting all of it."""

import hashlib
import shutil
from collections.abc import Collection

import streamlit as st

from emoviz.settings import Settings
from emoviz.ui import whatif
from emoviz.ui.language import tr
from emoviz.ui.textures import asking
from emoviz.ui.textures.subject import opened
from emoviz.ui.workspace import LEFT, workspace


def offer(settings: Settings) -> None:
    """In words, and a button that forgets."""
    with st.popover(tr("What is kept of my images"), icon=":material/lock:", width="stretch"):
        st.markdown(
            tr(
                "Images that you drop on Classify or Textures are held in memory for this session "
                "alone; nobody else sees them, and they are gone some minutes after you close the "
                "page. Texture pictures that you had made of them, with the originals beside them, "
                "stay on this machine's disk until they are forgotten. Nothing leaves this machine."
            )
        )
        st.button(
            tr("Forget everything of this session"),
            icon=":material/delete_forever:",
            key="forget-session",
            on_click=forget_session,
            args=(settings,),
        )


def forget_session(settings: Settings) -> None:
    """Let go of this session's images, results, explanations, texture pictures and choices."""
    forget_images(workspace().known, settings)
    st.session_state.clear()
    st.query_params.clear()


def let_go_of_pictures() -> None:
    """Decoded pictures, also changed ones, leave what all sessions share; they are read again.

    Explanations, which hold numbers made of an image, go where its session has ended.
    """
    gone = set(LEFT)
    asking.forget(gone)
    LEFT.difference_update(gone)
    opened.clear()
    whatif.forget()


def forget_images(hashes: Collection[str], settings: Settings) -> None:
    """Remove all that is kept outside of a session of images, by the SHA-256 of their bytes."""
    asking.forget(hashes)
    let_go_of_pictures()
    for original in (settings.home / "textures").glob("*/original"):
        try:
            known = hashlib.sha256(original.read_bytes()).hexdigest() in hashes
        except OSError:
            continue
        if known:
            shutil.rmtree(original.parent, ignore_errors=True)
