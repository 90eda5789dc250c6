"""Style and content of a whole collection: each image's logits in parts and its Gram matrices.

One pass of the torch network for each image that the checkpoint has not been asked about; what it
gives is kept by content (`emoviz.inference.cache.StyleCache`), so a stopped run goes on where it
was, and an image in two collections is read once.

An image takes as many bytes as half its Gram matrices have numbers, twice: 10 KB for the three
layers of EfficientNet-Lite2. Layers above 256 channels are turned to 256 random directions first,
the same ones for all images, which keeps distances between matrices nearly as they are.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint
from emoviz.data.dataset import Dataset
from emoviz.data.images import Limits, open_image, own_fault
from emoviz.data.parts import Part, PartRows, PartWork, Refused, texts_of, whole_of
from emoviz.errors import CheckpointError, ImageError
from emoviz.inference.cache import StyleCache, fingerprint
from emoviz.inference.content_style_split import (
    ContentStyleSplit,
    NoSplit,
    no_split,
    part_names,
    split_and_grams,
)
from emoviz.inference.embedding import embed_collection, refused_in
from emoviz.inference.explainer import Bytes, Explainer, Progress, load_explainer
from emoviz.inference.predict import filled, load_model
from emoviz.inference.prefetch import ahead, in_groups
from emoviz.settings import Settings

Matrices = Sequence[NDArray[np.floating]]
_WIDEST = 256
_AT_ONCE = 64  # rows of Gram matrices that are compared together


def observe_collection(
    explainer: Explainer,
    collection: Dataset,
    hashes: Sequence[str],
    settings: Settings,
    progress: Progress | None = None,
    batch: int = 8,
) -> int:
    """Keep parts and Gram matrices of all images of a collection that are not kept yet.

    Args:
        explainer: From `load_explainer`.
        collection: From `open_dataset`.
        hashes: (N) SHA-256 of its images, "" for those that were refused (`Embedded.hashes`).
        settings: Where the cache is, and what is refused.
        progress: Called with (images done, images to be done).
        batch: Images that the network sees at once, and that a killed process may lose.

    Returns:
        How many images passed the network.

    Raises:
        TableError: The cache cannot be read or written.
    """
    with StyleCache(settings, explainer.checkpoint) as cache:
        known = cache.known(filter(None, hashes))
        wanted = {sha256: i for i, sha256 in enumerate(hashes) if sha256 and sha256 not in known}
        done = new = 0
        pixels = ahead(_pixels(explainer, collection, wanted, settings), depth=batch)
        for group in in_groups(pixels, batch):
            readable = [(sha256, image) for sha256, image in group if image is not None]
            if readable:
                names, images = zip(*readable, strict=True)
                # PyTorch's last digits hang on a batch's size: all are of one size.
                rows = _observe(explainer, filled(images, batch))[: len(names)]
                cache.put(dict(zip(names, rows, strict=True)))
            done, new = done + len(group), new + len(readable)
            if progress is not None:
                progress(done, len(wanted))
    return new


def style_work(
    checkpoint: Checkpoint,
    collection: Dataset,
    settings: Settings,
    progress: Progress | None = None,
) -> PartWork:
    """The parts of a collection's logits as work in parts; the networks are loaded with the first.

    A row is ``path, predicted, label`` and for each part and class a column ``part: class``.

    Raises:
        CheckpointError: The network's logits are no sum of parts.
    """
    import pyarrow as pa

    explainer = load_explainer(checkpoint, settings)
    if (reason := no_split(explainer)) is not None:
        raise CheckpointError(reason.reason)
    model = cache(lambda: load_model(checkpoint, settings))
    names, classes = part_names(explainer), explainer.classes
    columns = [f"{part}: {name}" for part in names for name in classes]
    kinds = dict.fromkeys(("path", "predicted", "label"), pa.string())
    schema = pa.schema([*kinds.items(), *((name, pa.float64()) for name in columns)])

    def rows(part: Part) -> PartRows:
        found = embed_collection(model(), collection, settings, progress, part=part)
        observe_collection(explainer, collection, found.hashes, settings, progress)
        split, kept = kept_split(explainer, [found.hashes[i] for i in found.kept], settings)
        assert isinstance(split, ContentStyleSplit)
        places = [found.kept[row] for row in kept]
        gone = [
            Refused(i, collection.names[i], "it could be read once, but not again")
            for i in sorted(set(found.kept) - set(places))
        ]
        values = [split.parts[name][:, c] for name in names for c in range(len(classes))]
        texts = (
            [collection.names[i] for i in places],
            [classes[i] for i in split.logits.argmax(axis=1)],
            [collection.labels[i] for i in places],
        )
        batch = pa.record_batch([*map(texts_of, texts), *map(pa.array, values)], schema=schema)
        return PartRows(places, schema, [batch], [*refused_in(found, part), *gone])

    about = {"checkpoint": checkpoint.card.id, "parts": list(names), "classes": list(classes)}
    fixed = fingerprint(checkpoint)
    return PartWork(whole_of("style", collection, fixed, set=collection.identity, **about), rows)


def split_of(table: Any, about: Mapping[str, Any]) -> ContentStyleSplit:
    """The logits in parts, out of a table as `style_work` makes it and what its whole says."""
    names, classes = about["parts"], about["classes"]
    columns = [table.column(f"{part}: {name}").to_numpy() for part in names for name in classes]
    values = np.stack(columns, axis=1).reshape(-1, len(names), len(classes))
    return ContentStyleSplit(
        tuple(classes), values.sum(axis=1), {name: values[:, i] for i, name in enumerate(names)}
    )


def kept_split(
    explainer: Explainer, hashes: Sequence[str], settings: Settings
) -> tuple[ContentStyleSplit | NoSplit, NDArray[np.int64]]:
    """The logits of a collection in parts, out of the cache.

    Args:
        explainer: Names the parts.
        hashes: (N) of the images.
        settings: Where the cache is.

    Returns:
        The split of the K images that are kept, or why the network has none; and (K,) their
        places among the N.
    """
    with StyleCache(settings, explainer.checkpoint) as cache:
        found = dict(cache.parts(hashes))
    rows = np.array([i for i, sha256 in enumerate(hashes) if sha256 in found], np.int64)
    if (reason := no_split(explainer)) is not None:
        return reason, rows
    names, classes = part_names(explainer), explainer.classes
    shape = (len(rows), len(names), len(classes))
    flat = b"".join(found[hashes[i]] for i in rows)
    values = np.frombuffer(flat, np.float32).reshape(shape).astype(np.float64)
    parts = {name: values[:, i] for i, name in enumerate(names)}
    return ContentStyleSplit(classes, values.sum(axis=1), parts), rows


def kept_grams(
    checkpoint: Checkpoint, hashes: Sequence[str], settings: Settings
) -> Iterator[tuple[list[str], list[NDArray[np.float32]]]]:
    """Gram matrices out of the cache, some images at a time, as `packed_triangle`.

    Args:
        checkpoint: Whose layers they are.
        hashes: (N) of the images; what is not kept is left out.
        settings: Where the cache is.

    Yields:
        Hashes of n images, and (n, T_i) for each Gram layer.
    """
    with StyleCache(settings, checkpoint) as cache:
        for group in in_groups(cache.grams(hashes), _AT_ONCE):
            rows = [unpack_grams(data) for _, data in group]
            layers = [np.stack(layer) for layer in zip(*rows, strict=True)]
            yield [sha256 for sha256, _ in group], layers


def pack_grams(grams: Matrices) -> bytes:
    """Gram matrices of one image as bytes: for each layer length, scale, float16 triangle."""
    pieces = []
    for G in grams:
        values = packed_triangle(reduced(G))
        scale = float(np.abs(values).max()) or 1.0
        pieces.append(struct.pack("<If", len(values), scale))
        pieces.append((values / scale).astype("<f2").tobytes())
    return b"".join(pieces)


def unpack_grams(data: bytes) -> list[NDArray[np.float32]]:
    """What `pack_grams` packed: one `packed_triangle` for each layer."""
    found, start = [], 0
    while start < len(data):
        length, scale = struct.unpack_from("<If", data, start)
        start += 8
        values = np.frombuffer(data, "<f2", length, start).astype(np.float32) * scale
        found.append(values)
        start += 2 * length
    return found


def packed_triangle(gram: NDArray[np.floating]) -> NDArray[np.float64]:
    """(C (C+1) / 2,) a symmetric matrix as a vector whose inner products are the matrices'."""
    G = np.asarray(gram, np.float64)
    rows, columns = np.triu_indices(len(G))
    return np.asarray(G[rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0)))


