"""Gram matrices as things to look at and to compare: order, patches, distances, shares."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SILENT = 1e-12


def correlations(gram: NDArray[np.floating]) -> Floats:
    """(C, C) G_ij / sqrt(G_ii G_jj) in [-1, 1]: how two channels go together, whatever their size.

    A silent channel (G_ii = 0) goes with none.
    """
    G = np.asarray(gram, np.float64)
    strength = np.sqrt(np.maximum(np.diag(G), 0.0))
    scale = np.outer(strength, strength)
    shares = np.divide(G, scale, out=np.zeros_like(G), where=scale > _SILENT)
    return np.asarray(shares.clip(-1.0, 1.0))


def channel_order(gram: NDArray[np.floating]) -> NDArray[np.int64]:
    """(C,) channels in an order that shows structure: those that go together stand together.

    Hierarchical clustering (average linkage) of 1 - correlation, leaves put so that neighbours are
    as alike as they can be (Bar-Joseph et al. 2001).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    distances = 1.0 - correlations(gram)
    condensed = distances[np.triu_indices(len(distances), k=1)]
    if not len(condensed):
        return np.zeros(len(distances), np.int64)
    tree = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    return np.asarray(leaves_list(tree), np.int64)


def strongest_patches(
    maps: NDArray[np.floating], image: NDArray[np.uint8], side: int = 48
) -> NDArray[np.uint8]:
    """Cut out of the image where each channel of its map answers most strongly.

    Args:
        maps: (C, h, w) feature map of the image.
        image: (H, W, 3) bytes.
        side: Of the patches in pixels, at most H and W.

    Returns:
        (C, side, side, 3) bytes, centred on those places as far as the border lets them.
    """
    height, width = image.shape[:2]
    side = min(side, height, width)
    flat = np.abs(maps).reshape(len(maps), -1).argmax(axis=1)
    rows, columns = np.divmod(flat, maps.shape[2])
    tops = _start(rows, maps.shape[1], height, side)
    lefts = _start(columns, maps.shape[2], width, side)
    cuts = [
        image[top : top + side, left : left + side] for top, left in zip(tops, lefts, strict=True)
    ]
    return np.stack(cuts)


def gram_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> Floats:
    """How unlike the textures are that two Gram matrices describe, in [0, 1].

    ||A - B|| / sqrt(||A||^2 + ||B||^2) (Frobenius): 0 for equal matrices; 1 where the two have
    nothing in common, because <A, B> is never negative for Gram matrices.

    Args:
        a: (..., C, C).
        b: (..., C, C), broadcast against `a`.

    Returns:
        (...,) one distance for each pair.
    """
    A, B = np.asarray(a, np.float64), np.asarray(b, np.float64)
    apart = np.square(A - B).sum(axis=(-2, -1))
    together = np.square(A).sum(axis=(-2, -1)) + np.square(B).sum(axis=(-2, -1))
    return np.asarray(np.sqrt(apart / np.maximum(together, _SILENT)))


def style_distances(
    one: Sequence[NDArray[np.floating]], many: Sequence[NDArray[np.floating]]
) -> Floats:
    """(N,) mean over the layers of `gram_distance` from one image to N others.

    Args:
        one: (C_i, C_i) for each layer.
        many: (N, C_i, C_i) for each layer.
    """
    by_layer = [gram_distance(A, B) for A, B in zip(one, many, strict=True)]
    return np.asarray(np.mean(by_layer, axis=0))


def carried_shares(parts: Mapping[str, NDArray[np.floating]]) -> dict[str, Floats]:
    """What part of the differences between images each part of the logits carries, by class.

    For the logits y = sum_k y_k of N images, each less its image's mean over the classes (which
    the softmax does not see), Var(y) = sum_k Cov(y_k, y) exactly; a share is Cov(y_k, y) / Var(y).

    Args:
        parts: (N, C) each, N above 1; they add up to the logits.

    Returns:
        (C,) for each part, adding up to 1; a part that works against the others is below 0. NaN
        where a class's logit is the same for all images.
    """
    centred = {key: y - y.mean(axis=1, keepdims=True) for key, y in parts.items()}
    total = np.sum(list(centred.values()), axis=0)
    spread = total - total.mean(axis=0)
    variance = np.square(spread).sum(axis=0)
    known = np.where(variance > _SILENT, variance, np.nan)
    return {key: (y * spread).sum(axis=0) / known for key, y in centred.items()}


@dataclass(frozen=True)
class CarriedShare:
    """What some parts together carry of the differences between images, by class.

    Attributes:
        value: (C,) of 1, NaN where a class's logit is the same for all images.
        error: (C,) standard error: how far other images of the kind would move it.
    """

    value: Floats
    error: Floats


def carried_share(
    parts: Mapping[str, NDArray[np.floating]], names: Collection[str]
) -> CarriedShare:
    """`carried_shares` of some parts together, with a standard error.

    The error is the infinitesimal jackknife's (Efron 1982): the root of the summed squares of each
    image's influence on the share, over N. For a ratio of moments it agrees with the bootstrap, and
    takes one pass.

    Args:
        parts: (N, C) each, N above 1; they add up to the logits.
        names: Of the parts that count together.
    """
    centred = {key: y - y.mean(axis=1, keepdims=True) for key, y in parts.items()}
    total = np.sum(list(centred.values()), axis=0)
    some = np.sum([centred[name] for name in names], axis=0)
    spread, moved = total - total.mean(axis=0), some - some.mean(axis=0)
    variance = np.square(spread).mean(axis=0)
    known = np.where(variance > _SILENT, variance, np.nan)
    value = (moved * spread).mean(axis=0) / known
    influence = (moved * spread - value * np.square(spread)) / known
    error = np.sqrt(np.square(influence).sum(axis=0)) / len(total)
    return CarriedShare(value, error)


def _start(places: NDArray[np.int64], count: int, length: int, side: int) -> NDArray[np.int64]:
    """First pixel of the patch around each of `count` positions along `length` pixels."""
    centres = (places + 0.5) * length / count
    return np.clip(np.round(centres - side / 2), 0, length - side).astype(np.int64)
