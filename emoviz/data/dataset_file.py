"""Labelled sets as files: one Parquet table that says itself what its labels are.

Columns ``name, file, label, p_<label>..., group, split``, ``valence, arousal`` (-1 to 1) where
some are known, then ``meta_<column>``, and ``image`` where images are inside. What is known of the
whole set is JSON in the schema's metadata.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoviz.data.affect import DIMENSIONS
from emoviz.data.dataset import NO_LABEL, Dataset, Record, Split, absolute
from emoviz.data.images import Limits
from emoviz.data.parquet_files import opened_parquet
from emoviz.errors import ImageError, TableError, TaxonomyError
from emoviz.files import arrow_file, replaced_file
from emoviz.labels import Taxonomy

FORMAT = 1
META = "meta_"
_ABOUT = b"emoviz_set"
_DAMAGED = (KeyError, TypeError, TaxonomyError)
_VOTES = "p_"
_BATCH = 2048


@dataclass(frozen=True)
class KnownSet:
    """What is known of a labelled set before its rows are read.

    Attributes:
        id: Its name on the command line and in links.
        title: For people.
        path: What `read_labelled` takes.
        taxonomy: Of its labels, registered or not.
        count: Of its records.
        about: Source, terms, citation, lineage: whatever its maker knew.
        votes: Whether the shares are votes of several people.
    """

    id: str
    title: str
    path: Path
    taxonomy: Taxonomy
    count: int
    about: Mapping[str, Any] = field(default_factory=dict)
    votes: bool = False


def write_set(path: Path, title: str, item: Dataset, about: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a set, whole or not at all.

    Args:
        path: Of the Parquet file.
        title: For people.
        item: Files of images are named by their absolute paths; images inside ZIPs and tables are
            copied.
        about: Plain values for JSON.

    Returns:
        Names of records that were left out, because the name of their file is no text or they
        cannot be read.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    import pyarrow as pa
    from pyarrow import parquet

    named = {str(record.path): _is_text(str(record.path)) for record in item.records}
    kept = [r for r in item.records if named[str(r.path)] and _is_text(r.name)]
    schema = _schema(title, item, kept, about)
    written = set()
    with (
        replaced_file(path) as aside,
        arrow_file(aside, "wb") as stream,
        parquet.ParquetWriter(stream, schema) as writer,
    ):
        for start in range(0, max(len(kept), 1), _BATCH):
            rows = [
                (record.name, row)
                for record in kept[start : start + _BATCH]
                if (row := _row(record, item.taxonomy)) is not None
            ]
            written |= {name for name, _ in rows}
            columns = [pa.array([row.get(x.name) for _, row in rows], x.type) for x in schema]
            writer.write_batch(pa.record_batch(columns, schema))
    return tuple(record.name for record in item.records if record.name not in written)


def read_head(path: Path) -> KnownSet | None:
    """What a file says of its set, without reading its rows; None where it is no set of ours.

    Raises:
        TableError: It is one, and is damaged or of another version.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with arrow_file(path) as stream, parquet.ParquetFile(stream) as file:
            about = (file.metadata.metadata or {}).get(_ABOUT)
            count = file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError, RecursionError):
        return None
    if about is None:
        return None
    try:
        values = json.loads(about)
        if values["format"] != FORMAT:
            raise ValueError(f"it is of format {values['format']}, this version reads {FORMAT}")
        taxonomy = Taxonomy.from_dict(values["taxonomy"])
        votes, known = bool(values["votes"]), dict(values["about"])
        return KnownSet(path.stem, str(values["title"]), path, taxonomy, count, known, votes)
    except (*_DAMAGED, AttributeError, ValueError, RecursionError) as error:
        raise TableError(f"The set '{path}' cannot be read: {error}. Make it anew.") from None


def read_set(path: Path) -> Dataset | None:
    """Read a set that `write_set` wrote; None where the file is no set of ours.

    Raises:
        TableError: It is one, and is damaged or of another version.
    """
    head = read_head(path)
    if head is None:
        return None
    try:
        with opened_parquet(path) as file:
            rows = (row for batch in file.batches(_BATCH) for row in batch.to_pylist())
            records = tuple(_record(path, row, head.taxonomy) for row in rows)
    except (TableError, KeyError, TypeError, TaxonomyError) as error:
        raise TableError(f"The set '{path}' cannot be read: {error}. Make it anew.") from None
    own = absolute(path)
    return Dataset(
        head.title,
        head.taxonomy,
        records,
        votes=head.votes,
        about=head.about,
        path=own,
        root=own.parent,
    )


def _schema(title: str, item: Dataset, records: Sequence[Record], about: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    meta = dict.fromkeys(name for record in records for name in record.metadata)
    kinds = {
        **dict.fromkeys(("name", "file", "label"), pa.string()),
        **{_VOTES + name: pa.float64() for name in item.taxonomy.names},
        **dict.fromkeys(("group", "split"), pa.string()),
        **{
            name: pa.float64()
            for name in DIMENSIONS
            if any(getattr(record, name) is not None for record in records)
        },
        **{META + name: pa.string() for name in meta},
    }
    if any(record.is_inside for record in records):
        kinds["image"] = pa.binary()
    head = {
        "format": FORMAT,
        "title": title,
        "taxonomy": item.taxonomy.to_dict(),
        "votes": item.votes,
        "about": dict(about),
    }
    return pa.schema(list(kinds.items()), metadata={_ABOUT: json.dumps(head).encode()})


def _row(record: Record, taxonomy: Taxonomy) -> dict[str, Any] | None:
    """None where the image is inside something and cannot be read there."""
    inside, content = record.is_inside, None
    if inside:
        try:
            content = record.read(Limits())
        except ImageError:
            return None
    shares = zip(taxonomy.names, record.shares, strict=True)
    return {
        "name": record.name,
        "file": record.name if inside else str(record.path.absolute()),
        "label": taxonomy.names[record.label] if record.label != NO_LABEL else None,
        **{_VOTES + name: share for name, share in shares},
        "group": record.group,
        "split": record.split,
        **{name: getattr(record, name) for name in DIMENSIONS},
        **{META + name: text for name, text in record.metadata.items()},
        "image": content,
    }


def _record(table: Path, row: Mapping[str, Any], taxonomy: Taxonomy) -> Record:
    content = row.get("image")
    split: Split | None = row["split"]
    return Record(
        name=row["name"],
        path=Path(row["file"]) if content is None else table,
        label=taxonomy.index(row["label"]) if row["label"] else NO_LABEL,
        shares=tuple(row[_VOTES + name] for name in taxonomy.names),
        group=row["group"],
        split=split,
        content=content,
        metadata={
            name.removeprefix(META): text
            for name, text in row.items()
            if name.startswith(META) and text
        },
        valence=row.get("valence"),
        arousal=row.get("arousal"),
    )


def _is_text(name: str) -> bool:
    """Whether a name is one that can be written: bytes of a file's name may be no text."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
