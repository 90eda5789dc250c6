"""Contents of files, compared without pytest's picture of how they differ.

It takes hours over two files of a megabyte, so that a failure would look like a test that hangs.
"""

import hashlib
from pathlib import Path


def digest(contents: bytes | Path) -> str:
    """SHA-256 of some bytes or of a file's."""
    if isinstance(contents, Path):
        contents = contents.read_bytes()
    return hashlib.sha256(contents).hexdigest()
