"""ArtEmis: 80,031 paintings of WikiArt, votes of five and more people over Mikels' eight emotions.

Two layouts:

- ``artemis_dataset_release_v0.csv`` (certain): one row a vote, ``art_style, painting, emotion,
  utterance, repetition``. Votes for one painting are counted; "something else" is an answer outside
  the taxonomy. The paintings do not come with it: WikiArt's ``<style>/<painting>.jpg`` below
  ``images``, ``wikiart`` or the root.
- ``labels.csv``: one row a painting, ``file, style, artist, votes``, a column of counts for each of
  the eight and ``something else``.

Works of one artist are one group. Where none of the paintings is there, the votes are brought in
all the same, each with the place where its image would be.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from emoviz.data.cells import number
from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import (
    FIGURATIVE,
    Gathered,
    Importer,
    artist_group,
    expect,
    kind_of_style,
    plain_rows,
)
from emoviz.data.named_files import Files
from emoviz.labels import MIKELS8

TITLE = "ArtEmis"
OUTSIDE = "something else"
_ANSWERS = (*MIKELS8.names, OUTSIDE)
_VOTES = ("artemis_dataset_release_v0.csv", "artemis.csv")
_COUNTS = "labels.csv"
_PLACES = ("images/", "wikiart/", "")

# (place, file, style, artist, votes by answer)
_Painting = tuple[str, str, str, str, Mapping[str, float]]


def _read(root: Path, labels: str = "") -> Dataset:
    files, table = expect(root, TITLE, "|".join((*_VOTES, _COUNTS)))
    found = Gathered(MIKELS8)
    read_rows = _counts if table == files.find(_COUNTS) else _counted
    paintings = list(read_rows(table, found))
    paths = [_image(files, file, style) for _, file, style, _, _ in paintings]
    without = not any(paths)
    for (place, file, style, artist, answers), path in zip(paintings, paths, strict=True):
        found.add(
            place,
            file,
            root.absolute() / "images" / file if without else path,
            counts=answers,
            group=artist_group(artist),
            metadata={
                "artist": artist,
                "style": style,
                "kind": kind_of_style(style, FIGURATIVE),
            },
        )
    return found.finish(root, TITLE, votes=True)


def _counted(table: Path, found: Gathered) -> Iterator[_Painting]:
    """The published table: one row a vote."""
    answers = defaultdict[tuple[str, str], Counter[str]](Counter)
    places = dict[tuple[str, str], str]()
    for place, row in plain_rows(table, ("art_style", "painting", "emotion"), TITLE):
        key = (row["art_style"], row["painting"])
        emotion = row["emotion"].replace("_", " ").casefold()
        if emotion not in _ANSWERS or not key[1]:
            found.refuse(place, "its emotion is no answer of ArtEmis, or it names no painting")
            continue
        answers[key][emotion] += 1
        places.setdefault(key, place)
    for (style, painting), votes in answers.items():
        artist = painting.split("_", 1)[0]
        yield places[style, painting], f"{style}/{painting}.jpg", style, artist, votes


def _counts(table: Path, found: Gathered) -> Iterator[_Painting]:
    """One row a painting."""
    for place, row in plain_rows(table, ("file", "style", "artist", *_ANSWERS), TITLE):
        with found.row(place):
            counts = {answer: number(row[answer], answer) or 0.0 for answer in _ANSWERS}
            yield place, row["file"], row["style"], row["artist"], counts


def _image(files: Files, file: str, style: str) -> Path | None:
    """The painting's file: as the table names it, or where WikiArt's folders have it."""
    names = (file, f"{style}/{Path(file).stem}")
    return files.first(*(f"{place}{name}" for place in _PLACES for name in names))


IMPORTER = Importer(
    kind="artemis",
    title=TITLE,
    layout="artemis_dataset_release_v0.csv (or labels.csv with counts), and the paintings if any",
    source="https://www.artemisdataset.org",
    terms="Research only: annotations by ArtEmis' terms of use, paintings by WikiArt's; their "
    "copyright remains with the owners.",
    citation="Achlioptas, Ovsjanikov, Haydarov, Elhoseiny, Guibas, ArtEmis: Affective Language for "
    "Visual Art, CVPR 2021",
    read=_read,
)
