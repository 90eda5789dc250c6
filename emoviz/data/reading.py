"""The door: any place that holds images, opened as one `Dataset`.

A place is a folder, a ZIP, a table, a set of the library as a file, or one image. Classes are
folders, any number of wrappers deep; where that can be read in two ways, the set's notes say which
one was taken and how to have the other. Files of images are found, not opened.
"""

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from emoviz.data import dataset_file, tables
from emoviz.data.affect import Scale
from emoviz.data.dataset import (
    NO_LABEL,
    SPLIT_WORDS,
    UNLABELLED,
    Dataset,
    Holder,
    Problem,
    Record,
    Split,
    majority,
    no_label,
    relabelled,
)
from emoviz.data.images import Limits
from emoviz.data.sources import (
    ImageSource,
    ZipImages,
    first_bytes,
    from_bytes,
    from_path,
    is_image,
    parts_of,
    refusal,
    walk_files,
)
from emoviz.data.tables import Files, Roles, Table, find_roles, read_table
from emoviz.errors import ImageError, TableError
from emoviz.labels import TAXONOMIES, Taxonomy, get_taxonomy, own_taxonomy, taxonomy_of
from emoviz.settings import Settings

SAMPLE = "sample"
MOST_CLASSES = 2000  # a record holds a share for each
TABLES = (".csv", ".tsv", ".tab", ".txt", ".parquet")
_SENT = "only addresses (http, https) are taken from a table that was sent"
_NO_CLASS = "it lies in no folder of a class"
_OUTSIDE = "neutral"  # an answer that people may give beside the labels of a taxonomy


@dataclass(frozen=True)
class Wish:
    """What a set is opened for.

    Attributes:
        taxonomy: Of the labels; found from them where None.
        likely: Taken instead of a smaller one where all labels are of it.
        labelled: Whether labels are needed: then folders are classes, and what lies in none, or
            has a label that `taxonomy` lacks, is a problem.
        level: Which folder is the class, counted from the outermost, 1; found where None.
        limits: Caps on images.
        archive_bytes: Cap on what a ZIP may unpack to.
        sent: Whether it came through a browser: then a table may name addresses alone, and is told
            nothing of which files there are.
    """

    taxonomy: Taxonomy | None = None
    likely: Taxonomy | None = None
    labelled: bool = False
    level: int | None = None
    limits: Limits = field(default_factory=Limits)
    archive_bytes: int = 2_000_000_000
    sent: bool = False


def open_dataset(
    place: str | Path,
    settings: Settings | None = None,
    taxonomy: Taxonomy | None = None,
    likely: Taxonomy | None = None,
    labelled: bool = False,
    level: int | None = None,
    sent: bool = False,
) -> Dataset:
    """Open whatever lies at a path, or ``sample`` for the images that come with the project.

    Args:
        place: A folder, a ZIP, a table (CSV, TSV, Parquet) or an image.
        settings: Caps, and where the sample is; the usual ones where None.
        taxonomy, likely, labelled, level, sent: See `Wish`.

    Returns:
        The images, and a problem for each thing that was found there and not taken.

    Raises:
        TableError: There is nothing at the path, it cannot be read, or nothing can be taken.
    """
    settings = settings or Settings()
    wish = Wish(taxonomy, likely, labelled, level, *_caps(settings), sent)
    return _checked(place, _opened(place, settings, wish), wish)


def _caps(settings: Settings) -> tuple[Limits, int]:
    return Limits.of(settings), int(settings.max_archive_mb * 1e6)


