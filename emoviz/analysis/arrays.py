"""Checks that every analysis of u begins with, and the digest that names what was analysed."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.errors import AnalysisError

Floats = NDArray[np.float64]


def checked_vectors(vectors: Any, name: str = "u") -> NDArray[np.floating]:
    """Vectors (N, D) as a contiguous array of float32, or of float64 where they came so.

    Raises:
        AnalysisError: They are no table of numbers, have no column, or hold NaN or infinity; the
            message says in how many rows and in which first.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "fiu":
        raise AnalysisError(
            f"Wanted vectors {name} as a table of numbers (N, D) with at least one column; got "
            f"{array.dtype} of shape {array.shape}."
        )
    kind = np.float64 if array.dtype == np.float64 else np.float32
    array = np.ascontiguousarray(array, dtype=kind)
    # A finite sum proves that all entries are finite and costs a fraction of looking at each;
    # an infinite one may also be an overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()
    if not np.isfinite(total):
        _refuse_rows(array, name)
    return array


def _refuse_rows(array: NDArray[np.floating], name: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(wrong):
        raise AnalysisError(
            f"{len(wrong)} of {len(array)} rows of {name} hold NaN or infinity, the first is row "
            f"{wrong[0]}. Leave these images out, or embed them again."
        )


def vectors_digest(vectors: NDArray[np.floating]) -> str:
    """SHA-256 of the vectors' kind, shape and content: the same for the same table of u."""
    array = np.ascontiguousarray(vectors)
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    digest.update(array.data.cast("B") if array.size else b"")
    return digest.hexdigest()
