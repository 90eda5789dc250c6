"""Checkpoints: a folder that explains itself.

::

    <id>/card.json           recipe, taxonomy, network, preprocessing, data, measures, licence
         model.safetensors   network.<key>, centers, novelty.<key>, seen.<key>
         graph.onnx          the same network for ONNX Runtime; its weights are the file above
         README.md           the card for people and for the Hugging Face hub

The card holds the SHA-256 of the other two, which are compared before either is used; what the
card or a file asks for is capped before memory is taken. Nothing is pickled. Reading a card or
opening the graph needs no torch.
"""

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open

from emoviz.data.hash_filter import SeenImages
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import CheckpointError, TaxonomyError, require_training_packages
from emoviz.files import replaced_folder, write_json, write_text
from emoviz.labels import Taxonomy
from emoviz.model_card import MODEL_CARD, model_card
from emoviz.models.novelty import Novelty
from emoviz.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from emoviz.models.fusion import Network

FORMAT = 1
CARD, WEIGHTS, GRAPH = "card.json", "model.safetensors", "graph.onnx"
NETWORK_PREFIX, CENTERS = "network.", "centers"
NOVELTY_PREFIX, SEEN_PREFIX = "novelty.", "seen."
Part = TypeVar("Part")  # what stands in the weights beside the network
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
# Above these a checkpoint is refused unread: far more than any network that is in use here.
MAX_CARD_BYTES, MAX_HEADER_BYTES, MAX_WEIGHTS_BYTES = 4_000_000, 16_000_000, 8_000_000_000
MAX_CLASSES, MAX_WIDTH, MAX_MEMBERS, MAX_LAYERS = 1000, 65_536, 16, 64
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
# timm's names alone: "hf-hub:" and "local-dir:" would lead to a hub or to another folder.
_OPTIONS: dict[str, tuple[type, ...]] = {  # of a vision transformer: what a card may ask for
    **dict.fromkeys(("img_size", "patch_size", "embed_dim", "depth", "num_heads"), (int,)),
    **dict.fromkeys(("pre_norm", "qkv_bias", "no_embed_class"), (bool,)),
    **dict.fromkeys(("mlp_ratio", "init_values", "norm_eps"), (int, float)),
    "reg_tokens": (int,),
    "act_layer": (str,),
}
_MOST = {"img_size": 4096, "depth": 128, "embed_dim": 8192, "mlp_ratio": 16}
_BACKBONE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