def _opened(place: str | Path, settings: Settings, wish: Wish) -> Dataset:
    """What lies there, also where nothing of it can be taken."""
    given = Path(place)
    sample = _absolute(settings.sample_data)
    if (str(place) == SAMPLE and not os.path.lexists(given)) or _absolute(given) == sample:
        return _sample(settings, wish)
    try:
        is_folder, is_file = given.is_dir(), given.is_file()
    except (OSError, ValueError):  # a name too long, a zero byte, a folder closed to us
        is_folder = is_file = False
    if not (is_folder or is_file):
        raise TableError(
            f"There is no '{place}'. Wanted: a folder, a ZIP, a CSV or Parquet table, an image, or "
            f"'{SAMPLE}' for the images that come with the project."
        )
    found = _folder(given, wish) if is_folder else _file(given, wish)
    return replace(found, path=_absolute(given))


def _file(path: Path, wish: Wish) -> Dataset:
    """What a file holds: its bytes say that it is an image, a ZIP or Parquet, else its name."""
    suffix = path.suffix.casefold()
    try:
        begins = first_bytes(path)
    except ImageError:
        begins = b""
    if begins.startswith(b"PK\x03\x04") or suffix == ".zip":
        return open_zip(path, str(path), wish)
    if not is_image(begins) and suffix == ".parquet":
        own = dataset_file.read_set(path)
        if own is not None:
            return relabelled(own, wish.taxonomy) if wish.taxonomy is not None else own
    if not is_image(begins) and (suffix in TABLES or begins.startswith(b"PAR1")):
        return _table(read_table(path), wish)
    record = Record(path.name, path, group=path.name)
    shown = str(path).removesuffix(path.name)
    return Dataset(path.name, UNLABELLED, (record,), root=Path.cwd(), shown=shown)


def read_labelled(
    path: Path, taxonomy: Taxonomy | None = None, likely: Taxonomy | None = None
) -> Dataset:
    """Open a place whose images must have labels, as all that learns and measures does."""
    return open_dataset(path, None, taxonomy, likely, labelled=True)


def open_sent_zip(name: str, data: bytes, settings: Settings) -> Dataset:
    """Open a ZIP that is in memory, as `read_labelled` opens one on the disk."""
    wish = Wish(None, None, True, None, *_caps(settings))
    return _checked(name, open_zip(data, name, wish), wish)


def open_holder(path: Path, settings: Settings) -> Holder:
    """What reads the images inside a ZIP or a Parquet file, by the names that its records have.

    Raises:
        TableError, ImageError: It is neither, or cannot be read.
    """
    if first_bytes(path).startswith(b"PK\x03\x04"):
        return ZipImages(path, *_caps(settings))
    table = read_table(path)
    if table.images is None:
        raise TableError(f"'{path}' holds no images.")
    return tables.ParquetImages(path, table.images, table.columns[table.images])


def expand(
    paths: Iterable[Path], settings: Settings, tell: Callable[[str], None] = lambda note: None
) -> list[ImageSource]:
    """Whatever a person names as image sources, in the order given.

    What cannot be taken, a path that does not exist, an empty folder or a broken ZIP is a source
    that cannot be read, so nothing asked for and nothing found goes unmentioned.
    """
    wish, sources = Wish(None, None, False, None, *_caps(settings)), list[ImageSource]()
    for path in paths:
        try:
            if os.path.exists(path):  # noqa: PTH110  (Path raises for a name too long)
                found = _opened(path, settings, wish)
                sources += _sources(str(path), found, wish)
                for note in found.notes:
                    tell(note)
            else:
                sources.append(from_path(path, wish.limits))
        except TableError as error:
            sources.append(refusal(str(path), _reason(str(path), error)))
    return sources


def sent_sources(name: str, data: bytes, settings: Settings) -> list[ImageSource]:
    """A file that is in memory as image sources: the images of a ZIP, or itself."""
    if not (data.startswith(b"PK\x03\x04") or name.casefold().endswith(".zip")):
        return [from_bytes(name, data)]
    wish = Wish(None, None, False, None, *_caps(settings))
    try:
        return _sources(name, open_zip(data, name, wish), wish)
    except TableError as error:
        return [refusal(name, _reason(name, error))]


