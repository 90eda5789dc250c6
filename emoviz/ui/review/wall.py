"""The collection as a wall of pictures, and the shares of emotions against what is known of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from emoviz.plots import percent
from emoviz.plots.bars import shares_by
from emoviz.review import Decision, Queue, QueuePlace, ReviewStore, Work
from emoviz.review.images import read_work
from emoviz.review.labelling import NOBODY, NONE, shares_of, tally
from emoviz.settings import Settings
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.language import emotion, marked, number, plural, tr
from emoviz.ui.linked import linked_choice
from emoviz.ui.review import desk_text
from emoviz.ui.review.queue import Chosen, link
from emoviz.ui.stepping import begin_at, show_large, stepped
from emoviz.ui.words import plain

PER_PAGE, _GROUPS = 48, 18
_PLACE = "wall-large"  # of the work in the large view
_NAMED = 3  # emotions of an estimate beside people's answers
DECIDED = {
    "": marked("all"),
    "yes": marked("decided by anybody"),
    "no": marked("decided by nobody"),
}
# Column of the store -> words; "time" makes half centuries of the years.
_BY: Mapping[str, tuple[str, str]] = {
    "artist": ("artist", marked("Artist")),
    "style": ("style", marked("Style")),
    "time": ("year", marked("Time")),
    "label": ("label", marked("Label of the source")),
}
_PERIOD = 50  # years: finer steps leave too few works in each


def wanted(store: ReviewStore, chosen: Chosen) -> Queue:
    """The queue of the wall: the filters of the page, whoever decided, and a span of years."""
    stages = {key: tr(words) for key, words in DECIDED.items()}
    decided = linked_choice(tr("Decisions"), stages, "decisions", width=190)
    years = [int(text) for text, _ in store.values(chosen.collection.id, "year") if text]
    span: tuple[int | None, int | None] = (None, None)
    if len(set(years)) > 1:
        first, last = min(years), max(years)
        low, high = st.slider(tr("Years"), first, last, (first, last), key="wall-years", width=190)
        span = (low if low > first else None, high if high < last else None)
    filters = replace(
        chosen.queue.filters,
        stage="any",
        decided={"yes": True, "no": False}.get(decided),
        years=span,
    )
    return replace(chosen.queue, filters=filters)


def show(
    store: ReviewStore,
    chosen: Chosen,
    queue: Queue,
    mine: Mapping[int, Decision],
    decisions: Iterable[Decision],
    settings: Settings,
) -> int | None:
    """One page of the wall.

    Args:
        store: Where the works are.
        chosen: Of which collection and checkpoint.
        queue: Order and filters.
        mine: The reviewer's own decisions by work.
        decisions: Of all people, as far as the reviewer may see them.
        settings: Where thumbnails are.

    Returns:
        The work that was pressed.
    """
    count = store.matching(queue)
    if not count:
        st.info(tr("No work fits these filters."), icon=":material/filter_alt_off:")
        return None
    pages = -(-count // PER_PAGE)
    place, page = st.container(), 1
    if pages > 1:
        with st.container(horizontal_alignment="center"):
            page = st.pagination(pages, key=f"wall-page-{pages}")
    places = store.listed(queue, PER_PAGE, (page - 1) * PER_PAGE)
    jpegs = Pictures(settings).get_many({item.work.sha256 for item in places})
    with place:
        first = (page - 1) * PER_PAGE
        words = [plural("{count} work.", "{count} works.", count)]
        if pages > 1:
            span = {"first": number(first + 1), "last": number(first + len(places))}
            words.append(tr("{first} to {last}.", **span))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(" ".join([*words, tr("Press one to review it.")]), width="stretch")
            one_by_one = st.button(tr("One by one"), icon=":material/fullscreen:")
        ids = {item.work.id for item in places}
        said: dict[int, list[Decision]] = {}
        for item in decisions:
            if item.work in ids:
                said.setdefault(item.work, []).append(item)
        tiles = [
            _tile(item, mine.get(item.work.id), said.get(item.work.id, []), jpegs)
            for item in places
        ]
        pressed = gallery(tiles, "review-wall", tr("Works of the collection"), side=124)
    if one_by_one:
        begin_at(_PLACE, 0)
        works = [item.work for item in places]
        st.dialog(tr("Artwork"), width="large")(_large)(works, tiles, chosen, settings)
    return None if pressed is None else places[pressed].work.id


def _large(
    works: Sequence[Work], tiles: Sequence[Tile], chosen: Chosen, settings: Settings
) -> None:
    """A work of the page in large, with what stands under its tile; arrows lead to the others."""
    place = stepped(_PLACE, len(works))
    work, tile = works[place], tiles[place]
    picture, beside = st.columns([5, 3], gap="medium")
    with picture:
        show_large(lambda: read_work(work, settings), tile.caption)
    with beside:
        st.subheader(plain(tile.caption), anchor=False)
        for line in tile.detail.splitlines():
            st.markdown(plain(line))
        st.page_link(
            "pages/review/artworks.py",
            label=tr("Review"),
            icon=":material/palette:",
            query_params=link(chosen, work.id),
        )


def shares(
    store: ReviewStore, chosen: Chosen, decided: Sequence[Work], votes: Mapping[int, str]
) -> None:
    """Shares of emotions by artist, style or time: of the estimates, or of people's decisions.

    Args:
        store: Counts what the model says, so that a large collection is never read as a whole.
        chosen: Of which collection and checkpoint.
        decided: Works that people decided on.
        votes: Id of a work -> what a person said of it.
    """
    known = chosen.collection.id
    options = {
        key: tr(words) for key, (column, words) in _BY.items() if store.values(known, column)
    }
    if not options:
        st.caption(
            tr("Neither artist, style nor date is known here: there is nothing to divide by.")
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = linked_choice(tr("By"), options, "by", width=190)
        sources = {"model": tr("the model's estimates"), "people": tr("people's decisions")}
        of = linked_choice(tr("Of"), sources, "of", width=220)
    column = _BY[by][0]
    if of == "people":
        said = [(_value(work, column), votes.get(work.id, ""), 1) for work in decided]
    else:
        said = store.model_counts(chosen.estimates, column) if chosen.estimates else []
    groups = _groups(said, by == "time")
    if not groups:
        st.info(tr("There is nothing to count yet."), icon=":material/hourglass_empty:")
        return
    labels = {label for counts in groups.values() for label in counts}
    names = [*chosen.taxonomy.names, *sorted(labels - {*chosen.taxonomy.names})]
    shown = {
        group: {emotion(name): count for name, count in counts.items()}
        for group, counts in groups.items()
    }
    colours = {emotion(name): colour for name, colour in chosen.taxonomy.colours.items()}
    st.html(shares_by(shown, [emotion(name) for name in names], colours, tr("works")))
    if by != "time" and len(groups) == _GROUPS:
        st.caption(tr("The {count} with the most works.", count=_GROUPS))


def _value(work: Work, column: str) -> str:
    value = getattr(work, column)
    return "" if value is None else str(value)


def _groups(said: Iterable[tuple[str, str, int]], by_time: bool) -> dict[str, Counter[str]]:
    """Group -> emotion -> works, of (value, emotion, works): by time, else the largest."""
    found: dict[str, Counter[str]] = {}
    for value, label, count in said:
        if value and label:
            group = int(value) // _PERIOD * _PERIOD if by_time else value
            found.setdefault(str(group), Counter())[label] += count
    if by_time:
        starts = sorted(found, key=int)
        return {f"{start}-{int(start) + _PERIOD - 1}": found[start] for start in starts}
    most = sorted(found.items(), key=lambda item: -item[1].total())
    return dict(most[:_GROUPS])


def _tile(
    place: QueuePlace, own: Decision | None, said: Sequence[Decision], jpegs: Mapping[str, bytes]
) -> Tile:
    """The picture, one's own answer, and where others answered, theirs beside the model's."""
    work, estimate = place.work, place.estimate
    picture, title = jpegs.get(work.sha256), desk_text.title_of(work)
    colours = estimate.taxonomy.colours if estimate is not None else {}
    lines = [f"✓ {desk_text.decided(own.kind, own.feelings, own.note)}"] if own is not None else []
    people = shares_of(tally(said).get(work.id, {}))
    if people and (own is None or len(said) > 1):
        words = plural("{count} person", "{count} people", len(said))
        lines.append(f"{words}: {_shares(people)}")
    if estimate is not None:
        most = dict(estimate.ranked[:_NAMED]) if lines else {estimate.first: estimate.ranked[0][1]}
        lines.append(f"{tr('model')}: {_shares(most)}")
    first = own.feelings[0].emotion if own is not None and own.feelings else ""
    first = first or (estimate.first if estimate is not None else "")
    return Tile(picture, title, "\n".join(lines), colours.get(first, ""))


def _shares(shares: Mapping[str, float]) -> str:
    most = sorted(shares.items(), key=lambda item: -item[1])
    named = [(NONE if name == NOBODY else name, share) for name, share in most]
    return ", ".join(f"{emotion(name)} {percent(share)}" for name, share in named)
