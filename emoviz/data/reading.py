"""The door: any place that holds images, opened as one `Dataset`.

A place is a folder, a ZIP, a table, a set of the library as a file, or one image. Classes are
folders, any number of wrappers deep; where that can be read in two ways, the set's notes say which
one was taken and how to have the other. Where folders are none, a table of labels in it may say
what its images are. Files of images are found, not opened.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from emoviz.data.dataset import (
    MOST_CLASSES,
    NO_LABEL,
    OUTSIDE,
    UNLABELLED,
    Dataset,
    Holder,
    Problem,
    Record,
    Wish,
    absolute,
    any_taxonomy,
    no_label,
    one_hot,
    relabelled,
)
from emoviz.data.images import SUFFIXES, Limits
from emoviz.data.sources import (
    LISTS,
    SHEETS,
    TABLES,
    WORKBOOKS,
    ImageSource,
    ZipImages,
    as_address,
    first_bytes,
    from_bytes,
    from_path,
    is_address,
    is_image,
    parts_of,
    plain_suffix,
    refusal,
    unpacked,
    walk_files,
    why_no_image,
)
from emoviz.errors import ImageError, TableError
from emoviz.labels import TAXONOMIES, Taxonomy, get_taxonomy, taxonomy_of
from emoviz.settings import Settings, load_settings

SAMPLE = "sample"
_BESIDE = (*TABLES, *LISTS)
_NO_ROWS = re.compile(rb"(\xef\xbb\xbf)?\s*[^\s\[{\xef]")
# What a IIIF document says somewhere, and a table of images does not.
_OF_IIIF = re.compile(
    rb'"(@context|sequences|canvases)"|"@?type"\s*:\s*"(sc:)?(Manifest|Collection)"'
)
_MANIFEST = 50_000_000  # bytes
_NO_CLASS = "it lies in no folder of a class"
_NO_CLASS_OF_SPLITS = "its folder is no class of the splits"


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
        place: A folder, a ZIP, a table (CSV, TSV, JSON lines, Parquet, Arrow), an image, or
            the address of a IIIF manifest or collection, which is then asked for.
        settings: Caps, and where the sample is; the environment's where None.
        taxonomy, likely, labelled, level, sent: See `Wish`.

    Returns:
        The images, and a problem for each thing that was found there and not taken.

    Raises:
        TableError: There is nothing at the path, it cannot be read, or nothing can be taken.
    """
    wish = Wish(settings or load_settings(), taxonomy, likely, labelled, level, sent)
    return _checked(place, _opened(place, wish), wish)


def _opened(place: str | Path, wish: Wish) -> Dataset:
    """What lies there, also where nothing of it can be taken."""
    if is_address(place):
        from emoviz.data.importers.iiif_reading import read_address

        return read_address(as_address(place), wish.settings)
    given = Path(place)
    sample = absolute(wish.settings.sample_data)
    if (str(place) == SAMPLE and not os.path.lexists(given)) or absolute(given) == sample:
        from emoviz.data.table_records import read_sample

        return read_sample(wish)
    try:
        is_folder, is_file = given.is_dir(), given.is_file()
    except (OSError, ValueError):  # a name too long, a zero byte, a folder closed to us
        is_folder = is_file = False
    if not (is_folder or is_file):
        raise TableError(
            f"There is no '{place}'. Wanted: a folder, a ZIP, a table (CSV, TSV, JSON lines, "
            f"Parquet, Arrow), an image, a IIIF address, or '{SAMPLE}' for the images that come "
            "with the project."
        )
    found = _folder(given, wish) if is_folder else _file(given, wish)
    return replace(found, path=absolute(given))