def _sources(name: str, found: Dataset, wish: Wish) -> list[ImageSource]:
    def source(shown: str, record: Record) -> ImageSource:
        return ImageSource(shown, lambda: record.read(wish.limits))

    made = [source(*pair) for pair in zip(found.names, found.records, strict=True)]
    made += [refusal(found.shown + item.key, item.reason) for item in found.problems]
    return made or [refusal(name, "it holds no images")]


def _reason(name: str, error: TableError) -> str:
    return str(error).removeprefix(f"'{name}': ").rstrip(".")


def parse_data_argument(text: str) -> tuple[Taxonomy | None, Path]:
    """Read ``TAXONOMY=PATH`` or ``PATH`` from the command line.

    Raises:
        TaxonomyError: The part before ``=`` names no taxonomy.
    """
    name, separator, path = text.partition("=")
    if separator and "/" not in name and "\\" not in name and not os.path.exists(text):  # noqa: PTH110
        return get_taxonomy(name), Path(path)
    return None, Path(text)


def any_taxonomy(kind: str, labels: Iterable[str], likely: Taxonomy | None = None) -> Taxonomy:
    """A registered taxonomy that holds the labels, or one made of them, in alphabetical order."""
    found = sorted({label.strip() for label in labels} - {""})
    known = taxonomy_of(found, likely)
    if known is not None:
        return known
    digest = hashlib.sha256("\0".join(found).encode(errors="replace")).hexdigest()[:6]
    return own_taxonomy(f"own-{digest}", found, f"Labels of {kind}")


def fitted(found: Dataset, likely: Taxonomy | None = None) -> Dataset:
    """The set with its labels in the taxonomy of the field that holds most of them.

    Labels of no taxonomy of the field are of one of their own. Where one of the field holds half
    of the images at least, they are taken to be of it, and the rest are problems.
    """
    counts = Counter(r.label for r in found.records if r.label >= 0)
    total, names = sum(counts.values()), found.taxonomy.names
    candidates = [*([likely] if likely is not None else []), *TAXONOMIES.values()]
    if not total or found.taxonomy in candidates:
        return found

    def held(item: Taxonomy) -> int:
        return sum(count for label, count in counts.items() if item.holds(names[label]))

    best = max(candidates, key=held)
    return relabelled(found, best) if 2 * held(best) >= total else found


def _checked(place: str | Path, found: Dataset, wish: Wish) -> Dataset:
    """A set of which something can be used; `TableError` says why where nothing can."""
    known = len(found.taxonomy) > 0
    if len(found.records) and (known or not wish.labelled):
        return found
    first = "".join(f" First: {key}: {why}" for key, why in found.problems[:1])
    if not wish.labelled or (known and found.problems):
        raise TableError(f"'{place}' holds no image that can be used.{first}")
    raise TableError(
        f"'{place}' has no labels. Wanted: one folder a class, with its images in it, such as "
        f"awe/1.jpg and fear/2.jpg; or a table with file and label.{first}"
    )


def _absolute(path: Path) -> Path:
    # Path.resolve raises for a zero byte in the name, or a circle of links
    return Path(os.path.abspath(path))  # noqa: PTH100


@cache
def one_hot(index: int, count: int) -> tuple[float, ...]:
    """Shared by all images of a class: a million rows would hold a million of these."""
    return tuple(float(i == index) for i in range(count))


# Folders and ZIPs --------------------------------------------------------------------------------


def _folder(path: Path, wish: Wish) -> Dataset:
    files, problems = [], []
    for file, reason in walk_files(path):
        name = file.relative_to(path).as_posix()
        if reason:
            problems.append(Problem(name, reason))
        else:
            files.append((name, file))
    shown = os.path.join(path, "")  # noqa: PTH118 - with the separator at its end
    records = [Record(name, file) for name, file in files]
    return _by_folders(_absolute(path).name or str(path), records, problems, wish, shown)


