"""Rivals of the checkpoints: classifiers in the files that others write, language models."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from local_server import LocalServer, local_server
from PIL import Image
from sklearn.metrics import accuracy_score
from stored_tables import open_measure, settled
from stored_tables import said as said_on
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.fetch import FetchCaps, is_on_this_machine, post_json
from emoviz.data.reading import open_dataset
from emoviz.errors import FetchError, WeightsError
from emoviz.experiments.contenders import Question, ask_rival, open_rival
from emoviz.inference.classifiers import Classifier, open_classifier
from emoviz.inference.embedding import embed_collection
from emoviz.inference.language_model import LanguageModel, NoAnswerError, distribution, said
from emoviz.inference.predict import load_model
from emoviz.inference.predictions import read_predictions
from emoviz.inference.stored import table_path, write_embeddings
from emoviz.labels import MIKELS8, SENTIMENT2
from emoviz.settings import Settings, load_settings

EIGHT = list(MIKELS8.names)


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    values = np.random.default_rng(3).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((300, 200), Image.Resampling.BICUBIC)


def softmax(scores: Any) -> Any:
    powers = np.exp(scores - np.max(scores))
    return powers / powers.sum()


# Classifiers in folders --------------------------------------------------------------------------


def timm_folder(folder: Path, names: list[str] | None = EIGHT, seed: int = 0) -> Path:
    """A small random network of timm's, as timm writes it for the hub."""
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(seed)
    network = timm.create_model("test_efficientnet", num_classes=len(names or EIGHT))
    torch.nn.init.normal_(network.classifier.weight, std=20.0)
    folder.mkdir()
    config = {"label_names": names} if names else {}
    save_for_hf(network, folder, safe_serialization=True, model_config=config)
    return folder


def test_a_timm_classifier_answers_as_timm_says(tmp_path: Path, photograph: Image.Image) -> None:
    import timm
    import torch
    from safetensors.torch import load_file

    folder = timm_folder(tmp_path / "mine")
    found = open_classifier(folder)
    network = timm.create_model("test_efficientnet", num_classes=8).eval()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    steps = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    with torch.inference_mode():
        wanted = softmax(network(steps(photograph)[None])[0].double().numpy())
    assert found.classes == tuple(EIGHT)
    assert found.answer(photograph) == pytest.approx(wanted)
    assert wanted.max() > 0.2  # the random network is not of one mind about everything


def test_a_torchvision_classifier_answers_through_torchvisions_steps(
    tmp_path: Path, photograph: Image.Image
) -> None:
    import torch
    from safetensors.torch import save_file
    from torchvision.models import get_model, get_model_weights

    torch.manual_seed(0)
    network = get_model("squeezenet1_1", num_classes=3).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    config = {"library": "torchvision", "architecture": "squeezenet1_1"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "labels.txt").write_text("joy\nfear\n\nsadness\n")
    found = open_classifier(tmp_path)
    steps = get_model_weights("squeezenet1_1").DEFAULT.transforms()
    with torch.inference_mode():
        wanted = softmax(network(steps(photograph)[None])[0].double().numpy())
    assert found.classes == ("joy", "fear", "sadness")
    assert found.answer(photograph) == pytest.approx(wanted)


