"""What was computed before, kept by content: embeddings, thumbnails, the hashes of files.

Five kinds of SQLite files under the home. Each may be deleted while nothing runs; what is
missing is computed again. A transaction is there whole or not at all, so a killed process costs
at most the batch it was at, and several processes may write at once.

::

    embeddings/<fingerprint>.sqlite   u, probabilities and novelty of one checkpoint
               <fingerprint>.cost.json seconds an image when it last embedded a set
    styles/<fingerprint>.sqlite       parts of the logits and Gram matrices, likewise
    thumbnails.sqlite                 small JPEGs, the same for all checkpoints
    frequencies.sqlite                what perceptual hashes are made of, of each thumbnail
    files.sqlite                      path, size and time of change -> SHA-256
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint
from emoviz.data.images import PIXELS
from emoviz.errors import TableError
from emoviz.files import read_json, read_only, unwritable, write_json
from emoviz.settings import Settings

THUMBNAIL_SIDE = 256
_VERSION = 1  # of what is kept and how it is computed
_AT_ONCE = 500  # keys in one query; every SQLite takes 999
_PATIENCE = 60.0  # seconds that one process waits until another has written
_READ_PATIENCE = 2.0  # of a read: who writes holds up no reader, so another program has the file
_GONE_AROUND = 60.0  # seconds in which nobody waits again for a file that was waited for in vain
_SETTLED = 2.0  # seconds after which a file's time of change tells one content from the next
_GLANCE = 0.3  # seconds that each waits for it nevertheless
_held: dict[Path, float] = {}  # until when a file that another program holds is gone around


class CachedEmbedding(NamedTuple):
    """What a checkpoint makes of one image: u (D,), calibrated probabilities (C,), novelty."""

    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    novelty: float | None


class Stamp(NamedTuple):
    """What tells whether a file is the one that was hashed: its name, size, time of change."""

    key: bytes
    size: int
    changed: int


class Store:
    """One SQLite file with one table, whose rows are found by a key of bytes.

    Where its folder cannot be written, what is there is read.

    Raises:
        TableError: The file is damaged, the disk is full, or another program holds it: whoever
            opens it waits for two seconds, in the minute after that a moment; writes for a minute.
    """

    columns: Mapping[str, str]
    patience = _PATIENCE  # of a write

    def __init__(self, file: Path) -> None:
        self._file = file
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        with self._told():
            if file.is_file() and unwritable(file.parent):
                self._database = sqlite3.connect(
                    read_only(file), _READ_PATIENCE, uri=True, check_same_thread=False
                )
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            # A generator that a worker thread leaves behind may be closed in any thread.
            patience = _READ_PATIENCE if file.is_file() else _PATIENCE
            if time.monotonic() < _held.get(file, 0.0):
                patience = min(patience, _GLANCE)
            self._database = sqlite3.connect(file, timeout=patience, check_same_thread=False)
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(f"CREATE TABLE IF NOT EXISTS kept ({columns})")
            except sqlite3.Error as error:
                self._database.close()
                if "locked" in str(error):
                    _held[file] = time.monotonic() + _GONE_AROUND
                raise
            _held.pop(file, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._told():
            return int(self._database.execute("SELECT count(*) FROM kept").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _put(self, rows: Iterable[Sequence[Any]]) -> None:
        places = ", ".join("?" * len(self.columns))
        with self._told(), self._patient(), self._database:
            self._database.executemany(f"INSERT OR REPLACE INTO kept VALUES ({places})", rows)

    def _rows(self, keys: Iterable[bytes], wanted: str = "*") -> Iterator[Sequence[Any]]:
        """Those columns of the rows with such keys, in any order."""
        unique = list(dict.fromkeys(keys))
        key = next(iter(self.columns))
        for start in range(0, len(unique), _AT_ONCE):
            part = unique[start : start + _AT_ONCE]
            places = ", ".join("?" * len(part))
            with self._told():
                query = f"SELECT {wanted} FROM kept WHERE {key} IN ({places})"
                yield from self._database.execute(query, part)

    @contextlib.contextmanager
    def _patient(self) -> Iterator[None]:
        """Wait for others who write."""
        self._database.execute(f"PRAGMA busy_timeout = {1000 * self.patience:.0f}")
        try:
            yield
        finally:
            self._database.execute(f"PRAGMA busy_timeout = {1000 * _READ_PATIENCE:.0f}")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        # locked, a full disk, no right to write
        except (sqlite3.OperationalError, OSError) as error:
            what = "written" if "readonly" in str(error) else "used"
            raise TableError(f"'{self._file}' cannot be {what}: {error}.") from None
        except sqlite3.DatabaseError as error:
            raise TableError(
                f"'{self._file}' is damaged ({error}). Delete it: what it held is computed again."
            ) from None


class EmbeddingCache(Store):
    """What one checkpoint made of the images that it has seen."""

    columns: Mapping[str, str] = {
        "sha256": "BLOB PRIMARY KEY",
        "u": "BLOB NOT NULL",
        "probabilities": "BLOB NOT NULL",
        "novelty": "REAL",
    }

    def __init__(self, settings: Settings, checkpoint: Checkpoint) -> None:
        super().__init__(settings.home / "embeddings" / f"{fingerprint(checkpoint)}.sqlite")

    def known(self, hashes: Iterable[str]) -> set[str]:
        """Those of the images that are here."""
        return {row[0].hex() for row in self._rows(map(bytes.fromhex, hashes), "sha256")}

    def get_many(self, hashes: Iterable[str]) -> dict[str, CachedEmbedding]:
        """What is known of some images, by their SHA-256."""
        return {
            key.hex(): CachedEmbedding(
                np.frombuffer(u, np.float32), np.frombuffer(p, np.float64), novelty
            )
            for key, u, p, novelty in self._rows(map(bytes.fromhex, hashes))
        }

    def put(self, rows: Mapping[str, CachedEmbedding]) -> None:
        """Keep rows, all or none."""
        self._put(
            (
                bytes.fromhex(key),
                row.embedding.astype(np.float32).tobytes(),
                row.probabilities.astype(np.float64).tobytes(),
                row.novelty,
            )
            for key, row in rows.items()
        )


class StyleCache(Store):
    """Parts of the logits and Gram matrices that one checkpoint made of images, as bytes.

    `emoviz.inference.style` says what the bytes mean.
    """

    columns: Mapping[str, str] = {
        "sha256": "BLOB PRIMARY KEY",
        "parts": "BLOB NOT NULL",
        "grams": "BLOB NOT NULL",
    }

    def __init__(self, settings: Settings, checkpoint: Checkpoint) -> None:
        super().__init__(settings.home / "styles" / f"{fingerprint(checkpoint)}.sqlite")

    def known(self, hashes: Iterable[str]) -> set[str]:
        """Those of the images that are here."""
        return {row[0].hex() for row in self._rows(map(bytes.fromhex, hashes), "sha256")}

    def parts(self, hashes: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """SHA-256 and parts of some images, in any order."""
        for key, parts in self._rows(map(bytes.fromhex, hashes), "sha256, parts"):
            yield key.hex(), parts

    def grams(self, hashes: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """SHA-256 and Gram matrices of some images, in any order."""
        for key, grams in self._rows(map(bytes.fromhex, hashes), "sha256, grams"):
            yield key.hex(), grams

    def put(self, rows: Mapping[str, tuple[bytes, bytes]]) -> None:
        """Keep (parts, Gram matrices) of images by hash, all or none."""
        self._put((bytes.fromhex(key), *row) for key, row in rows.items())


class Thumbnails(Store):
    """Small JPEGs of every image that was embedded, long side at most `THUMBNAIL_SIDE`."""

    columns: Mapping[str, str] = {"sha256": "BLOB PRIMARY KEY", "jpeg": "BLOB NOT NULL"}
    name = "thumbnails.sqlite"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / self.name)

    def known(self, hashes: Iterable[str]) -> set[str]:
        """Those of the images that have one."""
        return {row[0].hex() for row in self._rows(map(bytes.fromhex, hashes), "sha256")}

    def get(self, sha256: str) -> bytes | None:
        """The JPEG of an image; None where there is none."""
        return self.get_many([sha256]).get(sha256)

    def get_many(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """The JPEGs of some images, by their SHA-256; those without one are left out."""
        return {key.hex(): jpeg for key, jpeg in self._rows(map(bytes.fromhex, hashes))}

    def put(self, jpegs: Mapping[str, bytes]) -> None:
        """Keep thumbnails, all or none."""
        self._put((bytes.fromhex(key), jpeg) for key, jpeg in jpegs.items())


class Frequencies(Thumbnails):
    """Of the thumbnails of images: what `emoviz.inference.leaks` makes perceptual hashes of."""

    columns: Mapping[str, str] = {"sha256": "BLOB PRIMARY KEY", "lowest": "BLOB NOT NULL"}
    patience = _READ_PATIENCE  # nothing is lost that is not made again in a moment
    name = "frequencies.sqlite"


class KnownFiles(Store):
    """The hashes of files that have not changed since they were read."""

    columns: Mapping[str, str] = {
        "file": "BLOB PRIMARY KEY",
        "size": "INTEGER NOT NULL",
        "changed": "INTEGER NOT NULL",
        "sha256": "BLOB NOT NULL",
    }

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.home / "files.sqlite")

    def get_many(self, stamps: Iterable[Stamp]) -> dict[Stamp, str]:
        """SHA-256 of each file that is as it was; the others are left out."""
        wanted = {stamp.key: stamp for stamp in stamps}
        found: dict[Stamp, str] = {}
        for key, size, changed, sha256 in self._rows(wanted):
            stamp = Stamp(key, size, changed)
            if wanted[key] == stamp:
                found[stamp] = sha256.hex()
        return found

    def put(self, hashes: Mapping[Stamp, str]) -> None:
        """Remember hashes, but not of files that may still change within the clock's tick."""
        before = time.time_ns() - int(_SETTLED * 1e9)
        self._put(
            (*stamp, bytes.fromhex(sha256))
            for stamp, sha256 in hashes.items()
            if stamp.changed < before
        )


