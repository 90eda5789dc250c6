"""From any image on a page to the page that says why, with one press.

Cards are one block of HTML; a press on a button with ``data-ev-why`` in it is heard here, by a
component without a face of its own, and the session goes along.
"""

import streamlit as st

from emoviz.ui.textures.subject import BACK, PAGE, kept_link, remember
from emoviz.ui.workspace import workspace

_LISTENER = st.components.v2.component(
    "emoviz_why",
    html="<span hidden></span>\n",
    js="""
export default function ({ setTriggerValue }) {
  const heard = (event) => {
    const button = event.target.closest?.("[data-ev-why]")
    if (button) setTriggerValue("asked", Number(button.dataset.evWhy))
  }
  document.addEventListener("click", heard)
  return () => document.removeEventListener("click", heard)
}
""",
)


def follow(back: str) -> None:
    """Go where a card's button leads, if one was pressed.

    Args:
        back: Path of this page, to return to.
    """
    asked = _LISTENER(key="why", on_asked_change=_nothing).asked
    if asked is not None:
        go(int(asked), back)


def go(number: int, back: str) -> None:
    """To the page that says why, about the image of that number."""
    remember(number)
    st.session_state[BACK] = back
    link = kept_link()
    for entry in workspace().entries:
        if entry.number == number and entry.sample:  # an upload is in this session alone
            link["sample"] = entry.sample
    st.switch_page(PAGE, query_params=link)


def _nothing() -> None:
    """A trigger exists only where something listens."""