@dataclass(frozen=True)
class Card:
    """What a checkpoint says of itself.

    Attributes:
        id: The name of its folder, used on the command line and in links.
        title: What people read.
        summary: One or two sentences: what it is and what it was trained on.
        taxonomy: Its classes, in the order of the outputs.
        network: Arguments of `NetworkConfig`, or of `FusedConfig` for several in one.
        preprocessing: How an image becomes its input.
        temperature: Divides the logits before the softmax; fitted on validation data.
        width: D, the length of u.
        recipe: The recipe that it was trained with, whole.
        data: One entry for each training set: name, source, terms, counts by split, bridge.
        measures: What was measured on held-out data, and on which.
        calibration: Expected calibration error before and after, and on what.
        novelty: The rule for "unlike the training data" in words, with its measured rates.
        seen: How many training images the filter in the weights' file knows, and how rarely it is
            mistaken; empty where there is none (`load_seen`).
        dimensions: For each output beside the classes: its scale in words, how well it was
            measured on held-out images, and half the width of its interval, overall and by kind of
            image.
        seed: Of the run.
        versions: Of emoviz, torch and timm at training.
        licence: Of the weights, with the terms that the data impose.
        intended_use: For whom and what for.
        limits: What it cannot do.
        weights_sha256: Of ``model.safetensors``.
        graph_sha256: Of ``graph.onnx``; empty where there is none.
    """

    id: str
    title: str
    summary: str
    taxonomy: Taxonomy
    network: Mapping[str, Any]
    preprocessing: Preprocessing
    temperature: float = 1.0
    width: int = 0
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Mapping[str, Any], ...] = ()
    measures: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    novelty: Mapping[str, Any] = field(default_factory=dict)
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    intended_use: str = ""
    limits: str = ""
    weights_sha256: str = ""
    graph_sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the format's number."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["taxonomy"] = self.taxonomy.to_dict()
        values["preprocessing"] = self.preprocessing.to_dict()
        return {"format": FORMAT, **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Card":
        """Read a card.

        Raises:
            CheckpointError: It is of another format, or lacks or misstates a field.
        """
        if values.get("format") != FORMAT:
            raise CheckpointError(
                f"the card is of format {values.get('format')}; this version reads {FORMAT}"
            )
        given = {key: value for key, value in values.items() if key != "format"}
        try:
            given["taxonomy"] = Taxonomy.from_dict(given["taxonomy"])
            given["preprocessing"] = Preprocessing.from_dict(given["preprocessing"])
            given["data"] = tuple(given.get("data", ()))
            card = cls(**given)
        except (KeyError, TypeError, TaxonomyError) as error:
            raise CheckpointError(f"the card does not fit: {error}") from None
        card.check()
        return card

    def check(self) -> None:
        """Raise `CheckpointError` unless what others rely on is there and of its kind."""
        for name in (
            "network",
            "recipe",
            "measures",
            "calibration",
            "novelty",
            "dimensions",
            "versions",
        ):
            if not isinstance(getattr(self, name), Mapping):
                raise CheckpointError(f"the card's {name} is no table of names and values")
        if not (isinstance(self.temperature, int | float) and 0 < self.temperature < math.inf):
            raise CheckpointError(f"the card's temperature is {self.temperature}")
        for name in ("title", "summary", "licence", "weights_sha256", "graph_sha256"):
            if not isinstance(getattr(self, name), str):
                raise CheckpointError(f"the card's {name} is {getattr(self, name)}, no text")
        if len(self.taxonomy) > MAX_CLASSES:
            raise CheckpointError(f"the card has {len(self.taxonomy):,} classes; at most 1,000")
        if not (isinstance(self.width, int) and 0 <= self.width <= MAX_WIDTH):
            raise CheckpointError(f"the card's width is {self.width}; at most {MAX_WIDTH:,}")
        for member in self.members:
            _check_member(member)

    @property
    def members(self) -> tuple[Mapping[str, Any], ...]:
        """Arguments of `NetworkConfig` for each network: one, or those that are fused."""
        if "members" not in self.network:
            return (self.network,)
        members = self.network["members"]
        if not (isinstance(members, list) and members):
            raise CheckpointError("the card's network has no list of members")
        if len(members) > MAX_MEMBERS:
            raise CheckpointError(f"the card's network has {len(members)} members; at most 16")
        if not all(isinstance(member, Mapping) for member in members):
            raise CheckpointError("the card's network has a member that is no table")
        return tuple(members)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of image that the network tells apart; none of most networks."""
        return tuple(self.network.get("kinds", ()))

    @property
    def outputs_beside(self) -> tuple[str, ...]:
        """Names of the outputs beside the classes, in order; none of most networks."""
        return tuple(self.network.get("dimensions", ()))

    @property
    def backbone(self) -> str:
        """timm's name, or several with plus signs between them."""
        return " + ".join(str(member["backbone"]) for member in self.members)

    @property
    def layers(self) -> list[int | str]:
        """Layers with Gram modules, of all members."""
        return [layer for member in self.members for layer in member["layers"]]


def _check_member(member: Mapping[str, Any]) -> None:
    missing = {"backbone", "layers"} - set(member)
    if missing:
        raise CheckpointError(f"the card's network lacks {', '.join(sorted(missing))}")
    if not _BACKBONE.fullmatch(str(member["backbone"])):
        raise CheckpointError(
            f"the card's network is '{str(member['backbone'])[:80]}', which is no name of timm's; "
            "a card may not lead to a hub or to another folder"
        )
    layers = member["layers"]
    if not (isinstance(layers, list | tuple) and len(layers) <= MAX_LAYERS):
        raise CheckpointError(f"the card's network has no list of at most {MAX_LAYERS} layers")
    most_of = {"classes": MAX_CLASSES, "parallel": 16, "reduce": 4096, "unit": MAX_WIDTH}
    for name, most in most_of.items():
        value = member.get(name, 1)
        if not (isinstance(value, int) and 0 <= value <= most):
            raise CheckpointError(f"the card's network has {name} {value}; at most {most:,}")
    options = member.get("options", {})
    if not isinstance(options, Mapping):
        raise CheckpointError(f"the card's network has the options {options}, no table")
    for name, value in options.items():
        if type(value) not in _OPTIONS.get(name, ()) or value > _MOST.get(name, value):
            raise CheckpointError(f"the card's network has the option {name} = {value!r}")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's card and where its files are."""

    card: Card
    folder: Path

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / WEIGHTS

    @property
    def graph(self) -> Path:
        """The ONNX graph; may be missing, then only torch can run the network."""
        return self.folder / GRAPH


def open_checkpoint(name: str, settings: Settings) -> Checkpoint:
    """Find a checkpoint and read its card.

    Args:
        name: An id under the project's or the person's ``checkpoints`` folder, or a path.
        settings: Where those folders are.

    Raises:
        CheckpointError: There is none, or its card or weights do not fit.
    """
    places = [root / name for root in _roots(settings)] if _is_id(name) else []
    with contextlib.suppress(OSError, RuntimeError):  # an impossible name, an unknown ~user
        for folder in (*places, Path(name).expanduser()):
            if (folder / CARD).is_file():
                return read_checkpoint(folder)
    known = ", ".join(item.card.id for item in list_checkpoints(settings)[0]) or "none"
    raise CheckpointError(
        f"There is no checkpoint '{name}'. Known ids: {known}. A folder with a card.json and a "
        "model.safetensors may be given too."
    )


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the checkpoint in a folder and check that its arrays belong to its card.

    Raises:
        CheckpointError: Something is missing or damaged; the message names the folder.
    """
    try:
        card = _card_of(folder.resolve(), _state(folder / CARD), _state(folder / WEIGHTS))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            wanted = f"wanted: a folder with {CARD} and {WEIGHTS}"
            raise CheckpointError(f"There is no network in '{folder}'; {wanted}.") from None
        raise CheckpointError(f"Checkpoint '{folder.name}' cannot be read: {error}.") from None
    except CheckpointError as error:
        raise CheckpointError(f"Checkpoint '{folder.name}' cannot be used: {error}.") from None
    return Checkpoint(card, folder)


@lru_cache(maxsize=1024)
def _card_of(folder: Path, card_state: tuple[int, ...], weights_state: tuple[int, ...]) -> Card:
    """The card, checked; read again only where a file has changed: each page asks for all."""
    card = Card.from_dict(_read_card(folder / CARD))
    _check_arrays(card, folder / WEIGHTS)
    return replace(card, id=folder.name)  # a folder may have been copied or renamed


def _state(file: Path) -> tuple[int, ...]:
    """What changes where a file is replaced or written."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def list_checkpoints(settings: Settings) -> tuple[list[Checkpoint], list[str]]:
    """All checkpoints, shipped ones first, and the reasons why others cannot be used."""
    found: dict[str, Checkpoint] = {}
    refused: list[str] = []
    for root in _roots(settings):
        for folder in sorted(root.glob("*")) if root.is_dir() else []:
            if folder.name.startswith(".") or not (folder / CARD).is_file():
                continue
            try:
                found.setdefault(folder.name, read_checkpoint(folder))
            except CheckpointError as error:
                refused.append(str(error))
    return list(found.values()), refused


def check_id(id: str, settings: Settings) -> None:
    """Raise `CheckpointError` where a checkpoint cannot be called so."""
    if not _ID.fullmatch(id):
        raise CheckpointError(
            f"'{id}' cannot be a checkpoint's id; wanted small letters, digits, '-' or '_', at "
            "most 48, beginning with a letter or a digit."
        )
    roots = (settings.shipped_checkpoints, settings.user_checkpoints)
    if any((root / id).exists() for root in roots):
        raise CheckpointError(f"There is a checkpoint '{id}' already. Choose another id.")


def made_before(folder: Path, card: Card) -> Checkpoint | None:
    """The checkpoint that is there, where an interrupted act of the same kind has put it.

    Args:
        folder: Its place.
        card: What it is to hold; the graph may be another, for it is made anew each time.
    """
    try:
        found = read_checkpoint(folder)
    except CheckpointError:
        return None
    anew = replace(found.card, graph_sha256=card.graph_sha256)
    return found if anew == card else None


def free_checkpoint_id(text: str, settings: Settings) -> str:
    """An id made of some words that no checkpoint has yet."""
    words = re.sub(r"[^a-z0-9_-]+", "-", text.casefold()).strip("-_")[:40] or "network"
    taken = {item.card.id for item in list_checkpoints(settings)[0]}
    numbered = (f"{words}-{number}" for number in range(2, len(taken) + 3))
    return words if words not in taken else next(id for id in numbered if id not in taken)


def load_network(checkpoint: Checkpoint) -> "Network":
    """Build the network with its weights, on the CPU, in evaluation mode. Imports torch.

    Raises:
        CheckpointError: The arrays do not fit the network that the card describes, or were
            changed after the card was written, or are no finite numbers.
        NotInstalledError: PyTorch is not installed.
    """
    require_training_packages()
    from safetensors.torch import load_file

    from emoviz.models.fusion import build

    check_weights(checkpoint)
    card = checkpoint.card
    _check_size(checkpoint)
    network = build(card.network)
    arrays = {
        key.removeprefix(NETWORK_PREFIX): value
        for key, value in load_file(checkpoint.weights).items()
        if key.startswith(NETWORK_PREFIX)
    }
    try:
        network.load_state_dict(arrays)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(
            f"Checkpoint '{card.id}' does not fit its own card: {first}"
        ) from None
    return network.eval()


def load_centers(checkpoint: Checkpoint) -> Any:
    """(C, D) learned class centers as a float32 array, or None where there are none.

    Raises:
        CheckpointError: The weights were changed after the card was written.
    """
    check_weights(checkpoint)
    with safe_open(checkpoint.weights, framework="numpy") as file:
        names = set(file.keys())
        return file.get_tensor(CENTERS) if CENTERS in names else None


def load_novelty(checkpoint: Checkpoint) -> Novelty | None:
    """The statistic behind "unlike the training data", or None where there is none.

    Raises:
        CheckpointError: It is incomplete, or the weights were changed after the card was written.
    """
    return _part(checkpoint, NOVELTY_PREFIX, Novelty.from_arrays, "novelty statistic")


def load_seen(checkpoint: Checkpoint) -> SeenImages | None:
    """The filter of the images that it was trained on, or None where it has none.

    Raises:
        CheckpointError: It is incomplete, or the weights were changed after the card was written.
    """
    return _part(checkpoint, SEEN_PREFIX, SeenImages.from_arrays, "filter of training images")


def _part(
    checkpoint: Checkpoint, prefix: str, made: Callable[[dict[str, Any]], Part], words: str
) -> Part | None:
    """What stands in the weights' file below a prefix; None where there is nothing."""
    check_weights(checkpoint)
    with safe_open(checkpoint.weights, framework="numpy") as file:
        names = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118  no dict
        arrays = {key.removeprefix(prefix): file.get_tensor(key) for key in names}
    try:
        return made(arrays) if arrays else None
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"Checkpoint '{checkpoint.card.id}' lacks a part of its {words}: {error}."
        ) from None