@pytest.mark.slow  # transformers takes ten seconds to import
def test_a_transformers_folder_answers_as_transformers_says(
    tmp_path: Path, photograph: Image.Image
) -> None:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(
        **size, intermediate_size=16, image_size=32, patch_size=8, id2label=dict(enumerate(EIGHT))
    )
    network = ViTForImageClassification(config).eval()
    torch.nn.init.normal_(network.classifier.weight, std=2.0)
    steps = ViTImageProcessor(size={"height": 32, "width": 32})
    network.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"no preprocessor_config\.json"):
        open_classifier(tmp_path)
    steps.save_pretrained(tmp_path)
    found = open_classifier(tmp_path)
    with torch.inference_mode():
        wanted = softmax(
            network(**steps(photograph, return_tensors="pt")).logits[0].double().numpy()
        )
    assert found.classes == tuple(EIGHT)
    assert found.answer(photograph) == pytest.approx(wanted)

    told = json.loads((tmp_path / "config.json").read_text())
    for change, words in (
        ({"id2label": {str(i): f"LABEL_{i}" for i in range(8)}}, "numbers for names"),
        ({"model_type": "own", "auto_map": {"AutoModel": "evil.Net"}}, "cannot open"),
        ({"num_hidden_layers": 2}, "lack 'vit"),
        ({"num_hidden_layers": 10**9}, "far larger than its weights"),
        ({"hidden_size": 10**6}, "far larger than its weights"),
        ({"model_type": "timm_wrapper", "architecture": "hf-hub:some/body"}, "offline|cannot open"),
    ):
        (tmp_path / "evil.py").write_text("raise SystemExit('run')")
        (tmp_path / "config.json").write_text(json.dumps(told | change))
        with pytest.raises(WeightsError, match=words):
            open_classifier(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_args": {"depth_multiplier": 10**6}}, "'depth_multiplier' 1000000; at most"),
        ({"model_args": {"depth_multiplier": 50}}, "far larger than its weights"),
        ({"model_args": {"channel_multiplier": 2000}}, "far larger than its weights"),
        ({"model_args": {"checkpoint_path": "/etc/hosts"}}, "may not set 'checkpoint_path'"),
        ({"model_args": {"pretrained_cfg": {"file": "/x"}}}, "may not set 'pretrained_cfg'"),
        ({"architecture": "vit_giant_patch14_224", "model_args": []}, "far larger than its"),
        ({"architecture": "swin_tiny_patch4_window7_224"}, "far larger than its"),
        (
            {"pretrained_cfg": {"input_size": [3, 10**6, 10**6]}},
            "'input_size' 1000000; at most 4,096",
        ),
        ({"pretrained_cfg": {"crop_pct": 1e-9}}, "less than 0.05 of an image's side"),
        ({"pretrained_cfg": {"mean": "x"}}, "how images are prepared|cannot answer"),
        ({"model_args": 3, "pretrained_cfg": [], "label_names": EIGHT}, ""),
    ],
)
def test_a_timm_folder_asks_for_nothing_beyond_its_weights(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    config = timm_folder(tmp_path / "mine") / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    if not words:  # parts that are no tables count as left out
        assert open_classifier(config.parent).classes == tuple(EIGHT)
        return
    with pytest.raises(WeightsError, match=words):
        open_classifier(config.parent)


def onnx_folder(folder: Path, ends: str = "") -> Path:
    """The mean of each channel as a score: three classes out of a graph; `ends` is an operator."""
    import onnx
    from onnx import TensorProto, helper

    nodes = [helper.make_node("GlobalAveragePool", ["image"], ["pooled"])]
    nodes.append(helper.make_node("Flatten", ["pooled"], ["scores"]))
    if ends:
        nodes.append(helper.make_node(ends, ["scores"], ["out"]))
    taken = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    given = helper.make_tensor_value_info("out" if ends else "scores", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "tiny", [taken], [given])
    folder.mkdir()
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, folder / "model.onnx")
    (folder / "labels.txt").write_text("joy\nfear\nsadness")
    return folder


@pytest.mark.parametrize("ends", ["", "Softmax"])
def test_an_onnx_graph_with_labels_answers_for_its_own_size(tmp_path: Path, ends: str) -> None:
    found = open_classifier(onnx_folder(tmp_path / "graph", ends))
    colour = np.array([200, 100, 50])
    image = Image.new("RGB", (40, 30), tuple(colour.tolist()))
    scores = (colour / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert found.answer(image) == pytest.approx(softmax(scores), abs=1e-5)
    assert "taken as for ImageNet" in found.notes[0]
    assert "8 x 8" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "labels.txt").write_text("joy\nfear"), "3 numbers for 2 named classes"),
        (lambda f: (f / "labels.txt").unlink(), "does not name its classes"),
        (lambda f: (f / "model.onnx").write_bytes(b"no graph"), "model.onnx"),
        (lambda f: (f / "second.onnx").write_bytes(b""), "2 graphs"),
    ],
)
def test_what_is_no_graph_with_labels_is_told(
    tmp_path: Path, change: Callable[[Path], Any], words: str
) -> None:
    folder = onnx_folder(tmp_path / "graph")
    change(folder)
    with pytest.raises(WeightsError, match=words):
        open_classifier(folder)


