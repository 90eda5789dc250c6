"""An image in a large view, and going from it to the next."""

from collections.abc import Callable

import streamlit as st

from emoviz.data.images import open_image, thumbnail
from emoviz.errors import ImageError
from emoviz.ui.language import number, tr
from emoviz.ui.words import readable, told

_LARGE = 900  # pixels of the long side


def begin_at(key: str, place: int) -> None:
    """Have the view of that key open at an image."""
    st.session_state[key] = place


def stepped(key: str, count: int) -> int:
    """Buttons to the image before and after, by the arrow keys too; the place of the one shown."""
    place = min(max(int(st.session_state.get(key, 0)), 0), count - 1)
    if count < 2:
        return place
    with st.container(horizontal=True, vertical_alignment="center"):
        for words, icon, by, shortcut in (
            (tr("Previous"), ":material/chevron_left:", -1, "Left"),
            (tr("Next"), ":material/chevron_right:", 1, "Right"),
        ):
            st.button(
                words,
                key=f"{key}-{by}",
                icon=icon,
                disabled=not 0 <= place + by < count,
                shortcut=shortcut,
                on_click=begin_at,
                args=(key, place + by),
            )
        st.caption(tr("{number} of {all}", number=number(place + 1), all=number(count)))
    return place


def show_large(read: Callable[[], bytes], title: str) -> None:
    """The image of these bytes, or why it cannot be shown."""
    try:
        opened = open_image(read(), short_side=_LARGE)
    except ImageError as error:
        words = tr("Its image cannot be shown: {reason}", reason=told(error))
        st.warning(words, icon=":material/error:")
        return
    with st.container(key="artwork-large"):
        st.image(thumbnail(opened.pixels, _LARGE), width="content", alt=readable(title))
