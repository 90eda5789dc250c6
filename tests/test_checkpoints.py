"""Checkpoints: what is saved comes back, and what is damaged is told, never run."""

import hashlib
import json
import pickle
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file, save_file

from emoviz.checkpoints import (
    Card,
    Checkpoint,
    check_weights,
    list_checkpoints,
    load_centers,
    load_network,
    load_novelty,
    open_checkpoint,
    read_checkpoint,
    save_checkpoint,
    seal_checkpoint,
)
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import CheckpointError, EmovizError
from emoviz.labels import EMOTION6, MIKELS8
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.models.novelty import fit_novelty
from emoviz.settings import Settings

Edit = Callable[..., Checkpoint]


def edit_card(folder: Path, **changes: Any) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# Round trip ----------------------------------------------------------------------------------


def test_everything_that_is_saved_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(7)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 6, layers=(1, 3), dropout=0.25))
    energy = np.exp(np.random.default_rng(0).normal(size=(20, 5)))
    centers, novelty = torch.randn(6, network.width), fit_novelty(energy, energy)
    card = Card(
        id="whatever",
        title="Titel für Ärzte",
        summary="One. Two.",
        taxonomy=EMOTION6,
        network=network.config.to_dict(),
        preprocessing=Preprocessing(128, "crop", 0.875, "bilinear", (0.1, 0.2, 0.3), (1, 2, 3)),
        temperature=1.7,
        recipe={"epochs": 3, "nested": {"beta": 0.5, "layers": [1, 3]}},
        data=({"name": "a", "counts": {"train": 5}}, {"name": "b"}),
        measures={"accuracy": 0.4, "n": 12},
        calibration={"ece_before": 0.1},
        novelty={"rule": "far"},
        seed=11,
        versions={"torch": torch.__version__},
        licence="CC0",
        intended_use="tests",
        limits="all",
    )
    saved = save_checkpoint(tmp_path / "mine", card, network, centers, novelty, with_graph=False)
    digest = hashlib.sha256(saved.weights.read_bytes()).hexdigest()
    wanted = replace(card, id="mine", width=network.width, weights_sha256=digest)
    assert read_checkpoint(tmp_path / "mine").card == wanted == saved.card

    loaded = load_network(saved)
    assert not loaded.training
    assert loaded.config == network.config
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    np.testing.assert_array_equal(load_centers(saved), centers.numpy())
    again = load_novelty(saved)
    assert again is not None
    np.testing.assert_array_equal(again.precision, novelty.precision)
    assert again.threshold == pytest.approx(novelty.threshold)


def test_what_was_not_given_is_none(tmp_path: Path, tiny_checkpoint: Checkpoint) -> None:
    network = load_network(tiny_checkpoint)
    saved = save_checkpoint(tmp_path / "bare", tiny_checkpoint.card, network, with_graph=False)
    assert load_centers(saved) is None
    assert load_novelty(saved) is None
    assert not saved.graph.exists()


def test_saving_over_a_checkpoint_leaves_no_graph_of_the_old_one(
    tiny_checkpoint: Checkpoint,
) -> None:
    network = load_network(tiny_checkpoint)
    saved = save_checkpoint(tiny_checkpoint.folder, tiny_checkpoint.card, network, with_graph=False)
    assert sorted(path.name for path in saved.folder.iterdir()) == [
        "README.md",
        "card.json",
        "model.safetensors",
    ]


def test_large_arrays_of_the_graph_are_the_very_bytes_of_the_safetensors_file(
    tiny_checkpoint: Checkpoint,
) -> None:
    graph = onnx.load(str(tiny_checkpoint.graph), load_external_data=False).graph
    weights, data = load_file(tiny_checkpoint.weights), tiny_checkpoint.weights.read_bytes()
    outside = [a for a in graph.initializer if a.data_location == onnx.TensorProto.EXTERNAL]
    for array in outside:
        place = {entry.key: entry.value for entry in array.external_data}
        assert place["location"] == "model.safetensors"
        start, length = int(place["offset"]), int(place["length"])
        found = np.frombuffer(data[start : start + length], "<f4").reshape(tuple(array.dims))
        np.testing.assert_array_equal(found, weights[array.name])
    assert len(outside) > 10
    stored = sum(array.nbytes for name, array in weights.items() if name.startswith("network."))
    assert sum(len(array.raw_data) for array in graph.initializer) < 0.2 * stored


