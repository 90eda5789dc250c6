"""WEBEmo: about 268,000 stock photographs, three levels of emotions (25, 8 and 2).

Layout: lists of images with one number a line (certain), and the images below the same folder.
What the lists are called is assumed: any text file whose name holds ``train``, ``val`` or
``test`` and the level, such as ``train25.txt`` or ``train_test_split/test_8.txt``. Lines are
``<image> <label>``. Labels may be names. Numbers count from 0 in alphabetical order for the 25
and in the order of the taxonomy for the 8 and the 2 (assumed), unless a file ``classes25.txt``
(``classes8.txt``, ``classes2.txt``), one name a line, says otherwise.

The other levels' labels of an image become metadata (``label25``, ``label8``, ``label2``). A level
without lists is not derived from another: the hierarchy is not part of the lists.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from emoviz.data.cells import by_number
from emoviz.data.dataset import SPLIT_WORDS, Dataset, Split
from emoviz.data.importers.common import Gathered, Importer, list_lines
from emoviz.data.named_files import Files
from emoviz.errors import TableError
from emoviz.labels import SENTIMENT2, WEBEMO8, Taxonomy, own_taxonomy

TITLE = "WEBEmo"
_FINE = re.findall(
    r"\w+",
    """affection cheerfulness confusion contentment disappointment disgust enthrallment envy
    exasperation gratitude horror irritability lust neglect nervousness optimism pride rage relief
    sadness shame suffering surprise sympathy zest""",
)
_LEVELS = ("8", "25", "2")
_SPLIT = re.compile(r"(train|val|test)")
_LIST = re.compile(r"(?<!\d)(25|8|2)(?!\d)")


def _read(root: Path, labels: str = "") -> Dataset:
    """`labels` is the level: ``8`` (the default), ``25`` or ``2``."""
    level = labels or _LEVELS[0]
    lists = _lists(root)
    if level not in lists:
        told = ", ".join(sorted(lists)) or "none"
        raise TableError(
            f"'{root}' holds no lists of WEBEmo's level {level}; wanted text files such as "
            f"train{level}.txt and test{level}.txt, with '<image> <label>' on each line. Levels "
            f"found: {told}. Point at the folder that holds the lists and the images. "
            f"Found: {', '.join(sorted(Files(root).listing()))[:200] or 'nothing'}."
        )
    files = Files(root)
    names = {each: _names(root, each) for each in lists}
    others = {
        each: dict(_parts(line, names[each]) for path, _ in paths for _, line in list_lines(path))
        for each, paths in lists.items()
        if each != level
    }
    found = Gathered(_taxonomy(level, names[level]))
    for path, split in lists[level]:
        for place, line in list_lines(path):
            image, label = _parts(line, found.taxonomy.names)
            metadata = {f"label{key}": rows.get(image, "") for key, rows in others.items()}
            file = files.first(image, f"images/{image}")
            found.add(place, image, file, label, split=split, metadata=metadata)
    return found.finish(root, f"{TITLE}, {level} emotions")


def _lists(root: Path) -> dict[str, list[tuple[Path, Split]]]:
    found: dict[str, list[tuple[Path, Split]]] = {}
    for path in sorted([*root.glob("*.txt"), *root.glob("*/*.txt")]):
        split, level = _SPLIT.search(path.stem.casefold()), _LIST.search(path.stem)
        if split and level:
            found.setdefault(level[1], []).append((path, SPLIT_WORDS[split[1]]))
    return found


def _names(root: Path, level: str) -> Sequence[str]:
    given = root / f"classes{level}.txt"
    if given.is_file():
        return [text for _, text in list_lines(given)]
    return {"25": _FINE, "8": WEBEMO8.names, "2": SENTIMENT2.names}[level]


def _taxonomy(level: str, names: Sequence[str]) -> Taxonomy:
    registered = {"8": WEBEMO8, "2": SENTIMENT2}.get(level)
    if registered is not None and all(registered.holds(name) for name in names):
        return registered
    return own_taxonomy(f"webemo{level}-labels", names, f"WEBEmo, {level} emotions")


def _parts(line: str, names: Sequence[str]) -> tuple[str, str]:
    """(image, label name): the label stands after the last space, comma or tab."""
    image, _, label = re.sub(r"[,\t]", " ", line).strip().rpartition(" ")
    return image.strip().replace("\\", "/"), by_number(label, names)


IMPORTER = Importer(
    kind="webemo",
    title=TITLE,
    layout="lists such as train8.txt and test8.txt, and the images that they name",
    source="https://rpand002.github.io/emotion.html",
    terms="Research; the images belong to their owners.",
    citation="Panda, Zhang, Li, Lee, Lu, Roy-Chowdhury, Contemplating Visual Emotions: "
    "Understanding and Overcoming Dataset Bias, ECCV 2018",
    read=_read,
    choices=_LEVELS,
)
