"""A stranger's checkpoint: what it may hold, what it is compared with, who signed it."""

import io
import json
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file

from emoviz.checkpoints import (
    GRAPH,
    WEIGHTS,
    Checkpoint,
    check_graph,
    list_checkpoints,
    load_network,
    read_checkpoint,
    save_checkpoint,
    seal_checkpoint,
)
from emoviz.cli import main
from emoviz.errors import CheckpointError, WeightsError
from emoviz.inference import graph_trial, trust
from emoviz.inference.engines import OnnxEngine, TorchEngine, open_engine
from emoviz.inference.incoming import bring_in, discard, look_at
from emoviz.inference.signing import SIGNATURE, sign, signed_by, trust_key
from emoviz.models.graph_check import check_graph_file
from emoviz.models.novelty import Novelty
from emoviz.settings import Settings

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture
def cpu(settings: Settings) -> Settings:
    return replace(settings, device="cpu")


@pytest.fixture
def unknown(tiny_checkpoint: Checkpoint, settings: Settings) -> Checkpoint:
    """The tiny checkpoint in a home that never compared its graph."""
    shutil.rmtree(settings.home / "graphs")
    return tiny_checkpoint


def edit_graph(checkpoint: Checkpoint, change: Change) -> Checkpoint:
    model = onnx.load(str(checkpoint.graph), load_external_data=False)
    change(model)
    checkpoint.graph.write_bytes(model.SerializeToString())
    seal_checkpoint(checkpoint.folder)
    return read_checkpoint(checkpoint.folder)


def _insert(node: onnx.NodeProto, *arrays: TensorProto) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(node)
        model.graph.initializer.extend(arrays)

    return change


def _ints(name: str, values: list[int]) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def _loop() -> onnx.NodeProto:
    body = helper.make_graph([], "body", [], [])
    return helper.make_node("If", ["condition"], ["x"], then_branch=body, else_branch=body)


def _elsewhere(model: onnx.ModelProto) -> None:
    array = next(a for a in model.graph.initializer if a.data_location == TensorProto.EXTERNAL)
    next(e for e in array.external_data if e.key == "location").value = "../../secret.bin"


def _foreign(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _function(model: onnx.ModelProto) -> None:
    model.functions.append(helper.make_function("x", "F", [], [], [], model.opset_import))


# What a graph may hold ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_insert(_loop()), "operator 'If'"),
        (_insert(helper.make_node("Loop", [], ["x"])), "operator 'Loop'"),
        (_insert(helper.make_node("RandomNormal", [], ["x"], shape=[2])), "'RandomNormal'"),
        (_insert(helper.make_node("Add", ["a"], ["x"], domain="evil")), "operator 'Add'"),
        (_elsewhere, r"lies in '\.\./\.\./secret\.bin', not in model\.safetensors"),
        (_foreign, "operators of 'com.microsoft'"),
        (_function, "functions of its own"),
        (
            _insert(helper.make_node("ConstantOfShape", ["n"], ["x"]), _ints("n", [2**20, 2**20])),
            "'ConstantOfShape' gives 1,099,511,627,776 values",
        ),
    ],
)
def test_a_graph_with_more_than_a_network_is_refused(
    tiny_checkpoint: Checkpoint, change: Change, words: str
) -> None:
    edit_graph(tiny_checkpoint, change)
    with pytest.raises(CheckpointError, match=rf"tiny/graph\.onnx is refused: .*{words}"):
        check_graph_file(tiny_checkpoint.graph, WEIGHTS)


@pytest.mark.parametrize("data", [b"garbage" * 99, b"\x0a\xff\xff"])
def test_what_is_no_graph_is_refused(tiny_checkpoint: Checkpoint, data: bytes) -> None:
    tiny_checkpoint.graph.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"graph\.onnx"):
        check_graph_file(tiny_checkpoint.graph, WEIGHTS)


def test_graphs_that_come_along_pass() -> None:
    shipped = list_checkpoints(Settings())[0]
    graphs = [item.graph for item in shipped if item.folder.parent.name == "checkpoints"]
    assert len(graphs) > 3
    for graph in graphs:
        check_graph_file(graph, WEIGHTS)


def test_shipped_files_are_those_of_their_cards() -> None:
    for item in list_checkpoints(Settings(home=Path("/nowhere")))[0]:
        check_graph(item)


# Compared with the weights -----------------------------------------------------------------------


