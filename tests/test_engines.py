"""Two engines, one answer; and what happens where one of them cannot run."""

import os
import threading
from dataclasses import replace

import numpy as np
import pytest

from emoviz.checkpoints import Checkpoint
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import CheckpointError, SettingsError
from emoviz.inference.engines import (
    OnnxEngine,
    TorchEngine,
    has_gpu,
    open_engine,
)
from emoviz.inference.predict import softmax
from emoviz.memory import available_cores
from emoviz.settings import Settings, load_settings

no_gpu = pytest.mark.skipif(has_gpu(), reason="needs a machine without a GPU")


def images(count: int, side: int = 96, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 32])
def test_engines_agree_to_a_ten_thousandth(tiny_checkpoint: Checkpoint, batch: int) -> None:
    x = images(batch, seed=batch)
    ours = OnnxEngine(tiny_checkpoint.graph, threads=1).run(x)
    theirs = TorchEngine(tiny_checkpoint, "cpu").run(x)
    p, q = softmax(ours.logits, 1.0), softmax(theirs.logits, 1.0)
    assert np.abs(p - q).max() < 1e-4
    assert np.ptp(p, axis=1).min() > 0.01, "flat probabilities would agree by themselves"
    for one, two in zip(ours, theirs, strict=True):
        assert one.dtype == two.dtype == np.float32
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_images_that_may_not_be_written_to_are_read(tiny_checkpoint: Checkpoint) -> None:
    """As arrays of pictures are, which PyTorch warns of once a process."""
    x = images(2)
    engine = TorchEngine(tiny_checkpoint, "cpu")
    wanted = engine.run(x)
    x.flags.writeable = False
    np.testing.assert_array_equal(engine.run(x).logits, wanted.logits)


def test_outputs_have_the_promised_shapes(tiny_checkpoint: Checkpoint) -> None:
    out = OnnxEngine(tiny_checkpoint.graph, threads=1).run(images(3))
    assert out.logits.shape == (3, 8)
    assert out.embedding.shape == (3, tiny_checkpoint.card.width)


def test_bytes_are_normalised_as_the_card_says(tiny_checkpoint: Checkpoint) -> None:
    """Against the network itself, fed with values normalised here."""
    import torch

    from emoviz.checkpoints import load_network

    x = images(2)
    card = tiny_checkpoint.card
    by_hand = (x / 255.0 - np.array(card.preprocessing.mean)) / np.array(card.preprocessing.std)
    with torch.no_grad():
        wanted = load_network(tiny_checkpoint)(
            torch.tensor(by_hand.transpose(0, 3, 1, 2), dtype=torch.float32)
        )
    found = OnnxEngine(tiny_checkpoint.graph, threads=1).run(x)
    np.testing.assert_allclose(found.logits, wanted.logits.numpy(), atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(found.pooled, wanted.pooled.numpy(), atol=1e-3, rtol=1e-3)


def test_graph_with_other_outputs_is_told(tiny_checkpoint: Checkpoint) -> None:
    """As of a checkpoint written by another version."""
    import onnx

    model = onnx.load(str(tiny_checkpoint.graph), load_external_data=False)
    del model.graph.output[-1]
    tiny_checkpoint.graph.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=r"tiny/graph\.onnx gives logits, embedding, pooled;"):
        OnnxEngine(tiny_checkpoint.graph)


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_engine_may_be_called_from_several_threads(
    tiny_checkpoint: Checkpoint, settings: Settings, kind: str
) -> None:
    engine = open_engine(tiny_checkpoint, replace(settings, device="cpu", threads=1), kind)  # type: ignore[arg-type]
    batches = [images(2, seed=i) for i in range(6)]
    wanted = [engine.run(batch).logits for batch in batches]
    found: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        found[i] = engine.run(batches[i]).logits

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(6):
        np.testing.assert_allclose(found[i], wanted[i], atol=1e-5)


