"""The images that come with the project: a gallery for trying the page with one click."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from emoviz.data.images import open_image, thumbnail
from emoviz.errors import ImageError
from emoviz.ui.cards import data_uri

_SIDE, _LARGE = 220, 800


@dataclass(frozen=True)
class Sample:
    """One image of the gallery: its file under ``sample_data`` and what is known of it."""

    file: str
    caption: str

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.file).name


@st.cache_data(max_entries=2, show_spinner=False)
def shown_samples(folder: Path) -> list[Sample]:
    """Those shown on the page, in order; empty where the project came without samples."""
    return [Sample(row["file"], row["caption"]) for row in _rows(folder / "gallery.csv")]


@st.cache_data(max_entries=2, show_spinner=False)
def known_samples(folder: Path) -> Mapping[str, Sample]:
    """All that a link may name, by file; the gallery's captions come first."""
    others = (Sample(row["file"], _caption(row)) for row in _rows(folder / "images.csv"))
    return {item.file: item for item in (*others, *shown_samples(folder))}


@st.cache_data(max_entries=2, show_spinner=False)
def artworks(folder: Path) -> list[Sample]:
    """The paintings and prints among them."""
    rows = _rows(folder / "images.csv")
    return [Sample(row["file"], _caption(row)) for row in rows if row.get("kind") == "artwork"]


@st.cache_data(max_entries=2, show_spinner=False)
def small_pictures(folder: Path) -> list[bytes | None]:
    """Thumbnails of those shown, in the same order, as JPEGs; None where a file is gone."""
    return [_picture(folder / sample.file, _SIDE) for sample in shown_samples(folder)]


@st.cache_data(max_entries=50, show_spinner=False)
def large_picture(file: Path) -> str | None:
    """An image as large as a page shows it, as a data URI; None where it cannot be read."""
    picture = _picture(file, _LARGE)
    return data_uri(picture) if picture else None


def _picture(file: Path, side: int) -> bytes | None:
    try:
        opened = open_image(file.read_bytes(), short_side=side)
    except (OSError, ImageError):
        return None
    return thumbnail(opened.pixels, side, quality=78)


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _caption(row: Mapping[str, str]) -> str:
    artist, title, year = (row.get(key, "") for key in ("artist_or_author", "title", "year"))
    text = f"{artist}, {title}" if row.get("kind") == "artwork" and artist else title
    return f"{text} ({year})" if year else text
