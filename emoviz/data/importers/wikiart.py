"""WikiArt Emotions as a labelled set: votes for twenty emotions, works of one artist one group.

Layout: ``WikiArt-Emotions-All.tsv`` (certain), and the images, which do not come with it, anywhere
below the same folder, under names that `wikiart_emotions` can match. A work without an image is
listed.
"""

from pathlib import Path

from emoviz.data.dataset import Dataset
from emoviz.data.importers import Problem
from emoviz.data.importers.common import (
    FIGURATIVE,
    Gathered,
    Importer,
    artist_group,
    expect,
    kind_of_style,
)
from emoviz.data.importers.wikiart_emotions import VOTERS, read_wikiart_emotions
from emoviz.labels import WIKIART20

TITLE = "WikiArt Emotions"
_TABLE = "WikiArt-Emotions-All.tsv"
_CHOICES = tuple(VOTERS)


def read(root: Path, labels: str = "") -> Dataset:
    """Bring in WikiArt Emotions.

    Args:
        root: The folder with the table and the images.
        labels: Whose votes: ``image`` (the default), ``image and title`` or ``title``.

    Raises:
        TableError: The folder or its table is another one, or no image fits a work.
    """
    files = expect(root, TITLE, _TABLE)
    table = files.find(_TABLE)
    assert table is not None
    found = Gathered(WIKIART20)
    for item in read_wikiart_emotions(table, root, labels or _CHOICES[0]):
        if isinstance(item, Problem):
            found.refuse(item.key, item.reason)
            continue
        path = Path(item.place.path)
        known = {name: getattr(item, name) for name in ("artist", "title", "style", "date")}
        kind = kind_of_style(item.style, FIGURATIVE)
        found.add(
            item.key,
            files.name(path) if path.is_relative_to(root) else path.name,
            path,
            shares=item.shares,
            group=artist_group(item.artist),
            metadata={**known, "kind": kind, **item.metadata},
        )
    return found.finish(root, TITLE, votes=True)


IMPORTER = Importer(
    kind="wikiart_emotions",
    title=TITLE,
    layout="WikiArt-Emotions-All.tsv and, anywhere below, the images that you have",
    source="http://saifmohammad.com/WebPages/wikiartemotions.html",
    terms="Research; the images belong to their owners.",
    citation="Mohammad, Kiritchenko, WikiArt Emotions: An Annotated Dataset of Emotions Evoked by "
    "Art, LREC 2018",
    read=read,
    choices=_CHOICES,
)
