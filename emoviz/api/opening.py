"""Opening images by whatever a person points at."""

from pathlib import Path

from emoviz.data.dataset import Dataset
from emoviz.data.library import locate
from emoviz.data.reading import SAMPLE, open_dataset
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
    """
    settings = settings or load_settings()
    known = get_taxonomy(taxonomy) if taxonomy else None
    path = str(place) if str(place) == SAMPLE else locate(settings, str(place))
    return open_dataset(path, settings, known, labelled=labelled)
