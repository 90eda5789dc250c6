"""One kind of fault with its pictures: single images, groups of copies, pairs across splits."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from emoviz.curation.findings import SHOWN
from emoviz.curation.telling import verdicts
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.curation.pictures import ShownImages, label_of, paged, pager, wall
from emoviz.ui.curation.pictures import row as pictures_row
from emoviz.ui.curation.subject import CurationSubject, mark, read_marks
from emoviz.ui.linked import linked_choice
from emoviz.ui.words import counted, plain

_GROUPS, _MEMBERS = 12, 6  # groups a page, pictures a group
_TRUST = {
    "outliers": "",
    "suspect_labels": " A network that was trained on these very images has taken their labels on "
    "trust and doubts too few: examine anew with another network in the sidebar.",
}
_GROUPED = ("leaks", "duplicates", "near_duplicates", "contradictions")
_ELSEWHERE = ("text", "faces")  # which have a view of their own


def choose(subject: CurationSubject) -> str:
    """Which kind is looked at; "" where nothing was found."""
    assert subject.found is not None
    rows = [v for v in verdicts(subject.found) if v.count and v.kind not in _ELSEWHERE]
    if not rows:
        return ""
    words = {row.kind: f"{row.title} ({row.count:,})" for row in rows}
    return linked_choice("See them", words, "fault", width=380)


def show(subject: CurationSubject, kind: str, settings: Settings) -> None:
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
        st.caption(f"Judged by {plain(str(found[kind]['by']))}.{_TRUST[kind]}")
    wall(subject, settings, rows, f"datasets-fault-{kind}", verdict.title)
    _by_hand(subject, rows, kind)


def _singles(subject: CurationSubject, kind: str) -> list[ShownImages]:
    """Place of each named image, with the reason below its name."""
    assert subject.found is not None
    entries: Sequence[Any] = subject.found[kind]["list"]
    rows = []
    for entry in entries:
        name = entry if isinstance(entry, str) else entry["name"]
        place = subject.opened.places.get(name)
        if place is not None:
            doubt = f"rather {entry['rather']}?" if kind == "suspect_labels" else ""
            rows.append(ShownImages(place, _reason(subject, kind, entry, place), doubt))
    return rows


def _reason(subject: CurationSubject, kind: str, entry: Any, place: int) -> str:
    item = subject.item
    assert item is not None
    if kind == "suspect_labels":
        return str(entry["label"])
    if kind == "unreadable":
        return str(entry["reason"])
    if kind in ("tiny", "extreme_aspect"):
        return f"{item.looks.width[place]:,} x {item.looks.height[place]:,} pixels"
    return label_of(subject, place)


@access.offers("prepare")
def _by_hand(subject: CurationSubject, rows: Sequence[ShownImages], kind: str) -> None:
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


def _show_groups(subject: CurationSubject, kind: str, settings: Settings) -> None:
    """Two groups beside each other, a page at a time; each picture opens and can be decided on."""
    assert subject.found is not None
    groups = groups_of(subject.found, kind)
    key = f"datasets-{kind}"
    st.caption("Press a picture to see it in large, throw it out by hand or keep it in any case.")
    for number, (names, words) in enumerate(paged(groups, key, _GROUPS)):
        if number % 2 == 0:
            columns = st.columns(2)
        with columns[number % 2], st.container(border=True):
            more = f", {len(names) - _MEMBERS:,} more" if len(names) > _MEMBERS else ""
            st.caption(f"{plain(words)}{more}")
            places = [subject.opened.places.get(name) for name in names[:_MEMBERS]]
            shown = [_member(subject, place) for place in places if place is not None]
            pictures_row(subject, settings, shown, f"{key}-{number}", words)
    pager(groups, key, _GROUPS)


def _member(subject: CurationSubject, place: int) -> ShownImages:
    """Label and split above, the file's name below."""
    record = subject.labelled.records[place]
    title = f"{label_of(subject, place)}, {record.split or 'no split'}"
    return ShownImages(place, record.name.rpartition("/")[2], title)


def groups_of(found: Mapping[str, Any], kind: str) -> list[tuple[list[str], str]]:
    """(names, what makes them a group), each two images once."""
    if kind == "leaks":
        return [
            ([row["first"], row["second"]], _alike(row) + ": " + " and ".join(row["splits"]))
            for row in found["leaks"]["list"]
        ]
    if kind == "near_duplicates":
        return [([row["first"], row["second"]], _alike(row)) for row in _near(found)]
    rows = found[kind]["list"]
    return [(group["names"], counted(len(group["names"]), "file")) for group in rows]


def _near(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Pairs by hash, then those that only the network finds; copies of one file are no news."""
    groups = enumerate(found["duplicates"]["list"])
    file = {name: number for number, group in groups for name in group["names"]}
    near = found["near_duplicates"]
    seen: dict[frozenset[str], Mapping[str, Any]] = {}
    for row in (*near["pairs"]["list"], *near["by_vector"]["list"]):
        first, second = row["first"], row["second"]
        if first not in file or file[first] != file.get(second):
            seen.setdefault(frozenset((first, second)), row)
    return list(seen.values())


def _alike(row: Mapping[str, Any]) -> str:
    """In what two images are alike."""
    if row["kind"] == "same file":
        return "equal bytes"
    if row["kind"] == "vector":
        return "alike to the network"
    bits = row.get("distance")
    return "look alike" if bits is None else f"look alike ({bits:.0f} of 64 bits differ)"
