"""What the labelled set holds that is learned from."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st

from emoviz.data.dataset import Dataset, Record
from emoviz.data.dataset_file import KnownSet
from emoviz.data.images import Limits, open_image, thumbnail
from emoviz.data.reading import read_labelled
from emoviz.errors import EmovizError, ImageError
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.words import plain, readable

_PICTURES, _SIDE = 16, 88  # eight beside each other on a wide page


def read(known: KnownSet) -> Dataset | None:
    """Its records; None where it cannot be read, which is then on the page."""
    try:
        changed = known.path.stat().st_mtime_ns if known.path.exists() else 0
        return _read(known.path, changed)
    except EmovizError as error:
        st.error(
            f"{plain(str(error))}\n\nChoose another set above, or bring it in again.",
            title="This set cannot be read",
            icon=":material/error:",
        )
        return None


def show(labelled: Dataset, counts: dict[str, int]) -> None:
    """How many images each class has, and some of them."""
    st.html(_bars(labelled, counts))
    tiles = [
        Tile(picture, record.name.rpartition("/")[2], name, colour)
        for record, name, colour in _some(labelled)
        if (picture := _picture(record)) is not None
    ]
    gallery(tiles, "retrain-pictures", "Some images of the set", side=_SIDE)


@st.cache_resource(max_entries=4, show_spinner="Reading the set …")
def _read(path: Path, changed: int) -> Dataset:
    """Kept by the file's time of change, too."""
    return read_labelled(path)


def _bars(labelled: Dataset, counts: dict[str, int]) -> str:
    most = max([*counts.values(), 1])
    shown = (
        sorted(counts.items(), key=lambda item: -item[1]) if len(counts) > 12 else counts.items()
    )
    colours = labelled.taxonomy.colours
    rows = [
        '<div style="display:flex;gap:.6rem;align-items:center;line-height:1.5">'
        f'<span style="width:9rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap">'
        f"{escape(readable(name))}</span>"
        f'<span style="height:.7rem;border-radius:3px;width:{max(60 * count / most, 0.3):.1f}%;'
        f'background:{colours[name]}"></span><span>{count:,}</span></div>'
        for name, count in list(shown)[:24]
    ]
    more = f"<p>… and {len(counts) - 24:,} more classes</p>" if len(counts) > 24 else ""
    return f'<div style="max-width:46rem">{"".join(rows)}{more}</div>'


def _some(labelled: Dataset) -> Sequence[tuple[Record, str, str]]:
    """Images of as many classes as there is room for, in turn."""
    order = np.random.default_rng(0).permutation(len(labelled.records))
    by_class: dict[int, list[Record]] = {}
    for i in order:
        record = labelled.records[i]
        if record.label >= 0:
            by_class.setdefault(record.label, []).append(record)
    turns = [(k, label, r) for label, rs in by_class.items() for k, r in enumerate(rs[:_PICTURES])]
    chosen = [(label, record) for _, label, record in sorted(turns, key=lambda t: t[:2])]
    classes = labelled.taxonomy.classes
    return [(record, classes[c].name, classes[c].colour) for c, record in chosen[:_PICTURES]]


def _picture(record: Record) -> bytes | None:
    content = record.content
    key = None if content is None else base64.b64encode(content[:64]).decode()
    return _thumbnail(record.name, record.path, key, record)


@st.cache_data(max_entries=200, show_spinner=False)
def _thumbnail(name: str, path: Path, key: str | None, _record: Record) -> bytes | None:
    try:
        opened = open_image(_record.read(Limits()), short_side=2 * _SIDE)
    except ImageError:
        return None
    return thumbnail(opened.pixels, 2 * _SIDE, quality=78)
