"""A collection from its source to the review: gathered, embedded by a checkpoint, put in the store.

Each step keeps what it did, so a stopped run goes on where it was with the same request.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emoviz import __version__
from emoviz.checkpoints import Checkpoint
from emoviz.data.importers import Item
from emoviz.data.importers.restrictions import restrictions
from emoviz.data.reading import open_dataset
from emoviz.errors import TableError
from emoviz.inference.embedding import Embedded, embed_collection
from emoviz.inference.predict import load_model
from emoviz.inference.stored import table_path, write_embeddings
from emoviz.jobs import Reporter
from emoviz.review import NewEstimate, NewWork, ReviewStore, open_store
from emoviz.review.acquire import (
    AcquiredWorks,
    AcquireRequest,
    Brought,
    collection_folder,
    gather,
    works_table,
)
from emoviz.settings import Settings

_YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2}|[5-9]\d{2})(?!\d)")


@dataclass(frozen=True)
class Added:
    """What bringing in a collection came to.

    Attributes:
        gathered: Its images and what is missing.
        embedded: The checkpoint's answers; None where none was asked.
        table: Where the table of embeddings is; None without one.
        held: Whether estimates wait for somebody who has read what the rights say of machines.
    """

    gathered: AcquiredWorks
    embedded: Embedded | None = None
    table: Path | None = None
    held: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found, request = self.gathered, self.gathered.request
        assert request is not None
        missing = [(item.title or item.key, state.error) for item, state in found.failed]
        missing += [(problem.key, problem.reason) for problem in found.problems]
        missing += list(self.embedded.refused) if self.embedded else []
        return {
            "name": request.name,
            "source": request.source,
            "kind": request.kind,
            "found": found.found,
            "works": len(found.items),
            "taken": len(found.ready),
            "notes": list(found.notes),
            "ready": len(found.ready),
            "failed": len(found.failed),
            "waiting": found.waiting,
            "changes": asdict(found.changes) if found.changes is not None else None,
            "stopped": found.stopped,
            "problems": [{"what": what, "reason": reason} for what, reason in missing],
            "restrictions": [asdict(row) for row in restrictions(found.items)],
            "held": self.held,
            "checkpoint": self.embedded.checkpoint.card.id if self.embedded else None,
            "table": str(self.table) if self.table else None,
        }


def add_collection(
    request: AcquireRequest,
    settings: Settings,
    report: Reporter,
    checkpoint: Checkpoint | None = None,
    again: bool = False,
    rights_read: bool = False,
) -> Added:
    """Bring a collection in, or go on with one.

    Where its rights speak of use by machines, no estimate is made before a person has read them.

    Args:
        request: What to bring in.
        settings: Where, and what is allowed.
        report: Says how far it is.
        checkpoint: Whose estimates are made; None leaves that for later.
        again: List the source anew.
        rights_read: Whether somebody has read what the rights say, and wants the estimates.

    Raises:
        TableError, FetchError: The source cannot be read; what was there stays.
    """
    report.step("bringing images in", until=0.6 if checkpoint else 0.97)
    found = gather(request, settings, report, again)
    store = open_store(settings)
    row = store.add_collection(
        request.name, request.title or request.name, request.source, request.kind, about_of(found)
    )
    store.put_works(row.id, [new_work(item, state) for item, state in _rows(found)])
    if checkpoint is None or not found.ready:
        return Added(found)
    if not rights_read and any(row.machines for row in restrictions(found.items)):
        return Added(found, held=True)
    report.step("asking the model", until=0.95)
    embedded, table = embed_works(request.name, checkpoint, settings, report)
    put_estimates(store, row.id, embedded, table, settings)
    return Added(found, embedded, table)


def embed_works(
    name: str, checkpoint: Checkpoint, settings: Settings, report: Reporter
) -> tuple[Embedded, Path]:
    """A collection through a checkpoint, with its table where the Embeddings page finds it."""
    collection = open_dataset(
        works_table(settings, name), settings, likely=checkpoint.card.taxonomy
    )
    model = load_model(checkpoint, settings)
    embedded = embed_collection(model, collection, settings, report)
    table = table_path(settings, collection.identity, collection.name, checkpoint.card.id)
    if len(embedded):
        write_embeddings(table, embedded.parts(settings))
    return embedded, table


def put_estimates(
    store: ReviewStore, collection: int, embedded: Embedded, table: Path, settings: Settings
) -> None:
    """A checkpoint's answers into the review, part after part."""
    origin, card = embedded.origin, embedded.checkpoint.card

    def rows() -> Iterator[NewEstimate]:
        for part in embedded.parts(settings):
            for i, sha256 in enumerate(part.sha256):
                far = float(part.novelty[i])
                known = None if far != far else far  # NaN: the checkpoint cannot say
                yield NewEstimate(sha256, tuple(part.probabilities[i].tolist()), known)

    store.put_estimates(
        collection, card.id, origin.fingerprint, __version__, card.taxonomy, str(table), rows()
    )


def remove_collection(name: str, settings: Settings) -> None:
    """Take a collection out of the review and delete what was fetched for it.

    Decisions stay in the store; images that lie elsewhere on this machine are not touched.

    Raises:
        TableError: There is none of that name.
    """
    folder = collection_folder(settings, name)
    store = open_store(settings)
    row = store.collection(name)
    if row is None and not folder.is_dir():
        raise TableError(f"There is no collection '{name}'. `collection list` names them.")
    if row is not None:
        store.remove_collection(row.id)
    shutil.rmtree(folder, ignore_errors=True)


def about_of(found: AcquiredWorks) -> dict[str, Any]:
    """What the store keeps of how a collection came in."""
    assert found.request is not None
    known = {name: value for name, value in vars(found.request).items() if value}
    return {**known, "problems": len(found.problems)}


def new_work(item: Item, state: Brought | None) -> NewWork:
    """An item as the store takes it."""
    place = item.place
    year = _YEAR.search(item.date)
    own = {"manifest": item.manifest, "page": item.page}
    return NewWork(
        key=item.key,
        title=item.title,
        artist=item.artist,
        style=item.style,
        date=item.date,
        year=int(year[1]) if year else None,
        rights=item.rights,
        file=state.file if state else "",
        url=place.url or place.service,
        canvas=item.canvas,
        label=item.answer,
        sha256=state.sha256 if state else "",
        error=state.error if state else "",
        metadata={**{name: text for name, text in own.items() if text}, **item.metadata},
    )


def _rows(found: AcquiredWorks) -> Iterator[tuple[Item, Brought | None]]:
    return ((item, found.states.get(item.key)) for item in found.items)
