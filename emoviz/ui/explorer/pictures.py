"""Thumbnails for elements that run again by themselves, long after the page was drawn."""

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from emoviz.errors import TableError
from emoviz.inference.cache import Thumbnails
from emoviz.settings import Settings
from emoviz.ui.words import plain

_TOLD = "pictures-told"


@dataclass(frozen=True)
class Pictures:
    """The kept thumbnails; each question opens the store anew, which takes under a millisecond.

    Attributes:
        settings: Where they are.
    """

    settings: Settings

    def get(self, sha256: str) -> bytes | None:
        """The JPEG of an image; None where there is none."""
        return self.get_many([sha256]).get(sha256)

    def get_many(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """The JPEGs of some images by hash; images without one, or without a hash, are left out.

        Where the store cannot be used there is none, and the reason is told once a session.
        """
        try:
            with Thumbnails(self.settings) as kept:
                return kept.get_many(digest for digest in hashes if digest)
        except TableError as error:
            if not st.session_state.get(_TOLD):
                st.session_state[_TOLD] = True
                words = f"Small pictures cannot be shown. {plain(str(error))}"
                st.toast(words, icon=":material/broken_image:", duration="long")
            return {}