def test_pickled_weights_are_named_and_never_opened(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(WeightsError, match=r"pickled \(pytorch_model\.bin\), never opened"):
        open_classifier(tmp_path)
    with pytest.raises(WeightsError, match="no folder"):
        open_classifier(tmp_path / "none")


def test_weights_that_do_not_fit_or_have_no_names_are_told(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "mine", names=None)
    with pytest.raises(WeightsError, match="does not name its classes"):
        open_classifier(folder)
    (folder / "labels.txt").write_text("joy\nfear")
    with pytest.raises(WeightsError, match="do not fit"):
        open_classifier(folder)


# On the command line -----------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    assert main([*map(str, words), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_classifier_stands_beside_a_checkpoint(
    tiny_checkpoint: Checkpoint,
    table: Path,
    tmp_path: Path,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its measures are those of its own answers, asked for once; the broken file is a problem."""
    folder = timm_folder(tmp_path / "mine")
    found = run(capsys, "evaluate", "--rival", folder, "--data", table)
    collection = open_dataset(table, settings)
    classifier = open_classifier(folder)
    answers = [
        classifier.answer(Image.open(record.path).convert("RGB"))
        for record in collection.records[1:]
    ]
    truth = [record.label for record in collection.records[1:]]
    predicted = [int(p.argmax()) for p in answers]
    assert (found["n"], found["found"], found["taken"]) == (31, 32, 31)
    assert [row["what"] for row in found["problems"]] == ["0.jpg"]
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert found["seconds_per_image"] > 0

    def never(*_: object) -> Any:
        raise AssertionError("asked twice")

    opened = Classifier(classifier.title, classifier.classes, classifier.fingerprint, never)
    monkeypatch.setattr("emoviz.inference.classifiers.open_classifier", lambda folder: opened)
    both = run(capsys, "compare", "tiny", "--rival", folder, "--data", table)
    assert both["b"]["intervals"]["accuracy"] == found["intervals"]["accuracy"]
    assert both["a"]["seconds_per_image"] > 0
    assert both["b"]["seconds_per_image"] == found["seconds_per_image"]
    assert set(both["mcnemar"]) == {"p", "only_a_right", "only_b_right"}
    assert found["cross_sentiment"].keys() == both["b"]["cross_sentiment"].keys()
    assert main(["compare", "tiny", "tiny", "--rival", str(folder), "--data", str(table)]) == 2


def test_classes_that_are_no_labels_are_told_and_bridged_by_hand(
    table: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = timm_folder(tmp_path / "mine", names=["cat", "dog", "tree"])
    given = ["evaluate", "--rival", str(folder), "--data", str(table)]
    assert main(given) == 2
    assert "No class of 'test_efficientnet" in capsys.readouterr().err
    bridge = tmp_path / "bridge.json"
    bridge.write_text(json.dumps({"awe": ["tree"], "fear": ["dog", "cat"]}))
    found = run(capsys, *given, "--bridge", bridge)
    awe_and_fear = 8 if MIKELS8.names[0] not in ("awe", "fear") else 7  # 0.jpg is broken
    assert (found["n"], found["left_out"]) == (awe_and_fear, 31 - awe_and_fear)


# Language models ---------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as state:
        yield state


def answers_with(
    server: LocalServer, say: Callable[[int, Image.Image, dict[str, Any]], Any]
) -> None:
    """Let the stand-in answer: text, (status, bytes), or seconds to be silent for."""
    lock = threading.Lock()
    counted = [0]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = json.loads(server.bodies[-1])
        _, shown = asked["messages"][0]["content"]
        url = shown["image_url"]["url"]
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        with lock:
            counted[0] += 1
            told = say(counted[0], image, asked)
        if isinstance(told, float):
            threading.Event().wait(told)
            told = "late"
        if isinstance(told, tuple):
            status, body = told
        else:
            message = told if isinstance(told, dict) else {"role": "assistant", "content": told}
            choice = {"message": message, "finish_reason": "stop"}
            status, body = 200, json.dumps({"choices": [choice]}).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    server.answers["/v1/chat/completions"] = answer


def even(**shares: float) -> str:
    return json.dumps({name: shares.get(name, 0.0) for name in EIGHT})


def test_refusals_ravings_and_silence_are_counted_and_the_rest_is_measured(
    server: LocalServer,
    make_table: Callable[..., Path],
    tmp_path: Path,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = make_table(tmp_path / "set", ["awe", "fear", "awe", "fear", "awe", "fear", "awe"])
    told: dict[int, Any] = {
        1: even(awe=0.7, fear=0.3),
        2: "Here it is:\n```json\n" + even(awe=60, fear=40) + "\n```",
        3: "I'm sorry, I can't judge people's feelings.",
        4: "The waves are long and the sea {is deep}.",
        5: {"content": None, "refusal": "no"},
        6: 3.0,
        7: json.dumps({"awe": "90%", "fear": "10 %"}),
    }
    answers_with(server, lambda number, image, asked: told[number])
    given = ["evaluate", "--rival", server.address + "/v1", "--model", "seer", "--data", data]
    found = run(capsys, *given, "--timeout", "1")
    assert (found["n"], found["found"], found["taken"]) == (3, 7, 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    reasons = {row["what"]: row["reason"] for row in found["problems"]}
    assert [reasons[f"{i}.jpg"].split(":")[0] for i in (2, 3, 4, 5)] == [
        "it refused",
        "it gave no distribution",
        "it refused",
        "it did not answer",
    ]
    assert any(
        "4 of 7 images have no answer: it refused (2), it gave no" in n for n in found["notes"]
    )
    # What was answered is kept, refusals too; the image that it was silent about is asked again.
    told[8] = even(fear=1.0)
    again = run(capsys, *given)
    assert len(server.bodies) == 8
    assert (again["n"], again["taken"]) == (4, 4)
    # Another question is another rival.
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Only {classes}!")
    answers_with(server, lambda number, image, asked: even(awe=1.0))
    run(capsys, *given, "--prompt", prompt)
    assert len(server.bodies) == 15
    asked = json.loads(server.bodies[-1])
    assert asked["messages"][0]["content"][0]["text"] == f"Only {', '.join(EIGHT)}!"
    assert (asked["model"], asked["temperature"]) == ("seer", 0)


def test_an_image_goes_small_and_without_its_notes(server: LocalServer, tmp_path: Path) -> None:
    seen: list[Image.Image] = []

    def say(number: int, image: Image.Image, asked: dict[str, Any]) -> str:
        seen.append(image)
        return even(awe=1)

    answers_with(server, say)
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "a secret", 6
    folder = tmp_path / "awe"
    folder.mkdir()
    Image.new("RGB", (2000, 1000), "red").save(folder / "a.jpg", exif=exif)
    model = LanguageModel(server.address + "/v1", "seer", tuple(EIGHT))
    assert model.answer(Image.open(folder / "a.jpg").rotate(90, expand=True)).sum() == 1
    assert seen[0].size == (384, 768)
    assert not dict(seen[0].getexif())


def test_nothing_leaves_this_machine_unless_somebody_allowed_it(
    table: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["evaluate", "--model", "m", "--data", str(table), "--rival"]
    assert main([*given, "http://192.0.2.7/v1"]) == 2
    assert "'192.0.2.7' is not known to be this machine" in capsys.readouterr().err
    for text, local in (("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True)):
        assert is_on_this_machine("http://name/", lambda host, port, text=text: [text]) is local
    for text in ("10.0.0.1", "0.0.0.0", "::ffff:10.0.0.1", "fe80::1", "8.8.8.8"):
        assert not is_on_this_machine("http://n/", lambda host, port, text=text: [text])
    # Neither where the name meant this machine a moment ago, nor where one of two addresses does.
    for found in (["192.0.2.7"], ["127.0.0.1", "192.0.2.7"]):
        with pytest.raises(FetchError, match="not this machine; nothing was sent"):
            post_json("http://name/", {}, resolve=lambda host, port, found=found: found)


def test_a_key_goes_to_its_own_address_alone_and_is_shown_nowhere(server: LocalServer) -> None:
    sent: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        sent.append(handler.headers.get("Authorization"))
        handler.send_response(500)
        handler.end_headers()

    for place in ("/v1", "/v2"):
        server.answers[f"{place}/chat/completions"] = answer
    mine = server.address + "/v1"
    settings = load_settings({"EMOVIZ_MODEL_KEY": f"{mine}/ sk-secret"})
    labels, question = MIKELS8, Question("seer")
    model = open_rival(mine, labels, settings, question)
    other = open_rival(server.address + "/v2", labels, settings, question)
    for asked in (model, other):
        with pytest.raises(NoAnswerError) as told:
            asked.answer(Image.new("RGB", (8, 8)))  # type: ignore[union-attr]
        assert "secret" not in str(told.value)
    assert sent == ["Bearer sk-secret", None]
    assert "secret" not in repr(settings) + repr(model)
    assert model.fingerprint == open_rival(mine, labels, Settings(), question).fingerprint
    far = load_settings({"EMOVIZ_MODEL_KEY": "http://192.0.2.7/v1 sk-secret"})
    with pytest.raises(FetchError, match="sent by https alone"):
        open_rival("http://192.0.2.7/v1", labels, far, Question("seer", beyond=True))


def test_a_server_that_sends_on_is_not_followed(server: LocalServer) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", "http://192.0.2.7/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answers["/x"] = answer
    with pytest.raises(FetchError, match="not followed"):
        post_json(server.address + "/x", {}, caps=FetchCaps(seconds=10))


def test_where_no_server_is_the_others_are_not_asked(
    make_table: Callable[..., Path],
    tmp_path: Path,
    settings: Settings,
    server: LocalServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = make_table(tmp_path / "set", ["awe", "fear"] * 4)
    address = server.address + "/v1"

    def say(number: int, image: Image.Image, asked: dict[str, Any]) -> Any:
        return even(awe=1.0) if number < 3 else (500, b"out of memory")

    answers_with(server, say)
    given = ["evaluate", "--rival", address, "--model", "m", "--data", data]
    found = run(capsys, *given)
    assert (found["taken"], found["found"]) == (2, 8)
    assert {row["reason"] for row in found["problems"]} == {
        "it did not answer: the server has a fault (status 500)"
    }
    given[2] = "http://127.0.0.1:9/v1"
    assert main(list(map(str, given))) == 2
    told = capsys.readouterr().err
    assert "answered for none of 8 images; the first: it did not answer: no server answers" in told


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"positive": 0.25, "negative": 0.75}', [0.25, 0.75]),
        ('{"Positive": 1, "NEGATIVE ": 3}', [0.25, 0.75]),
        ('{"positive": 100}', [1, 0]),
        ('{"negative": 0.97}', [0, 1]),
        ('Well: {"emotions": {"positive": 0.5, "negative": 0.5}}', [0.5, 0.5]),
        ('{"positive": "40 %", "negative": "60%"}', [0.4, 0.6]),
        ('{not json} {"positive": 0, "negative": 2}', [0, 1]),
    ],
)
def test_distributions_are_read_as_models_write_them(text: str, wanted: list[float]) -> None:
    assert distribution(text, SENTIMENT2.names).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I cannot help with that.", "it refused"),
        ("I won’t say.", "it refused"),
        ("positive, surely", "no distribution: 'positive, surely'"),
        ("", "no distribution"),
        ('{"positive": 0.5}', "1 classes add up to 0.5"),
        ('{"positive": 0, "negative": 0}', "add up to 0"),
        ('{"positive": 1e308, "negative": 1e308}', "add up to inf"),
        ('{"positive": 0.5, "negative": 0.4, "boredom": 0.1}', "'boredom', which is no class"),
        ('{"positive": -1, "negative": 2}', "is no share"),
        ('{"positive": NaN, "negative": 1}', "is no share"),
        ('{"positive": true, "negative": 0}', "is no share"),
        ('{"positive": "high", "negative": 1}', "is no share"),
        ('{"positive": 1e999, "negative": 1}', "is no share"),
        ("{" * 5000, "no distribution"),
    ],
)
def test_what_is_no_distribution_is_told_apart_from_a_refusal(text: str, words: str) -> None:
    with pytest.raises(NoAnswerError, match=words):
        distribution(text, SENTIMENT2.names)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [[]]}'])
def test_another_language_than_openais_is_told(body: bytes) -> None:
    with pytest.raises(NoAnswerError, match="speaks otherwise"):
        said(body)


def test_parts_of_an_answer_are_read_together() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert said(json.dumps({"choices": [{"message": {"content": parts}}]}).encode()) == "ab"


def test_a_prompt_without_classes_and_a_model_without_a_name_are_refused() -> None:
    for model, prompt, words in (("m", "What?", "classes"), (" ", "{classes}", "name the model")):
        with pytest.raises(FetchError, match=words):
            LanguageModel("http://127.0.0.1:1/v1", model, ("a", "b"), prompt)


def test_images_without_labels_are_asked_about_in_words_of_a_taxonomy(
    server: LocalServer,
    settings: Settings,
    tmp_path: Path,
    picture: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.jpg").write_bytes(picture(seed=i))
    (folder / "3.jpg").write_bytes(b"broken")
    answers_with(server, lambda number, image, asked: '{"positive": 0.8, "negative": 0.2}')
    given = ["ask", server.address + "/v1", "--model", "m", "--data", str(folder)]
    assert main(given) == 2
    assert "say which taxonomy" in capsys.readouterr().err
    assert main([*given, "--classes", "sentiment2"]) == 0
    told = capsys.readouterr().out
    assert "4 found: 3 taken, 1 problem" in told
    (file,) = (settings.home / "predictions").rglob("*.parquet")
    found = read_predictions(file)
    assert found.probabilities.tolist() == [pytest.approx([0.8, 0.2])] * 3
    assert len(found.hashes) == 3


def test_a_question_needs_a_name(settings: Settings, table: Path) -> None:
    with pytest.raises(FetchError, match="name the model"):
        ask_rival("http://127.0.0.1:1/v1", open_dataset(table, settings), settings, Question(""))


# On the pages ------------------------------------------------------------------------------------


def asked_for(app: AppTest) -> dict[str, Any]:
    """What the page offers: its warnings, and whether its button can be pressed."""
    button = next(item for item in app.button if item.label == "Ask about these images")
    return {"button": button, "warnings": " ".join(item.value for item in app.warning)}


@pytest.mark.parametrize("page", ["evaluate", "compare"])
def test_a_page_asks_a_server_and_shows_its_answers(
    page: str, tiny_checkpoint: Checkpoint, settings: Settings, table: Path, server: LocalServer
) -> None:
    """Two sets to choose from: the chosen one's images are asked about, and no other's."""
    answers_with(server, lambda number, image, asked: even(awe=0.6, fear=0.4))
    model = load_model(tiny_checkpoint, settings)
    embedded = embed_collection(model, open_dataset(table, settings), settings)
    path = table_path(settings, str(table), embedded.collection.name, "tiny")
    write_embeddings(path, embedded.parts(settings))
    app = open_measure(page, collection=path.parent.name)
    assert asked_for(app)["button"].disabled
    app.text_input(key="ask-place").input("http://192.0.2.7/v1")
    settled(app)
    app.text_input(key="ask-model").input("seer")
    settled(app)
    found = asked_for(app)
    assert "is not known to be this machine" in found["warnings"]
    assert found["button"].disabled
    app.text_input(key="ask-place").input(server.address + "/v1")
    settled(app)
    app.text_area(key="ask-prompt").input("Say it.")
    settled(app)
    assert asked_for(app)["button"].disabled
    app.text_area(key="ask-prompt").input("Say it: {classes}")
    settled(app)
    asked_for(app)["button"].click()
    settled(app)
    job = jobs.find(settings, f"ask {table}")
    assert job is not None
    assert job.wait(60) == "done", job.tail()
    settled(app)
    assert "31 images answered" in " ".join(item.value for item in app.success)
    next(item for item in app.button if item.label == "Show its answers").click()
    settled(app)
    assert "On **31 images** with a label" in said_on(app)
    assert (
        "Say it: amusement, " in json.loads(server.bodies[0])["messages"][0]["content"][0]["text"]
    )
    assert len(server.bodies) == 31
