"""The Collections page in parts: what is here, as a wall that can be searched, and what is not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

import streamlit as st

from emoviz.checkpoints import Checkpoint
from emoviz.data.images import Limits, read_file
from emoviz.data.importers import Item
from emoviz.data.importers.content_state import mirador
from emoviz.data.importers.restrictions import restrictions
from emoviz.errors import EmovizError
from emoviz.inference.stored import table_path
from emoviz.review import open_store
from emoviz.review.acquire import (
    AcquiredWorks,
    AcquireRequest,
    Brought,
    SourceChanges,
    collection_folder,
    list_damaged,
    list_gathered,
    read_gathered,
    works_table,
)
from emoviz.review.ingest import remove_collection
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.language import emotion, listed, marked, moment, number, plural, tr, translated
from emoviz.ui.library import bring_in
from emoviz.ui.linked import linked_choice, write_parameter
from emoviz.ui.problems import show_problems
from emoviz.ui.review import blind, people
from emoviz.ui.review.queue import PARAMETER
from emoviz.ui.stepping import begin_at, show_large, stepped
from emoviz.ui.words import plain, readable, told

KEY, FIND = "collections", "words"  # of the form that brings them in; of the search
_PLACE = "collections-large"  # of the artwork in the large view
_WALL, _LISTED = 200, 200
_FEW, _TALL = 15, 620  # artworks, and CSS pixels, above which the wall scrolls by itself
_STATEMENTS = 6  # about rights that are shown
_CREDIT = ("attribution", "provider")  # shown with the rights
_KINDS = {
    "folder": marked("a folder"),
    "zip": marked("a ZIP"),
    "table": marked("a table"),
    "iiif": "IIIF",
    "wikiart-emotions": "WikiArt Emotions",
    "sample": marked("the project's sample"),
}


def known(settings: Settings) -> list[AcquiredWorks]:
    """Every collection on this machine."""
    return list_gathered(settings)


def damaged(settings: Settings) -> None:
    """Folders among the collections that are none, each named."""
    reasons = list_damaged(settings)
    if reasons:
        label = plural(
            "{count} collection cannot be used", "{count} collections cannot be used", len(reasons)
        )
        with st.expander(label, icon=":material/error:"):
            for reason in reasons:
                st.text(readable(reason))


def may_manage(settings: Settings) -> bool | None:
    """Whether the person here may bring in and remove; None while the page asks who it is.

    Before anybody reviewed on this machine, nobody is asked.
    """
    try:
        store = open_store(settings)
        if not access.login_is_set_up() and not store.reviewers():
            return True
    except EmovizError as error:
        st.error(told(error), icon=":material/error:")
        return None
    return None if people.who(store, settings) is None else access.allowed("collect")


def job_key(name: str) -> str:
    """Of the task that brings a collection in."""
    return f"collection {name}"


@access.acts("collect")
def begin(
    settings: Settings,
    request: AcquireRequest,
    checkpoint: Checkpoint | None,
    rights_read: bool = False,
    again: bool = False,
) -> None:
    """Bring a collection in, or go on, in the background; the link remembers it.

    `rights_read` says that what restricts the use of its artworks stood before the person's eyes,
    `again` that the source is to be looked at for what came, changed or went.
    """
    options = {
        "--kind": request.kind,
        "--title": request.title,
        "--images": request.images,
        "--votes": request.voters,
        "--side": str(request.side),
        "--checkpoint": str(checkpoint.folder) if checkpoint else "none",
    }
    command = ["collection", "add", request.name, request.source]
    command += [f"{name}={value}" for name, value in options.items() if value]
    command += ["--sent"] if request.sent else []
    command += ["--rights-read"] if rights_read else []
    command += ["--again"] if again else []
    what = tr("Bringing in {title}", title=request.title or request.name)
    background.begin(settings, what, command, job_key(request.name))
    bring_in.started(KEY, request.name)


def choose(found: Sequence[AcquiredWorks]) -> AcquiredWorks:
    """The collection that is looked at."""
    by_name = {item.request.name: item for item in found if item.request is not None}
    titles = distinct({name: _title(item) for name, item in by_name.items()})
    return by_name[linked_choice(tr("Collection"), titles, PARAMETER, width=280)]


def distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """Titles by name, with the name where several have one title: a picker goes by the words."""
    count = Counter(titles.values())
    return {
        name: f"{title} ({name})" if count[title] > 1 else title for name, title in titles.items()
    }


def summary(found: AcquiredWorks, settings: Settings) -> None:
    """In numbers, and what can be done next."""
    request = found.request
    assert request is not None
    kind, source = tr(_KINDS[request.kind]), plain(request.source)
    words = plural(
        "**{count} artwork** here, from {kind}",
        "**{count} artworks** here, from {kind}",
        len(found.ready),
        kind=kind if request.kind == "sample" else f"{kind}: {source}",
    )
    if found.waiting:
        waiting = plural(
            "{count} artwork waits to be brought in",
            "{count} artworks wait to be brought in",
            found.waiting,
        )
        words = f"{words}. {waiting}"
    st.markdown(f"{words}.")
    if found.stopped and found.waiting:
        st.warning(
            tr("The last try stopped early: {reason}.", reason=plain(translated(found.stopped))),
            icon=":material/cloud_off:",
        )


def changes(found: AcquiredWorks) -> None:
    """How the source differed when it was last looked at again: in one line, and by name."""
    if found.changes is None:
        return
    line = f":material/update: {change_words(found.changes)}"
    rows = [
        (readable(title), words)
        for words, titles in (
            (tr("is new"), found.changes.came),
            (tr("has another picture"), found.changes.pictures),
            (tr("is described in other words"), found.changes.words),
            (tr("is gone from its source"), found.changes.gone),
        )
        for title in titles
    ]
    if not rows:
        st.caption(line)
        return
    with st.expander(line):
        st.markdown("\n".join(f"- {plain(title)}: {words}" for title, words in rows[:_LISTED]))
        if (rest := len(rows) - _LISTED) > 0:
            st.caption(plural("and {count} more", "and {count} more", rest))


def change_words(found: SourceChanges) -> str:
    """``The source on 3 March 2026, 14:05: 2 new, 1 gone. Decisions are kept.``"""
    when = moment(datetime.fromisoformat(found.time).astimezone())
    if not found:
        return tr("The source on {moment}: nothing had changed.", moment=when)
    counted = [
        (plural("{count} new", "{count} new", len(found.came)), found.came),
        (
            plural(
                "{count} with another picture", "{count} with other pictures", len(found.pictures)
            ),
            found.pictures,
        ),
        (
            plural("{count} described anew", "{count} described anew", len(found.words)),
            found.words,
        ),
        (plural("{count} gone", "{count} gone", len(found.gone)), found.gone),
    ]
    words = listed(text for text, titles in counted if titles)
    return tr("The source on {moment}: {changes}. Decisions are kept.", moment=when, changes=words)


def rights(found: AcquiredWorks) -> None:
    """What the source restricts, in its words, before anybody has estimates made."""
    rows = restrictions(found.items)
    if not rows:
        return
    machines = any(row.machines for row in rows)
    lead = (
        tr(
            "The rights of these artworks speak of use by machines. No estimate is made before you "
            "ask for it: read them first."
        )
        if machines
        else tr("The rights of these artworks restrict their use. Read them before you go on.")
    )
    said = "".join(
        f"\n- {plain(row.statement)} ({_artworks(row.works)})" for row in rows[:_STATEMENTS]
    )
    rest = len(rows) - _STATEMENTS
    more = f"\n- {plural('and {count} more', 'and {count} more', rest)}" if rest > 0 else ""
    st.warning(f"{lead}\n{said}{more}", icon=":material/gavel:")


def actions(
    found: AcquiredWorks, checkpoint: Checkpoint, settings: Settings, manages: bool
) -> None:
    """Review and map; for those who may, estimates, another try and removal."""
    request = found.request
    assert request is not None
    live = background.outcome(settings, job_key(request.name)) == "live"
    estimated = _has_estimates(request.name, checkpoint, settings)
    with st.container(horizontal=True, vertical_alignment="center"):
        if estimated:
            if st.button(tr("Review them"), icon=":material/rate_review:", type="primary"):
                st.switch_page("pages/review/artworks.py", query_params={PARAMETER: request.name})
            if request.name not in blind.hidden(settings) and st.button(
                tr("See them on the map"), icon=":material/scatter_plot:"
            ):
                key = _table(request.name, checkpoint.card.id, settings).parent.name
                st.switch_page("pages/explore/embeddings.py", query_params={"collection": key})
        elif manages:
            st.button(
                tr("Ask {network}", network=plain(checkpoint.card.title)),
                help=tr("Each artwork passes the network once, in the background."),
                icon=":material/hub:",
                type="primary",
                disabled=live or not found.ready,
                on_click=begin,
                args=(settings, request, checkpoint, True),
            )
        missing = len(found.failed) + found.waiting
        if missing and manages:
            st.button(
                plural("Try {count} missing one again", "Try {count} missing ones again", missing),
                icon=":material/refresh:",
                disabled=live,
                on_click=begin,
                args=(settings, request, checkpoint if estimated else None, estimated),
            )
        if manages and request.kind != "sample" and not request.sent:
            machines = any(row.machines for row in restrictions(found.items))
            st.button(
                tr("Look for changes"),
                icon=":material/update:",
                disabled=live,
                on_click=begin,
                args=(settings, request, checkpoint if estimated else None),
                kwargs={"rights_read": estimated and machines, "again": True},
                help=tr(
                    "Asks the source again: what came is brought in, what changed is told, and "
                    "decisions are kept."
                ),
            )
        if manages:
            _removal(found, settings, live)
        blind.control(request.name, settings)


@access.offers("collect")
def _removal(found: AcquiredWorks, settings: Settings, live: bool) -> None:
    assert found.request is not None
    with st.popover(tr("Remove"), icon=":material/delete:", disabled=live):
        st.markdown(
            tr(
                "What was fetched for this collection is deleted. Your own files stay where they "
                "are, and decisions that people made are kept."
            )
        )
        st.button(
            tr("Remove {title}", title=plain(_title(found))),
            key="collections-remove",
            on_click=_remove,
            args=(settings, found.request.name),
        )


def wall(found: AcquiredWorks, settings: Settings) -> None:
    """The artworks as pictures, those that fit the words that are searched for."""
    # Streamlit's own binding to the link would forbid to leave for another page by a button.
    st.session_state.setdefault(FIND, st.query_params.get(FIND, ""))
    asked = st.text_input(
        tr("Find"),
        key=FIND,
        placeholder=tr("an artist, a word of a title, a year, a place ..."),
        icon=":material/search:",
        width=420,
        help=tr("All words must occur, in the title, the artist, the date or any other metadata."),
    )
    write_parameter(FIND, asked or "")
    rows = [row for row in found.ready if fits(row[0], asked or "")]
    shown = rows[:_WALL]
    words = _artworks(len(rows))
    if asked:
        words = tr("{artworks} of {all}", artworks=words, all=number(len(found.ready)))
    if len(rows) > _WALL:
        more = tr("the first {count} are shown, search to see others", count=_WALL)
        words = f"{words}; {more}"
    st.caption(words)
    pictures = Pictures(settings).get_many(state.sha256 for _, state in shown)
    tiles = [_tile(item, pictures.get(state.sha256)) for item, state in shown]
    with st.container(height=_TALL if len(tiles) > _FEW else "content", border=False):
        pressed = gallery(tiles, "collections-wall", tr("Artworks of the collection"), side=136)
    if pressed is not None:
        details(shown, pressed)


def missing(found: AcquiredWorks) -> None:
    """What is not here, each with its reason."""
    rows = [(item.title or item.key, translated(state.error)) for item, state in found.failed]
    rows += [(problem.key, translated(problem.reason)) for problem in found.problems]
    show_problems(rows, len(found.ready))


def fits(item: Item, asked: str) -> bool:
    """Whether all the words occur in what is known of an artwork, whatever the capitals."""
    words = asked.casefold().split()
    if not words:
        return True
    own = (item.title, item.artist, item.style, item.date, item.rights, item.label, item.key)
    text = " ".join((*own, *item.metadata.values())).casefold()
    return all(word in text for word in words)


def _tile(item: Item, picture: bytes | None) -> Tile:
    detail = ", ".join(filter(None, (item.artist, item.date)))
    return Tile(picture, readable(item.title or item.key), readable(detail))


def details(rows: Sequence[tuple[Item, Brought]], place: int) -> None:
    """One artwork in large, with all that its source says of it; arrows lead to the others."""
    begin_at(_PLACE, place)
    st.dialog(tr("Artwork"), width="large")(_large)(rows)


def _large(rows: Sequence[tuple[Item, Brought]]) -> None:
    item, state = rows[stepped(_PLACE, len(rows))]
    picture, beside = st.columns([5, 3], gap="medium")
    with picture:
        show_large(lambda: read_file(Path(state.file), Limits()), item.title or item.key)
    beside.html(details_html(item))


def details_html(item: Item) -> str:
    """What is known of an artwork, escaped; addresses become links only where they are http(s)."""
    own = {
        tr("Artist"): item.artist,
        tr("Date"): item.date,
        tr("Style"): item.style,
        tr("Rights"): item.rights,
        tr("Attribution"): item.metadata.get("attribution", ""),
        tr("Provider"): item.metadata.get("provider", ""),
        tr("Label of the source"): item.label,
        tr("Page"): item.page,
        tr("IIIF canvas"): item.canvas,
        tr("IIIF manifest"): item.manifest,
    }
    votes = sorted(item.shares.items(), key=lambda row: -row[1])
    shares = ", ".join(
        f"{emotion(name)} {100 * share:.0f} %" for name, share in votes if share >= 0.1
    )
    others = {name: text for name, text in item.metadata.items() if name not in _CREDIT}
    rows = {**own, tr("People's votes"): shares, **others}
    cells = "".join(
        f"<tr><th>{escape(readable(name))}</th><td>{_linked(text)}</td></tr>"
        for name, text in rows.items()
        if text
    )
    title = escape(readable(item.title or item.key))
    viewer = mirador(item.manifest, item.canvas)
    link = f"<p>{_link(viewer, escape(tr('Open in Mirador')))}</p>" if viewer else ""
    table = f"<table><tbody>{cells}</tbody></table>"
    return f'<div class="ev-facts"><h2>{title}</h2>{link}{table}</div>'


def _linked(text: str) -> str:
    shown = escape(readable(text))
    is_address = text.startswith(("https://", "http://")) and not set(text) & set(" \"'<>")
    return _link(text, shown) if is_address else shown


def _link(address: str, shown: str) -> str:
    rules = 'target="_blank" rel="noopener noreferrer"'
    return f'<a href="{escape(address, quote=True)}" {rules}>{shown}</a>'


def _artworks(count: int) -> str:
    return plural("{count} artwork", "{count} artworks", count)


def _title(found: AcquiredWorks) -> str:
    assert found.request is not None
    return readable(found.request.title or found.request.name)


def _has_estimates(name: str, checkpoint: Checkpoint, settings: Settings) -> bool:
    return _table(name, checkpoint.card.id, settings).is_file()


def _table(name: str, checkpoint: str, settings: Settings) -> Path:
    """Where `embed` puts the table: by the path of works.csv and its title."""
    table = works_table(settings, name).absolute()
    return table_path(settings, str(table), "/".join(table.parts[-2:]), checkpoint)


@access.acts("collect")
def _remove(settings: Settings, name: str) -> None:
    try:
        remove_collection(name, settings)
    except (EmovizError, OSError) as error:
        st.error(told(error), icon=":material/error:")
        return
    st.session_state.pop(PARAMETER, None)
    st.toast(tr("The collection is removed."), icon=":material/delete:")


def is_taken(settings: Settings, name: str) -> bool:
    """Whether there is such a collection, or its name cannot be used."""
    try:
        found = read_gathered(settings, name)
        return found.request is not None or collection_folder(settings, name).exists()
    except EmovizError:
        return True
