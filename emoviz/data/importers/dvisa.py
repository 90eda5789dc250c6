"""D-ViSA: abstract paintings of WikiArt, eight emotions, valence, arousal and dominance.

Layout: a table (CSV) whose columns name the image, its emotion, and valence, arousal and
dominance (0-1), with the images below the same folder. Of the columns' names only these are
certain here: ``file, label, valence, arousal, dominance, style, artist``; other spellings that
`find_columns` knows are taken too. Works of one artist are one group. Where no column gives the
artist, the part of the file's name before the first ``_`` does (WikiArt's naming).
"""

from pathlib import Path

from emoviz.data.affect import DIMENSIONS, Scale
from emoviz.data.columns import find_roles
from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import ABSTRACT, Gathered, Importer, artist_group, expect
from emoviz.data.tables import read_table
from emoviz.labels import MIKELS8

TITLE = "D-ViSA"
SCALE = Scale(0, 1)
_TABLES = ("labels.csv", "D-ViSA.csv", "dvisa.csv", "annotation.csv")
_KEPT = ("valence", "arousal", "dominance", "style", "artist")


def _read(root: Path, labels: str = "") -> Dataset:
    files, table = expect(root, TITLE, "|".join(_TABLES), "images")
    found = Gathered(MIKELS8)
    read = read_table(table)
    roles = find_roles(read, MIKELS8, labelled=True)
    for place, cells in read.rows():
        file, label = cells[roles.file.casefold()], cells.get((roles.label or "").casefold(), "")
        metadata = {name: cells[name] for name in _KEPT if name in cells}
        artist, underscore, _ = Path(file).stem.partition("_")
        metadata.setdefault("artist", artist if underscore else "")
        with found.row(place):
            found.add(
                place,
                file,
                files.first(file, f"images/{file}"),
                label,
                metadata={**metadata, "kind": ABSTRACT},
                group=artist_group(metadata["artist"]),
                affect={name: SCALE.turned(cells.get(name, ""), name) for name in DIMENSIONS},
            )
    return found.finish(root, TITLE)


IMPORTER = Importer(
    kind="dvisa",
    title=TITLE,
    layout="labels.csv and the folder images",
    source="https://github.com/dxlabskku/D-ViSA",
    terms="Research; the images belong to their owners.",
    citation="Kim, Bae, Lee et al., D-ViSA: A Dataset for Detecting Visual Sentiment from Art "
    "Images, ICCV Workshops 2023",
    read=_read,
    scale=str(SCALE),
)
