"""One kind of fault with its pictures: single images, groups of copies, pairs across splits."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from emoviz.curation.findings import SHOWN
from emoviz.curation.telling import contradictions, verdicts
from emoviz.settings import Settings
from emoviz.ui.curation.pictures import Shown, label_of, picture, wall
from emoviz.ui.curation.subject import Subject, mark, read_marks
from emoviz.ui.linked import linked_choice
from emoviz.ui.words import counted, plain, readable

_GROUPS, _MEMBERS = 12, 6  # groups a page, pictures a group
_GROUPED = ("leaks", "duplicates", "near_duplicates", "contradictions")
_ELSEWHERE = ("text", "faces")  # which have a view of their own


def choose(subject: Subject) -> str:
    """Which kind is looked at; "" where nothing was found."""
    assert subject.found is not None
    rows = [v for v in verdicts(subject.found) if v.count and v.kind not in _ELSEWHERE]
    if not rows:
        return ""
    words = {row.kind: f"{row.title} ({row.count:,})" for row in rows}
    return linked_choice("See them", words, "fault", width=380)


def show(subject: Subject, kind: str, settings: Settings) -> None:
    """The pictures of one kind, with what makes them odd."""
    found = subject.found
    assert found is not None
    verdict = next(row for row in verdicts(found) if row.kind == kind)
    st.markdown(f"{plain(verdict.words)} {plain(verdict.advice)}")
    if kind in _GROUPED:
        _show_groups(subject, kind, settings)
        return
    rows = _singles(subject, kind)
    if (verdict.count or 0) > SHOWN:
        st.caption(f"The first {SHOWN:,} are shown; the examination's table has all.")
    if kind in ("outliers", "suspect_labels"):
        st.caption(f"Judged by {plain(str(found[kind]['by']))}.")
    wall(subject, settings, rows, f"datasets-fault-{kind}", verdict.title)
    _by_hand(subject, rows, kind)


def _singles(subject: Subject, kind: str) -> list[Shown]:
    """Place of each named image, with the reason below its name."""
    assert subject.found is not None
    entries: Sequence[Any] = subject.found[kind]["list"]
    rows = []
    for entry in entries:
        name = entry if isinstance(entry, str) else entry["name"]
        place = subject.opened.places.get(name)
        if place is not None:
            doubt = f"rather {entry['rather']}?" if kind == "suspect_labels" else ""
            rows.append(Shown(place, _reason(subject, kind, entry, place), doubt))
    return rows


def _reason(subject: Subject, kind: str, entry: Any, place: int) -> str:
    item = subject.item
    assert item is not None
    if kind == "suspect_labels":
        return str(entry["label"])
    if kind == "unreadable":
        return str(entry["reason"])
    if kind in ("tiny", "extreme_aspect"):
        return f"{item.looks.width[place]:,} x {item.looks.height[place]:,} pixels"
    return label_of(subject, place)


def _by_hand(subject: Subject, rows: Sequence[Shown], kind: str) -> None:
    """Throw out all that are shown, or take that back."""
    item = subject.item
    assert item is not None
    hashes = [sha for row in rows if (sha := item.looks.sha256[row.place])]
    if not hashes or kind == "unreadable":
        return
    gone = read_marks(subject).drop & set(hashes)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Throw out all {len(hashes):,}",
            key=f"datasets-drop-{kind}",
            icon=":material/delete:",
            on_click=mark,
            args=(subject, hashes, "drop"),
            disabled=len(gone) == len(set(hashes)),
            help="Noted for Preparation; nothing is deleted. Or press single pictures above.",
        )
        if gone:
            st.button(
                f"Take back ({len(gone):,} thrown out)",
                key=f"datasets-back-{kind}",
                icon=":material/undo:",
                on_click=mark,
                args=(subject, sorted(gone), ""),
            )


def _show_groups(subject: Subject, kind: str, settings: Settings) -> None:
    assert subject.found is not None
    groups = _groups(subject.found, kind)
    pages = -(-len(groups) // _GROUPS)
    page = min(max(1, st.session_state.get(f"datasets-{kind}-page", 1)), max(pages, 1))
    part = groups[(page - 1) * _GROUPS : page * _GROUPS]
    cards = "".join(_group_html(subject, group, settings) for group in part)
    st.html(f'<div class="ev-groups">{cards}</div>')
    if pages > 1:
        st.pagination(pages, key=f"datasets-{kind}-page")


def _groups(found: Mapping[str, Any], kind: str) -> list[tuple[list[str], str]]:
    """(names, what makes them a group)."""
    if kind == "leaks":
        return [
            ([row["first"], row["second"]], _alike(row) + ": " + " and ".join(row["splits"]))
            for row in found["leaks"]["list"]
        ]
    if kind == "near_duplicates":
        pairs = [*found[kind]["pairs"]["list"], *found[kind]["by_vector"]["list"]]
        return [([row["first"], row["second"]], _alike(row)) for row in pairs]
    rows = contradictions(found) if kind == "contradictions" else found[kind]["list"]
    return [(group["names"], counted(len(group["names"]), "file")) for group in rows]


def _alike(row: Mapping[str, Any]) -> str:
    """In what two images are alike."""
    if row["kind"] == "same file":
        return "equal bytes"
    if row["kind"] == "vector":
        return "alike to the network"
    bits = row.get("distance")
    return "look alike" if bits is None else f"look alike ({bits:.0f} of 64 bits differ)"


def _group_html(subject: Subject, group: tuple[list[str], str], settings: Settings) -> str:
    names, words = group
    figures = "".join(_figure(subject, name, settings) for name in names[:_MEMBERS])
    more = f"<p>and {len(names) - _MEMBERS:,} more</p>" if len(names) > _MEMBERS else ""
    return f'<div class="ev-group"><p>{escape(words)}</p><div>{figures}</div>{more}</div>'


def _figure(subject: Subject, name: str, settings: Settings) -> str:
    place = subject.opened.places.get(name)
    jpeg = picture(subject.labelled.records[place], settings) if place is not None else None
    shown = (
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}">'
        if jpeg
        else '<span class="ev-missing">no picture</span>'
    )
    if place is None:
        return f"<figure>{shown}<figcaption>{escape(readable(name))}</figcaption></figure>"
    split = subject.labelled.records[place].split or "no split"
    return (
        f'<figure>{shown}<figcaption title="{escape(readable(name), quote=True)}">'
        f"<b>{escape(readable(label_of(subject, place)))}</b>, {split}<br>"
        f"{escape(readable(name.rpartition('/')[2]))}</figcaption></figure>"
    )
