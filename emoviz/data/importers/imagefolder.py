"""ImageFolder: one folder a class, or such folders in train, val and test. Labels of any words."""

from pathlib import Path

from emoviz.data.importers.common import (
    Files,
    Gathered,
    Importer,
    any_taxonomy,
    images_by_class,
    split_folders,
)
from emoviz.data.records import LabelledSet
from emoviz.errors import TableError
from emoviz.labels import get_taxonomy


def read(root: Path, labels: str = "") -> LabelledSet:
    """Bring in folders of images.

    Args:
        root: Of the folders.
        labels: Name of the taxonomy; found from the folders' names where empty, or made of them.

    Raises:
        TableError: There is no image in a folder of a class.
    """
    files = Files(root)
    parts = split_folders(root) or [("", None)]
    rows = [row for part in parts for row in images_by_class(files, *part)]
    names = {label for _, label, _, _ in rows if label}
    if not names:
        seen = ", ".join(sorted(files.listing()))[:200] or "nothing"
        raise TableError(
            f"'{root}' holds no image in a folder of a class. Wanted: <class>/<image>, or "
            f"train/<class>/<image>. Found: {seen}."
        )
    found = Gathered(get_taxonomy(labels) if labels else any_taxonomy("folder", names))
    for place, label, image, split in rows:
        if label:
            found.add(place, files.name(image), image, label, split=split)
        else:
            found.refuse(place, "it lies in no folder of a class")
    return found.finish(root, root.absolute().name)


IMPORTER = Importer(
    kind="imagefolder",
    title="Folders of images",
    layout="one folder a class, or such folders in train, val and test",
    source="your own",
    terms="",
    citation="",
    read=read,
    takes_taxonomy=True,
)
