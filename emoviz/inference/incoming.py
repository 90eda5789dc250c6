"""A checkpoint that comes from elsewhere: looked at first, brought in when a person says so.

::

    look_at(ZIP or folder) -> Incoming: its card, who signed it, what was checked
    bring_in(Incoming, id) -> one of the person's checkpoints
"""

import io
import shutil
import stat
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from emoviz.checkpoints import (
    CARD,
    GRAPH,
    MAX_WEIGHTS_BYTES,
    WEIGHTS,
    Card,
    Checkpoint,
    check_graph,
    check_id,
    check_weights,
    free_checkpoint_id,
    load_novelty,
    made_before,
    read_checkpoint,
)
from emoviz.errors import CheckpointError
from emoviz.files import replaced_folder
from emoviz.inference.signing import SIGNATURE, signed_by, trusted_keys
from emoviz.inference.trust import can_compare, examine_graph, remember
from emoviz.settings import Settings

FILES = (CARD, WEIGHTS, GRAPH, SIGNATURE)
_NEEDED = (CARD, WEIGHTS)
_HOUR = 3600


@dataclass(frozen=True)
class Incoming:
    """A checkpoint that was looked at and is not brought in yet.

    Attributes:
        checkpoint: In a folder of its own under the home.
        signer: The name under which this person trusts the key that signed it; empty where the
            key is unknown or there is no signature.
        public_key: That signed it; empty where it is unsigned.
    """

    checkpoint: Checkpoint
    signer: str
    public_key: str

    @property
    def card(self) -> Card:
        """What it says of itself."""
        return self.checkpoint.card

    @property
    def id(self) -> str:
        """What it could be called here: free, and after the file that it came in."""
        return self.card.id

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know before they say yes, in sentences."""
        graph = self.checkpoint.graph.is_file()
        compared = (
            "Its graph was run and answers as its weights do."
            if can_compare()
            else "Its graph was looked through and run, but not compared with its weights: that "
            "needs the training packages."
        )
        return (
            self._signature(),
            "All its files are as its card says.",
            compared if graph else "It has no graph and runs from its weights.",
            "What the card says of data and measures is its maker's word.",
        )

    def _signature(self) -> str:
        if not self.public_key:
            return "It is unsigned: nobody vouches for where it comes from."
        if not self.signer:
            return f"It is signed with a key that you do not know: {self.public_key}."
        return f"It is signed by {self.signer}."


def look_at(source: Path | bytes, name: str, settings: Settings) -> Incoming:
    """Check a checkpoint as a stranger's, in a folder aside.

    Args:
        source: Its folder, or a ZIP of that folder as a file or as bytes.
        name: Of the file or folder; the checkpoint is proposed to be called so.
        settings: Where the home is.

    Raises:
        CheckpointError: It is refused; the message says why, and nothing is left behind.
    """
    _sweep(settings)
    root = settings.home / "incoming"
    root.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=root))
    try:
        folder = aside / free_checkpoint_id(PurePosixPath(name).stem, settings)
        folder.mkdir()
        if isinstance(source, Path) and source.is_dir():
            _copy_folder(source, folder)
        else:
            _unpack(source, folder)
        checkpoint = read_checkpoint(folder)
        check_weights(checkpoint)
        load_novelty(checkpoint)
        public = signed_by(folder)
        if checkpoint.graph.is_file():
            check_graph(checkpoint)
            examine_graph(checkpoint)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return Incoming(checkpoint, trusted_keys(settings).get(public, ""), public)


def bring_in(incoming: Incoming, id: str, settings: Settings) -> Checkpoint:
    """Put what was looked at among the person's checkpoints.

    Raises:
        CheckpointError: The id cannot be used or is taken, or the files are no longer there.
    """
    place = settings.user_checkpoints / id
    source = incoming.checkpoint.folder
    if not source.is_dir():
        raise CheckpointError("What was looked at is no longer there. Choose the file again.")
    if made_before(place, replace(incoming.checkpoint.card, id=id)) is None:
        check_id(id, settings)
        with replaced_folder(place) as aside:
            _copy_folder(source, aside)
    discard(incoming)
    checkpoint = read_checkpoint(place)
    if checkpoint.graph.is_file():
        remember(checkpoint, settings)
    return checkpoint


def discard(incoming: Incoming) -> None:
    """Leave nothing of what was looked at."""
    shutil.rmtree(incoming.checkpoint.folder.parent, ignore_errors=True)


def _copy_folder(source: Path, target: Path) -> None:
    for name in FILES:
        path = source / name
        if path.is_symlink():
            raise CheckpointError(f"{source.name}/{name} is a link to somewhere else.")
        if path.is_file():
            if path.stat().st_size > MAX_WEIGHTS_BYTES:
                raise CheckpointError(f"{source.name}/{name} is too large for a checkpoint.")
            shutil.copyfile(path, target / name)
    _hold_complete(target)


def _unpack(source: Path | bytes, target: Path) -> None:
    """The files of a checkpoint out of a ZIP, at its top or in its one folder."""
    try:
        with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            folders = set()
            for member in opened.infolist():
                path = PurePosixPath(member.filename)
                if path.name in FILES and len(path.parts) <= 2 and not member.is_dir():
                    folders.add(path.parent)
                    _unpack_member(opened, member, target / path.name)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError):
        raise CheckpointError("This is no ZIP archive, or a damaged or encrypted one.") from None
    except OSError as error:
        raise CheckpointError(f"The ZIP cannot be unpacked: {error.strerror or error}.") from None
    if len(folders) > 1:
        raise CheckpointError("The ZIP holds several checkpoints; bring in one at a time.")
    _hold_complete(target)


def _unpack_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise CheckpointError(f"{member.filename} in the ZIP is a link to somewhere else.")
    free = shutil.disk_usage(target.parent).free
    if member.file_size > min(MAX_WEIGHTS_BYTES, free):
        raise CheckpointError(
            f"{member.filename} would unpack to {member.file_size / 1e6:,.0f} MB; there is room "
            f"for {min(MAX_WEIGHTS_BYTES, free) / 1e6:,.0f}."
        )
    with opened.open(member) as stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)  # no more than the size that the ZIP names


def _hold_complete(folder: Path) -> None:
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(
            f"This is no checkpoint: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'}"
            " missing. Wanted is the ZIP that Runs or another emoviz gave, or its folder."
        )


def _sweep(settings: Settings) -> None:
    """Forget what was looked at an hour ago and never brought in."""
    for folder in (settings.home / "incoming").glob("*"):
        if time.time() - folder.stat().st_mtime > _HOUR:
            shutil.rmtree(folder, ignore_errors=True)
