"""The decided works as a folder with one sub-folder a label, which training programs read.

Beside them ``labels.csv`` says for each image which work it is and how people voted.
"""

import csv
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Literal

from emoviz.errors import EmovizError, ReviewError
from emoviz.files import replaced_file
from emoviz.inference.tabular import safe_cell
from emoviz.review.exports.material import Material
from emoviz.review.images import ending, read_work
from emoviz.review.labelling import NOBODY, tally, winners
from emoviz.review.model import Work
from emoviz.settings import Settings

Placing = Literal["copy", "link"]
_CREDIT = ("attribution", "provider")
_HEADER = ("file", "label", "key", "title", "artist", "sha256", "votes", "rights", *_CREDIT)


def write_folder(
    material: Material, settings: Settings, out: Path, placing: Placing = "copy"
) -> tuple[int, list[tuple[str, str]]]:
    """Write the folder, whole or not at all.

    Args:
        material: What is exported; each work by the majority of the decisions that stand.
        settings: Caps on images.
        out: The folder; must not exist, or be empty. Or a file that ends in ``.zip``, which holds
            it then and is replaced where it is there.
        placing: ``copy``, or ``link`` to images that are files of their own.

    Returns:
        How many images, and (work, reason) of decided works that are not there.

    Raises:
        ReviewError: There is something at `out`, or nothing to write.
    """
    if out.suffix == ".zip":
        return _zipped(material, settings, out)
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ReviewError(f"'{out}' is there already; wanted a new or empty folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        count, left_out = _fill(material, settings, aside, placing)
        if not count:
            raise ReviewError("No work has a label by majority yet; review some more.")
        aside.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        aside.replace(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return count, left_out


def _zipped(material: Material, settings: Settings, out: Path) -> tuple[int, list[tuple[str, str]]]:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        root = Path(folder) / out.stem
        count, left_out = write_folder(material, settings, root)
        with replaced_file(out) as aside, zipfile.ZipFile(aside, "w") as packed:
            for file in sorted(root.rglob("*")):  # images are small already: nothing is squeezed
                packed.write(file, file.relative_to(root))
    return count, left_out


def _fill(
    material: Material, settings: Settings, root: Path, placing: Placing
) -> tuple[int, list[tuple[str, str]]]:
    left_out, count = [], 0
    table = root / "labels.csv"
    with table.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        for work in material.each():
            votes = tally(material.decisions[work.id]).get(work.id)
            if not votes:
                continue
            try:
                file, label = _place(work, votes, settings, root, placing)
            except EmovizError as error:
                left_out.append((work.title or work.key, str(error)))
                continue
            words = "; ".join(f"{name or 'none'} {share:.3g}" for name, share in votes.items())
            row = [file, label, work.key, work.title, work.artist, work.sha256, words, work.rights]
            row += [work.metadata.get(name, "") for name in _CREDIT]
            writer.writerow(map(safe_cell, row))
            count += 1
    return count, left_out


def _place(
    work: Work, votes: dict[str, float], settings: Settings, root: Path, placing: Placing
) -> tuple[str, str]:
    best = winners(votes)
    if len(best) > 1:
        raise ReviewError(f"the votes are even: {', '.join(name or 'none' for name in best)}")
    if best[0] == NOBODY:
        raise ReviewError("people gave it none of the emotions")
    data = read_work(work, settings)
    folder = root / _folder(best[0])
    folder.mkdir(exist_ok=True)
    file = folder / f"{work.number:06d}-{work.sha256[:12]}{ending(data)}"
    if placing == "link" and not work.inside:
        file.symlink_to(Path(work.file).absolute())
    else:
        file.write_bytes(data)
    return file.relative_to(root).as_posix(), best[0]


def _folder(label: str) -> str:
    """A label as a folder's name: nothing that leads elsewhere."""
    name = re.sub(r"[^\w ()-]+", "_", label).strip(" _")
    if not name:
        raise ReviewError(f"the label {label!r} cannot be a folder's name")
    return name[:80]
