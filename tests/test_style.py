"""Style and content of a collection: what is kept is what the network says, and is kept once."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_parts import explainer_of, images, untrained

from emoviz.analysis.textures import carried_share, carried_shares, gram_distance, style_distances
from emoviz.checkpoints import Checkpoint, open_checkpoint
from emoviz.cli import main
from emoviz.data.images import Limits, open_image
from emoviz.data.reading import open_dataset
from emoviz.inference import style
from emoviz.inference.content_style_split import ContentStyleSplit, split, split_and_grams
from emoviz.inference.embedding import embed_collection
from emoviz.inference.explainer import load_explainer
from emoviz.inference.predict import load_model
from emoviz.inference.style import (
    kept_grams,
    kept_split,
    observe_collection,
    pack_grams,
    packed_triangle,
    reduced,
    unpack_grams,
)
from emoviz.inference.texture import gram_matrices
from emoviz.models.fusion import FusedNetwork
from emoviz.settings import Settings

Table = Callable[..., Path]
LABELS = ("awe", "fear", "awe", "sadness", "anger")


@pytest.fixture
def folder(tmp_path: Path, make_table: Table) -> Path:
    return make_table(tmp_path / "set", LABELS)


def gram(channels: int, seed: int) -> np.ndarray:
    F = np.random.default_rng(seed).normal(size=(channels, 3 * channels))
    return F @ F.T / F.shape[1]


def test_a_collection_is_kept_as_the_network_says_and_read_once(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    collection = open_dataset(folder, settings)
    model = load_model(tiny_checkpoint, settings)
    embedded = embed_collection(model, collection, settings)
    explainer = load_explainer(tiny_checkpoint, settings)
    told: list[tuple[int, int]] = []

    def observe() -> int:
        return observe_collection(
            explainer, collection, embedded.hashes, settings, lambda *now: told.append(now), batch=2
        )

    assert observe() == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert observe() == 0
    found, rows = kept_split(explainer, embedded.hashes, settings)
    assert isinstance(found, ContentStyleSplit)
    assert rows.tolist() == [0, 1, 2, 3, 4]
    fit = tiny_checkpoint.card.preprocessing
    pixels = np.stack(
        [fit.to_array(open_image(row.read(Limits())).pixels) for row in collection.records]
    )
    alone = split(explainer, pixels)
    assert isinstance(alone, ContentStyleSplit)
    np.testing.assert_allclose(found.logits, model.engine.run(pixels).logits, atol=1e-4)
    for name, values in alone.parts.items():
        np.testing.assert_allclose(found.parts[name], values, atol=1e-5)
    wanted = gram_matrices(explainer, pixels)
    apart = style_distances([layer[0] for layer in wanted], wanted)
    one = [packed_triangle(layer[0])[None] for layer in wanted]
    for names, layers in kept_grams(tiny_checkpoint, embedded.hashes, settings):
        near = style_distances(one, [layer[:, None] for layer in layers])
        for sha256, distance in zip(names, near, strict=True):
            assert distance == pytest.approx(apart[embedded.hashes.index(sha256)], abs=2e-3)


def test_an_image_that_went_away_is_left_out(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    collection = open_dataset(folder, settings)
    embedded = embed_collection(load_model(tiny_checkpoint, settings), collection, settings)
    (folder.parent / "2.jpg").unlink()
    explainer = load_explainer(tiny_checkpoint, settings)
    assert observe_collection(explainer, collection, embedded.hashes, settings) == 4
    assert kept_split(explainer, embedded.hashes, settings)[1].tolist() == [0, 1, 3, 4]


def test_a_stopped_run_goes_on(
    folder: Path,
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collection = open_dataset(folder, settings)
    embedded = embed_collection(load_model(tiny_checkpoint, settings), collection, settings)
    explainer = load_explainer(tiny_checkpoint, settings)
    real, passed = style.split_and_grams, []

    def stops_at_the_second(*given: object) -> object:
        if passed:
            raise KeyboardInterrupt
        passed.append(1)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(style, "split_and_grams", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        observe_collection(explainer, collection, embedded.hashes, settings, batch=2)
    monkeypatch.setattr(style, "split_and_grams", real)
    assert observe_collection(explainer, collection, embedded.hashes, settings, batch=2) == 3


def test_one_pass_gives_the_same_matrices_as_the_layers_alone() -> None:
    explainer = explainer_of(untrained())
    _, seen = split_and_grams(explainer, images())
    assert seen is not None
    for ours, theirs in zip(seen, gram_matrices(explainer, images()), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [
        untrained((2,), module="multiplicative"),
        untrained(()),
        FusedNetwork([untrained((), seed=i) for i in range(2)]),  # type: ignore[misc]
    ],
    ids=["product", "plain", "fused"],
)
def test_networks_without_modules_or_split_keep_their_matrices(network: object) -> None:
    explainer = explainer_of(network)  # type: ignore[arg-type]
    rows = style._observe(explainer, images())
    assert len(rows) == 3
    for i, (_, grams) in enumerate(rows):
        kept = unpack_grams(grams)
        assert len(kept) == len(explainer.gram_layers)
        whole = packed_triangle(reduced(gram_matrices(explainer, images())[0][i]))
        np.testing.assert_allclose(kept[0], whole, atol=1e-3 * np.abs(whole).max())


def test_packing_keeps_distances() -> None:
    a, b = gram(24, 1), 3e6 * gram(24, 2)
    one, two = (unpack_grams(pack_grams([G]))[0] for G in (a, b))
    assert float(one @ two) == pytest.approx(float((a * b).sum()), rel=2e-3)
    assert len(pack_grams([a])) == 8 + 2 * 24 * 25 // 2
    assert unpack_grams(pack_grams([np.zeros((3, 3))]))[0].tolist() == [0.0] * 6


def test_wide_layers_keep_the_order_of_distances() -> None:
    """Of maps of few directions, as trained networks have them."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 40))

    def wide(mixed: float) -> np.ndarray:
        F = base @ np.diag(np.exp(mixed * np.sin(np.arange(40))))
        return F @ F.T / 40

    grams = [wide(mixed) for mixed in (0.0, 0.3, 0.8, 1.6)]
    exact = [float(gram_distance(grams[0], G)) for G in grams]
    small = [reduced(G) for G in grams]
    assert small[0].shape == (256, 256)
    near = [float(gram_distance(small[0], G)) for G in small]
    np.testing.assert_allclose(near, exact, atol=0.05)
    assert near == sorted(near)


