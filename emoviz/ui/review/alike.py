"""Works that are alike: in feeling (nearest in u) and in style (nearest Gram matrices).

u stands in the table of embeddings. Gram matrices are read once by the verb ``style``, in the
background, as on the Textures page; until then the desk says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.neighbours import nearest_others
from emoviz.analysis.textures import style_distances
from emoviz.checkpoints import Checkpoint
from emoviz.errors import AnalysisError, TableError
from emoviz.inference.cache import StyleCache
from emoviz.inference.stored import describe, mapped_embeddings
from emoviz.inference.style import kept_grams
from emoviz.review import Work
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.explorer.board import short_name
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.language import tr, translated
from emoviz.ui.review import desk_images
from emoviz.ui.review.queue import Chosen
from emoviz.ui.shell import Context

_SHOWN = 8
_ASK_ABOVE = 500  # images whose Gram matrices are read without asking


@dataclass(frozen=True)
class _Table:
    """A checkpoint's table of a collection: its file, when it was written, its collection."""

    file: Path
    changed: int
    collection: str

    @property
    def points(self) -> Points:
        return _points(self.file, self.changed)


def rows(
    work: Work, chosen: Chosen, context: Context, held: set[str], pictures: dict[str, bytes]
) -> dict[str, Any]:
    """Rows of works for the desk; their thumbnails are put among the pictures.

    Returns:
        ``near``: rows of tiles; ``no_near``: why there are none, "" while more is being made.
    """
    assert context.checkpoint is not None
    table = _table(chosen)
    if table is None:
        return {
            "no_near": tr("There is nothing to look in: ask the network again under Collections.")
        }
    key = f"near {work.sha256} {table}"
    made = desk_images.made_later(key, lambda: _in_feeling(work, table))
    if made.is_waiting or made.error:
        return {"no_near": made.error}
    try:
        style, waits = _in_style(work, table, context.checkpoint, context.settings)
    except TableError as error:  # another program holds what is kept: the desk goes on without
        style, waits = [{**_style_head(), "note": translated(error)}], False
    feeling = {
        "title": tr("Alike in feeling"),
        "note": tr("What the network takes to be most alike in what it evokes."),
        "tiles": made.value,
    }
    shown = [feeling, *style]
    hashes = {tile["sha256"] for row in shown for tile in row["tiles"]}
    named = {sha256: desk_images.name_of("small", sha256) for sha256 in hashes}
    missing = {sha256 for sha256, name in named.items() if name not in held}
    found = Pictures(context.settings).get_many(missing)
    pictures.update({named[sha256]: jpeg for sha256, jpeg in found.items()})
    return {"near": shown, **({"no_near": ""} if waits else {})}


def _table(chosen: Chosen) -> _Table | None:
    estimates = chosen.estimates
    if estimates is None or not estimates.table or not Path(estimates.table).is_file():
        return None
    file = Path(estimates.table)
    changed = file.stat().st_mtime_ns
    return _Table(file, changed, _collection(file, changed))


@st.cache_resource(max_entries=2, show_spinner=False)
def _points(file: Path, changed: int) -> Points:
    """Kept by the file's time of change, too."""
    return Points.from_table(mapped_embeddings(file), "")


@st.cache_resource(max_entries=8, show_spinner=False)
def _collection(file: Path, changed: int) -> str:
    return describe(file).origin.collection


def _in_feeling(work: Work, table: _Table) -> list[dict[str, str]]:
    points = table.points
    near = nearest_others(points.vectors, _row_of(work, points), 2 * _SHOWN)
    return _tiles(points, near.indices[0], work)


def _style_head() -> dict[str, Any]:
    return {"title": tr("Alike in style"), "tiles": []}


def _in_style(
    work: Work, table: _Table, checkpoint: Checkpoint, settings: Settings
) -> tuple[list[dict[str, Any]], bool]:
    """The row of style, and whether it is worth asking again."""
    head = _style_head()
    reading = tr("The style of the works is being read; this row fills by itself.")
    hashes = tuple(table.points.sha256)
    with StyleCache(settings, checkpoint) as cache:
        missing = len(set(hashes) - cache.known(hashes))
    key = f"style {table.collection} {checkpoint.folder}"
    state = background.outcome(settings, key)
    if missing and state == "none" and missing <= _ASK_ABOVE and access.allowed("compute"):
        command = ["style", table.collection, "--checkpoint", str(checkpoint.folder)]
        background.begin(settings, tr("Style and content of the works"), command, key)
        state = "live"
    if missing and state == "live":
        return [{**head, "note": reading}], True
    found = desk_images.made_later(
        f"style {work.sha256} {table} {missing}",
        lambda: _nearest_style(work, table.points, checkpoint, settings),
    )
    if found.value is None:
        words = found.error or reading
        return [{**head, "note": words}], found.is_waiting
    if not found.value:
        unread = tr(
            "Not read yet: press W, open “Same style, or same feeling?” there and read them once."
        )
        return [{**head, "note": unread}], False
    note = tr("Alike in textures and colours, whatever is painted.")
    return [{**head, "note": note, "tiles": found.value}], False


def _nearest_style(
    work: Work, points: Points, checkpoint: Checkpoint, settings: Settings
) -> list[dict[str, str]]:
    """Tiles of the works with the nearest Gram matrices; none where this one was not read."""
    own = [layers for _, layers in kept_grams(checkpoint, [work.sha256], settings)]
    if not own:
        return []
    one = [layer[:1] for layer in own[0]]
    apart: dict[str, float] = {}
    for names, layers in kept_grams(checkpoint, points.sha256, settings):
        found = style_distances(one, [layer[:, None] for layer in layers])
        apart |= dict(zip(names, found.tolist(), strict=True))
    order = np.argsort([apart.get(sha256, np.inf) for sha256 in points.sha256], kind="stable")
    known = [int(row) for row in order[: 3 * _SHOWN] if points.sha256[row] in apart]
    return _tiles(points, known, work)


def _row_of(work: Work, points: Points) -> int:
    if work.sha256 not in points.sha256 or len(points) < 2:
        raise AnalysisError(
            "this work was not there when the network was asked: ask it again under Collections"
        )
    return points.sha256.index(work.sha256)


def _tiles(
    points: Points, order: Sequence[int] | NDArray[np.int64], work: Work
) -> list[dict[str, str]]:
    """The first of them, without the work itself and without copies."""
    seen, found = {work.sha256}, list[dict[str, str]]()
    for row in map(int, order):
        sha256 = points.sha256[row]
        if sha256 not in seen and len(found) < _SHOWN:
            seen.add(sha256)
            caption = short_name(points, row)
            picture = desk_images.name_of("small", sha256)
            found.append({"sha256": sha256, "picture": picture, "caption": caption})
    return found
