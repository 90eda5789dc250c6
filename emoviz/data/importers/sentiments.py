"""Images that are positive or negative and no more: DeepSent's Twitter sets and their like.

Layout: a table (CSV, TSV) with the columns ``file`` and ``sentiment`` (``positive`` or
``negative``; ``1`` and ``0`` or ``-1`` as in DeepSent's lists), or folders ``positive`` and
``negative``, which may stand in ``train``, ``val`` and ``test``. A column ``kind`` says what kind
of image each is. Twitter I is such a set: You, Luo, Jin, Yang, "Robust Image Sentiment Analysis
Using Progressively Trained and Domain Transferred Deep Networks", AAAI 2015.
"""

from pathlib import Path

from emoviz.data.dataset import SPLIT_WORDS, Dataset
from emoviz.data.importers.common import Gathered, Importer, expect, plain_rows, read_folders
from emoviz.data.named_files import Files
from emoviz.labels import SENTIMENT2

TITLE = "Positive and negative images"
_WANTED = "labels.csv|positive|pos|" + "|".join(SPLIT_WORDS)
_NUMBERS = {"1": "positive", "+1": "positive", "0": "negative", "-1": "negative"}


def _read(path: Path, labels: str = "") -> Dataset:
    """From the table, a folder with ``labels.csv`` in it, or a folder of the two folders."""
    name, found = path.absolute().name, Gathered(SENTIMENT2)
    table = path if path.is_file() else expect(path, TITLE, _WANTED)[0].find("labels.csv")
    if table is None:
        return read_folders(path, SENTIMENT2, name)
    files = Files(table.absolute().parent)
    for place, row in plain_rows(table, ("file", "sentiment"), TITLE):
        label = _NUMBERS.get(row["sentiment"], row["sentiment"])
        metadata = {"kind": row.get("kind", "")}
        found.add(place, row["file"], files.find(row["file"]), label, metadata=metadata)
    return found.finish(path, name)


IMPORTER = Importer(
    kind="sentiment",
    title=TITLE,
    layout="a table with file and sentiment, or the folders positive and negative",
    source="your own, or Twitter I: https://qzyou.github.io",
    terms="Of Twitter I: academic research only; the images belong to their owners.",
    citation="Of Twitter I: You, Luo, Jin, Yang, Robust Image Sentiment Analysis Using "
    "Progressively Trained and Domain Transferred Deep Networks, AAAI 2015",
    read=_read,
)
