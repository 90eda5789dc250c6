"""A folder of Hugging Face's ``datasets``: saved to disk, or a repository's Parquet files.

Layouts (certain)::

    dataset_dict.json, <split>/{state.json, dataset_info.json, data-*.arrow}    save_to_disk
    state.json, dataset_info.json, data-*.arrow                                 one split of it
    data/<split>-00000-of-00001.parquet                                         a repository

Images are inside (bytes) or named by their paths, from the set's folder or the file's. Labels that
are numbers get their names from ``dataset_info.json`` or from the Parquet file's own metadata.
Images inside stay in memory until the set is written.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emoviz.data.cells import NO_ANSWER, by_number
from emoviz.data.columns import Roles, Table
from emoviz.data.dataset import SPLIT_WORDS, Dataset, Split, Wish, absolute, any_taxonomy
from emoviz.data.importers.common import Gathered, Importer, roles_with_label
from emoviz.data.named_files import Files
from emoviz.data.table_records import read_records
from emoviz.data.tables import read_table
from emoviz.errors import TableError
from emoviz.files import read_json
from emoviz.labels import get_taxonomy
from emoviz.settings import load_settings

_SHARD = re.compile(r"([A-Za-z]+)(?:-\d+-of-\d+)?")


def _read(root: Path, labels: str = "") -> Dataset:
    """`labels` names a taxonomy; it is found from the labels where empty, or made of them."""
    shards = list(_shards(root))
    if not shards:
        names = ", ".join(sorted(Files(root).listing())) or "nothing"
        raise TableError(
            f"'{root}' holds no data set of Hugging Face. Wanted: dataset_dict.json with a folder "
            "a split, or state.json with data-*.arrow, or data/<split>-*.parquet. "
            f"Found: {names[:200]}."
        )
    tables, known = list[tuple[Table, Roles, Split | None]](), set[str]()
    for path, split in shards:
        table = read_table(path)
        roles, column = roles_with_label(table)
        tables.append((table, _sure_roles(table, roles, split), split))
        texts = {text.strip() for text in table.columns[column]}
        texts = {text for text in texts if text.casefold() not in NO_ANSWER}
        known |= {by_number(text, table.classes.get(column, ())) for text in texts}
    taxonomy = get_taxonomy(labels) if labels else any_taxonomy("huggingface", known)
    found, wish = Gathered(taxonomy), Wish(load_settings(), taxonomy, labelled=True)
    for table, roles, split in tables:
        folders = [Files(absolute(folder)) for folder in (root, table.path.parent)]
        part = read_records(table, wish, roles, folders)
        for record in part.records:
            name = f"{len(found.records):06}-{record.name}" if record.is_inside else record.name
            group = name if record.group == record.name else record.group
            found.records.append(
                replace(record, name=name, group=group, split=split or record.split)
            )
        found.problems += [
            item._replace(key=f"{table.path.name}, {item.key}") for item in part.problems
        ]
    return found.finish(root, root.absolute().name)


def _sure_roles(table: Table, roles: Roles, split: Split | None) -> Roles:
    """A file's name says the split before a column does; what a ``source`` is, nobody knows here.

    A column without one word for a split is of something else, such as folds.
    """
    words = set(table.columns[roles.split]) if roles.split and not split else ()
    is_split = any(word.strip().casefold() in SPLIT_WORDS for word in words)
    is_source = (roles.group or "").casefold() == "source"
    group = None if is_source else roles.group
    return replace(roles, split=roles.split if is_split else None, group=group)


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


IMPORTER = Importer(
    kind="huggingface",
    title="A data set of Hugging Face",
    layout="what save_to_disk wrote, or a repository's Parquet files",
    source="your own",
    terms="",
    citation="",
    read=_read,
    takes_taxonomy=True,
)