def reduced(gram: NDArray[np.floating]) -> NDArray[np.floating]:
    """The Gram matrix of at most 256 random directions of the channels."""
    channels = len(gram)
    if channels <= _WIDEST:
        return gram
    R = _directions(channels)
    return np.asarray(R.T @ gram @ R)


@lru_cache(maxsize=8)
def _directions(channels: int) -> NDArray[np.float64]:
    """(C, 256) orthonormal columns, always the same."""
    drawn = np.random.default_rng(channels).normal(size=(channels, _WIDEST))
    return np.asarray(np.linalg.qr(drawn)[0])


def _pixels(
    explainer: Explainer, collection: Dataset, wanted: dict[str, int], settings: Settings
) -> Iterator[tuple[str, Bytes | None]]:
    """Hash and network's view of each image; None for one that cannot be read any more."""
    preprocessing, limits = explainer.checkpoint.card.preprocessing, Limits.of(settings)
    for sha256, index in wanted.items():
        try:
            with own_fault():
                data = collection.records[index].read(limits)
                image = open_image(data, limits, preprocessing.short_side)
                array = preprocessing.to_array(image.pixels)
        except ImageError:
            yield sha256, None
        else:
            yield sha256, array


def _observe(explainer: Explainer, images: Bytes) -> list[tuple[bytes, bytes]]:
    """Bytes of parts and Gram matrices of each image."""
    from emoviz.inference.texture import gram_matrices

    found, seen = split_and_grams(explainer, images)
    layers: list[Any] = (
        gram_matrices(explainer, images) if seen is None else [G.cpu().numpy() for G in seen]
    )
    grams = [pack_grams([layer[i] for layer in layers]) for i in range(len(images))]
    if isinstance(found, NoSplit):
        return [(b"", row) for row in grams]
    values = np.stack(list(found.parts.values()), axis=1).astype("<f4")
    return [(values[i].tobytes(), grams[i]) for i in range(len(images))]


def by_part_rows(
    split: ContentStyleSplit, paths: Iterable[str], predicted: Iterable[str], labels: Iterable[str]
) -> Iterator[list[str]]:
    """Cells of a CSV: a header, then an image's path, estimate, label and parts of its logits."""
    from emoviz.inference.tabular import safe_cell

    names = [(part, c) for part in split.parts for c in range(len(split.classes))]
    columns = [f"{part}: {split.classes[c]}" for part, c in names]
    yield ["path", "predicted", "label", *map(safe_cell, columns)]
    for i, (path, answer, label) in enumerate(zip(paths, predicted, labels, strict=True)):
        numbers = [f"{split.parts[part][i, c]:.6f}" for part, c in names]
        yield [*map(safe_cell, (path, answer, label)), *numbers]
