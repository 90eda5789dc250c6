"""Works that are alike in feeling: nearest in u, from the table of embeddings."""

from pathlib import Path
from typing import Any

import streamlit as st

from emoviz.analysis.neighbours import nearest_others
from emoviz.errors import AnalysisError
from emoviz.inference.cache import Thumbnails
from emoviz.inference.stored import read_embeddings
from emoviz.review import ReviewStore, Work
from emoviz.ui.explorer.board import short_name
from emoviz.ui.explorer.points import Points
from emoviz.ui.review import beside
from emoviz.ui.review.queue import Chosen
from emoviz.ui.shell import Context

_SHOWN = 8


@st.cache_resource(max_entries=2, show_spinner=False)
def _points(file: Path, changed: int) -> Points:
    """Kept by the file's time of change, too."""
    return Points.from_table(read_embeddings(file), "")


def rows(
    work: Work,
    chosen: Chosen,
    store: ReviewStore,
    context: Context,
    held: set[str],
    pictures: dict[str, bytes],
) -> dict[str, Any]:
    """Rows of works for the desk; their thumbnails are put among the pictures.

    Returns:
        ``near``: rows of tiles; or ``no_near``: why there are none, "" while they are looked for.
    """
    key = f"near {work.sha256} {chosen.queue.fingerprint} {chosen.collection.id}"
    made = beside.made_later(key, lambda: _found(work, chosen, context))
    if made.is_waiting:
        return {"no_near": ""}
    if made.error or not made.value:
        return {"no_near": made.error or "There is no table of embeddings to look in."}
    shown = [dict(row) for row in made.value]
    hashes = {tile["sha256"] for row in shown for tile in row["tiles"]}
    missing = {sha256 for sha256 in hashes if f"small {sha256}" not in held}
    with Thumbnails(context.settings) as kept:
        pictures.update({f"small {key}": jpeg for key, jpeg in kept.get_many(missing).items()})
    return {"near": shown}


def _found(work: Work, chosen: Chosen, context: Context) -> list[dict[str, Any]]:
    """The nearest in u; none where the checkpoint has no table."""
    estimates = chosen.estimates
    if estimates is None or not estimates.table or not Path(estimates.table).is_file():
        return []
    file = Path(estimates.table)
    points = _points(file, file.stat().st_mtime_ns)
    if work.sha256 not in points.sha256 or len(points) < 2:
        raise AnalysisError(
            "this work is not in the table of embeddings: ask the model again under Collections"
        )
    index = points.sha256.index(work.sha256)
    near = nearest_others(points.vectors, index, _SHOWN)
    feeling = {
        "title": "Alike in feeling",
        "note": "Nearest in u: what the network sees as most alike in what it evokes.",
        "tiles": [_tile(points, int(i)) for i in near.indices[0]],
    }
    return [feeling]


def _tile(points: Points, index: int) -> dict[str, str]:
    sha256 = points.sha256[index]
    return {
        "sha256": sha256,
        "picture": f"small {sha256}",
        "caption": short_name(points, index),
    }