def open_zip(archive: Path | bytes, name: str, wish: Wish) -> Dataset:
    """The images of a ZIP.

    Raises:
        TableError: It is no ZIP, or goes beyond a cap.
    """
    try:
        holder = ZipImages(archive, wish.limits, wish.archive_bytes)
    except ImageError as error:
        raise TableError(f"'{name}': {error}.") from None
    path = archive if isinstance(archive, Path) else Path(name)
    records = [Record(x, path, inside=x, holder=holder) for x in holder.names]
    title = Path(name).name if not wish.labelled else Path(name).stem
    found = _by_folders(title, records, holder.problems, wish, f"{name}/")
    return replace(found, path=_absolute(path), notes=(*holder.notes, *found.notes))


def _by_folders(
    title: str, files: Sequence[Record], problems: Sequence[Problem], wish: Wish, shown: str
) -> Dataset:
    """Images with the labels and splits that their folders give."""
    folders = [parts_of(record.name)[:-1] for record in files]
    read = read_structure(folders, wish.level)
    names = sorted({label for label, _ in read.places if label})
    if len(names) > MOST_CLASSES and wish.labelled:
        raise TableError(
            f"'{title}' has {len(names):,} folders with images; at most {MOST_CLASSES:,} classes "
            "are read. Are the folders perhaps artists, or is each image in a folder of its own?"
        )
    taxonomy = wish.taxonomy or taxonomy_of(names, wish.likely)
    if taxonomy is None and wish.labelled and names:
        taxonomy = any_taxonomy(title, names, wish.likely)
    taxonomy = taxonomy or UNLABELLED
    spelt = {name: taxonomy.index(name) if taxonomy.holds(name) else NO_LABEL for name in names}
    spelt[""] = NO_LABEL
    records, problems = [], list(problems)
    unknown: Counter[str] = Counter()
    for record, above, (label, split) in zip(files, folders, read.places, strict=True):
        index = spelt[label]
        if wish.labelled and index < 0:
            unknown.update([label] if label else [])
            reason = no_label(label, taxonomy) if label else _NO_CLASS
            problems.append(Problem(record.name, reason))
            continue
        records.append(
            replace(
                record,
                label=index,
                shares=one_hot(index, len(taxonomy)),
                group=record.name,
                split=split,
                metadata={"folder": "/".join(above)} if above and not wish.labelled else {},
                written=label if len(taxonomy) else "",
            )
        )
    notes = read.notes if wish.labelled or len(taxonomy) else ()
    return Dataset(
        title,
        taxonomy,
        tuple(records),
        tuple(problems),
        root=Path.cwd(),
        shown=shown,
        notes=tuple(notes),
        unknown=dict(unknown.most_common()),
    )


@dataclass(frozen=True)
class Structure:
    """What the folders above images mean.

    Attributes:
        places: (label or "", split) for each image.
        notes: Which reading was taken, where there are two, and how to have the other.
    """

    places: Sequence[tuple[str, Split | None]]
    notes: tuple[str, ...] = ()


def read_structure(folders: Sequence[tuple[str, ...]], level: int | None = None) -> Structure:
    """Which folders are wrappers, splits and classes.

    Folders that hold one folder alone are wrappers, unless their name is a label; ``train``,
    ``val``, ``test`` are splits, above the classes or below them. Classes are the folders that
    come then; where the field knows none of them and knows all the folders in them, those are.

    Args:
        folders: (N) those above each image, from the outermost.
        level: Which of them is the class, counted from 1; found where None.
    """
    if level is not None:
        return Structure([_at_level(above, level) for above in folders])
    base = _base(folders)
    inner = [above[len(base) :] if above[: len(base)] == base else () for above in folders]
    first = {above[0] for above in inner if above}
    above_classes = {above[0] for above in inner if len(above) > 1}
    if any(name.casefold() in SPLIT_WORDS for name in above_classes) and not _known(first):
        return _below_splits(inner)
    return _classes(base, inner, first)


