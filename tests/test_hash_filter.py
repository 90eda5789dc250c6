"""The filter of training images: no miss, few mistakes, copies by another name or saved again."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from emoviz.analysis.resampling import share
from emoviz.checkpoints import Checkpoint, load_network, save_checkpoint, seen_in_training
from emoviz.data.dataset import Record
from emoviz.data.hash_filter import MOST_BYTES, HashFilter, SeenImages, band_keys
from emoviz.data.image_statistics import look_at
from emoviz.data.images import Limits
from emoviz.experiments.assess import Leak, leak_of


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
    mistaken = made.seen([f"{v:016x}" for v in keys(50_000, 10).tolist()], keys(50_000, 11))
    assert mistaken.mean() < 3 * made.keys * 1e-5
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


def test_copies_are_seen_by_content(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    def records(prefix: str, change: Callable[[bytes], bytes], seeds: range) -> list[Record]:
        made = []
        for seed in seeds:
            path = tmp_path / f"{prefix}{seed}.jpg"
            path.write_bytes(change(picture(seed=seed)))
            made.append(Record(path.name, path, 0, (1.0,), path.name))
        return made

    def smaller(data: bytes) -> bytes:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image = image.resize((image.width * 2 // 3, image.height * 2 // 3))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=80)
        return out.getvalue()

    learned = look_at(records("a", bytes, range(30)), Limits())
    seen = SeenImages.of(learned.sha256, learned.hash)
    again = look_at(records("other name ", bytes, range(30)), Limits())
    assert seen.seen(again.sha256).all()
    saved = look_at(records("smaller ", smaller, range(30)), Limits())
    assert not seen.seen(saved.sha256).any()
    assert seen.seen(saved.sha256, saved.hash).mean() > 0.8
    others = look_at(records("b", bytes, range(100, 130)), Limits())
    assert not seen.seen(others.sha256).any()
    assert not seen.seen([""]).any()


def test_a_checkpoint_knows_its_training_images(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    hexed = [f"{i:064x}" for i in range(1, 9)]
    hexed = [text[::-1] for text in hexed]
    assert seen_in_training(tiny_checkpoint, hexed) is None
    seen = SeenImages.of(hexed[:4], keys(4, 5))
    kept = save_checkpoint(
        tmp_path / "kept",
        tiny_checkpoint.card,
        load_network(tiny_checkpoint),
        None,
        None,
        False,
        seen,
    )
    found = seen_in_training(kept, hexed)
    assert found is not None
    assert found.tolist() == [True] * 4 + [False] * 4
    table: Any = SimpleNamespace(sha256=hexed)
    right = np.array([True, True, True, False, True])
    judged: Any = SimpleNamespace(rows=np.array([0, 1, 3, 5, 7]), right=right)
    assert leak_of([kept], table, judged) == Leak(3, share(4, 5), share(1, 2))
    judged.rows, judged.right = judged.rows[:3], right[:3]
    leak = leak_of([kept], table, judged)
    assert leak is not None
    assert (leak.accuracy, leak.accuracy_without.value) == (share(3, 3), None)
    assert leak_of([tiny_checkpoint], table, judged) is None
    assert leak_of([], table, judged) is None
