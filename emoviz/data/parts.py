"""One of several parts of a set: which images it holds is a matter of their keys alone.

Any machine can take any part, in any order, and no image is in two: a part holds what a hash of
the key says. Nothing is agreed upon while they work.
"""

import hashlib
import re
from dataclasses import dataclass

from emoviz.data.dataset import Dataset
from emoviz.errors import TableError


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`, from 1."""

    number: int
    count: int

    def holds(self, key: str) -> bool:
        """Whether the image or problem of that key belongs here."""
        digest = hashlib.sha256(_bytes(key)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


def parse_part(text: str) -> Part:
    """Read ``2/7``.

    Raises:
        TableError: It is no part of a whole.
    """
    written = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    number, count = map(int, written.groups()) if written else (0, 0)
    if not 1 <= number <= count:
        raise TableError(f"'{text}' is no part; wanted: I/N, such as 2/7 for the second of seven.")
    return Part(number, count)


def keys_of(whole: Dataset) -> list[str]:
    """(N) the keys of a set's images: their names without the folder as somebody typed it."""
    return [name.removeprefix(whole.shown) for name in whole.names]


def keys_digest(whole: Dataset) -> str:
    """Of all keys of a set in their order: parts of a folder that changed meanwhile differ."""
    digest = hashlib.sha256()
    for key in (*keys_of(whole), *(problem.key for problem in whole.problems)):
        digest.update(_bytes(key) + b"\0")
    return digest.hexdigest()


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