def _turned(model: onnx.ModelProto) -> None:
    """The answer upside down: the same weights, another program."""
    node = next(n for n in model.graph.node if "logits" in n.output)
    node.output[list(node.output).index("logits")] = "upright"
    model.graph.node.append(helper.make_node("Neg", ["upright"], ["logits"]))


def test_a_graph_that_answers_otherwise_than_its_weights_is_refused(
    unknown: Checkpoint, cpu: Settings
) -> None:
    changed = edit_graph(unknown, _turned)
    assert OnnxEngine(changed.graph, 1), "it runs"
    with pytest.raises(CheckpointError, match="answers otherwise than the network"):
        open_engine(changed, cpu)
    assert not list((cpu.home / "graphs").glob("*"))


def test_a_graph_is_compared_once(
    unknown: Checkpoint, cpu: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(trust, "examine_graph", calls.append)
    for _ in range(3):
        assert isinstance(open_engine(unknown, cpu), OnnxEngine)
    assert calls == [unknown]
    open_engine(edit_graph(unknown, _turned), cpu)
    assert len(calls) == 2, "another graph"


def test_a_graph_that_takes_too_long_is_refused(
    unknown: Checkpoint, cpu: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "SECONDS", 0.01)
    with pytest.raises(CheckpointError, match=r"two images took it over 0\.04 seconds\."):
        open_engine(unknown, cpu)


def test_a_graph_is_tried_by_one_thread(
    unknown: Checkpoint, cpu: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], env: dict[str, str], **rest: Any) -> Any:
        assert env["OMP_NUM_THREADS"] == "1"
        return subprocess.CompletedProcess(command, -24)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(CheckpointError, match="it over 180 seconds of a processor"):
        open_engine(unknown, cpu)


def test_smaller_limits_of_the_machine_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")

    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    graph_trial._limit()


def test_a_graph_changed_after_the_card_was_written_is_refused(
    tiny_checkpoint: Checkpoint, cpu: Settings
) -> None:
    with tiny_checkpoint.graph.open("ab") as file:
        file.write(b"\x00")
    with pytest.raises(CheckpointError, match=r"graph\.onnx was changed after the card"):
        open_engine(tiny_checkpoint, cpu)


def test_a_graph_that_the_card_does_not_name_is_left_alone(
    tiny_checkpoint: Checkpoint, cpu: Settings
) -> None:
    path = tiny_checkpoint.folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "graph_sha256": ""}))
    opened = read_checkpoint(tiny_checkpoint.folder)
    assert isinstance(open_engine(opened, cpu), TorchEngine)
    with pytest.raises(CheckpointError, match=r"gives no hash of graph\.onnx"):
        open_engine(opened, cpu, "onnx")


# Numbers and sizes -------------------------------------------------------------------------------


def edit_weights(checkpoint: Checkpoint, **changes: Any) -> Checkpoint:
    arrays = load_file(checkpoint.weights)
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
    save_file(arrays, checkpoint.weights)
    seal_checkpoint(checkpoint.folder)
    return read_checkpoint(checkpoint.folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(
    tiny_checkpoint: Checkpoint, cpu: Settings, value: float
) -> None:
    def spoil(bias: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(bias)) == 3, np.float32(value), bias)

    spoilt = edit_weights(tiny_checkpoint, **{"network.classifier.bias": spoil})
    for kind in ("onnx", "torch"):
        with pytest.raises(CheckpointError, match=r"network\.classifier\.bias.*no finite numbers"):
            open_engine(spoilt, cpu, kind)  # type: ignore[arg-type]