def _below_splits(inner: Sequence[tuple[str, ...]]) -> Structure:
    """Folders of splits, each with its classes; a class may stand beside them."""
    by_split: dict[str, list[int]] = {}
    for i, above in enumerate(inner):
        by_split.setdefault(above[0] if above else "", []).append(i)
    splits = {name: rows for name, rows in by_split.items() if name.casefold() in SPLIT_WORDS}
    places: list[tuple[str, Split | None]] = [("", None)] * len(inner)
    notes: dict[str, None] = {}
    for name, rows in splits.items():
        part = read_structure([inner[i][1:] for i in rows])
        for i, (label, _) in zip(rows, part.places, strict=True):
            places[i] = label, SPLIT_WORDS[name.casefold()]
        notes |= dict.fromkeys(part.notes)
    classes = {label for label, _ in places}
    for name in by_split.keys() - splits.keys():
        for i in by_split[name] if name in classes else ():
            places[i] = name, None
    return Structure(places, tuple(notes))


def _classes(base: tuple[str, ...], inner: Sequence[tuple[str, ...]], first: set[str]) -> Structure:
    second = {above[1] for above in inner if len(above) > 1}
    deeper = len(base) + 2
    notes: tuple[str, ...] = ()
    below_splits = bool(second) and all(name.casefold() in SPLIT_WORDS for name in second)
    if below_splits:
        places = [
            (above[0] if above else "", SPLIT_WORDS[above[1].casefold()] if above[1:] else None)
            for above in inner
        ]
        return Structure(places)
    if second and _known(second) and not _known(first):
        names = ", ".join(sorted(second)[:4])
        notes = (
            f"The classes are the folders {names} inside {', '.join(sorted(first)[:4])}. To take "
            f"the outer folders as classes instead, take folder level {deeper - 1}.",
        )
        return Structure([(above[1] if above[1:] else "", None) for above in inner], notes)
    if base and first and not _known(first):
        notes = (
            f"'{'/'.join(base)}' was taken for a folder around the classes "
            f"({', '.join(sorted(first)[:4])}). To take '{base[-1]}' as a class instead, "
            f"take folder level {len(base)}.",
        )
    elif second and not _known(first):
        notes = (
            f"The classes are the folders {', '.join(sorted(first)[:4])}; folders in them "
            f"count to them. To take those as classes instead, take folder level {deeper}.",
        )
    return Structure([_first_folder(above) for above in inner], notes)


def _first_folder(above: tuple[str, ...]) -> tuple[str, Split | None]:
    """The class, or the split of an image that lies in none."""
    name = above[0] if above else ""
    split = SPLIT_WORDS.get(name.casefold())
    return ("", split) if split else (name, None)


