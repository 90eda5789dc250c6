"""The WikiArt study: its counts against a plain loop, its maps, its files, its command line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.errors import TrainingError
from emoviz.experiments.wikiart import (
    Study,
    against_people,
    load_study,
    paper_rows,
    run_study,
    save_study,
    sentiment_leads,
    study_markdown,
    table_rows,
)
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.stored import read_embeddings
from emoviz.labels import MIKELS8, WIKIART20
from emoviz.plots.study import study_maps, write_study_pictures
from emoviz.settings import Settings


def silent(share: float, words: str) -> None:
    """Nobody watches."""


@pytest.fixture
def pair(tiny_checkpoint: Checkpoint) -> tuple[str, str]:
    """The tiny network, and the same one with other probabilities."""
    import shutil

    other = tiny_checkpoint.folder.parent / "sharp"
    shutil.copytree(tiny_checkpoint.folder, other)
    card = json.loads((other / "card.json").read_text())
    card |= {"id": "sharp", "temperature": 0.2, "recipe": {"loss": {"beta": 0.5}}}
    (other / "card.json").write_text(json.dumps(card))
    return "tiny", "sharp"


@pytest.fixture
def paintings(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for seed in range(24):
        (folder / f"{seed:02}.jpg").write_bytes(picture(seed=seed))
    (folder / "copy.jpg").write_bytes(picture(seed=0))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


def test_the_study_counts_what_a_plain_loop_counts(
    settings: Settings, pair: tuple[str, str], paintings: Path, tmp_path: Path
) -> None:
    study = run_study([str(paintings)], settings, silent, pair)
    assert (len(study.paths), study.repeated, len(study.refused)) == (24, 1, 1)
    assert [side.beta for side in study.sides] == [None, 0.5]
    for name, side in zip(pair, study.sides, strict=True):
        assert (
            main(["embed", str(paintings), "--checkpoint", name, "--out", f"{tmp_path}/t.parquet"])
            == 0
        )
        table = read_embeddings(tmp_path / "t.parquet")
        rows = dict(zip(table.sha256, table.probabilities, strict=True))
        for theta, least in (("none", 0.0), ("0.3", 0.3)):
            counts = dict.fromkeys(("pos_neg", "neg_pos", "pos_pos", "neg_neg"), 0)
            for p in rows.values():
                first, second = sorted(range(8), key=lambda c: -p[c])[:2]
                if p[second] >= least:
                    kinds = ["pos" if c < 4 else "neg" for c in (first, second)]
                    counts["_".join(kinds)] += 1
            found = side.crossing[theta]
            assert {name: getattr(found, name) for name in counts} == counts
            assert found.eligible == sum(counts.values())
    value, low, high = study.difference
    rates = [side.crossing["none"].rate for side in study.sides]
    assert value == pytest.approx(rates[1] - rates[0])
    assert low <= value <= high


def test_a_study_survives_its_file_and_says_what_the_dissertation_says(
    settings: Settings, pair: tuple[str, str], paintings: Path, tmp_path: Path
) -> None:
    study = run_study([str(paintings)], settings, silent, pair)
    save_study(tmp_path / "out", study)
    assert load_study(tmp_path / "out") == study
    rows = table_rows(study)
    printed = [row for row in rows if row["measured"] == "dissertation"]
    assert [row["opposite %"] for row in printed] == ["41.4", "19.4", "43.5", "19.9"]
    assert [row["eligible"] for row in printed] == ["3,176", "3,176", "552", "277"]
    text = (tmp_path / "out" / "table.md").read_text()
    assert "compare the direction" in text
    assert "beta = 0.5" in text
    for bad in ("{}", "[]", '{"sides": 5}', "x"):
        (tmp_path / "out" / "table.json").write_text(bad)
        assert load_study(tmp_path / "out") is None


def test_the_artworks_of_the_sample_lie_on_the_map_and_in_the_pictures(
    settings: Settings, pair: tuple[str, str], paintings: Path, tmp_path: Path
) -> None:
    study = run_study([str(paintings)], settings, silent, pair)
    one, other = study.sides
    assert [art.title for art in one.artworks] == [art.title for art in other.artworks]
    assert any("Hokusai" in art.title for art in one.artworks)
    for side in study.sides:
        for art in side.artworks:
            assert min(side.x) - 1e-3 <= art.x <= max(side.x) + 1e-3
            assert min(side.y) - 1e-3 <= art.y <= max(side.y) + 1e-3
    from emoviz.inference.cache import Thumbnails

    with Thumbnails(settings) as kept:
        small = kept.get_many(art.sha256 for art in one.artworks)
    files = write_study_pictures(tmp_path / "out", study, MIKELS8, small)
    assert [file.name for file in files] == ["maps.png", "strip.png"]
    for file in files:
        with Image.open(file) as image:
            assert np.asarray(image.convert("L")).std() > 5
    figure = study_maps(study, MIKELS8)
    points = sum(len(trace.x) for trace in figure.data)
    assert points == 2 * (24 + len(one.artworks))


def test_hostile_names_do_no_harm(
    settings: Settings, pair: tuple[str, str], paintings: Path
) -> None:
    (paintings / "00.jpg").rename(paintings / "<img src=x onerror=alert(1)>|x.jpg")
    study = run_study([str(paintings)], settings, silent, pair)
    told = study_maps(study, MIKELS8).to_json()
    assert "<img" not in told
    bad = replace(study.sides[0].artworks[0], title="a|b <script> [x](y)")
    sides = tuple(replace(side, artworks=(bad,)) for side in study.sides)
    text = study_markdown(replace(study, sides=sides))
    assert "<script>" not in text
    assert r"a\|b" in text


def test_people_answers_are_compared_by_sentiment() -> None:
    # positive, negative and mixed labels; one label that nobody gave
    labels = [WIKIART20.index(name) for name in ("happiness", "fear", "love", "surprise")] + [-1]
    p = np.full((5, 8), 0.02)
    for row, c in enumerate((0, 1, 2, 3, 4)):  # estimates: positive for all but the last
        p[row, c] = 0.86
    table = EmbeddingTable(
        taxonomy=MIKELS8,
        paths=tuple("abcde"),
        sha256=tuple("abcde"),
        embedding=np.zeros((5, 2), np.float32),
        probabilities=p,
        novelty=np.full(5, np.nan),
        labels=np.array(labels, np.int64),
        label_taxonomy=WIKIART20,
    )
    assert against_people(table) == {"count": 3.0, "right": 2 / 3, "commonest": 2 / 3}
    assert against_people(replace(table, label_taxonomy=None)) == {}
    assert against_people(replace(table, labels=np.full(5, labels[0]))) == {}
    assert sentiment_leads(MIKELS8, p) == {"positive": 0.8, "negative": 0.2}


def test_what_cannot_be_compared_is_told(
    settings: Settings, pair: tuple[str, str], paintings: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    (few / "a.jpg").write_bytes((paintings / "01.jpg").read_bytes())
    with pytest.raises(TrainingError, match="1 images; wanted 20"):
        run_study([str(few)], settings, silent, pair)
    with pytest.raises(TrainingError, match="wants two"):
        run_study([], settings, silent, pair)
    card = json.loads((settings.user_checkpoints / "sharp" / "card.json").read_text())
    card["taxonomy"]["classes"] = card["taxonomy"]["classes"][::-1]
    (settings.user_checkpoints / "sharp" / "card.json").write_text(json.dumps(card))
    with pytest.raises(TrainingError, match="other emotions"):
        run_study([str(paintings)], settings, silent, pair)


def test_the_command_line_writes_table_and_pictures(
    settings: Settings,
    pair: tuple[str, str],
    paintings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "study"
    words = ["experiment", "wikiart", "--data", str(paintings), "--checkpoints", *pair]
    progress = tmp_path / "progress.jsonl"
    assert main([*words, "--out", str(out), "--format", "json", "--progress", str(progress)]) == 0
    printed = Study.from_dict(json.loads(capsys.readouterr().out))
    assert printed == load_study(out)
    names = {"table.json", "table.md", "maps.png", "strip.png"}
    assert {file.name for file in out.iterdir()} == names
    last = json.loads(progress.read_text().splitlines()[-1])
    assert last["share"] == 1.0
    assert paper_rows().keys() == {"baseline", "ours"}
