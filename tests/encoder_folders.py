"""Small encoders of random weights in the files that transformers and open_clip write."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

SIDE = 32
_BODY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": 8,
}
_KINDS: dict[str, Any] = {
    "vit": (transformers.ViTModel, transformers.ViTConfig, {"intermediate_size": 64}),
    "vit-classifier": (
        transformers.ViTForImageClassification,
        transformers.ViTConfig,
        {"intermediate_size": 96, "qkv_bias": False},
    ),
    "clip_vision_model": (
        transformers.CLIPVisionModel,
        transformers.CLIPVisionConfig,
        {"intermediate_size": 64},
    ),
    "dinov2": (transformers.Dinov2Model, transformers.Dinov2Config, {"mlp_ratio": 2}),
    "dinov2_with_registers": (
        transformers.Dinov2WithRegistersModel,
        transformers.Dinov2WithRegistersConfig,
        {"mlp_ratio": 2, "num_register_tokens": 3},
    ),
}


def write_vision(folder: Path, kind: str, **changes: Any) -> Any:
    """A vision network of transformers; the network itself comes back."""
    model_type, config_type, more = _KINDS[kind]
    model = _shaken(model_type(config_type(**{**_BODY, **more, **changes})))
    model.save_pretrained(folder)
    write_processor(folder)
    return model


def write_processor(folder: Path, side: int = SIDE, **changes: Any) -> None:
    """How an image becomes an input, as transformers' processors write it."""
    values = {
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "crop_size": {"height": side, "width": side},
        "size": {"shortest_edge": side},
        "resample": 3,
        "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps({**values, **changes}))


def write_clip(folder: Path) -> Any:
    """A CLIP of both towers with its tokenizer; the network itself comes back."""
    tokenizer = _tokenizer()
    last = len(tokenizer) - 1
    text = {
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 40,
        "bos_token_id": last - 1,
        "eos_token_id": last,
        "pad_token_id": last,
    }
    config = transformers.CLIPConfig(
        text_config=text,
        vision_config={**_BODY, "intermediate_size": 64},
        projection_dim=16,
    )
    model = _shaken(transformers.CLIPModel(config))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_processor(folder)
    return model


def write_open_clip(folder: Path) -> Any:
    """The same CLIP in open_clip's form; that of transformers comes back."""
    model = write_clip(folder)
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    (folder / "preprocessor_config.json").unlink()
    state = {k: v.detach().clone() for k, v in model.state_dict().items()}
    arrays = {
        "logit_scale": state["logit_scale"],
        "text_projection": state["text_projection.weight"].T.contiguous(),
        "visual.proj": state["visual_projection.weight"].T.contiguous(),
        "visual.class_embedding": state["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": state["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": state["vision_model.embeddings.patch_embedding.weight"],
        "positional_embedding": state["text_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": state["text_model.embeddings.token_embedding.weight"],
    }
    norms = (
        ("visual.ln_pre", "vision_model.pre_layrnorm"),
        ("visual.ln_post", "vision_model.post_layernorm"),
        ("ln_final", "text_model.final_layer_norm"),
    )
    for new, old in norms:
        arrays |= {f"{new}.{part}": state[f"{old}.{part}"] for part in ("weight", "bias")}
    for new, old in (("visual.transformer", "vision_model"), ("transformer", "text_model")):
        for i in range(2):
            block, layer = f"{new}.resblocks.{i}", f"{old}.encoder.layers.{i}"
            for part in ("weight", "bias"):
                heads = [state[f"{layer}.self_attn.{x}_proj.{part}"] for x in "qkv"]
                arrays[f"{block}.attn.in_proj_{part}"] = torch.cat(heads)
                arrays[f"{block}.attn.out_proj.{part}"] = state[
                    f"{layer}.self_attn.out_proj.{part}"
                ]
                arrays[f"{block}.mlp.c_fc.{part}"] = state[f"{layer}.mlp.fc1.{part}"]
                arrays[f"{block}.mlp.c_proj.{part}"] = state[f"{layer}.mlp.fc2.{part}"]
                for n in "12":
                    arrays[f"{block}.ln_{n}.{part}"] = state[f"{layer}.layer_norm{n}.{part}"]
    save_file(arrays, folder / "open_clip_model.safetensors")
    text = model.config.text_config
    config = {
        "model_cfg": {
            "embed_dim": 16,
            "quick_gelu": True,
            "vision_cfg": {
                "image_size": SIDE,
                "layers": 2,
                "width": 32,
                "head_width": 8,
                "patch_size": 8,
                "mlp_ratio": 2.0,
            },
            "text_cfg": {
                "context_length": 40,
                "vocab_size": text.vocab_size,
                "width": 24,
                "heads": 2,
                "layers": 2,
                "mlp_ratio": 2.0,
            },
        },
        "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return model


def _shaken(model: Any) -> Any:
    """With weights that no part of the network leaves as they were at first (zeros and ones)."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def _tokenizer() -> Any:
    """CLIP's, with letters alone: nothing is merged."""
    letters = [chr(n) for n in range(33, 127)]
    names = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {name: i for i, name in enumerate([*names, "<|startoftext|>", "<|endoftext|>"])}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[])