def _base(folders: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folder in which the classes or splits lie: past those that hold one folder alone."""
    base: tuple[str, ...] = ()
    while True:
        inside = [above[len(base) :] for above in folders if above[: len(base)] == base]
        names = {above[0] for above in inside if above}
        below = sum(len(above) > 1 for above in inside)
        if len(names) != 1 or 2 * below <= sum(len(above) > 0 for above in inside):
            return base
        (name,) = names
        if name.casefold() in SPLIT_WORDS or _known(names):
            return base
        deeper = {above[1].casefold() for above in inside if len(above) > 1}
        if deeper <= SPLIT_WORDS.keys() and not any(len(above) > 2 for above in inside):
            return base  # one class with its splits below it
        base = (*base, name)


def _known(names: Iterable[str]) -> bool:
    return taxonomy_of(names) is not None


def _at_level(above: tuple[str, ...], level: int) -> tuple[str, Split | None]:
    splits = [SPLIT_WORDS[name.casefold()] for name in above if name.casefold() in SPLIT_WORDS]
    return (above[level - 1] if len(above) >= level else ""), (splits[0] if splits else None)


# Tables ------------------------------------------------------------------------------------------


def _sample(settings: Settings, wish: Wish) -> Dataset:
    """The shipped images with what ``images.csv`` says of them, labels where they have one."""
    table = read_table(settings.sample_data / "images.csv")
    labels = read_table(settings.sample_data / "labels.csv").columns
    label = dict(zip(labels["file"], labels["label"], strict=True))
    column = [label.get(file, "") for file in table.columns["file"]]
    found = _table(replace(table, columns={**table.columns, "label": column}), wish)
    return replace(found, path=_absolute(settings.sample_data), name="sample images")


def _table(table: Table, wish: Wish) -> Dataset:
    roles = find_roles(table, wish.taxonomy, wish.labelled)
    rows = _Rows(table, roles, wish)
    title = "/".join(_absolute(table.path).parts[-2:])
    notes = (*table.notes, *([roles.note] if roles.note else ()))
    return Dataset(
        title,
        rows.taxonomy,
        rows,
        tuple(Problem(table.place(row), rows.refused[row]) for row in sorted(rows.refused)),
        bool(roles.votes) and roles.label is None,
        root=_absolute(table.path).parent,
        notes=notes,
        unknown=dict(rows.unknown.most_common()),
    )


class _Rows(Sequence[Record]):
    """The rows of a table as records, made when they are asked for: a million cost columns alone.

    Args:
        table: Any.
        roles: Of its columns.
        wish: What it is opened for.

    Attributes:
        taxonomy: Of the labels.
        refused: Row -> why it cannot be taken.
        unknown: Labels that the taxonomy lacks -> how many rows have them.
    """

    def __init__(self, table: Table, roles: Roles, wish: Wish) -> None:
        self._table, self._roles = table, roles
        self.refused: dict[int, str] = {}
        self.unknown: Counter[str] = Counter()
        self._root = _absolute(table.path).parent
        self._names = self._image_names()
        self._written = self._label_texts(wish)
        self._shares: NDArray[np.float64] | None = None
        if roles.label is not None:
            self.taxonomy = self._taxonomy_of_labels(wish)
            self._labels = self._label_indices(wish)
        elif roles.votes:
            self.taxonomy, self._shares, self._labels = self._votes(wish)
        else:
            self.taxonomy = UNLABELLED
            self._labels = np.full(len(self._names), NO_LABEL)
        self._splits = self._split_words()
        self._affect = {name: self._turned(*given) for name, given in roles.affect.items()}
        self._images = self._held_images(wish)
        self._files = self._located(wish)
        kept = (row for row in range(len(self._names)) if row not in self.refused)
        self._kept = np.fromiter(kept, np.int64)
        used = {roles.file, roles.label, roles.split, table.images}
        used |= {column for column, _ in roles.affect.values()}
        if roles.label is None:  # a vote for an answer that is no label stays to be seen
            used |= {
                column for column, answer in roles.votes.items() if self.taxonomy.holds(answer)
            }
        self._others = [name for name in table.columns if name not in used]

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        """A record, or several."""
        if isinstance(index, slice):
            return [self._record(int(row)) for row in self._kept[index]]
        return self._record(int(self._kept[index]))

    def _record(self, row: int) -> Record:
        name, label, count = self._names[row], int(self._labels[row]), len(self.taxonomy)
        shares = self._shares
        group = self._table.columns[self._roles.group][row].strip() if self._roles.group else ""
        file, content, holder = self._files[row], None, None
        if isinstance(self._images, list):
            content = self._images[row]
        else:
            holder = self._images
        others = ((key, self._table.columns[key][row].strip()) for key in self._others)
        return Record(
            name,
            self._table.path if content is not None or holder is not None else self._root / file,
            label,
            one_hot(label, count) if shares is None else tuple(shares[row].tolist()),
            group or name,
            self._splits[row] if self._splits else None,
            content,
            {key: text for key, text in others if text},
            self._affect["valence"][row] if "valence" in self._affect else None,
            self._affect["arousal"][row] if "arousal" in self._affect else None,
            str(row) if holder is not None else "",
            holder,
            self._written[row] if self._written else "",
            file if _is_address(file) else "",
        )

    def _image_names(self) -> list[str]:
        column = self._table.columns[self._roles.file]
        inside = self._table.columns[self._table.images] if self._table.images else column
        names = [a.strip() or b.strip() for a, b in zip(column, inside, strict=True)]
        for row, name in enumerate(names):
            if not name:
                self.refused[row] = "the row has no image"
        return names

    def _label_texts(self, wish: Wish) -> list[str]:
        """Labels as they are written, "" for none; numbers by the names that the file gives."""
        if self._roles.label is None:
            return []
        column = self._table.columns[self._roles.label]
        given = self._table.classes.get(self._roles.label, ())
        numbered = list(given or (wish.taxonomy.names if wish.taxonomy is not None else ()))
        taxonomy = wish.taxonomy

        def read(text: str) -> str:
            bare = text.strip()
            if bare.casefold() in tables.NO_ANSWER:
                return ""
            known = taxonomy is not None and taxonomy.holds(bare)
            if numbered and not known and bare.removesuffix(".0").isdigit():
                place = int(bare.removesuffix(".0"))
                return numbered[place] if place < len(numbered) else bare
            return bare

        meaning = {text: read(text) for text in set(column)}
        return [meaning[text] for text in column]

    def _taxonomy_of_labels(self, wish: Wish) -> Taxonomy:
        found = set(self._written) - {""}
        known = wish.taxonomy or taxonomy_of(found, wish.likely)
        if known is not None:
            return known
        kind = _are_numbers(found)
        if kind and wish.labelled:
            raise TableError(
                f"The labels of '{self._table.path}' are {kind} ({', '.join(sorted(found)[:6])}). "
                "Say of which taxonomy they are, in whose order they count from 0: "
                f"{', '.join(TAXONOMIES)}. Or write the classes' names in the table."
            )
        if not found or kind or len(found) > MOST_CLASSES:
            if len(found) > MOST_CLASSES and wish.labelled:
                raise TableError(
                    f"'{self._table.path}' has {len(found):,} different labels in the column "
                    f"'{self._roles.label}'; at most {MOST_CLASSES:,} are read."
                )
            return UNLABELLED
        return any_taxonomy(self._table.path.stem, found)

    def _label_indices(self, wish: Wish) -> NDArray[np.int64]:
        places = {
            text: self.taxonomy.index(text) if text and self.taxonomy.holds(text) else NO_LABEL
            for text in set(self._written)
        }
        if wish.labelled:
            reasons = {x: no_label(x, self.taxonomy) for x, i in places.items() if x and i < 0}
            if reasons:
                for row, text in enumerate(self._written):
                    if text in reasons:
                        self.unknown[text] += 1
                        self.refused.setdefault(row, reasons[text])
        return np.array([places[text] for text in self._written], np.int64)

    def _votes(self, wish: Wish) -> tuple[Taxonomy, NDArray[np.float64], NDArray[np.int64]]:
        """The taxonomy, (N, S) shares and (N,) labels of people's votes."""
        answers = self._roles.votes
        found = set(answers.values()) - {_OUTSIDE}
        taxonomy = wish.taxonomy or any_taxonomy(self._table.path.stem, found, wish.likely)
        shares = np.zeros((len(self._names), len(taxonomy)))
        outside = np.zeros(len(self._names))
        for column, answer in answers.items():
            values = self._vote_shares(column)
            if taxonomy.holds(answer):
                shares[:, taxonomy.index(answer)] += values
            else:
                outside = np.maximum(outside, values)
        return taxonomy, shares, majority(shares, outside)

    def _vote_shares(self, column: str) -> NDArray[np.float64]:
        cells = self._table.columns[column]
        values, wrong = dict[str, float](), dict[str, str]()
        for cell in set(cells):
            try:
                share = tables.number(cell)
            except ValueError:
                wrong[cell] = f"{column} is '{cell.strip()[:40]}', not a share"
                share = 0.0
            if not 0 <= share <= 1:
                wrong[cell] = f"{column} is {cell.strip()[:40]}, not a share between 0 and 1"
                share = 0.0
            values[cell] = share
        if wrong:
            for row, cell in enumerate(cells):
                if cell in wrong:
                    self.refused.setdefault(row, wrong[cell])
        return np.array([values[cell] for cell in cells])

    def _split_words(self) -> list[Split | None]:
        """An unknown word would let test images slip into training: such rows are refused."""
        if self._roles.split is None:
            return []
        column = self._table.columns[self._roles.split]
        known: dict[str, Split | None] = {
            text: SPLIT_WORDS.get(text.strip().casefold()) for text in set(column)
        }
        for row, text in enumerate(column):
            if known[text] is None and text.strip().casefold() not in tables.NO_ANSWER:
                wanted = f"split is '{text.strip()}'; wanted: train, validation or test"
                self.refused.setdefault(row, wanted)
        return [known[text] for text in column]

    def _turned(self, column: str, scale: Scale) -> list[float | None]:
        """Valence or arousal of each row, on -1 to 1."""
        values: dict[str, float | None] = {}
        wrong: dict[str, str] = {}
        cells = self._table.columns[column]
        for cell in set(cells):
            try:
                values[cell] = scale.turned(cell, column)
            except TableError as error:
                values[cell], wrong[cell] = None, str(error)
        for row, cell in enumerate(cells if wrong else ()):
            if cell in wrong:
                self.refused.setdefault(row, wrong[cell])
        return [values[cell] for cell in cells]

    def _located(self, wish: Wish) -> list[str]:
        """Where the file of each row is, relative to the table's folder where it is below."""
        files, names = Files(self._root), self._names
        if isinstance(self._images, list):
            held = zip(names, self._images, strict=True)
            return [
                self._file(files, row, name) if data is None else name
                for row, (name, data) in enumerate(held)
            ]
        if self._images is not None:
            return names
        if wish.sent:
            for row, name in enumerate(names):
                if not _is_address(name):
                    self.refused.setdefault(row, _SENT)
            return names
        folders = {name.rpartition("/")[0] for name in names}
        there = {
            f"{folder}/{name}" if folder else name
            for folder in folders
            if not folder.startswith("/") and "\\" not in folder and ".." not in folder
            for name in files.listed(f"{self._root}/{folder}".rstrip("/"))[0]
        }
        return [
            name if name in there or row in self.refused else self._file(files, row, name)
            for row, name in enumerate(names)
        ]

    def _file(self, files: Files, row: int, name: str) -> str:
        if _is_address(name):
            return name
        found = files.locate(name)
        if found is None:
            unnamed = self._images is not None and name.startswith(f"{self._table.path.stem}/")
            reason = "the row has no image" if unnamed else f"{name}: there is no such file"
            self.refused[row] = reason
            return name
        return str(found)

    def _held_images(self, wish: Wish) -> "list[bytes | None] | tables.ParquetImages | None":
        """The images inside a table: all of them for training, else one after another."""
        if self._table.images is None:
            return None
        if not wish.labelled:
            return tables.ParquetImages(self._table.path, self._table.images, self._names)
        return tables.read_images(self._table.path, self._table.images, wish.limits)


def _is_address(name: str) -> bool:
    return name[:8].casefold().startswith(("http://", "https://"))


def _are_numbers(found: set[str]) -> str:
    """What kind of values the labels are, where they are no words."""
    if not found:
        return ""
    if {text.casefold() for text in found} <= {"true", "false", "yes", "no", "t", "f", "y", "n"}:
        return "yes and no"

    def is_number(text: str) -> bool:
        with contextlib.suppress(ValueError):
            return bool(float(text.replace(",", ".")) or True)
        return False

    return "numbers" if all(map(is_number, found)) else ""