def kind_of_file(path: Path) -> Literal["zip", "table", "manifest", "image"]:
    """What a file is for the door: its bytes say image, ZIP or Parquet, else its name.

    Raises:
        TableError: It is a workbook.
    """
    suffix = plain_suffix(path.name)
    try:
        begins = first_bytes(path)
    except ImageError:
        begins = b""
    if suffix in SHEETS and begins.startswith(WORKBOOKS):
        raise TableError(f"'{path}' is a workbook; save its sheet as CSV, and open that.")
    if is_image(begins):
        return "image"
    if suffix in _BESIDE or begins.startswith(b"PAR1"):
        return "table"
    if _is_zip(path.name, begins):
        return "zip"
    if suffix == ".json":
        with contextlib.suppress(ImageError):  # whoever reads it says what is wrong with it
            begins = unpacked(first_bytes(path, _MANIFEST))
        return "manifest" if _OF_IIIF.search(begins) or _NO_ROWS.match(begins) else "table"
    return "manifest" if suffix == ".jsonld" else "image"


def _file(path: Path, wish: Wish) -> Dataset:
    kind = kind_of_file(path)
    if kind == "zip":
        return open_zip(path, str(path), wish)
    if kind == "manifest":
        from emoviz.data.importers.iiif_reading import read_address

        return read_address(str(path), wish.settings)
    if kind == "table":
        from emoviz.data.dataset_file import read_set
        from emoviz.data.table_records import read_records
        from emoviz.data.tables import read_table

        own = read_set(path) if path.suffix.casefold() == ".parquet" else None
        if own is None:
            return read_records(read_table(path), wish)
        # Those of the library were looked at when they were brought in.
        if wish.sent or not absolute(path).is_relative_to(absolute(wish.settings.home)):
            own = confined(own, wish)
        return relabelled(own, wish.taxonomy) if wish.taxonomy is not None else own
    # Asked for by its name, whatever that says: its bytes decide.
    known = path.name if path.suffix.casefold() in SUFFIXES else ""
    reason = why_no_image(known, lambda: first_bytes(path))
    record, problem = Record(path.name, path, group=path.name), Problem(path.name, reason)
    return Dataset(
        path.name,
        UNLABELLED,
        () if reason else (record,),
        (problem,) if reason else (),
        root=Path.cwd(),
        shown=str(path).removesuffix(path.name),
    )


def _is_zip(name: str, begins: bytes) -> bool:
    """By its name also where something stands before it, as in one that unpacks itself."""
    return begins.startswith(b"PK\x03\x04") or name.casefold().endswith(".zip")


def confined(found: Dataset, wish: Wish) -> Dataset:
    """A set without the files that it may not name: whoever makes one writes any path into it."""
    if not (wish.sent or wish.folders):
        return found
    reasons = ["" if item.is_inside else wish.refusal(item.path) for item in found.records]
    pairs = list(zip(found.records, reasons, strict=True))
    problems = tuple(Problem(record.name, reason) for record, reason in pairs if reason)
    records = tuple(record for record, reason in pairs if not reason)
    return replace(found, records=records, problems=(*found.problems, *problems))


def read_labelled(
    path: str | Path, taxonomy: Taxonomy | None = None, likely: Taxonomy | None = None
) -> Dataset:
    """Open a place whose images must have labels, as all that learns and measures does."""
    return open_dataset(path, None, taxonomy, likely, labelled=True)


def open_holder(path: Path, settings: Settings) -> Holder:
    """What reads the images inside a ZIP or a Parquet file, by the names that its records have.

    Raises:
        TableError, ImageError: It is neither, or cannot be read.
    """
    if _is_zip(path.name, first_bytes(path)):
        return ZipImages(path, settings)
    from emoviz.data.parquet_tables import ParquetImages
    from emoviz.data.tables import read_table

    table = read_table(path)
    if table.images is None:
        raise TableError(f"'{path}' holds no images.")
    return ParquetImages(path, table.images, table.columns[table.images])


