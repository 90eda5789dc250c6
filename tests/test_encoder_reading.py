"""Encoders in the forms of transformers and open_clip, against transformers itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from emoviz.checkpoints import Card, load_network
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import CheckpointError, TrainingError, WeightsError
from emoviz.inference.engines import OnnxEngine
from emoviz.settings import Settings
from emoviz.training.encoder import encoder_network
from emoviz.training.encoder_reading import read_encoder
from emoviz.training.zero_shot import add_zero_shot, check_prompts, read_prompts, text_vectors
from tests.encoder_folders import (
    SIDE,
    write_clip,
    write_open_clip,
    write_processor,
    write_vision,
)

IMAGES = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "kind", ["vit", "vit-classifier", "clip_vision_model", "dinov2", "dinov2_with_registers"]
)
def test_pooled_vectors_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    theirs = write_vision(tmp_path, kind)
    encoder = read_encoder(str(tmp_path))
    with torch.inference_mode():
        ours = encoder_network(encoder, 3)(IMAGES).pooled
        if kind == "vit-classifier":
            wanted = theirs.vit(IMAGES).last_hidden_state[:, 0]
        elif kind == "vit":
            wanted = theirs(IMAGES).last_hidden_state[:, 0]
        else:
            wanted = theirs(IMAGES).pooler_output
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)
    assert encoder.preprocessing == Preprocessing(
        SIDE, "crop", 1.0, "bicubic", (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    )


def test_dinov2_takes_the_size_that_its_processor_makes(tmp_path: Path) -> None:
    theirs = write_vision(tmp_path, "dinov2")
    write_processor(tmp_path, 48)
    images = torch.nn.functional.interpolate(IMAGES, 48, mode="bicubic")
    with torch.inference_mode():
        ours = encoder_network(read_encoder(str(tmp_path)), 3)(images).pooled
        wanted = theirs(images).pooler_output
    similar = torch.cosine_similarity(ours, wanted)
    assert (similar > 0.999).all()  # the two interpolate positions with other filters


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_clip, write_open_clip])
def test_zero_shot_says_what_clip_says(tmp_path: Path, settings: Settings, write: Any) -> None:
    theirs = write(tmp_path / "clip")
    prompts = {"awe": ["a mountain", "the sea"], "fear": "a snake", "calm": ["grass"]}
    (tmp_path / "prompts.yaml").write_text(json.dumps(prompts))
    made = add_zero_shot(
        str(tmp_path / "clip"), "zero", str(tmp_path / "prompts.yaml"), settings, lambda line: None
    )
    wanted = _by_hand(theirs, tmp_path / "clip", prompts)
    network = load_network(made)
    with torch.inference_mode():
        out = network(IMAGES)
    torch.testing.assert_close(out.logits, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(out.embedding.norm(dim=1), torch.ones(2))
    bytes_ = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    from emoviz.inference.engines import TorchEngine

    np.testing.assert_allclose(
        OnnxEngine(made.graph, 1).run(bytes_).logits,
        TorchEngine(made, "cpu").run(bytes_).logits,
        atol=1e-3,
    )
    card = made.card
    assert card.taxonomy.names == ("awe", "fear", "calm")
    assert card.recipe["zero_shot"]["prompts"] == {**prompts, "fear": ["a snake"]}
    assert "sha256" in card.summary
    assert "ImageNet" not in json.dumps(card.to_dict())
    assert "- awe: a mountain; the sea" in (made.folder / "README.md").read_text()


def _by_hand(model: Any, folder: Path, prompts: dict[str, Any]) -> torch.Tensor:
    """Logits from transformers' own CLIP, prompt by prompt."""
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder)
    columns = []
    with torch.inference_mode():
        for texts in prompts.values():
            rows = []
            for text in [texts] if isinstance(texts, str) else texts:
                asked = tokenizer(text, return_tensors="pt")
                out = model(pixel_values=IMAGES, **asked)
                rows.append(out.text_embeds[0])  # of length 1 already
            mean = torch.stack(rows).mean(dim=0)
            columns.append(out.image_embeds @ (mean / mean.norm()))
        return model.logit_scale.exp() * torch.stack(columns, dim=1)