def check_weights(checkpoint: Checkpoint) -> None:
    """Compare the weights with the hash that the card gives, and hold that all are finite.

    A file is read once as long as its size and time stay (about 20 ms for 24 MB).

    Raises:
        CheckpointError: They differ, the card gives no hash, a weight is no finite number, or
            the file cannot be read.
    """
    _check_hash(checkpoint, checkpoint.weights, checkpoint.card.weights_sha256)
    broken = _not_finite(*_as_it_is(checkpoint.weights))
    if broken:
        raise CheckpointError(
            f"Checkpoint '{checkpoint.card.id}' cannot be used: {broken} in {WEIGHTS} holds values "
            "that are no finite numbers."
        )


def check_graph(checkpoint: Checkpoint) -> None:
    """Compare graph and weights with the hashes that the card gives.

    Raises:
        CheckpointError: One differs, the card gives no hash, or a file cannot be read.
    """
    check_weights(checkpoint)
    _check_hash(checkpoint, checkpoint.graph, checkpoint.card.graph_sha256)


def _check_hash(checkpoint: Checkpoint, path: Path, wanted: str) -> None:
    name = f"Checkpoint '{checkpoint.card.id}'"
    if not wanted:
        raise CheckpointError(
            f"{name} cannot be used: its card gives no hash of {path.name}, so nobody can tell "
            "whether it was changed. Ask whoever made it for one that is sealed."
        )
    try:
        given = _sha256(*_as_it_is(path))
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error}.") from None
    if given != wanted:
        raise CheckpointError(
            f"{name} cannot be used: {path.name} was changed after the card was written (sha256 "
            f"{given[:12]}..., the card says {wanted[:12]}...). Copy the whole folder again."
        )


