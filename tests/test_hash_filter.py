"""The filter of training images: no miss, few mistakes, copies by another name or saved again."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from benchmarked import benchmark

from emoviz.analysis.resampling import share
from emoviz.checkpoints import Checkpoint, load_network, save_checkpoint
from emoviz.data.hash_filter import MOST_BYTES, HashFilter, SeenImages, band_keys
from emoviz.data.image_statistics import likely_hashes
from emoviz.experiments.assess import Leak, leak_of, leak_words
from emoviz.inference.cache import Frequencies, Thumbnails
from emoviz.inference.leaks import look_at_thumbnails, seen_rows
from emoviz.settings import Settings


def keys(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, count, dtype=np.uint64)


@pytest.mark.parametrize("count", [0, 1, 700, 20_000])
def test_everything_that_was_put_in_is_held(count: int) -> None:
    mine = keys(count, 1)
    assert HashFilter.of(mine).holds(mine).all()


def test_it_is_mistaken_as_rarely_as_it_is_made_for() -> None:
    made = HashFilter.of(keys(5_000, 1), 1e-3)
    assert 8 * len(made.bits) < 15 * 5_000  # 14.4 bits a key is the theory
    mistaken = made.holds(keys(300_000, 2)).mean()
    assert 0.5e-3 < mistaken < 1.6e-3


def test_neighbouring_keys_are_told_apart() -> None:
    made = HashFilter.of(np.arange(0, 20_000, 2, dtype=np.uint64))
    assert not made.holds(np.arange(1, 20_000, 2, dtype=np.uint64)).any()


@pytest.mark.parametrize(
    ("count", "shared", "differ"), [(8_000, 2, 2), (12_000, 3, 1), (27_000, 4, 0)]
)
def test_a_filter_of_many_images_asks_for_more_likeness(
    count: int, shared: int, differ: int
) -> None:
    """It stays below 200 KB, and what differs in so many bits is seen all the same."""
    hashes = keys(count, 8)
    hexed = [f"{value:016x}" for value in keys(count, 9).tolist()]
    made = SeenImages.from_arrays(SeenImages.of(hexed, hashes).to_arrays())
    assert made.shared == shared
    assert sum(array.nbytes for array in made.to_arrays().values()) <= MOST_BYTES
    flipped = hashes[:200].copy()
    for bit in (0, 20)[:differ]:
        flipped ^= np.uint64(1 << bit)
    unknown = [""] * 200
    assert made.seen(unknown, flipped).all()
    lowest = np.random.default_rng(11).normal(size=(10_000, 64)).astype(np.float32)
    others = [f"{v:016x}" for v in keys(10_000, 10).tolist()]
    mistaken = made.seen(others, likely_hashes(lowest, made.unsure))
    assert mistaken.mean() < 1.5 * made.keys * 1e-5 < 1.5e-3
    arrays = made.to_arrays()
    if shared == 2:  # as they were written before
        arrays["rounds"] = arrays["rounds"][:2]
        assert SeenImages.from_arrays(arrays).shared == 2


def test_hashes_that_differ_in_two_bits_share_a_key() -> None:
    rng = np.random.default_rng(3)
    for hash_ in keys(50, 4):
        a, b = rng.choice(64, 2, replace=False)
        other = hash_ ^ (np.uint64(1) << np.uint64(a)) ^ (np.uint64(1) << np.uint64(b))
        one, two = band_keys(np.array([hash_, other]))
        assert (one == two).any()


def test_copies_that_were_saved_anew_are_told() -> None:
    """The small form of benchmarks/leaks.py."""
    leaks = benchmark("leaks")
    files = leaks.made(40)
    known = leaks.learned(files)
    exact = [hashlib.sha256(data).hexdigest() for data in files]
    assert known.seen(exact).all()
    saved_anew = leaks.shares(known, files[:20])
    assert saved_anew.pop("mirrored") < 0.1
    assert saved_anew.pop("cropped by 2 %") > 0.5
    assert min(saved_anew.values()) >= 0.8
    assert not leaks.told(known, leaks.made(40, 1)).any()
    assert not known.seen([""]).any()


def test_a_checkpoint_knows_its_training_images(
    tiny_checkpoint: Checkpoint, tmp_path: Path, settings: Settings, picture: Callable[..., bytes]
) -> None:
    """By the bytes of four files, and by the looks of the sixth, whose thumbnail is at home.

    Where what is kept was damaged it is made anew, and an image without a whole thumbnail has no
    looks.
    """
    hexed = [f"{i:064x}"[::-1] for i in range(1, 9)]
    assert seen_rows([tiny_checkpoint], hexed, settings) is None
    seen = SeenImages.of(hexed[:4], likely_hashes(look_at_thumbnails([picture()]), 0)[:, 0])
    kept = save_checkpoint(
        tmp_path / "kept",
        tiny_checkpoint.card,
        load_network(tiny_checkpoint),
        None,
        None,
        False,
        seen,
    )
    odd = seen_rows([kept], ["1", "no hash", ""], settings)
    assert odd is not None
    assert (odd.either.any(), odd.unlooked) == (False, 3)
    found = seen_rows([kept, tiny_checkpoint], hexed, settings)
    assert found is not None
    assert found.by_bytes.tolist() == found.either.tolist() == [True] * 4 + [False] * 4
    assert found.unlooked == 4
    with Thumbnails(settings) as thumbnails, Frequencies(settings) as frequencies:
        vast = picture("PNG").replace(struct.pack(">2I", 96, 64), struct.pack(">2I", *[40_000] * 2))
        thumbnails.put({hexed[5]: picture(), hexed[6]: picture()[:200], hexed[7]: vast})
        frequencies.put({hexed[5]: b"cut short"})
    for _ in range(2):
        found = seen_rows([kept], hexed, settings)
        assert found is not None
        assert np.flatnonzero(found.by_looks).tolist() == [5]
        assert found.unlooked == 3
        (settings.home / "thumbnails.sqlite").unlink(missing_ok=True)  # what was made of it is kept
    found = seen_rows([kept], [hexed[i] for i in (0, 1, 3, 5, 7)], settings)
    leak = leak_of(found, np.array([True, True, True, False, True]))
    assert leak == Leak(4, 1, 1, share(4, 5), share(1, 1))
    leak = leak_of(seen_rows([kept], hexed[:3], settings), np.ones(3, bool))
    assert leak is not None
    assert (leak.accuracy, leak.accuracy_without.value) == (share(3, 3), None)
    assert seen_rows([], hexed, settings) is leak_of(None, np.ones(3, bool)) is None


@pytest.mark.parametrize(
    ("seen", "by_looks", "unlooked", "images", "words"),
    [
        (2, 0, 0, 5, "2 of these 5 images were in the training of it, known by bytes"),
        (1, 1, 0, 5, "1 of these 5 images was in the training of it, known by looks ("),
        (1, 0, 0, 1, "1 of 1 image was in the training of it, known by bytes"),
        (1_204, 4, 0, 2_000, "1,204 of these 2,000 images were in the training of it, 1,200 known "
         "by bytes and 4 known by looks (shrunk or saved anew; one in 1,000 others is taken for "
         "such by mistake)"),
        (1, 0, 1, 5, "known by bytes; of 1 other only the bytes are known here"),
        (0, 0, 5, 5, "none of these 5 images was in the training of it; of 5 only the bytes are"),
    ],
)  # fmt: skip
def test_how_images_are_known_is_said_as_it_is(
    seen: int, by_looks: int, unlooked: int, images: int, words: str
) -> None:
    leak = Leak(seen, by_looks, unlooked, share(0, images), share(0, images - seen))
    told = leak_words(asdict(leak), "it")
    assert words in told
    assert ("mistake" in told, "bytes are" in told) == (by_looks > 0, unlooked > 0)
