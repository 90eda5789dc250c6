"""One row an image: label, split, and what was found out about it; kept as a Parquet file.

Columns ``name, label, split, group, sha256, reason, width, height``, the measures of light and
colour, ``hash`` and ``tiny``, where they were looked for ``text_share, text_words`` and
``face_share, faces``, and for each check that looked ``score_<check>`` and ``is_<check>``. The
whole table is described in the schema's metadata under ``emoviz_examination``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import NO_LABEL, Dataset
from emoviz.data.image_statistics import Looks
from emoviz.data.parts import texts_of
from emoviz.errors import TableError, TaxonomyError
from emoviz.files import arrow_file, replaced_file
from emoviz.labels import Taxonomy
from emoviz.settings import Settings

FORMAT = 1
_ABOUT = b"emoviz_examination"
MEASURES = ("brightness", "contrast", "saturation", "colourfulness", "warmth", "spread", "chroma")
_TINY = (8, 8, 3)
_SCORE, _IS = "score_", "is_"


@dataclass(frozen=True)
class Detected:
    """What a detector found in N images.

    Attributes:
        share: (N,) of the image's area, 0 to 1; NaN where the image could not be looked at.
        count: (N,) how many: readable words, or faces.
    """

    share: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True)
class Checked:
    """What a check made of N images.

    Attributes:
        score: (N,) 0 (sound) to 1 (faulty); NaN where the image could not be judged.
        faulty: (N,) whether the image has the fault.
    """

    score: NDArray[np.float64]
    faulty: NDArray[np.bool_]


@dataclass(frozen=True)
class Examined:
    """N images of a set, in the set's order, and what was found out about each.

    Attributes:
        taxonomy: Of the labels.
        names: (N) as the set names them.
        labels: (N,) index, -1 where there is none.
        splits: (N) "" where there is none.
        groups: (N) what keeps images together.
        looks: Size, light, colour, hash.
        text: None where it was not looked for.
        faces: None where they were not looked for.
        refused: Rows of the set that named no usable image.
        checked: By the name of each check that looked.
    """

    taxonomy: Taxonomy
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: tuple[str, ...]
    groups: tuple[str, ...]
    looks: Looks
    text: Detected | None = None
    faces: Detected | None = None
    refused: tuple[tuple[str, str], ...] = ()
    checked: Mapping[str, Checked] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)


def of_set(item: Dataset, looks: Looks) -> Examined:
    """The rows of a set, once its images were looked at."""
    return Examined(
        taxonomy=item.taxonomy,
        names=tuple(record.name for record in item.records),
        labels=np.array([record.label for record in item.records], np.int64),
        splits=tuple(record.split or "" for record in item.records),
        groups=tuple(record.group for record in item.records),
        looks=looks,
        refused=tuple(item.problems),
    )


def examination_folder(settings: Settings, table: Path) -> Path:
    """Where the examination of a table (or folder) is kept."""
    place = str(table.absolute())
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]
    return settings.home / "examinations" / digest


def write_examined(path: Path, item: Examined, about: Mapping[str, Any]) -> None:
    """Write the rows, whole or not at all.

    Raises:
        OSError: They cannot be written; what was there stays.
    """
    from pyarrow import parquet

    head = {"format": FORMAT, "taxonomy": item.taxonomy.to_dict(), "about": dict(about)}
    table = to_table(item).replace_schema_metadata({_ABOUT: json.dumps(head).encode()})
    with replaced_file(path) as aside, arrow_file(aside, "wb") as stream:
        parquet.write_table(table, stream, compression="zstd")


def read_examined(path: Path) -> tuple[Examined, Mapping[str, Any]]:
    """The rows of a file that `write_examined` wrote, and what was said about them.

    Raises:
        TableError: The file is missing, damaged or no such file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(arrow_file(path))
        head = json.loads((table.schema.metadata or {})[_ABOUT])
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}, this version reads {FORMAT}")
        taxonomy = Taxonomy.from_dict(head["taxonomy"])
        return from_table(table, taxonomy), head["about"]
    except FileNotFoundError:
        raise TableError(f"There is no examination '{path}'.") from None
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, TaxonomyError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise TableError(f"'{path}' is no readable examination: {reason}. Examine anew.") from None


def to_table(item: Examined) -> Any:
    """The rows as an Arrow table, without what is known of them all."""
    import pyarrow as pa

    looks, names = item.looks, item.taxonomy.names
    labels = [names[i] if i != NO_LABEL else "" for i in item.labels]
    columns: dict[str, Any] = {
        "name": texts_of(item.names),
        "label": labels,
        "split": list(item.splits),
        "group": texts_of(item.groups),
        "sha256": list(looks.sha256),
        "reason": list(looks.reason),
        "width": looks.width,
        "height": looks.height,
        **{name: getattr(looks, name) for name in MEASURES},
        "hash": looks.hash,
        "tiny": pa.array([row.tobytes() for row in looks.tiny], pa.binary(192)),
    }
    for prefix, found in (("text", item.text), ("face", item.faces)):
        if found is not None:
            columns[f"{prefix}_share"] = found.share
            columns["text_words" if prefix == "text" else "faces"] = found.count
    for name, checked in item.checked.items():
        columns[_SCORE + name], columns[_IS + name] = checked.score, checked.faulty
    return pa.table(columns)


def from_table(table: Any, taxonomy: Taxonomy) -> Examined:
    """What `to_table` made a table of; other columns are left alone."""

    def texts(name: str) -> tuple[str, ...]:
        return tuple(table.column(name).to_pylist())

    def numbers(name: str) -> Any:
        return table.column(name).to_numpy()

    def detected(share: str, count: str) -> Detected | None:
        return Detected(numbers(share), numbers(count)) if share in table.column_names else None

    tiny = b"".join(table.column("tiny").to_pylist())
    looks = Looks(
        sha256=texts("sha256"),
        reason=texts("reason"),
        hash=numbers("hash"),
        tiny=np.frombuffer(tiny, np.uint8).reshape(-1, *_TINY),
        **{name: numbers(name) for name in ("width", "height", *MEASURES)},
    )
    index = {name: i for i, name in enumerate(taxonomy.names)}
    return Examined(
        taxonomy=taxonomy,
        names=texts("name"),
        labels=np.array([index.get(name, NO_LABEL) for name in texts("label")], np.int64),
        splits=texts("split"),
        groups=texts("group"),
        looks=looks,
        text=detected("text_share", "text_words"),
        faces=detected("face_share", "faces"),
        checked={
            name: Checked(numbers(_SCORE + name), numbers(_IS + name))
            for column in table.column_names
            if column.startswith(_SCORE)
            for name in [column.removeprefix(_SCORE)]
        },
    )