def seal_checkpoint(folder: Path) -> Card:
    """Write the hashes of weights and graph, as they are now, into the card.

    For checkpoints of one's own whose card was written before it held them all.

    Raises:
        CheckpointError: The card cannot be read.
        OSError: The card cannot be written.
    """
    weights, graph = _hashes(folder).values()
    card = replace(read_checkpoint(folder).card, weights_sha256=weights, graph_sha256=graph)
    write_json(folder / CARD, card.to_dict())
    return card


def save_checkpoint(
    folder: Path,
    card: Card,
    network: "Network",
    centers: "Tensor | None" = None,
    novelty: Novelty | None = None,
    with_graph: bool = True,
    seen: SeenImages | None = None,
) -> Checkpoint:
    """Write a checkpoint, whole or not at all. Imports torch.

    Args:
        folder: Its place; an existing checkpoint there is replaced.
        card: Its `id`, `width` and hashes are filled in here.
        network: On any device.
        centers: (C, D), where they were learned.
        novelty: The statistic behind "unlike the training data".
        with_graph: Also export the ONNX graph (about ten seconds).
        seen: The images that it was trained on.

    Raises:
        OSError: The disk is full or the folder cannot be written; what was there stays.
    """
    import torch
    from safetensors.torch import save_file

    arrays = {NETWORK_PREFIX + key: value for key, value in network.state_dict().items()}
    if centers is not None:
        arrays[CENTERS] = centers
    if novelty is not None:
        for key, array in novelty.to_arrays().items():
            arrays[NOVELTY_PREFIX + key] = torch.from_numpy(array)
    for key, bits in (seen.to_arrays() if seen is not None else {}).items():
        arrays[SEEN_PREFIX + key] = torch.from_numpy(bits)
    with replaced_folder(folder) as aside:
        weights = aside / WEIGHTS
        try:
            save_file({k: v.detach().cpu().contiguous() for k, v in arrays.items()}, weights)
        except SafetensorError as error:  # a full disk, as safetensors tells it
            raise OSError(f"{folder / WEIGHTS} cannot be written: {error}") from None
        if with_graph:
            from emoviz.models.export import export_graph

            export_graph(network.cpu().eval(), card.preprocessing, weights, aside)
        values = {**card.to_dict(), "id": folder.name, "width": network.width}
        write_json(aside / CARD, {**values, **_hashes(aside)})
        write_text(aside / MODEL_CARD, model_card(values))
    return read_checkpoint(folder)


