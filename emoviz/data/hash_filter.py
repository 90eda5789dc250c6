"""Which images were in a training, kept so that none of them can be had from it.

A Bloom filter (Bloom 1970) over the SHA-256 of the files and over their perceptual hashes. It says
"no" only of images that were not there, and "yes" by mistake as rarely as it is made for.

A perceptual hash is kept in four bands of 16 bits, and as a key for each pair of them. Two hashes
that differ in two bits at most always share a pair, those of a copy that was saved again mostly do.
Where that takes more than `MOST_BYTES` a key stands for three of the bands, or for all four.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
FALSE_POSITIVES = 1e-5  # of one key; of an image a hundred are asked for at most
MOST_BYTES = 200_000
_BANDS = 4


@dataclass(frozen=True)
class HashFilter:
    """A Bloom filter over 64-bit keys.

    Attributes:
        bits: (M / 8,) bytes.
        rounds: Bits that each key sets.
    """

    bits: NDArray[np.uint8]
    rounds: int

    @classmethod
    def of(cls, keys: Keys, false_positives: float = FALSE_POSITIVES) -> "HashFilter":
        """The smallest filter that holds the keys and is mistaken of so small a share of others."""
        count = max(len(keys), 1)
        size = math.ceil(-count * math.log(false_positives) / math.log(2) ** 2 / 8) * 8
        rounds = max(1, round(size / count * math.log(2)))
        flags, mixed = np.zeros(size, bool), _mixed(keys)
        for i in range(rounds):
            flags[_places(*mixed, i, size)] = True
        return cls(np.packbits(flags), rounds)

    def holds(self, keys: Keys) -> NDArray[np.bool_]:
        """(N,) whether each key was put in; mistaken at times where it says yes."""
        size = 8 * len(self.bits)
        alive = np.arange(len(keys))
        first, step = _mixed(keys)
        for i in range(self.rounds):  # most keys are out after two rounds
            places = _places(first[alive], step[alive], i, size)
            bit = np.right_shift(self.bits[places >> 3], (7 - (places & 7)).astype(np.uint8)) & 1
            alive = alive[bit.astype(bool)]
        found = np.zeros(len(keys), bool)
        found[alive] = True
        return found


@dataclass(frozen=True)
class SeenImages:
    """The images of a training, by exact and by perceptual hash.

    Attributes:
        exact: Over SHA-256.
        alike: Over bands of perceptual hashes.
        shared: How many of the four bands make a key of `alike`.
    """

    exact: HashFilter
    alike: HashFilter
    shared: int = 2

    @classmethod
    def of(cls, sha256: Sequence[str], perceptual: Keys) -> "SeenImages":
        """From hexadecimal SHA-256 and 64-bit perceptual hashes; empty texts do not count.

        With as few shared bands as `MOST_BYTES` allow: from 33,000 images on it may be larger.
        """
        known = [text for text in sha256 if text]
        exact = HashFilter.of(exact_keys(known))
        for shared in range(2, _BANDS + 1):
            alike = HashFilter.of(np.unique(band_keys(perceptual, shared)))
            if exact.bits.nbytes + alike.bits.nbytes <= MOST_BYTES:
                break
        return cls(exact, alike, shared)

    @property
    def keys(self) -> int:
        """That are asked for each image, where its perceptual hash is known."""
        return 1 + (math.comb(_BANDS, self.shared) << self.unsure)

    @property
    def unsure(self) -> int:
        """Bits of a hash to try both ways (`likely_hashes`): a mistake in 1,000 images at most."""
        return 6 if self.shared == _BANDS else 4

    def seen(self, sha256: Sequence[str], perceptual: Keys | None = None) -> NDArray[np.bool_]:
        """(N,) whether each image, or one that looks like it, was in the training.

        Args:
            sha256: (N) of the files; "" where it is not known.
            perceptual: (N,), or (N, K) that each may have, where they are known
                (`emoviz.data.image_statistics`).
        """
        known = np.array([bool(text) for text in sha256], bool)
        found = np.zeros(len(sha256), bool)
        found[known] = self.exact.holds(exact_keys([text for text in sha256 if text]))
        if perceptual is not None:
            keys = band_keys(perceptual.reshape(-1), self.shared)
            found |= self.alike.holds(keys.ravel()).reshape(len(sha256), -1).any(axis=1)
        return found

    def to_arrays(self) -> dict[str, NDArray[np.uint8]]:
        """What a checkpoint stores."""
        return {
            "exact": self.exact.bits,
            "alike": self.alike.bits,
            "rounds": np.array([self.exact.rounds, self.alike.rounds, self.shared], np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.uint8]]) -> "SeenImages":
        """Read what a checkpoint stores.

        Raises:
            KeyError, ValueError: It is incomplete.
        """
        one, other, *shared = (int(value) for value in arrays["rounds"])
        exact, alike = HashFilter(arrays["exact"], one), HashFilter(arrays["alike"], other)
        return cls(exact, alike, *shared)


def exact_keys(sha256: Sequence[str]) -> Keys:
    """(N,) the first 64 bits of each SHA-256."""
    return np.array([int(text[:16], 16) for text in sha256], np.uint64)


def band_keys(hashes: Keys, shared: int = 2) -> Keys:
    """(N, K) a key for so many of the four 16-bit bands of 64-bit hashes, in each choice of them.

    Hashes that differ in 4 - `shared` bits at most have a key in common.
    """
    bands = [(hashes >> np.uint64(16 * i)) & np.uint64(0xFFFF) for i in range(_BANDS)]
    keys = []
    for number, chosen in enumerate(itertools.combinations(bands, shared)):
        key = np.full(len(hashes), number + 1, np.uint64)
        for band in chosen:
            key = (key << np.uint64(16)) | band
        keys.append(key)
    return np.stack(keys, axis=1)


def _places(first: Keys, step: Keys, number: int, size: int) -> NDArray[np.int64]:
    """The bit of each key in a round (Kirsch and Mitzenmacher 2006: two hashes suffice)."""
    with np.errstate(over="ignore"):
        return ((first + np.uint64(number) * step) % np.uint64(size)).astype(np.int64)


def _mixed(keys: Keys) -> tuple[Keys, Keys]:
    """Two hashes of each key, the second of them odd."""
    return _split_mix(keys, 1), _split_mix(keys, 2) | np.uint64(1)


def _split_mix(keys: Keys, number: int) -> Keys:
    """SplitMix64 (Steele et al. 2014): every bit of the key moves half of the result's."""
    with np.errstate(over="ignore"):
        z = keys + np.uint64(number * 0x9E3779B97F4A7C15 % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