# Shares with their error --------------------------------------------------------------------------


def test_the_share_of_several_parts_is_the_sum_and_its_error_the_bootstraps() -> None:
    rng = np.random.default_rng(3)
    parts = {
        "semantic": rng.normal(size=(400, 3)),
        "texture, a": rng.normal(size=(400, 3)) * [1, 2, 3],
        "texture, b": rng.exponential(size=(400, 3)),
        "bias": np.full((400, 3), 0.7),
    }
    textures = ("texture, a", "texture, b")
    found, single = carried_share(parts, textures), carried_shares(parts)
    np.testing.assert_allclose(found.value, single[textures[0]] + single[textures[1]])
    draws = []
    for _ in range(600):
        rows = rng.integers(0, 400, 400)
        shares = carried_shares({name: values[rows] for name, values in parts.items()})
        draws.append(shares[textures[0]] + shares[textures[1]])
    np.testing.assert_allclose(found.error, np.std(draws, axis=0), rtol=0.15)


def test_a_class_that_never_moves_has_no_share() -> None:
    same = {"semantic": np.ones((4, 2)), "texture": np.zeros((4, 2))}
    assert np.isnan(carried_share(same, ["texture"]).value).all()


# The command line ---------------------------------------------------------------------------------


def test_style_prints_shares_and_writes_the_parts(
    folder: Path,
    tmp_path: Path,
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "parts.csv"
    command = ["style", str(folder), "--checkpoint", "tiny", "--out", str(out)]
    assert main([*command, "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == result["new"] == 5
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    explainer = load_explainer(open_checkpoint("tiny", settings), settings)
    hashes = embed_collection(
        load_model(tiny_checkpoint, settings), open_dataset(folder, settings), settings
    ).hashes
    found, _ = kept_split(explainer, hashes, settings)
    assert isinstance(found, ContentStyleSplit)
    assert [row["label"] for row in rows] == list(LABELS)
    parts = [name for name in rows[0] if name.endswith(": awe")]
    assert sum(float(rows[3][name]) for name in parts) == pytest.approx(
        found.logits[3, found.classes.index("awe")], abs=1e-4
    )
    shares = result["classes"]["awe"]["share"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert result["classes"]["awe"]["texture"]["share"] == pytest.approx(1 - shares["semantic"])
    assert sum(row["estimated"] for row in result["classes"].values()) == 5
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "0 read now" in printed
    assert "95 % interval" in printed


def test_style_of_a_network_without_split_says_why(
    folder: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    from test_page_textures import save

    save(settings, "product", untrained((2,), module="multiplicative"))
    assert main(["style", str(folder), "--checkpoint", "product"]) == 0
    assert "no exact split exists" in capsys.readouterr().out
    assert main(["style", str(folder.parent / "none"), "--checkpoint", "product"]) == 2
    assert "There is no" in capsys.readouterr().err
