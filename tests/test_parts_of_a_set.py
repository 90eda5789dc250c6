"""A collection in parts, on any machines, is the same table as in one go."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.parts import Part, parse_part
from emoviz.data.reading import open_dataset
from emoviz.errors import TableError
from emoviz.inference.embedding import embed_collection
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.merge import merge_parts
from emoviz.inference.predict import Model, load_model
from emoviz.inference.stored import read_embeddings, write_embeddings
from emoviz.settings import Settings

Picture = Callable[..., bytes]


@pytest.fixture
def model(tiny_checkpoint: Checkpoint, settings: Settings) -> Model:
    return load_model(tiny_checkpoint, replace(settings, device="cpu", threads=1))


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    """Nine images in folders of two emotions, and two files that are none."""
    root = tmp_path / "set"
    for seed in range(9):
        path = root / ("awe" if seed % 2 else "fear") / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed=seed))
    (root / "awe" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (root / "fear" / "empty.png").write_bytes(b"")
    return root


def embedded(
    model: Model, folder: Path, settings: Settings, part: Part | None, out: Path, home: str
) -> Path:
    """One part as another machine would make it: with a home of its own."""
    there = replace(settings, home=settings.home / home)
    found = embed_collection(model, open_dataset(folder, there), there, part=part)
    write_embeddings(out, found.parts(there))
    return out


def in_parts(model: Model, folder: Path, settings: Settings, count: int, out: Path) -> list[Path]:
    return [
        embedded(model, folder, settings, Part(i, count), out / f"{i}.parquet", f"m{count}-{i}")
        for i in range(1, count + 1)
    ]


def same(one: EmbeddingTable, other: EmbeddingTable) -> None:
    assert one.paths == other.paths
    assert one.sha256 == other.sha256
    assert one.refused == other.refused
    assert one.label_names == other.label_names
    assert one.metadata == other.metadata
    assert one.embedding.tobytes() == other.embedding.tobytes()
    assert one.probabilities.tobytes() == other.probabilities.tobytes()
    assert one.novelty.tobytes() == other.novelty.tobytes()


@pytest.mark.parametrize("count", [1, 3, 11])
def test_any_number_of_parts_gives_the_same_table(
    model: Model, folder: Path, settings: Settings, tmp_path: Path, count: int
) -> None:
    whole = embedded(model, folder, settings, None, tmp_path / "whole.parquet", "whole")
    parts = in_parts(model, folder, settings, count, tmp_path)
    merge_parts(parts[::-1], tmp_path / "merged.parquet")
    merged = read_embeddings(tmp_path / "merged.parquet")
    same(merged, read_embeddings(whole))
    assert len(merged) == 9
    refused = [str(Path(name).relative_to(folder)) for name, _ in merged.refused]
    assert refused == ["awe/broken.jpg", "fear/empty.png"]
    assert merged.origin is not None
    assert merged.origin.part is None
    assert pq.read_schema(tmp_path / "merged.parquet").names == pq.read_schema(whole).names


def test_each_image_is_in_one_part() -> None:
    keys = [f"folder/{i}.jpg" for i in range(1000)] + ["a\udce9.jpg"]
    held = [[part for part in range(1, 8) if Part(part, 7).holds(key)] for key in keys]
    assert all(len(parts) == 1 for parts in held)
    counts = np.bincount([parts[0] for parts in held])[1:]
    assert counts.min() > 100  # 143 on average


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "-1/3", "1/3/5", "a/b", "1.5/3"])
def test_what_is_no_part_is_told(text: str) -> None:
    with pytest.raises(TableError, match="2/7 for the second of seven"):
        parse_part(text)
    assert parse_part(" 2/7 ") == Part(2, 7)


def test_parts_that_do_not_fit_are_told(
    model: Model, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "merged.parquet"
    one, two, three = in_parts(model, folder, settings, 3, tmp_path)
    whole = embedded(model, folder, settings, None, tmp_path / "whole.parquet", "whole")
    with pytest.raises(TableError, match="missing: 2"):
        merge_parts([one, three], out)
    again = shutil.copy(two, tmp_path / "again.parquet")
    with pytest.raises(TableError, match="more than once: 2"):
        merge_parts([one, two, again, three], out)
    with pytest.raises(TableError, match="holds no part"):
        merge_parts([one, two, whole], out)
    other = embedded(model, folder, settings, Part(1, 2), tmp_path / "o.parquet", "o")
    with pytest.raises(TableError, match="different cuts: one of 2 and one of 3"):
        merge_parts([one, two, three, other], out)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(two.read_bytes()[:-100])
    with pytest.raises(TableError, match="no readable Parquet"):
        merge_parts([one, cut, three], out)
    fewer = read_embeddings(two)
    assert len(fewer)
    write_embeddings(cut, [fewer.take(np.arange(len(fewer) - 1))])
    with pytest.raises(TableError, match="cut short"):
        merge_parts([one, cut, three], out)
    assert not out.exists()


def test_a_collection_that_changed_between_the_parts_is_told(
    model: Model, folder: Path, settings: Settings, tmp_path: Path, picture: Picture
) -> None:
    one = embedded(model, folder, settings, Part(1, 2), tmp_path / "1.parquet", "one")
    (folder / "awe" / "late.jpg").write_bytes(picture(seed=77))
    two = embedded(model, folder, settings, Part(2, 2), tmp_path / "2.parquet", "two")
    with pytest.raises(TableError, match=r"other images \(12\) than .* \(11\)"):
        merge_parts([one, two], tmp_path / "merged.parquet")


def test_another_checkpoint_is_told(
    model: Model, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    one, two = in_parts(model, folder, settings, 2, tmp_path)
    table = read_embeddings(two)
    assert table.origin is not None
    write_embeddings(two, [replace(table, origin=replace(table.origin, fingerprint="0" * 64))])
    with pytest.raises(TableError, match="embed both anew"):
        merge_parts([one, two], tmp_path / "merged.parquet")


def test_the_verbs_work_together(
    tiny_checkpoint: Checkpoint,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOVIZ_HOME", str(tmp_path / "home"))
    network = str(tiny_checkpoint.folder)
    parts = [str(tmp_path / f"{i}.parquet") for i in (1, 2)]
    for i, out in enumerate(parts, 1):
        words = ["embed", str(folder), "--checkpoint", network, "--part", f"{i}/2", "--out", out]
        assert main(words) == 0
    assert main(["merge", *parts, "--out", str(tmp_path / "whole.parquet")]) == 0
    assert "9 images of 2 parts" in capsys.readouterr().out
    assert main(["merge", parts[0], "--out", str(tmp_path / "whole.parquet")]) == 2
    assert "missing: 2" in capsys.readouterr().err
    assert main(["embed", str(folder), "--checkpoint", network, "--part", "1/2"]) == 2
    assert "needs --out" in capsys.readouterr().err