def _hashes(folder: Path) -> dict[str, str]:
    graph = folder / GRAPH
    return {
        "weights_sha256": _sha256(*_as_it_is(folder / WEIGHTS)),
        "graph_sha256": _sha256(*_as_it_is(graph)) if graph.is_file() else "",
    }


def _as_it_is(path: Path) -> tuple[Path, int, int]:
    """A file with its size and time of change, which are there to forget older contents."""
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _not_finite(path: Path, size: int, changed: int) -> str:
    """The name of an array with a value that is no finite number; empty where there is none."""
    with safe_open(path, framework="numpy"):  # raises where the header does not fit the file
        whole = np.memmap(path, np.uint8, "r")
    begin = 8 + int(whole[:8].view("<u8")[0])
    for key, row in json.loads(whole[8:begin].tobytes()).items():
        if key != "__metadata__" and row["dtype"] in _FLOATS:
            first, last = (begin + offset for offset in row["data_offsets"])
            # not `get_tensor`, which copies: it takes as long as reading the whole file
            if not np.isfinite(np.frombuffer(whole[first:last], _FLOATS[row["dtype"]])).all():
                return str(key)
    return ""


def _read_card(path: Path) -> dict[str, Any]:
    """The card's JSON, of a size that a card can have and with finite numbers alone."""
    if path.stat().st_size > MAX_CARD_BYTES:
        raise CheckpointError(f"{CARD} has {path.stat().st_size / 1e6:,.0f} MB; at most 4")
    text = path.read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text, parse_constant=_finite, parse_float=_finite)
    return values


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise CheckpointError(f"the card holds {text[:20]}, which is no finite number")
    return float(text)