# Finding -------------------------------------------------------------------------------------


def test_checkpoint_is_opened_by_id_and_by_folder(
    tiny_checkpoint: Checkpoint, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_id = open_checkpoint("tiny", settings)
    assert by_id.card == tiny_checkpoint.card
    assert open_checkpoint(str(tiny_checkpoint.folder), settings).card == by_id.card
    monkeypatch.chdir(tiny_checkpoint.folder.parent)
    assert open_checkpoint("./tiny", settings).card == by_id.card
    monkeypatch.chdir(tiny_checkpoint.folder)
    assert open_checkpoint(".", settings).card.id == "tiny"


@pytest.mark.parametrize(
    "name",
    [
        "none",
        "",
        "..",
        "../tiny",
        "../../home/checkpoints/none",
        "/etc",
        "/etc/passwd",
        "tiny/card.json",
        "tiny\x00",
        "~nobodyofthatname/x",
        "x" * 5000,
        "C:tiny",
    ],
)
def test_name_that_leads_nowhere_is_told_with_the_known_ids(
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"no checkpoint '.*Known ids: .*tiny"):
        open_checkpoint(name, settings)


def test_id_never_climbs_out_of_the_checkpoint_folders(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is taken from where one stands, as the shell shows it, not from the ids' folder."""
    shutil.copytree(tiny_checkpoint.folder, settings.home / "outside")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        open_checkpoint("../outside", settings)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        open_checkpoint("..\\outside", settings)


def test_copied_folder_goes_by_its_own_name(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    shutil.copytree(tiny_checkpoint.folder, tiny_checkpoint.folder.parent / "copy")
    ids = [item.card.id for item in list_checkpoints(settings)[0]]
    assert {"tiny", "copy"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert open_checkpoint("copy", settings).card.id == "copy"


def test_broken_checkpoints_are_listed_with_a_reason_among_good_ones(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    root = tiny_checkpoint.folder.parent
    for name in ("cut", "other", "zz"):
        shutil.copytree(tiny_checkpoint.folder, root / name)
    (root / "cut" / "model.safetensors").write_bytes(b"")
    edit_card(root / "other", format=99)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "card.json").write_text("{")
    (root / "not a checkpoint").mkdir()
    (root / "file.txt").write_text("x")
    found, refused = list_checkpoints(settings)
    mine = [item.card.id for item in found if item.folder.parent == root]
    assert mine == ["tiny", "zz"]
    assert [reason.split("'")[1] for reason in refused] == ["cut", "other"]


def test_home_without_a_checkpoints_folder_lists_none_of_its_own(settings: Settings) -> None:
    found, _ = list_checkpoints(settings)
    assert all(item.folder.parent == settings.shipped_checkpoints for item in found)


# Damaged weights -----------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
def test_truncated_weights_are_told(tiny_checkpoint: Checkpoint, share: float) -> None:
    data = tiny_checkpoint.weights.read_bytes()
    tiny_checkpoint.weights.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match=r"'tiny' cannot be used: model.safetensors is dam"):
        read_checkpoint(tiny_checkpoint.folder)


@pytest.mark.parametrize(
    "data",
    [
        np.random.default_rng(0).bytes(5000),
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 9) + b"not json!",
        b"<html>404</html>" * 9,
    ],
)
def test_garbage_for_weights_is_told(tiny_checkpoint: Checkpoint, data: bytes) -> None:
    tiny_checkpoint.weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        read_checkpoint(tiny_checkpoint.folder)


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_pickle_in_disguise_is_never_unpickled(
    tiny_checkpoint: Checkpoint, settings: Settings, tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists(), "the payload works"
    mark.unlink()
    before = tiny_checkpoint
    for data in (pickle.dumps(Payload(mark)), b""):
        if data:
            tiny_checkpoint.weights.write_bytes(data)
        else:
            torch.save(Payload(mark), tiny_checkpoint.weights)
        with pytest.raises(CheckpointError, match="damaged or of another kind"):
            open_checkpoint("tiny", settings)
        list_checkpoints(settings)
        with pytest.raises(Exception, match=r"(?i)header|safetensor|deserial"):
            load_network(before)
    assert not mark.exists()


def test_weights_of_another_network_are_told(tiny_checkpoint: Checkpoint) -> None:
    arrays = load_file(tiny_checkpoint.weights)
    save_file({k: v for k, v in arrays.items() if "gram" not in k}, tiny_checkpoint.weights)
    seal_checkpoint(tiny_checkpoint.folder)
    with pytest.raises(CheckpointError, match=r"'tiny' does not fit its own card"):
        load_network(read_checkpoint(tiny_checkpoint.folder))


def test_half_a_novelty_statistic_is_told(tiny_checkpoint: Checkpoint) -> None:
    arrays = load_file(tiny_checkpoint.weights)
    del arrays["novelty.precision"]
    save_file(arrays, tiny_checkpoint.weights)
    seal_checkpoint(tiny_checkpoint.folder)
    with pytest.raises(CheckpointError, match=r"novelty.*precision"):
        load_novelty(read_checkpoint(tiny_checkpoint.folder))


@pytest.mark.parametrize("load", [load_network, load_centers, load_novelty, check_weights])
def test_weights_changed_after_the_card_was_written_are_told(
    tiny_checkpoint: Checkpoint, load: Callable[[Checkpoint], Any]
) -> None:
    load(tiny_checkpoint)  # as they were
    data = bytearray(tiny_checkpoint.weights.read_bytes())
    data[-1] ^= 1  # one bit of one number: nothing else would notice
    tiny_checkpoint.weights.write_bytes(data)
    changed = read_checkpoint(tiny_checkpoint.folder)
    with pytest.raises(CheckpointError, match=r"'tiny' cannot be used: .* was changed after the"):
        load(changed)
    data[-1] ^= 1
    tiny_checkpoint.weights.write_bytes(data)
    load(read_checkpoint(tiny_checkpoint.folder))


def test_changed_weights_are_told_before_a_prediction(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    from emoviz.inference.predict import load_model

    with tiny_checkpoint.weights.open("ab") as file:
        file.seek(-4, 2)
        file.truncate()
        file.write(b"\x00\x00\x80\x3f")
    with pytest.raises(CheckpointError, match="was changed after the card was written"):
        load_model(tiny_checkpoint, settings)


def test_card_without_a_hash_is_refused_until_its_maker_seals_it(
    tiny_checkpoint: Checkpoint,
) -> None:
    edit_card(tiny_checkpoint.folder, weights_sha256="")
    with pytest.raises(CheckpointError, match=r"gives no hash of model\.safetensors"):
        load_network(read_checkpoint(tiny_checkpoint.folder))
    assert seal_checkpoint(tiny_checkpoint.folder) == tiny_checkpoint.card
    load_network(read_checkpoint(tiny_checkpoint.folder))


def test_weights_are_hashed_once(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_weights(tiny_checkpoint)
    monkeypatch.setattr(hashlib, "file_digest", None)
    check_weights(tiny_checkpoint)
    load_novelty(tiny_checkpoint)


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
def test_missing_file_is_told(tiny_checkpoint: Checkpoint, name: str) -> None:
    (tiny_checkpoint.folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"tiny'.*({name}|No such file)"):
        read_checkpoint(tiny_checkpoint.folder)


# Cards that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "the card is of format 2; this version reads 1"),
        ({"format": None}, "format None"),
        ({"taxonomy": EMOTION6.to_dict()}, r"speaks of 6 classes.*the weights have 8"),
        ({"width": 5}, "width 5"),
        ({"width": "wide"}, "width is wide"),
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": -1.5}, "temperature is -1.5"),
        ({"temperature": float("nan")}, "NaN, which is no finite number"),
        ({"temperature": "warm"}, "temperature is warm"),
        ({"temperature": None}, "temperature is None"),
        ({"taxonomy": None}, "taxonomy does not fit"),
        ({"taxonomy": {**MIKELS8.to_dict(), "classes": []}}, "taxonomy does not fit"),
        ({"preprocessing": {"size": 3}}, "preprocessing does not fit"),
        ({"network": {}}, "network lacks backbone, layers"),
        ({"network": {"backbone": "hf-hub:a/b", "layers": []}}, "may not lead to a hub"),
        ({"network": {"backbone": "local-dir:/etc", "layers": []}}, "may not lead to a hub"),
        ({"network": {"backbone": "x", "layers": list(range(99))}}, "no list of at most 64 layers"),
        ({"network": {"backbone": "x", "layers": [], "classes": 10**9}}, "classes 1000000000"),
        ({"network": {"members": [{"backbone": "x", "layers": []}] * 99}}, "99 members"),
        ({"measures": {"accuracy": float("nan")}}, "NaN, which is no finite number"),
        ({"temperature": float("inf")}, "Infinity, which is no finite number"),
        ({"title": ["x"]}, "title is .*no text"),
        ({"width": 10**9}, "width is 1000000000"),
        ({"summary": "x" * 5_000_000}, "card.json has 5 MB"),
        ({"network": [1]}, "network is no table"),
        ({"measures": [0.4]}, "measures is no table"),
        ({"data": 5}, "does not fit"),
        ({"weights_sha256": 5}, "weights_sha256 is 5, no text"),
        ({"surprise": 1}, "unexpected keyword argument 'surprise'"),
    ],
)
def test_card_that_does_not_fit_is_told(
    tiny_checkpoint: Checkpoint, settings: Settings, changes: dict[str, Any], words: str
) -> None:
    edit_card(tiny_checkpoint.folder, **changes)
    with pytest.raises(CheckpointError, match=f"'tiny' cannot be used: .*{words}"):
        read_checkpoint(tiny_checkpoint.folder)
    assert len(list_checkpoints(settings)[1]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": 1_000_000},
        {"size": 96.5},
        {"size": "96"},
        {"crop": 0},
        {"crop": 1.5},
        {"mean": [0.5]},
        {"std": [0.5, 0.5, 0]},
        {"fit": "stretch"},
        {"interpolation": "magic"},
        {"unknown": 1},
    ],
)
def test_impossible_preprocessing_is_told(
    tiny_checkpoint: Checkpoint, change: dict[str, Any]
) -> None:
    values = {**tiny_checkpoint.card.preprocessing.to_dict(), **change}
    edit_card(tiny_checkpoint.folder, preprocessing=values)
    with pytest.raises(CheckpointError, match="preprocessing does not fit"):
        read_checkpoint(tiny_checkpoint.folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "5", '"card"', '{"format": 1}', "\xff\xfe", "{'format': 1}"]
)
def test_card_that_is_no_card_is_told(
    tiny_checkpoint: Checkpoint, settings: Settings, text: str
) -> None:
    (tiny_checkpoint.folder / "card.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match="Checkpoint 'tiny' cannot be"):
        read_checkpoint(tiny_checkpoint.folder)
    assert len(list_checkpoints(settings)[1]) == 1


def test_card_of_an_unknown_backbone_is_told_when_the_network_is_built(
    tiny_checkpoint: Checkpoint,
) -> None:
    network = {**tiny_checkpoint.card.network, "backbone": "resnet_of_tomorrow"}
    edit_card(tiny_checkpoint.folder, network=network)
    with pytest.raises(EmovizError, match="no backbone 'resnet_of_tomorrow'"):
        load_network(read_checkpoint(tiny_checkpoint.folder))


@pytest.mark.parametrize("seed", range(4))
def test_corrupted_card_gives_a_card_or_a_reason_and_nothing_else(
    tiny_checkpoint: Checkpoint, settings: Settings, seed: int
) -> None:
    path = tiny_checkpoint.folder / "card.json"
    whole, rng, told = path.read_bytes(), np.random.default_rng(seed), 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(0, len(data)))] = int(rng.integers(32, 127))
        path.write_bytes(bytes(data))
        try:
            read_checkpoint(tiny_checkpoint.folder)
        except CheckpointError:
            told += 1
    assert told > 10