def stamp(file: Path, inside: str = "") -> Stamp | None:
    """How a file is recognised; None where it is not there.

    Args:
        file: On disk; an absolute path, as the key is it.
        inside: Which image, where the file holds several.
    """
    try:
        status = file.stat()
        key = os.fsencode(file) + b"\0" + os.fsencode(inside)
    except (OSError, ValueError):
        return None
    return Stamp(key, status.st_size, status.st_mtime_ns)


def keep_cost(settings: Settings, checkpoint: Checkpoint, seconds: float, images: int) -> None:
    """Remember what an image cost: `seconds` for so many, from their files to their answers."""
    values = {"seconds_per_image": seconds / images, "images": images}
    write_json(_cost_file(settings, checkpoint), values)


def cost_of(settings: Settings, checkpoint: Checkpoint) -> float | None:
    """Seconds an image when this machine last embedded a set; None where it never did."""
    found = read_json(_cost_file(settings, checkpoint)) or {}
    seconds = found.get("seconds_per_image")
    return float(seconds) if isinstance(seconds, int | float) else None


def _cost_file(settings: Settings, checkpoint: Checkpoint) -> Path:
    return settings.home / "embeddings" / f"{fingerprint(checkpoint)}.cost.json"


def fingerprint(checkpoint: Checkpoint) -> str:
    """16 hexadecimal digits that change with whatever decides over a checkpoint's numbers."""
    card = checkpoint.card
    weights = card.weights_sha256
    if not weights:
        with checkpoint.weights.open("rb") as stream:
            weights = hashlib.file_digest(stream, "sha256").hexdigest()
    parts = (
        _VERSION,
        PIXELS,
        weights,
        dict(card.network),
        card.preprocessing.to_dict(),
        card.temperature,
        card.taxonomy.names,
    )
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
