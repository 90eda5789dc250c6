"""Small pictures of records, one in large with what is known of it, and what is decided of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeVar

import streamlit as st

from emoviz.curation.examined import Examined
from emoviz.data.dataset import NO_LABEL, Record
from emoviz.data.image_statistics import thumbnail_of
from emoviz.data.images import Limits, open_image, thumbnail
from emoviz.errors import ImageError
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.curation.subject import CurationSubject, Marks, mark, read_marks
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.words import plain, readable

SIDE = 112
_LARGE, _PAGE, _ROW_SIDE = 900, 48, 150
_HAND = {"drop": "thrown out by hand", "keep": "kept by hand"}
T = TypeVar("T")


@dataclass(frozen=True)
class ShownImages:
    """One picture of a wall: which record of the set, its second line, and its first.

    Attributes:
        place: Of the record in the set.
        detail: The second line; the label where empty.
        title: The first line; the file's name where empty.
    """

    place: int
    detail: str = ""
    title: str = ""


def wall(
    subject: CurationSubject, settings: Settings, rows: Sequence[ShownImages], key: str, label: str
) -> None:
    """Pictures, a page at a time; a press opens one in large.

    Args:
        subject: The set.
        settings: Caps on images.
        rows: Which of them.
        key: Of the element.
        label: For screen readers.
    """
    part = paged(rows, key)
    _pressable(subject, settings, part, key, label, SIDE)
    pager(rows, key)


def row(
    subject: CurationSubject, settings: Settings, rows: Sequence[ShownImages], key: str, label: str
) -> None:
    """A few pictures side by side, larger; a press opens one. Arguments as of `wall`."""
    _pressable(subject, settings, rows, key, label, _ROW_SIDE)


def paged(rows: Sequence[T], key: str, size: int = _PAGE) -> Sequence[T]:
    """The part of a list that the pager of that key is at."""
    page = min(max(1, st.session_state.get(f"{key}-page", 1)), max(1, -(-len(rows) // size)))
    return rows[(page - 1) * size : page * size]


def pager(rows: Sequence[object], key: str, size: int = _PAGE) -> None:
    """Buttons to the other parts; nothing where there is one."""
    if len(rows) > size:
        st.pagination(-(-len(rows) // size), key=f"{key}-page")


def picture(record: Record, settings: Settings) -> bytes | None:
    """A small JPEG; None where the image cannot be read."""
    inside = None if record.content is None else record.content[:4096]
    changed = 0 if inside is not None else _time(record.path)
    return _picture(record.name, record.path, changed, inside, Limits.of(settings), record)


def sha256_of(item: Examined | None, place: int) -> str:
    """The hash of a record's image; "" where it was not examined or is unreadable."""
    return "" if item is None else item.looks.sha256[place]


def label_of(subject: CurationSubject, place: int) -> str:
    """The label of a record; "no label" where it has none."""
    label = subject.labelled.records[place].label
    return "no label" if label == NO_LABEL else subject.labelled.taxonomy.names[label]


def facts_html(subject: CurationSubject, place: int) -> str:
    """What is known of one image, escaped."""
    record = subject.labelled.records[place]
    rows = {
        "Label": _shares(subject, record) if subject.labelled.votes else label_of(subject, place),
        "Split": record.split or "none",
        "Group": record.group if record.group != record.name else "",
        **_looks(subject.item, place),
        **record.metadata,
        "File": str(record.path) if record.content is None else "inside the set",
    }
    cells = "".join(
        f"<tr><th>{escape(readable(name))}</th><td>{escape(readable(text))}</td></tr>"
        for name, text in rows.items()
        if text
    )
    return f'<div class="ev-facts"><table><tbody>{cells}</tbody></table></div>'


@st.dialog("One image of the set", width="large")
def _details(subject: CurationSubject, place: int, settings: Settings) -> None:
    record = subject.labelled.records[place]
    st.markdown(f"**{plain(record.name)}**")
    large, facts = st.columns([3, 2], gap="large")
    with large:
        try:
            limits = Limits.of(settings)
            opened = open_image(record.read(limits), limits, short_side=_LARGE)
            st.image(thumbnail(opened.pixels, _LARGE), alt=readable(record.name))
        except ImageError as error:
            st.warning(f"It cannot be shown: {plain(str(error))}.", icon=":material/error:")
    with facts:
        st.html(facts_html(subject, place))
        _decide(subject, place)


@access.offers("prepare")
def _decide(subject: CurationSubject, place: int) -> None:
    """Throw out or keep by hand, or take that back."""
    sha256 = sha256_of(subject.item, place)
    if not sha256:
        st.caption("Once the set is examined, single images can be thrown out here by hand.")
        return
    now = read_marks(subject).of(sha256)
    said = {
        "drop": "Preparation throws it out, because you said so.",
        "keep": "Preparation keeps it whatever the filters say, because you said so.",
        "": "Preparation goes by its filters.",
    }
    st.caption(said[now])
    options = {"drop": "Throw it out", "keep": "Keep it in any case", "": "Leave it to the filters"}
    icons = {"drop": ":material/delete:", "keep": ":material/push_pin:", "": ":material/undo:"}
    with st.container(horizontal=True):
        for what, words in options.items():
            if what != now and st.button(words, key=f"datasets-mark-{what}", icon=icons[what]):
                mark(subject, [sha256], what)
                st.rerun()


def _pressable(
    subject: CurationSubject,
    settings: Settings,
    rows: Sequence[ShownImages],
    key: str,
    label: str,
    side: int,
) -> None:
    marks = read_marks(subject)
    tiles = [_tile(subject, row, marks, settings) for row in rows]
    pressed = gallery(tiles, key, label, side=side)
    if pressed is not None:
        _details(subject, rows[pressed].place, settings)


def _tile(subject: CurationSubject, row: ShownImages, marks: Marks, settings: Settings) -> Tile:
    record = subject.labelled.records[row.place]
    colour = ""
    if record.label != NO_LABEL:
        colour = subject.labelled.taxonomy.classes[record.label].colour
    detail = row.detail or label_of(subject, row.place)
    now = marks.of(sha256_of(subject.item, row.place))
    detail = f"{_HAND[now]}: {detail}" if now else detail
    name = readable(row.title or record.name.rpartition("/")[2])
    return Tile(picture(record, settings), name, readable(detail), colour)


def _looks(item: Examined | None, place: int) -> dict[str, str]:
    if item is None or item.looks.reason[place]:
        return {}
    looks = item.looks
    found = {
        "Size": f"{looks.width[place]:,} x {looks.height[place]:,} pixels",
        "Brightness": f"{looks.brightness[place]:.2f} (0 black, 1 white)",
        "Saturation": f"{looks.saturation[place]:.2f}",
    }
    for title, seen in (("Text", item.text), ("Largest face", item.faces)):
        if seen is not None and seen.share[place] > 0:
            found[title] = f"{100 * seen.share[place]:.1f} % of the picture"
    return found


def _shares(subject: CurationSubject, record: Record) -> str:
    names = subject.labelled.taxonomy.names
    rows = sorted(zip(names, record.shares, strict=True), key=lambda row: -row[1])
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in rows if share >= 0.05)


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@st.cache_data(max_entries=3000, show_spinner=False)
def _picture(
    name: str, path: Path, changed: int, inside: bytes | None, _limits: Limits, _record: Record
) -> bytes | None:
    return thumbnail_of(_record, _limits, 2 * SIDE)