def expand(
    paths: Iterable[str | Path], settings: Settings, tell: Callable[[str], None] = lambda note: None
) -> list[ImageSource]:
    """Whatever a person names as image sources, in the order given.

    What cannot be taken, a path that does not exist, an empty folder or a broken ZIP is a source
    that cannot be read, so nothing asked for and nothing found goes unmentioned.
    """
    wish, sources = Wish(settings, level=0), list[ImageSource]()
    for path in paths:
        is_known = is_address(path) or str(path) == SAMPLE
        if is_known or os.path.exists(path):  # noqa: PTH110  (Path raises)
            sources += _sources(str(path), wish, partial(_opened, path, wish), tell)
        else:
            sources.append(from_path(Path(path), wish.limits))
    return sources


def sent_sources(name: str, data: bytes, settings: Settings) -> list[ImageSource]:
    """A file that is in memory as image sources: the images of a ZIP, or itself."""
    if not _is_zip(name, data):
        return [from_bytes(name, data)]
    wish = Wish(settings, level=0)
    return _sources(name, wish, partial(open_zip, data, name, wish))


def _sources(
    name: str,
    wish: Wish,
    opened: Callable[[], Dataset],
    tell: Callable[[str], None] = lambda note: None,
) -> list[ImageSource]:
    """What `opened` gives, one source at least."""
    try:
        found = opened()
    except TableError as error:
        return [refusal(name, str(error).removeprefix(f"'{name}': ").rstrip("."))]
    for note in found.notes:
        tell(note)
    return sources_of(found, wish.limits) or [refusal(name, "it holds no images")]


def sources_of(found: Dataset, limits: Limits) -> list[ImageSource]:
    """A set's images, then its problems as sources that cannot be read."""
    pairs = zip(found.names, found.records, strict=True)
    made = [ImageSource(shown, partial(record.read, limits)) for shown, record in pairs]
    return made + [refusal(found.shown + item.key, item.reason) for item in found.problems]


def parse_data_argument(text: str) -> tuple[Taxonomy | None, Path]:
    """Read ``TAXONOMY=PATH`` or ``PATH`` from the command line.

    Raises:
        TaxonomyError: The part before ``=`` names no taxonomy.
    """
    name, separator, path = text.partition("=")
    if separator and "/" not in name and "\\" not in name and not os.path.exists(text):  # noqa: PTH110
        return get_taxonomy(name), Path(path)
    return None, Path(text)


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
    if not len(found.records) and not found.problems:
        raise TableError(
            f"'{place}' holds no images. Wanted: some, in a folder a class where they have labels."
        )
    if len(found.records) and (known or not wish.labelled):
        return found
    first = "".join(f" First: {key}: {why}" for key, why in found.problems[:1])
    if not wish.labelled or (known and found.problems):
        raise TableError(f"'{place}' holds no image that can be used.{first}")
    if is_address(place):
        raise TableError(
            f"'{place}' has no labels, as no address of IIIF has. Bring it in as a collection, "
            f"review it, and make a labelled set of what people decided.{first}"
        )
    raise TableError(
        f"'{place}' has no labels. Wanted: one folder a class, with its images in it, such as "
        f"awe/1.jpg and fear/2.jpg; or a table with file and label.{first}"
    )


# Folders and ZIPs --------------------------------------------------------------------------------


def _folder(path: Path, wish: Wish) -> Dataset:
    found = [
        (file.relative_to(path).as_posix(), reason if wish.allows(file) else OUTSIDE)
        for file, reason in walk_files(path)
    ]
    names = [name for name, reason in found if not reason]
    problems = [Problem(name, reason) for name, reason in found if reason]

    def record_of(name: str, **known: Any) -> Record:
        return Record(name, path / name, **known)

    shown = os.path.join(path, "")  # noqa: PTH118 - with the separator at its end
    title = absolute(path).name or str(path)
    return _by_folders(title, names, problems, wish, shown, record_of)