def test_cpu_takes_the_graph_and_torch_where_it_is_missing(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    cpu = replace(settings, device="cpu")
    assert isinstance(open_engine(tiny_checkpoint, cpu), OnnxEngine)
    assert isinstance(open_engine(tiny_checkpoint, cpu, "torch"), TorchEngine)
    tiny_checkpoint.graph.unlink()
    engine = open_engine(tiny_checkpoint, cpu)
    assert isinstance(engine, TorchEngine)
    assert "CPU" in engine.description
    assert "PyTorch" in engine.description


@no_gpu
def test_auto_takes_the_graph_where_there_is_no_gpu(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    engine = open_engine(tiny_checkpoint, settings)
    assert isinstance(engine, OnnxEngine)
    assert "ONNX Runtime" in engine.description


@no_gpu
def test_asking_for_a_gpu_that_is_not_there_is_told(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOVIZ_DEVICE", "cuda")
    with pytest.raises(SettingsError, match=r"EMOVIZ_DEVICE is 'cuda'.*use auto or cpu"):
        open_engine(tiny_checkpoint, load_settings())


@pytest.mark.skipif(not has_gpu(), reason="needs a GPU")
def test_gpu_agrees_with_the_graph(tiny_checkpoint: Checkpoint, settings: Settings) -> None:
    engine = open_engine(tiny_checkpoint, settings)
    assert isinstance(engine, TorchEngine)
    x = images(5)
    p = softmax(engine.run(x).logits, 1.0)
    q = softmax(OnnxEngine(tiny_checkpoint.graph).run(x).logits, 1.0)
    assert np.abs(p - q).max() < 1e-3


@pytest.mark.parametrize("data", [b"", b"garbage" * 100, b"\x08\x07\x12\x04test"])
def test_garbage_for_a_graph_is_told(tiny_checkpoint: Checkpoint, data: bytes) -> None:
    tiny_checkpoint.graph.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"tiny/graph\.onnx cannot be run"):
        OnnxEngine(tiny_checkpoint.graph)


def test_truncated_graph_and_missing_weights_are_told(tiny_checkpoint: Checkpoint) -> None:
    data = tiny_checkpoint.graph.read_bytes()
    tiny_checkpoint.graph.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="cannot be run"):
        OnnxEngine(tiny_checkpoint.graph)
    tiny_checkpoint.graph.write_bytes(data)
    tiny_checkpoint.weights.unlink()
    with pytest.raises(CheckpointError, match="cannot be run"):
        OnnxEngine(tiny_checkpoint.graph)


def test_missing_graph_is_told_where_it_was_asked_for(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    tiny_checkpoint.graph.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_engine(tiny_checkpoint, replace(settings, device="cpu"), "onnx")


def test_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


# Preprocessing: the square of bytes that both engines take ------------------------------------


def test_whole_picture_is_squashed_or_its_middle_is_cut() -> None:
    from PIL import Image

    stripes = np.zeros((40, 120, 3), np.uint8)
    stripes[:, :40], stripes[:, 40:80], stripes[:, 80:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    picture = Image.fromarray(stripes)
    squashed = Preprocessing(30, "squash").to_array(picture)
    assert squashed.shape == (30, 30, 3)
    assert squashed[15, [2, 15, 27]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    middle = Preprocessing(30, "crop").to_array(picture)
    assert (middle[:, 3:-3] == (0, 255, 0)).all()  # the filter mixes in neighbours at the cut


def test_crop_keeps_its_share_of_the_short_side() -> None:
    from PIL import Image

    frame = np.full((100, 100, 3), 255, np.uint8)
    frame[10:90, 10:90] = 0
    picture = Image.fromarray(frame)
    inside = Preprocessing(50, "crop", 0.8, "bilinear").to_array(picture)[2:-2, 2:-2]
    assert inside.max() == 0
    assert (Preprocessing(50, "crop", 0.9, "bilinear").to_array(picture)[:2] == 255).all()


def test_short_side_leaves_twice_what_is_kept() -> None:
    assert Preprocessing(224).short_side == 448
    assert Preprocessing(224, "crop", 0.875).short_side == 512


def test_preprocessing_comes_back_from_a_card() -> None:
    import json

    made = Preprocessing(128, "crop", 0.9, "lanczos", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert Preprocessing.from_dict(json.loads(json.dumps(made.to_dict()))) == made