def test_answers_that_are_no_numbers_are_refused(tiny_checkpoint: Checkpoint) -> None:
    """Finite weights whose products are not."""
    large = edit_weights(
        tiny_checkpoint,
        **{
            "network.projection.weight": lambda w: np.full_like(w, 3e38),
            "network.classifier.weight": lambda w: np.full_like(w, 1e4),
        },
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    for engine in (OnnxEngine(large.graph, 1), TorchEngine(large, "cpu")):
        with pytest.raises(CheckpointError, match="no finite numbers"):
            engine.run(images)


def test_a_network_larger_than_its_weights_is_refused_before_memory_is_taken(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that asks for a network of a billion weights beside a file of 1 MB."""
    import torch

    card = replace(
        tiny_checkpoint.card,
        network={**tiny_checkpoint.card.network, "backbone": "vit_giant_patch14_224", "layers": []},
    )
    made: list[str] = []
    empty = torch.empty

    def counted(*arguments: Any, **options: Any) -> Any:
        tensor = empty(*arguments, **options)
        made.append(str(tensor.device))
        return tensor

    monkeypatch.setattr(torch, "empty", counted)
    with pytest.raises(CheckpointError, match=r"does not fit its own card: .* should have"):
        load_network(Checkpoint(card, tiny_checkpoint.folder))
    assert set(made) <= {"meta"}


@pytest.mark.parametrize("name", ["hf-hub:somebody/something", "local-dir:/etc", "../resnet18"])
def test_a_backbone_is_never_fetched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    from emoviz.models.backbones import Backbone

    monkeypatch.setattr(timm, "create_model", None)
    with pytest.raises(WeightsError, match="no backbone"):
        Backbone(name, ())


def test_a_tensor_of_another_rank_costs_its_own_checkpoint_alone(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    shutil.copytree(tiny_checkpoint.folder, tiny_checkpoint.folder.parent / "flat")
    weights = tiny_checkpoint.folder.parent / "flat" / WEIGHTS
    arrays = load_file(weights)
    arrays["network.classifier.weight"] = arrays["network.classifier.weight"].ravel()
    save_file(arrays, weights)
    found, refused = list_checkpoints(settings)
    assert "tiny" in [item.card.id for item in found]
    assert [reason.split("'")[1] for reason in refused] == ["flat"]


# Signatures --------------------------------------------------------------------------------------


def test_a_signature_is_of_the_card_and_of_all_that_it_names(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder, key = tiny_checkpoint.folder, tmp_path / "key.pem"
    assert signed_by(folder) == ""
    public = sign(folder, key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert signed_by(folder) == public == sign(folder, key)
    card = folder / "card.json"
    card.write_text(card.read_text().replace("for tests only", "for everybody"))
    with pytest.raises(CheckpointError, match="signature does not fit its card"):
        signed_by(folder)


@pytest.mark.parametrize("text", ["{", "{}", '{"public_key": "00", "signature": "zz"}', "[]"])
def test_a_damaged_signature_is_told(tiny_checkpoint: Checkpoint, text: str) -> None:
    (tiny_checkpoint.folder / SIGNATURE).write_text(text)
    with pytest.raises(CheckpointError, match="signature does not fit"):
        signed_by(tiny_checkpoint.folder)


def test_another_file_is_no_key(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN")
    with pytest.raises(CheckpointError, match="no Ed25519 key"):
        sign(tiny_checkpoint.folder, tmp_path / "key.pem")
    with pytest.raises(CheckpointError, match="64 hexadecimal digits"):
        trust_key("me", "abc", Settings(home=tmp_path))


# Bringing one in ---------------------------------------------------------------------------------


def zipped(folder: Path, inside: str = "given/", **more: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, inside + path.name)
        for name, data in more.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Checkpoint]]:
    """Graphs are noted instead of being run: that takes seconds and is tested above."""
    asked: list[Checkpoint] = []
    monkeypatch.setattr("emoviz.inference.incoming.examine_graph", asked.append)
    return asked


@pytest.mark.parametrize(
    ("mean", "precision", "words"), [(900, 900, "does not fit its network"), (2, 3, "precision")]
)
def test_a_statistic_that_does_not_fit_is_refused_before_it_is_brought_in(
    tiny_checkpoint: Checkpoint, settings: Settings, mean: int, precision: int, words: str
) -> None:
    novelty = Novelty(np.zeros(mean, np.float32), np.eye(precision, dtype=np.float32))
    network = load_network(tiny_checkpoint)
    with_graph = mean == precision  # without one it is tried when it is first used
    save_checkpoint(
        tiny_checkpoint.folder, tiny_checkpoint.card, network, None, novelty, with_graph
    )
    with pytest.raises(CheckpointError, match=words):
        look_at(zipped(tiny_checkpoint.folder), "x.zip", settings)


@pytest.mark.parametrize("inside", ["", "given/"])
def test_a_zip_is_looked_at_and_brought_in(
    tiny_checkpoint: Checkpoint, settings: Settings, quick: list[Checkpoint], inside: str
) -> None:
    data = zipped(tiny_checkpoint.folder, inside, **{"../../evil.txt": b"x", "other/README": b"x"})
    incoming = look_at(data, "A gift!.zip", settings)
    assert incoming.id == "a-gift"
    assert len(quick) == 1
    assert any("unsigned" in words for words in incoming.remarks)
    assert [item.card.id for item in list_checkpoints(settings)[0]].count("a-gift") == 0
    kept = bring_in(incoming, "gift", settings)
    assert kept.folder == settings.user_checkpoints / "gift"
    assert sorted(path.name for path in kept.folder.iterdir()) == ["card.json", GRAPH, WEIGHTS]
    assert not list((settings.home / "incoming").iterdir())
    assert bring_in(look_at(data, "x", settings), "gift", settings).folder == kept.folder
    other = replace(tiny_checkpoint.card, title="Another network")
    (tiny_checkpoint.folder / "card.json").write_text(json.dumps(other.to_dict()))
    with pytest.raises(CheckpointError, match="already"):
        bring_in(look_at(zipped(tiny_checkpoint.folder), "x", settings), "gift", settings)


def test_who_signed_is_told_by_the_name_that_one_gave(
    tiny_checkpoint: Checkpoint, settings: Settings, quick: list[Checkpoint], tmp_path: Path
) -> None:
    public = sign(tiny_checkpoint.folder, tmp_path / "key.pem")
    stranger = look_at(tiny_checkpoint.folder, "x", settings)
    assert any(f"do not know: {public}" in words for words in stranger.remarks)
    trust_key("Vilnius lab", public, settings)
    known = look_at(tiny_checkpoint.folder, "x", settings)
    assert "It is signed by Vilnius lab." in known.remarks
    for incoming in (stranger, known):
        discard(incoming)
    assert not list((settings.home / "incoming").iterdir())


def _link(folder: Path) -> bytes:
    buffer = io.BytesIO(zipped(folder))
    with zipfile.ZipFile(buffer, "a") as archive:
        member = zipfile.ZipInfo("given/signature.json")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    return buffer.getvalue()


def _without(name: str) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        (folder / name).unlink()
        return zipped(folder)

    return make


def _two(folder: Path) -> bytes:
    return zipped(folder, **{"second/card.json": b"{}"})


def _changed(folder: Path) -> bytes:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    return zipped(folder)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: b"no zip", "no ZIP archive"),
        (lambda _: zipped(Path(__file__).parent / "browser"), "card.json and model.safetensors"),
        (_without(WEIGHTS), "model.safetensors is missing"),
        (_link, "a link to somewhere else"),
        (_two, "several checkpoints"),
        (_changed, "was changed after the card"),
    ],
)
def test_what_is_refused_leaves_nothing(
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    quick: list[Checkpoint],
    make: Callable[[Path], bytes],
    words: str,
) -> None:
    data = make(tiny_checkpoint.folder)
    with pytest.raises(CheckpointError, match=words):
        look_at(data, "x.zip", settings)
    assert not list((settings.home / "incoming").iterdir())
    assert quick == []


def test_the_command_line_asks_first(
    tiny_checkpoint: Checkpoint,
    settings: Settings,
    quick: list[Checkpoint],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "gift.zip").write_bytes(zipped(tiny_checkpoint.folder))
    arguments = ["checkpoint", "import", str(tmp_path / "gift.zip")]
    assert main(arguments) == 0
    assert "unsigned" in capsys.readouterr().out
    assert not (settings.user_checkpoints / "gift").exists(), "nobody said yes"
    assert main([*arguments, "--signed-by", "the lab", "--yes"]) == 2
    assert not (settings.user_checkpoints / "gift").exists()
    assert main([*arguments, "--yes"]) == 0
    assert read_checkpoint(settings.user_checkpoints / "gift").card.title == "Tiny test network"
    assert main(["checkpoint", "sign", "gift", "--key", str(tmp_path / "key.pem")]) == 0
    public = capsys.readouterr().out.split()[-1]
    assert main(["checkpoint", "trust", "the lab", public]) == 0
    signed = str(settings.user_checkpoints / "gift")
    again = ["checkpoint", "import", signed, "--id", "again", "--signed-by", "the lab", "--yes"]
    assert main(again) == 0
    assert main(["checkpoint", "seal", "gift"]) == 0


def test_the_page_shows_the_card_and_asks(
    tiny_checkpoint: Checkpoint, settings: Settings, quick: list[Checkpoint]
) -> None:
    from streamlit.testing.v1 import AppTest

    from emoviz.settings import PROJECT_ROOT

    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/train/runs.py").run()
    gift = ("gift.zip", zipped(tiny_checkpoint.folder), "application/zip")
    app.file_uploader[0].set_value(gift).run()
    assert not app.exception
    assert any("unsigned" in warning.value for warning in app.warning)
    assert not (settings.user_checkpoints / "gift").exists(), "nobody said yes"
    next(item for item in app.button if item.key == "incoming-yes").click().run()
    assert not app.exception
    assert read_checkpoint(settings.user_checkpoints / "gift").card.title == "Tiny test network"
