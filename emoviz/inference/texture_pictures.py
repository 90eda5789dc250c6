"""Texture pictures as files: made once for an image, a checkpoint and a request, then found again.

::

    <folder>/texture.json    what was asked for, and each picture with its loss
             texture.png     all layers together; grows while it is made
             loss.csv        step,loss of that picture
             texture-1.png   the first layer alone, and so on, with loss-1.csv: where asked for
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from emoviz.checkpoints import Checkpoint
from emoviz.errors import SettingsError
from emoviz.files import replaced_file, write_json
from emoviz.inference.explainer import Bytes, Explainer, Layer, Progress
from emoviz.inference.tabular import write_csv
from emoviz.inference.texture import LARGEST, SMALLEST, synthesise
from emoviz.settings import Settings

FORMAT = 1
DESCRIPTION = "texture.json"


@dataclass(frozen=True)
class TextureRequest:
    """What texture pictures depend on besides the image and the checkpoint.

    Attributes:
        size: Side of the pictures in pixels, 128 to 512.
        steps: Passes through the network for each picture.
        seed: Of the noise at the beginning.
        each_layer: Also one picture for each layer alone.
    """

    size: int = 224
    steps: int = 200
    seed: int = 0
    each_layer: bool = False

    def check(self) -> None:
        """Raise `SettingsError` for a size or number of steps that is not made."""
        if not SMALLEST <= self.size <= LARGEST:
            raise SettingsError(
                f"A texture picture of {self.size} pixels was asked for; {SMALLEST} to {LARGEST} "
                "are made."
            )
        if self.steps < 1:
            raise SettingsError(f"{self.steps} steps were asked for; at least 1 is needed.")


@dataclass(frozen=True)
class TexturePicture:
    """One picture, finished or growing.

    Attributes:
        file: PNG in the folder.
        layers: Names of the layers that it matches.
        losses: Of each step so far.
        done: Whether all steps are made.
    """

    file: str
    layers: tuple[str, ...]
    losses: tuple[float, ...] = ()
    done: bool = False


@dataclass(frozen=True)
class TextureSet:
    """The pictures of one folder.

    Attributes:
        folder: Where they are.
        pictures: Those there are so far, all layers together first.
        planned: How many there will be.
    """

    folder: Path
    pictures: tuple[TexturePicture, ...] = ()
    planned: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether every picture is finished."""
        return len(self.pictures) == self.planned and all(item.done for item in self.pictures)


def texture_folder(
    settings: Settings, checkpoint: Checkpoint, sha256: str, request: TextureRequest
) -> Path:
    """Where the pictures of an image (by the hash of its bytes) are kept."""
    card = checkpoint.card
    depends = [FORMAT, sha256, card.weights_sha256, card.network, card.preprocessing.to_dict()]
    text = json.dumps([*depends, asdict(request)], sort_keys=True, default=str)
    return settings.home / "textures" / hashlib.sha256(text.encode()).hexdigest()[:24]


def square_of(image: Image.Image, checkpoint: Checkpoint, size: int) -> Bytes:
    """(size, size, 3) bytes: what the checkpoint sees of an image, at another size."""
    return replace(checkpoint.card.preprocessing, size=size).to_array(image)


def make_pictures(
    explainer: Explainer,
    image: Image.Image,
    request: TextureRequest,
    folder: Path,
    about: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> TextureSet:
    """Make the pictures that a request asks for and write them as they grow.

    Args:
        explainer: From `load_explainer`.
        image: The original, RGB.
        request: Size, steps, seed.
        folder: Where the files go.
        about: Further lines of ``texture.json``.
        progress: Called with (steps done, steps) over all pictures.

    Raises:
        SettingsError: The request is out of range, or the network has no layer to match.
    """
    request.check()
    if not explainer.gram_layers:
        raise SettingsError(
            f"Checkpoint '{explainer.checkpoint.card.id}' has no layer whose feature maps can be "
            "had, so no texture picture can be made from it."
        )
    pixels = square_of(image, explainer.checkpoint, request.size)
    told = {"checkpoint": explainer.checkpoint.card.id, **asdict(request), **(about or {})}
    pictures: list[TexturePicture] = []
    plans = list(_plans(explainer.gram_layers, request.each_layer))

    def write(current: TexturePicture) -> None:
        rows = [asdict(picture) for picture in (*pictures, current)]
        for row in rows:
            row["loss"] = row.pop("losses")[-1]
        values = {"format": FORMAT, **told, "planned": len(plans), "pictures": rows}
        write_json(folder / DESCRIPTION, values)

    for number, (file, layers) in enumerate(plans):
        tell = _shifted(progress, number * request.steps, len(plans) * request.steps)
        for picture in _grow(explainer, pixels, file, layers, request, folder, tell):
            write(picture)
        pictures.append(picture)
    return read_pictures(folder)


def read_pictures(folder: Path) -> TextureSet:
    """What is in a folder so far; no picture where it is not there or cannot be read."""
    try:
        values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        pictures = tuple(_read_picture(folder, row) for row in values["pictures"])
        return TextureSet(folder, pictures, int(values["planned"]))
    except (OSError, ValueError, KeyError, TypeError):
        return TextureSet(folder)


def _read_picture(folder: Path, row: Mapping[str, Any]) -> TexturePicture:
    file = Path(row["file"]).name
    losses = _read_losses(folder / _losses_name(file))
    return TexturePicture(file, tuple(row["layers"]), losses, bool(row["done"]))


def _plans(layers: tuple[Layer, ...], each_layer: bool) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    yield "texture.png", layers
    if each_layer and len(layers) > 1:
        for number, layer in enumerate(layers, start=1):
            yield f"texture-{number}.png", (layer,)


def _grow(
    explainer: Explainer,
    pixels: Bytes,
    file: str,
    layers: tuple[Layer, ...],
    request: TextureRequest,
    folder: Path,
    tell: Callable[[int], None],
) -> Iterator[TexturePicture]:
    """Write one picture again and again; gives what is written."""
    losses: list[float] = []
    names = tuple(layer.name for layer in layers)
    for step in synthesise(explainer, pixels, layers, request.steps, request.seed):
        losses.append(step.loss)
        tell(step.number)
        if step.picture is not None:
            with replaced_file(folder / file) as aside:
                Image.fromarray(step.picture).save(aside, "PNG")
            _write_losses(folder / _losses_name(file), losses)
            yield TexturePicture(file, names, tuple(losses), step.number == request.steps)
    if step.number < request.steps:  # it came to rest, or the numbers went out of range
        yield TexturePicture(file, names, tuple(losses), True)


def _losses_name(file: str) -> str:
    return file.replace("texture", "loss").replace(".png", ".csv")


def _write_losses(path: Path, losses: Sequence[float]) -> None:
    rows = ((number, f"{loss:.8g}") for number, loss in enumerate(losses, start=1))
    write_csv(path, [("step", "loss"), *rows])


def _read_losses(path: Path) -> tuple[float, ...]:
    with path.open(encoding="utf-8", newline="") as stream:
        return tuple(float(row["loss"]) for row in csv.DictReader(stream))


def _shifted(progress: Progress | None, before: int, total: int) -> Callable[[int], None]:
    def tell(number: int) -> None:
        if progress is not None:
            progress(before + number, total)

    return tell
