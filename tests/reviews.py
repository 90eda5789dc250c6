"""A small review made on the spot: works with images, estimates, people, decisions."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from emoviz.labels import MIKELS8
from emoviz.review.model import (
    ArtworkCollection,
    Decision,
    Draft,
    EstimateSet,
    Feeling,
    NewEstimate,
    NewWork,
    Reviewer,
    ShownWork,
    Work,
)
from emoviz.review.store import ReviewStore

FINGERPRINT = "f" * 64


def new_works(count: int, artists: int = 3) -> list[NewWork]:
    """Works without files, each with an image of its own."""
    return [
        NewWork(
            key=f"work {n}",
            title=f"Title {n}",
            artist=f"Artist {n % artists}",
            style=("Baroque", "Cubism")[n % 2],
            year=1600 + n,
            sha256=hashlib.sha256(str(n).encode()).hexdigest(),
            canvas=f"https://museum.example/canvas/{n}",
            metadata={"place": f"Room {n % 5}"},
        )
        for n in range(count)
    ]


def guesses(works: Sequence[Work], seed: int = 0) -> list[NewEstimate]:
    """Estimates drawn at random; every fifth work has no novelty."""
    rng = np.random.default_rng(seed)
    return [
        NewEstimate(
            work.sha256,
            tuple(rng.dirichlet(np.full(8, 0.5)).tolist()),
            None if work.number % 5 == 4 else float(rng.uniform(0, 2)),
        )
        for work in works
    ]


def furnish_review(
    store: ReviewStore, works: Sequence[NewWork], name: str = "gallery"
) -> tuple[ArtworkCollection, EstimateSet]:
    """A collection with estimates of all its works."""
    collection = store.add_collection(name, name.title(), "https://museum.example", "iiif", {})
    store.put_works(collection.id, works)
    ready = [work for work in store.works(collection.id) if work.state == "ready"]
    known = store.put_estimates(
        *(collection.id, "tiny", FINGERPRINT, "0.1.0", MIKELS8, ""), guesses(ready)
    )
    return collection, known


def say(
    store: ReviewStore,
    who: Reviewer,
    work: Work | int,
    *emotions: str | tuple[str, int],
    note: str = "",
    token: str = "",
    kind: str = "",
    blind: bool = False,
) -> Decision:
    """One decision: ``choose`` the emotions, ``none`` without any, or as `kind` says."""
    id = work if isinstance(work, int) else work.id
    feelings = tuple(Feeling(*((e, 2) if isinstance(e, str) else e)) for e in emotions)
    said = kind or ("choose" if feelings else "none")
    spoken = token or f"{who.id}-{id}-{said}-{len(store.history(id))}"
    shown = ShownWork(blind=blind, estimate=not blind, heat_map="" if blind else "gradcam")
    return store.decide(
        Draft(id, who.id, said, spoken, feelings, note, FINGERPRINT, shown)  # type: ignore[arg-type]
    )


def with_files(
    works: Sequence[NewWork], folder: Path, picture: Callable[..., bytes]
) -> list[NewWork]:
    """The same works, each with an image on the disk."""
    folder.mkdir()
    made = []
    for n, work in enumerate(works):
        data = picture(seed=n)
        file = folder / f"{n}.jpg"
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        made.append(NewWork(**{**vars(work), "file": str(file), "sha256": digest}))
    return made
