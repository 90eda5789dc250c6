"""Rivals of the checkpoints: somebody's classifier, or a vision-language model, asked about images.

Their answers are kept by content, and become a table of predictions like any other program's
(`emoviz.inference.predictions`): what measures and compares needs to know no more of them.

::

    rivals/<fingerprint>.sqlite      image's SHA-256 -> probabilities or why there are none, seconds
    predictions/<key>/<name>.parquet the table of a rival on a set, where the pages find it
"""

import hashlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.data.dataset import Dataset
from emoviz.data.images import Limits, open_image, own_fault, thumbnail
from emoviz.errors import ImageError, TableError
from emoviz.files import replaced_file
from emoviz.inference.cache import THUMBNAIL_SIDE, Store, Thumbnails
from emoviz.inference.embedding_table import Progress
from emoviz.inference.language_model import NoAnswerError
from emoviz.settings import Settings

_GONE = 3  # images in a row for which no server was there: the others are not asked
_SIDE = 1024  # a JPEG's short side may be decoded down to this many pixels


class Rival(Protocol):
    """What can be asked: `emoviz.inference.classifiers`, `emoviz.inference.language_model`."""

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of its answers."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of what decides over its answers."""
        ...

    def answer(self, image: Image.Image, /) -> NDArray[np.float64]:
        """(C,) probabilities for an RGB image; raises `NoAnswerError`."""
        ...


class RivalAnswer(NamedTuple):
    """What a rival made of one image.

    Attributes:
        probabilities: (C,); None where there are none.
        problem: Why not; "" where there are.
        seconds: From the decoded image to the answer.
    """

    probabilities: NDArray[np.float64] | None
    problem: str
    seconds: float


class RivalAnswers(Store):
    """What one rival has answered."""

    columns: Mapping[str, str] = {
        "sha256": "BLOB PRIMARY KEY",
        "probabilities": "BLOB",
        "problem": "TEXT NOT NULL",
        "seconds": "REAL NOT NULL",
    }

    def __init__(self, settings: Settings, fingerprint: str) -> None:
        super().__init__(settings.home / "rivals" / f"{fingerprint}.sqlite")

    def get_many(self, hashes: Iterable[str]) -> dict[str, RivalAnswer]:
        """What is known of some images, by their SHA-256."""
        return {
            key.hex(): RivalAnswer(
                None if p is None else np.frombuffer(p, np.float64), problem, seconds
            )
            for key, p, problem, seconds in self._rows(map(bytes.fromhex, hashes))
        }

    def put(self, sha256: str, answer: RivalAnswer) -> None:
        """Keep one answer."""
        p = answer.probabilities
        row = (None if p is None else p.astype(np.float64).tobytes(), answer.problem)
        self._put([(bytes.fromhex(sha256), *row, answer.seconds)])


def ask(
    rival: Rival, collection: Dataset, settings: Settings, progress: Progress | None = None
) -> Path:
    """Ask a rival about each image that it has not answered; all of its answers as a table.

    Args:
        rival: Who is asked.
        collection: The images; their labels go into the table.
        settings: Where answers are kept, and what is refused.
        progress: Called with (done, all) after each image.

    Returns:
        The file: Parquet with ``file``, ``label``, ``sha256``, ``p_<class>``, ``seconds`` and
        ``error``. An image without an answer has a row that says why not; problems of the
        collection have one too, so that found = taken + problems holds for what reads it.

    Raises:
        TableError: No image was answered, or what is kept cannot be read.
    """
    limits, rows, gone = Limits.of(settings), list[tuple[str, RivalAnswer]](), 0
    with RivalAnswers(settings, rival.fingerprint) as kept, Thumbnails(settings) as thumbnails:
        for done, record in enumerate(collection.records, 1):
            if gone >= _GONE:
                rows.append(("", RivalAnswer(None, "it was not asked: no server is there", 0.0)))
                continue
            try:
                with own_fault("it cannot be read"):
                    data = record.read(limits)
                sha256 = hashlib.sha256(data).hexdigest()
                found = kept.get_many([sha256]).get(sha256)
                if found is None:
                    found, lasting, lost = _asked(rival, data, limits, sha256, thumbnails)
                    gone = gone + 1 if lost else 0
                    if lasting:
                        kept.put(sha256, found)
            except ImageError as error:
                sha256, found = "", RivalAnswer(None, str(error), 0.0)
            rows.append((sha256, found))
            if progress is not None:
                progress(done, len(collection))
    reasons = [answer.problem for _, answer in rows if answer.problem]
    if len(reasons) == len(rows):
        raise TableError(
            f"{rival.title} answered for none of {len(rows):,} images"
            + (f"; the first: {reasons[0]}" if reasons else "")
            + "."
        )
    key = hashlib.sha256(f"{rival.fingerprint} {collection.identity}".encode()).hexdigest()[:8]
    name = re.sub(r"[^\w.() -]+", "-", f"{rival.title} on {collection.name}").strip(" .-")[-80:]
    file = settings.home / "predictions" / key / f"{name}.parquet"
    write_answers(file, rival.classes, collection, rows)
    return file


def write_answers(
    file: Path,
    classes: Sequence[str],
    collection: Dataset,
    rows: Sequence[tuple[str, RivalAnswer]],
) -> None:
    """Answers as a Parquet table, whole or not at all.

    Args:
        file: Where it goes.
        classes: Of the answers.
        collection: The images; its problems have rows too.
        rows: (N) SHA-256 and answer of each image.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[object]] = {
        "file": [*collection.names, *(key for key, _ in collection.problems)],
        "label": [*collection.labels],
        "sha256": [sha256 for sha256, _ in rows],
    }
    for c, name in enumerate(classes):
        columns[f"p_{name}"] = [
            None if a.probabilities is None else float(a.probabilities[c]) for _, a in rows
        ]
    columns["seconds"] = [a.seconds if a.probabilities is not None else None for _, a in rows]
    columns["error"] = [*(a.problem for _, a in rows), *(why for _, why in collection.problems)]
    count = len(columns["file"])
    columns = {name: [*cells, *[None] * (count - len(cells))] for name, cells in columns.items()}
    with replaced_file(file) as aside:
        pq.write_table(pa.table(columns), aside)


def _asked(
    rival: Rival, data: bytes, limits: Limits, sha256: str, thumbnails: Thumbnails
) -> tuple[RivalAnswer, bool, bool]:
    """An answer, whether it lasts, and whether no server was there."""
    pixels = open_image(data, limits, _SIDE).pixels
    if not thumbnails.known([sha256]):
        thumbnails.put({sha256: thumbnail(pixels, THUMBNAIL_SIDE)})
    began = time.monotonic()
    try:
        found = rival.answer(pixels)
        return RivalAnswer(found, "", time.monotonic() - began), True, False
    except NoAnswerError as error:
        answer = RivalAnswer(None, str(error), time.monotonic() - began)
        return answer, error.lasting, error.gone
