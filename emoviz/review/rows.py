"""Rows of the store's tables to facts and back; texts that every database takes."""

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from emoviz.labels import Taxonomy
from emoviz.review.model import (
    ArtworkCollection,
    Decision,
    EstimateSet,
    Feeling,
    NewEstimate,
    NewWork,
    Reviewer,
    Share,
    ShownWork,
    StoredPrediction,
    Work,
)

Row = Mapping[Any, Any]  # what SQLAlchemy gives: name of the column -> value
_MILLION = 1_000_000
_WORK = tuple(Work.__dataclass_fields__)


def now() -> str:
    """UTC, as the facts write times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def clean(text: str) -> str:
    """A text that can be stored: bytes of file names that are no text, and zeros, are marked."""
    return text.encode(errors="surrogatepass").decode(errors="replace").replace("\x00", "\ufffd")


def work_row(collection: int, number: int, work: NewWork) -> dict[str, Any]:
    """What the table ``works`` holds of a new work."""
    texts = {
        name: clean(getattr(work, name))
        for name in (
            *("key", "title", "artist", "style", "date", "rights"),
            *("inside", "url", "canvas", "label", "sha256", "error"),
        )
    }
    file, error = clean(work.file), texts["error"]
    if file != work.file:
        file, error = "", error or "its file's name is no text; rename the file"
    metadata = {clean(name): clean(text) for name, text in work.metadata.items()}
    found = (*(texts[name] for name in ("title", "artist", "style", "date", "rights")), work.label)
    place = hashlib.sha256(texts["key"].encode()).digest()
    return {
        **texts,
        "collection": collection,
        "number": number,
        "year": work.year,
        "file": file,
        "error": error,
        "state": "failed" if error else "ready" if work.sha256 else "waiting",
        "metadata": metadata,
        "removed": "",
        "search": "\n".join((*found, texts["key"], *metadata.values())).casefold(),
        "deal": int.from_bytes(place[:4]) % _MILLION,
        "common": int.from_bytes(place[4:8]) % _MILLION,
    }


def estimate_row(
    estimate_set: int, work: int, number: int, given: NewEstimate, taxonomy: Taxonomy
) -> dict[str, Any]:
    """What the table ``estimates`` holds of one image's estimate."""
    p = given.probabilities
    order = sorted(range(len(p)), key=lambda c: -p[c])
    first, second = order[0], order[min(1, len(p) - 1)]
    opposite = int(taxonomy.signs[first]) * int(taxonomy.signs[second]) == -1
    closeness = 1.0 - (p[first] - p[second])
    return {
        "estimate_set": estimate_set,
        "work": work,
        "sha256": given.sha256,
        "number": number,
        "probabilities": struct.pack(f"<{len(p)}d", *p),
        "first": taxonomy.names[first],
        "novelty": given.novelty,
        "uncertainty": _entropy(p),
        "opposite": opposite,
        "rivalry": closeness + 1.0 if opposite else closeness,
        "farness": -1.0 if given.novelty is None else given.novelty,
    }


def work_of(row: Row) -> Work:
    """A row of ``works``."""
    return Work(**{name: row[name] for name in _WORK})


def collection_of(row: Row) -> ArtworkCollection:
    """A row of ``collections``."""
    return ArtworkCollection(**row)


def reviewer_of(row: Row) -> Reviewer:
    """A row of ``reviewers``."""
    return Reviewer(**{name: row[name] for name in Reviewer.__dataclass_fields__})


def share_of(row: Row) -> Share:
    """A row of ``shares``."""
    return Share(row["reviewer"], row["part"], row["parts"], row["overlap"])


def estimate_set_of(row: Row) -> EstimateSet:
    """A row of ``estimate_sets``."""
    return EstimateSet(**{**row, "taxonomy": Taxonomy.from_dict(row["taxonomy"])})


def estimate_of(row: Row, known: EstimateSet) -> StoredPrediction:
    """A row of ``estimates``, of that set."""
    values = unpacked(row["probabilities"])
    return StoredPrediction(
        work=row["work"],
        checkpoint=known.checkpoint,
        fingerprint=known.fingerprint,
        version=known.version,
        taxonomy=known.taxonomy,
        sha256=row["sha256"],
        probabilities=dict(zip(known.taxonomy.names, values, strict=True)),
        novelty=row["novelty"],
        uncertainty=row["uncertainty"],
        opposite=bool(row["opposite"]),
    )


def decision_of(row: Row) -> Decision:
    """A row of ``decisions``."""
    known = {name: row[name] for name in Decision.__dataclass_fields__}
    feelings = tuple(Feeling(**item) for item in row["feelings"])
    return Decision(**{**known, "feelings": feelings, "shown": ShownWork(**row["shown"])})


def feelings_row(feelings: Sequence[Feeling]) -> list[dict[str, Any]]:
    """Feelings as JSON."""
    return [asdict(item) for item in feelings]


def unpacked(data: bytes) -> tuple[float, ...]:
    """Probabilities as they were given, to the last bit."""
    return struct.unpack(f"<{len(data) // 8}d", data)


def _entropy(p: Sequence[float]) -> float:
    """0 where one class has it all, 1 where all have the same."""
    if len(p) < 2:
        return 0.0
    return -sum(x * math.log(x) for x in p if x > 0) / math.log(len(p))