def _edit(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _without(folder: Path, part: str) -> None:
    kept = {k: v for k, v in load_file(folder / "model.safetensors").items() if part not in k}
    save_file(kept, folder / "model.safetensors")


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_pickle, r"pickled \(pytorch_model\.bin\), never opened"),
        (lambda f: _edit(f, "config.json", auto_map={"AutoModel": "x.Y"}), "code of its own"),
        (lambda f: _edit(f, "config.json", model_type="swin"), "the kind 'swin'"),
        (lambda f: write_processor(f, 40), "takes images of 32 pixels .* makes 40"),
        (
            lambda f: (f / "preprocessor_config.json").unlink(),
            r"preprocessor_config\.json. cannot be read",
        ),
        (lambda f: write_processor(f, image_mean=None), "does not say how an image"),
        (lambda f: _without(f, "layernorm_after"), r"'blocks\.0\.norm2\.weight' should have"),
        (lambda f: _without(f, "query"), r"'blocks\.0\.attn\.qkv\.weight' should have"),
        (lambda f: _without(f, "key"), "lacks or misstates a part"),
        (lambda f: _edit(f, "config.json", hidden_size=0), "lacks or misstates a part"),
        (
            lambda f: _edit(f, "config.json", num_hidden_layers=10**9),
            "number of blocks is 1",
        ),
        (lambda f: _edit(f, "config.json", hidden_size=10**9), "width is 1000000000"),
        (lambda f: _edit(f, "config.json", intermediate_size=10**9), "width inside the blocks"),
        (lambda f: _edit(f, "config.json", image_size=10**9), "number of patches"),
        (lambda f: write_processor(f, 10**9), "4096 at most"),
        (lambda f: _edit(f, "config.json", num_attention_heads=5), "builds no vision transformer"),
        (lambda f: _edit(f, "config.json", hidden_act="snake"), "builds no vision transformer"),
    ],
)
def test_a_folder_of_transformers_that_does_not_fit_is_told(
    tmp_path: Path, damage: Any, words: str
) -> None:
    write_vision(tmp_path, "vit")
    damage(tmp_path)
    with pytest.raises(WeightsError, match=words):
        encoder_network(read_encoder(str(tmp_path)), 3)


def test_parts_that_no_weights_fill_are_counted_before_they_are_made(tmp_path: Path) -> None:
    write_vision(tmp_path, "dinov2_with_registers")
    _edit(tmp_path, "config.json", num_register_tokens=10**9)
    with pytest.raises(WeightsError, match="far larger than its weights"):
        read_encoder(str(tmp_path))