def open_zip(archive: Path | bytes, name: str, wish: Wish) -> Dataset:
    """The images of a ZIP.

    Raises:
        TableError: It is no ZIP, or goes beyond a cap.
    """
    try:
        holder = ZipImages(archive, wish.settings)
    except ImageError as error:
        raise TableError(f"'{name}': {error}.") from None
    path = archive if isinstance(archive, Path) else Path(name)

    def member(inside: str, **known: Any) -> Record:
        return Record(inside, path, inside=inside, holder=holder, **known)

    title = Path(name).name if not wish.labelled else Path(name).stem
    found = _by_folders(title, holder.names, holder.problems, wish, f"{name}/", member)
    return replace(found, path=absolute(path), notes=(*holder.notes, *found.notes))


def _by_folders(
    title: str,
    inside: Sequence[str],
    problems: Sequence[Problem],
    wish: Wish,
    shown: str,
    record_of: Callable[..., Record],
) -> Dataset:
    """Images with the labels and splits that their folders give, or a table where these are none.

    Args:
        title: For people.
        inside: The images' names in the folder or ZIP.
        problems: What else is in it.
        wish: What it is opened for.
        shown: What goes before a name.
        record_of: From a name to what is read there, with what else is known of it.
    """
    from emoviz.data.structure import read_structure

    folders = [parts_of(name)[:-1] for name in inside]
    read = read_structure(folders, wish.level or None)
    names = sorted({label for label, _ in read.places if label})
    tables = [problem for problem in problems if plain_suffix(problem.key) in (*_BESIDE, ".json")]
    classes = len(names) > 1 or taxonomy_of(names, wish.taxonomy or wish.likely) is not None
    if wish.level is None and tables and not classes:
        from emoviz.data.table_beside import read_beside

        images = {
            "/".join(parts_of(name)): record_of(name, split=split, metadata=_of_folder(above, wish))
            for name, above, (_, split) in zip(inside, folders, read.places, strict=True)
        }
        found, problems = read_beside(images, problems, wish, record_of)
        if found is not None:
            return replace(found, name=title, root=Path.cwd(), shown=shown)
    if len(names) > MOST_CLASSES and wish.labelled:
        raise TableError(
            f"'{title}' has {len(names):,} folders with images; at most {MOST_CLASSES:,} classes "
            "are read. Are the folders perhaps artists, or is each image in a folder of its own?"
        )
    taxonomy = wish.taxonomy or taxonomy_of(names, wish.likely) or UNLABELLED
    if taxonomy is UNLABELLED and wish.labelled and names:
        taxonomy = any_taxonomy(title, names, wish.likely)
    spelt = {name: taxonomy.index(name) for name in names if taxonomy.holds(name)}
    records, problems = [], list(problems)
    has_splits = any(split for _, split in read.places)
    unknown: Counter[str] = Counter()
    for name, above, (label, split) in zip(inside, folders, read.places, strict=True):
        index = spelt.get(label, NO_LABEL)
        if wish.labelled and index < 0:
            unknown.update([label] if label else [])
            beside = has_splits and above and split is None
            none = _NO_CLASS_OF_SPLITS if beside else _NO_CLASS
            problems.append(Problem(name, no_label(label, taxonomy) if label else none))
            continue
        records.append(
            record_of(
                name,
                label=index,
                shares=one_hot(index, len(taxonomy)),
                group=name,
                split=split,
                metadata=_of_folder(above, wish),
                written=label if len(taxonomy) else "",
            )
        )
    told = wish.labelled or len(taxonomy) > 0
    return Dataset(
        title,
        taxonomy,
        tuple(records),
        tuple(problems),
        root=Path.cwd(),
        shown=shown,
        notes=read.notes if told else (),
        other_level=read.other if told else None,
        unknown=dict(unknown.most_common()),
    )


def _of_folder(above: Sequence[str], wish: Wish) -> dict[str, str]:
    return {"folder": "/".join(above)} if above and not wish.labelled else {}