def _roots(settings: Settings) -> tuple[Path, Path]:
    return settings.shipped_checkpoints, settings.user_checkpoints


def _is_id(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not any(sign in name for sign in "/\\:")


def _check_arrays(card: Card, weights: Path) -> None:
    """Hold the classifiers' shapes against the card, out of the header alone."""
    if not weights.is_file():
        raise CheckpointError(f"{WEIGHTS} is missing")
    header = _read_header(weights)
    shapes = [header.get(key, ()) for key in _classifiers(card)]
    if any(len(shape) != 2 for shape in shapes):
        raise CheckpointError(f"{WEIGHTS} is damaged or of another kind (it has no classifier)")
    classes, width = {shape[0] for shape in shapes}, sum(shape[1] for shape in shapes)
    wanted = (len(card.taxonomy), card.width)
    if (classes, width) != ({wanted[0]}, wanted[1]):
        raise CheckpointError(
            f"the card speaks of {wanted[0]} classes and width {wanted[1]}, the weights have "
            f"{' and '.join(map(str, sorted(classes)))} and {width}"
        )


def _read_header(weights: Path) -> dict[str, tuple[int, ...]]:
    """Shape of each array in a safetensors file, read without its arrays."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES or size > MAX_WEIGHTS_BYTES:
        raise CheckpointError(
            f"{WEIGHTS} is damaged or of another kind (a header of {length:,} bytes in a file of "
            f"{size:,}; at most {MAX_HEADER_BYTES:,} in {MAX_WEIGHTS_BYTES:,})"
        )
    try:
        with safe_open(weights, framework="numpy") as file:
            names = list(file.keys())
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except SafetensorError as error:
        raise CheckpointError(f"{WEIGHTS} is damaged or of another kind ({error})") from None


def _check_size(checkpoint: Checkpoint) -> None:
    """Hold the network that the card asks for against the arrays before memory is taken for it."""
    import torch

    from emoviz.models.fusion import build

    header = _read_header(checkpoint.weights)
    with torch.device("meta"):
        wanted = build(checkpoint.card.network).state_dict()
    given = {
        k.removeprefix(NETWORK_PREFIX): v for k, v in header.items() if k.startswith("network.")
    }
    for name, value in wanted.items():
        if given.get(name) != tuple(value.shape):
            raise CheckpointError(
                f"Checkpoint '{checkpoint.card.id}' does not fit its own card: {name} should have "
                f"the shape {tuple(value.shape)}, the weights hold {given or 'none'}."
            )


def _classifiers(card: Card) -> list[str]:
    """Names of the arrays behind u; their columns together are as many as u is long."""
    if "members" not in card.network:
        return [f"{NETWORK_PREFIX}classifier.weight"]
    return [
        f"{NETWORK_PREFIX}members.{number}.classifier.weight" for number in range(len(card.members))
    ]
