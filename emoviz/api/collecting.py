"""A collection of artworks: the model's estimates, people's decisions, and what goes home."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from emoviz.api.results import _Shown
from emoviz.checkpoints import open_checkpoint
from emoviz.errors import ReviewError
from emoviz.review.model import ArtworkCollection, Decision, Draft, Feeling, ShownWork
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, repr=False)
class CollectionReview(_Shown):
    """A collection in the review store; from `collection`.

    Attributes:
        collection: What the store says of it.
    """

    collection: ArtworkCollection
    store: ReviewStore
    settings: Settings

    def __str__(self) -> str:
        decided = len(self.store.standing(self.collection.id))
        works = len(self.store.works(self.collection.id))
        return f"{self.collection.title}: {works:,} artworks, {decided:,} decisions"

    def decide(
        self, key: str, emotions: Mapping[str, int] | None, *, reviewer: str, note: str = ""
    ) -> Decision:
        """Store what a person says of an artwork.

        Args:
            key: The artwork's, as in `to_pandas`.
            emotions: Emotions with their strengths, 1 to 3; none of these where empty; agreement
                with the model's first where None.
            reviewer: The person's name.
            note: Free text.

        Raises:
            ReviewError: There is no such artwork, or the decision makes no sense.
        """
        work = next((w for w in self.store.works(self.collection.id) if w.key == key), None)
        if work is None:
            raise ReviewError(f"'{self.collection.name}' has no artwork '{key}'.")
        known = self.store.estimate_sets(self.collection.id)
        feelings = tuple(Feeling(name, strength) for name, strength in (emotions or {}).items())
        return self.store.decide(
            Draft(
                work=work.id,
                reviewer=self.store.reviewer(reviewer).id,
                kind="agree" if emotions is None else "choose" if feelings else "none",
                token=uuid4().hex,
                feelings=feelings,
                note=note,
                fingerprint=known[0].fingerprint if known else "",
                shown=ShownWork(estimate=bool(known)),
            )
        )

    def to_pandas(self) -> "pd.DataFrame":
        """A row an artwork: key, title, artist, the model's estimate, decisions of people."""
        import pandas as pd

        store, id = self.store, self.collection.id
        sets = store.estimate_sets(id)
        estimates = {row.work: row for row in store.estimates(sets[0])} if sets else {}
        said: dict[int, list[str]] = {}
        for decision in store.standing(id):
            words = ", ".join(feeling.emotion for feeling in decision.feelings) or decision.kind
            said.setdefault(decision.work, []).append(words)
        rows = []
        for work in store.works(id):
            found = estimates.get(work.id)
            shares = found.probabilities if found is not None else {}
            first = max(shares, key=lambda name: shares[name], default=None)
            rows.append(
                {
                    "key": work.key,
                    "title": work.title,
                    "artist": work.artist,
                    "estimate": first,
                    "probability": shares[first] if first is not None else None,
                    "decisions": "; ".join(said.get(work.id, [])),
                    "error": work.error or None,
                }
            )
        return pd.DataFrame(rows)

    def plot(self) -> "go.Figure":
        """How many artworks the model puts first under each emotion."""
        import plotly.graph_objects as go

        counts = self.to_pandas()["estimate"].value_counts()
        return go.Figure(go.Bar(x=counts.values, y=counts.index, orientation="h"))

    def export(self, form: str, path: str | Path) -> Path:
        """Write it as ``csv``, ``json``, ``w3c``, ``iiif``, ``imagefolder`` or ``html``.

        Raises:
            ReviewError: There is no such form, or it cannot be made of this collection.
        """
        from emoviz.review.exports import export

        return export(self.store, self.settings, self.collection, form, Path(path)).path


def collection(
    name: str,
    source: str | Path | None = None,
    *,
    checkpoint: str | None = "mikels8",
    settings: Settings | None = None,
) -> CollectionReview:
    """A collection by its name; brought in from a source where one is given.

    Args:
        name: In the review store.
        source: A folder, a ZIP, a table or a IIIF address, or ``"sample"``; an interrupted one
            goes on.
        checkpoint: Whose estimates are made of what is brought in; None for none.
        settings: Instead of the environment's.

    Raises:
        ReviewError: There is no such collection, and no source.
        TableError, FetchError: The source cannot be read.
    """
    settings = settings or load_settings()
    if source is not None:
        from emoviz.jobs import Reporter
        from emoviz.review.acquire import AcquireRequest, guess_kind
        from emoviz.review.ingest import add_collection

        kind = guess_kind(str(source))
        is_path = kind != "sample" and "://" not in str(source)
        place = str(Path(source).absolute()) if is_path else str(source)
        chosen = open_checkpoint(checkpoint, settings) if checkpoint else None
        add_collection(AcquireRequest(name, place, kind), settings, Reporter(None), chosen)
    store = open_store(settings)
    found = store.collection(name)
    if found is None:
        known = ", ".join(item.name for item in store.collections()) or "none"
        raise ReviewError(f"There is no collection '{name}'. Known: {known}.")
    return CollectionReview(found, store, settings)
