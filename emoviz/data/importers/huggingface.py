"""A folder of Hugging Face's ``datasets``: saved to disk, or a repository's Parquet files.

Layouts (certain)::

    dataset_dict.json, <split>/{state.json, dataset_info.json, data-*.arrow}    save_to_disk
    state.json, dataset_info.json, data-*.arrow                                 one split of it
    data/<split>-00000-of-00001.parquet                                         a repository

Images are inside (bytes) or named by their paths. Labels that are numbers get their names from
``dataset_info.json`` or from the Parquet file's own metadata. Images inside stay in memory until
the set is written.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from emoviz.data.dataset import SPLIT_WORDS, Dataset, Split, any_taxonomy
from emoviz.data.importers.common import Gathered, Importer
from emoviz.data.importers.inside import InsideRow, arrow_images, label_column, parquet_images
from emoviz.data.tables import Files
from emoviz.errors import TableError
from emoviz.files import arrow_file, read_json
from emoviz.labels import get_taxonomy

_SHARD = re.compile(r"([A-Za-z]+)(?:-\d+-of-\d+)?")


def read(root: Path, labels: str = "") -> Dataset:
    """Bring in a saved data set.

    Args:
        root: Its folder.
        labels: Name of the taxonomy; found from the labels where empty, or made of them.

    Raises:
        TableError: The folder holds no such data set, or a file of it is damaged.
    """
    shards = list(_shards(root))
    if not shards:
        names = ", ".join(sorted(Files(root).listing())) or "nothing"
        raise TableError(
            f"'{root}' holds no data set of Hugging Face. Wanted: dataset_dict.json with a folder "
            "a split, or state.json with data-*.arrow, or data/<split>-*.parquet. "
            f"Found: {names[:200]}."
        )
    rows = [(split, table, row) for table, split in shards for row in _rows(table)]
    found_labels = {row.label for _, _, row in rows}
    taxonomy = get_taxonomy(labels) if labels else any_taxonomy("huggingface", found_labels)
    found = Gathered(taxonomy)
    files = Files(root)
    for number, (split, table, row) in enumerate(rows):
        name = row.name or f"{table.stem}/{row.number:06}"
        path = table if row.content is not None else files.find(row.name)
        unique = f"{number:06}-{name}" if row.content is not None else name
        found.add(row.place, unique, path, row.label, None, split, "", row.cells, row.content)
    return found.finish(root, root.absolute().name)


def _shards(root: Path) -> Iterator[tuple[Path, Split | None]]:
    """(file, split) in order."""
    told = read_json(root / "dataset_dict.json")
    for name in (told or {}).get("splits", []):
        for path in sorted((root / str(name)).glob("*.arrow")):
            yield path, SPLIT_WORDS.get(str(name).casefold())
    if told is None:
        yield from ((path, None) for path in sorted(root.glob("data-*.arrow")))
    for path in sorted([*root.glob("*.parquet"), *(root / "data").glob("*.parquet")]):
        match = _SHARD.match(path.stem)
        yield path, SPLIT_WORDS.get(match[1].casefold()) if match else None


def _rows(table: Path) -> Iterator[InsideRow]:
    if table.suffix == ".arrow":
        names = _names(read_json(table.parent / "dataset_info.json") or {})
        return arrow_images(table, names)
    return parquet_images(table, _parquet_names(table))


def _names(info: object) -> Sequence[str]:
    """The label names that a description of the features gives."""
    features = info.get("features") if isinstance(info, dict) else None
    if not isinstance(features, dict):
        return ()
    label = label_column(list(features))
    names = features[label].get("names") if label and isinstance(features[label], dict) else None
    return [str(name) for name in names] if isinstance(names, list) else ()


def _parquet_names(table: Path) -> Sequence[str]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        about = (parquet.read_schema(arrow_file(table)).metadata or {}).get(b"huggingface")
        return _names(json.loads(about)["info"]) if about else ()
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"'{table}' is no readable Parquet file: {error}.") from None
    except (KeyError, TypeError, ValueError):
        return ()


IMPORTER = Importer(
    kind="huggingface",
    title="A data set of Hugging Face",
    layout="what save_to_disk wrote, or a repository's Parquet files",
    source="your own",
    terms="",
    citation="",
    read=read,
    takes_taxonomy=True,
)