def _giant_text(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    _edit(folder, "config.json", text_config={**config["text_config"], "num_hidden_layers": 10**9})


def _no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (folder / name).unlink(missing_ok=True)


def _small_vocabulary(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    _edit(folder, "config.json", text_config={**config["text_config"], "vocab_size": 7})
    arrays = load_file(folder / "model.safetensors")
    name = "text_model.embeddings.token_embedding.weight"
    save_file({**arrays, name: arrays[name][:7].clone()}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_no_tokenizer, "has no tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text("{"), "cannot be read"),
        (_small_vocabulary, "belongs to another text tower"),
        (_giant_text, "far larger than its weights"),
        (lambda f: _without(f, "text_model.final_layer_norm"), "text tower .* does not fit"),
        (lambda f: _without(f, "visual_projection"), "lacks or misstates a part"),
    ],
)
def test_a_clip_that_lacks_something_is_told_and_leaves_nothing(
    tmp_path: Path, settings: Settings, damage: Any, words: str
) -> None:
    folder = tmp_path / "clip"
    write_clip(folder)
    damage(folder)
    with pytest.raises(WeightsError, match=words):
        add_zero_shot(str(folder), "zero", "mikels8", settings, lambda line: None)
    assert not list(settings.home.rglob("card.json"))


@pytest.mark.parametrize("write", [write_clip, write_open_clip])
def test_a_text_has_the_vector_that_clip_gives_it(
    tmp_path: Path, settings: Settings, write: Any
) -> None:
    folder = tmp_path / "clip"
    theirs = write(folder)
    prompts = tmp_path / "prompts.yaml"
    prompts.write_text(json.dumps({"awe": "the sea", "fear": "a snake"}))
    made = add_zero_shot(str(folder), "zero", str(prompts), settings, lambda line: None)
    from transformers import CLIPTokenizer

    numbers = CLIPTokenizer.from_pretrained(folder)("a storm at night")["input_ids"]
    with torch.inference_mode():
        wanted = theirs.get_text_features(input_ids=torch.tensor([numbers]))
        wanted = getattr(wanted, "pooler_output", wanted)[0]
    found = text_vectors(made, settings)("a storm at night")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted / wanted.norm(), atol=1e-5)
    long = text_vectors(made, settings)("word " * 500)
    assert np.isfinite(long).all()
    # The vectors of the prompts are the classes' directions.
    classes = load_network(made).classifier.weight.detach().numpy()
    fear = text_vectors(made, settings)("a snake")
    np.testing.assert_allclose(classes[1] / np.linalg.norm(classes[1]), fear, atol=1e-5)

    weights = next(folder.glob("*.safetensors"))
    weights.rename(tmp_path / weights.name)
    (tmp_path / "again").mkdir()
    write(tmp_path / "again")
    shutil.copy(tmp_path / "again" / weights.name, weights)
    if weights.read_bytes() != (tmp_path / weights.name).read_bytes():
        with pytest.raises(WeightsError, match="another network now"):
            text_vectors(made, settings)
    shutil.rmtree(folder)
    with pytest.raises(WeightsError, match="not at its place any more"):
        text_vectors(made, settings)


def test_prompts_for_what_knows_no_words_are_told(tmp_path: Path, settings: Settings) -> None:
    write_vision(tmp_path / "vit", "vit")
    with pytest.raises(WeightsError, match="prompts mean nothing to it"):
        add_zero_shot(str(tmp_path / "vit"), "zero", "mikels8", settings, lambda line: None)


def test_prompts_of_a_taxonomy_are_made_for_each_class() -> None:
    taxonomy, prompts = read_prompts("mikels8")
    assert tuple(prompts) == taxonomy.names
    assert "an artwork that evokes awe" in prompts["awe"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "two classes at least"),
        ({"awe": "a"}, "two classes at least"),
        ({"awe": "a", "fear": []}, "'fear' needs between 1 and"),
        ({"awe": "a", "fear": [3]}, "'fear' needs between 1 and"),
        ({"awe": "a", "Awe ": "b"}, "cannot be told apart"),
    ],
)
def test_prompts_that_cannot_be_used_are_told(values: Any, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        check_prompts(values)


def test_prompts_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no file of prompts 'nothing'"):
        read_prompts("nothing")
    (tmp_path / "p.yaml").write_text("awe: [")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_prompts(str(tmp_path / "p.yaml"))


@pytest.mark.parametrize("option", [{"depth": 10**9}, {"block_fn": "x"}, {"img_size": "big"}])
def test_a_card_asks_for_no_transformer_beyond_reason(option: dict[str, Any]) -> None:
    from emoviz.labels import MIKELS8

    network = {"backbone": "vision_transformer", "layers": [], "classes": 8, "options": option}
    with pytest.raises(CheckpointError, match="the option"):
        Card("x", "x", "x", MIKELS8, network, Preprocessing()).check()
