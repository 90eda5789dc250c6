"""Emotion6: 1,980 photographs, votes for Ekman's six and neutral, valence and arousal.

Layout (certain)::

    ground_truth.txt     tab-separated: [image_filename] [valence] [arousal] [prob. (anger)] ...
                         [prob. (surprise)] [prob. (neutral)]
    images/<keyword>/<number>.jpg

A ``labels.csv`` with the columns file, folder_keyword, valence, arousal and p_anger to p_neutral
is read as well. The keyword is the word that the photograph was searched with; it becomes metadata,
as valence and arousal (1-9) do. Labels are the votes, or with ``keyword`` that word.
"""

import re
from pathlib import Path

from emoviz.data.affect import DIMENSIONS, Scale
from emoviz.data.cells import number
from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import PHOTOGRAPH, Gathered, Importer, expect, plain_rows
from emoviz.labels import EMOTION6

TITLE = "Emotion6"
_ANSWERS = (*EMOTION6.names, "neutral")
_CHOICES = ("votes", "keyword")
SCALE = Scale(1, 9)


def _read(root: Path, labels: str = "") -> Dataset:
    files, table = expect(root, TITLE, "ground_truth.txt|labels.csv", "images/joy")
    found = Gathered(EMOTION6)
    by_keyword = labels == "keyword"
    wanted = ("file", "valence", "arousal", *(f"p_{answer}" for answer in _ANSWERS))
    for place, row in plain_rows(table, wanted, TITLE, _plain):
        name = row["file"] if row["file"].startswith("images/") else f"images/{row['file']}"
        keyword = row.get("folder_keyword") or Path(name).parent.name
        known = {"keyword": keyword, "valence": row["valence"], "arousal": row["arousal"]}
        with found.row(place):
            votes = {
                answer: number(row[f"p_{answer}"], f"p_{answer}") or 0.0 for answer in _ANSWERS
            }
            found.add(
                place,
                name,
                files.find(name),
                keyword if by_keyword else None,
                None if by_keyword else votes,
                metadata={**known, "kind": PHOTOGRAPH},
                affect={name: SCALE.turned(row[name], name) for name in DIMENSIONS},
            )
    return found.finish(root, TITLE, votes=not by_keyword)


def _plain(name: str) -> str:
    """``p_anger`` for ``[prob. (anger)]``."""
    name = name.strip().strip("[]").strip().casefold().replace("image_filename", "file")
    share = re.fullmatch(r"prob\.?\s*\(?(\w+)\)?", name)
    return f"p_{share[1]}" if share else name


IMPORTER = Importer(
    kind="emotion6",
    title=TITLE,
    layout="ground_truth.txt and the folder images",
    source="http://chenlab.ece.cornell.edu/downloads.html",
    terms="For academic research only; image copyright remains with the owners.",
    citation="Peng, Chen, Sadovnik, Gallagher, A Mixed Bag of Emotions: Model, Predict, and "
    "Transfer Emotion Distributions, CVPR 2015",
    read=_read,
    choices=_CHOICES,
    scale=str(SCALE),
)
