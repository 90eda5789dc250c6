"""Opening images by whatever a person points at."""

from os import PathLike
from pathlib import Path

from emoviz.data.dataset import Dataset
from emoviz.data.library import locate_images
from emoviz.data.reading import open_dataset
from emoviz.labels import get_taxonomy
from emoviz.settings import Settings, load_settings


def open(
    place: str | Path,
    *,
    taxonomy: str | None = None,
    labelled: bool = False,
    settings: Settings | None = None,
) -> Dataset:
    """Open a folder, a ZIP, a table, one image, a set of the library, or ``"sample"``.

    Nothing is decoded yet; images are read when their turn comes.

    Args:
        place: A path, the id of a set in the library, or ``"sample"`` for the images that come
            along.
        taxonomy: Of the labels, by its name; found from them where left out.
        labelled: Whether labels are needed: then what has none is a problem.
        settings: Instead of the environment's.

    Returns:
        The images as `records`, and a `problem` for each thing that was found and not taken.

    Raises:
        TableError: There is nothing of the kind, or no image in it.
        TypeError: It is no place.
    """
    settings = settings or load_settings()
    known = get_taxonomy(taxonomy) if taxonomy else None
    return open_dataset(locate_images(settings, text_of(place)), settings, known, labelled=labelled)


def text_of(place: str | Path) -> str:
    """A place as text; `TypeError` says what was wanted of what is none."""
    if isinstance(place, str | PathLike):
        return str(place)
    raise TypeError(
        f"A {type(place).__name__} came where a place was wanted: a path, an address, or the id "
        "of a set."
    )
