"""Encoders from the forms in which the field hands them on.

::

    timm           config.json (architecture)             model.safetensors
    transformers   config.json (model_type)               model.safetensors and
                                                          preprocessor_config.json
    open_clip      open_clip_config.json                  open_clip_model.safetensors

The last two hold vision transformers under names of their own; here they become timm's
`VisionTransformer`, which gives the same vectors (tested against transformers itself), so that
neither package is needed where a checkpoint is used. Pickled weights are never opened, and nothing
of what a folder calls its code is run.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from emoviz.data.preprocessing import MOST_PIXELS, Preprocessing
from emoviz.errors import CheckpointError, WeightsError
from emoviz.inference.classifiers import (
    CONFIG,
    PREPROCESSOR,
    WEIGHTS,
    load_weights,
    read_json,
    timm_config,
)
from emoviz.models.backbones import VISION_TRANSFORMER, Backbone
from emoviz.models.bounded import no_larger_than
from emoviz.plugins import PluginError, Registry

OPEN_CLIP_WEIGHTS, OPEN_CLIP_CONFIG = "open_clip_model.safetensors", "open_clip_config.json"
_RESAMPLING = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


@dataclass(frozen=True)
class Encoder:
    """A network's weights and what they expect.

    Attributes:
        architecture: timm's name, or ``vision_transformer``.
        arrays: Its state without a classifier, under timm's names.
        preprocessing: How an image becomes its input.
        source: Where the weights are from, for the card.
        options: Of a ``vision_transformer``; see `Backbone`.
        kind: What its folder calls it, for people.
        clip: What a zero-shot classifier needs; None where it is no CLIP with a text tower.
    """

    architecture: str
    arrays: Mapping[str, Tensor]
    preprocessing: Preprocessing
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    clip: "Clip | None" = None

    @property
    def name(self) -> str:
        """For people: timm's name, or the kind and its size."""
        if not self.options:
            return self.architecture
        o = self.options
        return f"{self.kind} ({o['depth']} blocks of width {o['embed_dim']}, {o['patch_size']} px)"


@dataclass(frozen=True)
class Clip:
    """What joins the two towers of a CLIP.

    Attributes:
        folder: With its tokenizer.
        projection: (E, C*) of the pooled image vector.
        scale: By which a cosine becomes a logit.
        text: The text tower's arrays under transformers' names.
        text_config: Arguments of transformers' ``CLIPTextConfig``.
    """

    folder: Path
    projection: Tensor
    scale: float
    text: Mapping[str, Tensor]
    text_config: Mapping[str, Any]


@dataclass(frozen=True)
class EncoderForm:
    """One form of folder.

    Attributes:
        reads: Whether a folder is of this form.
        read: The encoder in it; raises `WeightsError` where it cannot be had.
    """

    reads: Callable[[Path], bool]
    read: Callable[[Path], Encoder]


def read_encoder(place: str) -> Encoder:
    """An encoder by ``timm:NAME``, ``hf-hub:OWNER/NAME`` (timm's form) or a folder.

    Raises:
        WeightsError: It is not there, is of no form that is known, asks for code of its own, or
            its weights are pickled or do not fit; the message says what was found.
        PluginError: Its form is a plug-in's, which failed.
    """
    if place.startswith(("timm:", "hf-hub:")):
        return _from_hub(place)
    folder = Path(place)
    if not folder.is_dir():
        raise WeightsError(
            f"There is no folder '{place}'. Wanted: a folder, timm:NAME or hf-hub:NAME."
        )
    for name in FORMS:
        if _reads(name, folder):
            return _bounded(FORMS.guarded(name, partial(FORMS[name].read, folder)))
    config = _table(folder, CONFIG)
    raise WeightsError(
        f"'{folder.name}' is no network that can be brought in: {CONFIG} names the kind "
        f"'{config.get('model_type') or config.get('architecture')}'. Wanted: a folder of the form "
        f"{', '.join(FORMS)}; of transformers the kinds are {', '.join(_TRANSFORMERS)}. Most "
        "others (SigLIP, DINOv3, Swin, ConvNeXt, BEiT, ResNet) timm has in a form of its own: "
        "bring that."
    )


def _bounded(encoder: Encoder) -> Encoder:
    """The encoder, once the network that its folder asks for is no larger than its weights."""
    try:
        with torch.device("meta"), no_larger_than(encoder.arrays):
            Backbone(encoder.architecture, (), encoder.options)
    except WeightsError:
        raise
    except Exception:  # whatever else is wrong with it is told where it is built for use
        logging.getLogger(__name__).debug("%s is none", encoder.name, exc_info=True)
    return encoder


def _reads(name: str, folder: Path) -> bool:
    """Whether a form reads a folder; a plug-in that fails over it does not, and is named."""
    try:
        return FORMS.guarded(name, lambda: FORMS[name].reads(folder))
    except PluginError as error:
        logging.getLogger(__name__).warning("%s", error)
        return False


def _is_timm(folder: Path) -> bool:
    architecture = _config(folder).get("architecture")
    return isinstance(architecture, str) and timm.is_model(architecture)


def _from_timm(folder: Path) -> Encoder:
    config = timm_config(folder)
    arrays, digest = _arrays(folder, WEIGHTS)
    expected = {**config, **config.get("pretrained_cfg", {})}
    source = _source(config["architecture"], folder, digest)
    return Encoder(config["architecture"], arrays, _preprocessing(expected), source)


def _config(folder: Path) -> dict[str, Any]:
    return _table(folder, CONFIG) if (folder / CONFIG).is_file() else {}


def _source(what: str, folder: Path, digest: str) -> str:
    return f"{what} in the folder '{folder.name}', sha256 {digest[:16]}"


def _table(folder: Path, name: str) -> dict[str, Any]:
    values = read_json(folder / name)
    if not isinstance(values, dict):
        raise WeightsError(f"'{folder.name}/{name}' holds no table of names and values.")
    return values


def _arrays(folder: Path, name: str) -> tuple[dict[str, Tensor], str]:
    """Arrays in float32 and the file's SHA-256."""
    arrays = load_weights(folder, name)
    whole = {k: v.float() if v.is_floating_point() else v for k, v in arrays.items()}
    with (folder / name).open("rb") as file:
        return whole, hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(place: str) -> Encoder:
    name = place.removeprefix("timm:")
    if place.startswith("timm:") and not timm.is_model(name):
        raise WeightsError(f"timm {timm.__version__} has no network '{name}'.")
    try:
        model: Any = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # each of the hub's clients has errors of its own
        raise WeightsError(
            f"'{place}' cannot be fetched here ({type(error).__name__}). Where the hub is not "
            "reached, bring its folder."
        ) from error
    expected = dict(model.pretrained_cfg)
    architecture = str(expected.get("architecture") or name)
    return Encoder(architecture, model.state_dict(), _preprocessing(expected), place)


def _preprocessing(expected: Mapping[str, Any]) -> Preprocessing:
    """From timm's ``pretrained_cfg``."""
    made = {
        "size": int((expected.get("input_size") or (3, 224, 224))[1]),
        "fit": "crop",
        "crop": float(expected.get("crop_pct") or 0.875),
        "interpolation": str(expected.get("interpolation") or "bicubic"),
        "mean": tuple(expected.get("mean") or (0.485, 0.456, 0.406)),
        "std": tuple(expected.get("std") or (0.229, 0.224, 0.225)),
    }
    return Preprocessing.from_dict(made)


def _from_transformers(folder: Path) -> Encoder:
    config = _config(folder)
    kind = str(config["model_type"])
    if "auto_map" in config:
        raise WeightsError(
            f"'{folder.name}' asks for code of its own (auto_map in {CONFIG}), which is never run. "
            "Bring a network of a kind that transformers itself has."
        )
    vision = {**config, **config.get("vision_config", {})} if kind == "clip" else config
    preprocessing = _processor(folder, _table(folder, PREPROCESSOR))
    given, digest = _arrays(folder, WEIGHTS)
    try:
        options = _TRANSFORMERS[kind](vision)
        arrays = _renamed(
            given, _NAMES, ("vit.", "dinov2.", "dinov2_with_registers.", "vision_model.")
        )
        arrays = _joined(arrays)
        if kind.startswith("dinov2"):
            options, arrays = _dinov2(options, arrays, preprocessing.size)
        _check_sizes(options, arrays)
        clip = _clip(folder, config, given) if kind == "clip" else None
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(
            f"'{folder.name}' lacks or misstates a part of its {kind} "
            f"({type(error).__name__}: {error})."
        ) from None
    if options["img_size"] != preprocessing.size:
        raise WeightsError(
            f"'{folder.name}' takes images of {options['img_size']} pixels ({CONFIG}), but "
            f"{PREPROCESSOR} makes {preprocessing.size}. Bring the two that belong together."
        )
    source = _source(kind, folder, digest)
    return Encoder(VISION_TRANSFORMER, arrays, preprocessing, source, options, kind, clip)


def _processor(folder: Path, values: Mapping[str, Any]) -> Preprocessing:
    """From what transformers' image processors write."""
    try:
        size, crop = values["size"], values.get("crop_size", values["size"])
        short = _side(size)
        cuts = bool(values.get("do_center_crop", False))
        side = _side(crop) if cuts else short
        made = {
            "size": side,
            # A short side alone without a cut would give oblongs; the middle is what fits.
            "fit": "crop" if cuts or _has_short_edge(size) else "squash",
            "crop": min(1.0, side / short),
            "interpolation": _RESAMPLING[int(values.get("resample", 2))],
            "mean": tuple(values["image_mean"]),
            "std": tuple(values["image_std"]),
        }
        if not values.get("do_normalize", True):
            made |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        return Preprocessing.from_dict(made)
    except (KeyError, TypeError, ValueError, CheckpointError) as error:
        raise WeightsError(
            f"'{folder.name}/{PREPROCESSOR}' does not say how an image becomes an input "
            f"({type(error).__name__}: {error})."
        ) from None


def _has_short_edge(size: Any) -> bool:
    return isinstance(size, Mapping) and "shortest_edge" in size


def _side(size: Any) -> int:
    if isinstance(size, Mapping):
        if size.get("height") != size.get("width"):
            raise ValueError(f"{size['height']} x {size['width']} is no square")
        size = size.get("shortest_edge") or size["height"]
    if int(size) > MOST_PIXELS:
        raise ValueError(f"{size} pixels a side, of {MOST_PIXELS} at most")
    return int(size)


def _vit(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "img_size": int(config["image_size"]),
        "patch_size": int(config["patch_size"]),
        "embed_dim": int(config["hidden_size"]),
        "depth": int(config["num_hidden_layers"]),
        "num_heads": int(config["num_attention_heads"]),
        "mlp_ratio": config["intermediate_size"] / config["hidden_size"],
        "qkv_bias": bool(config.get("qkv_bias", True)),
        "act_layer": str(config.get("hidden_act", "gelu")),
        "norm_eps": float(config.get("layer_norm_eps", 1e-12)),
    }


def _clip_vision(config: Mapping[str, Any]) -> dict[str, Any]:
    usual = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 224,
        "patch_size": 32,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    }  # what configurations of transformers leave out
    return {**_vit({**usual, **config}), "qkv_bias": True, "pre_norm": True}


def _dinov2_config(config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("use_swiglu_ffn"):
        raise ValueError("its blocks have SwiGLU, which is not brought in")
    width = int(config["hidden_size"])
    made = _vit(
        {"layer_norm_eps": 1e-6, **config, "intermediate_size": config["mlp_ratio"] * width}
    )
    registers = int(config.get("num_register_tokens", 0))
    return {**made, "init_values": 1.0, "reg_tokens": registers, "no_embed_class": True}


_TRANSFORMERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "vit": _vit,
    "clip": _clip_vision,
    "clip_vision_model": _clip_vision,
    "dinov2": _dinov2_config,
    "dinov2_with_registers": _dinov2_config,
}
# transformers' names and timm's; what has no name here (a pooler, a classifier) is left out.
_NAMES = {
    r"embeddings\.cls_token": "cls_token",
    r"embeddings\.class_embedding": "cls_token",
    r"embeddings\.register_tokens": "reg_token",
    r"embeddings\.position_embeddings": "pos_embed",
    r"embeddings\.position_embedding\.weight": "pos_embed",
    r"embeddings\.patch_embeddings\.projection\.(\w+)": r"patch_embed.proj.\1",
    r"embeddings\.patch_embedding\.(\w+)": r"patch_embed.proj.\1",
    r"pre_layrnorm\.(\w+)": r"norm_pre.\1",
    r"(?:post_)?layernorm\.(\w+)": r"norm.\1",
    r"encoder\.layers?\.(\d+)\.(?:layernorm_before|(?:layer_)?norm1)\.(\w+)": r"blocks.\1.norm1.\2",
    r"encoder\.layers?\.(\d+)\.(?:layernorm_after|(?:layer_)?norm2)\.(\w+)": r"blocks.\1.norm2.\2",
    r"encoder\.layer\.(\d+)\.attention\.attention\.(q|k|v)\w*\.(\w+)": r"blocks.\1.attn.\2.\3",
    r"encoder\.layers\.(\d+)\.self_attn\.(q|k|v)_proj\.(\w+)": r"blocks.\1.attn.\2.\3",
    r"encoder\.layer\.(\d+)\.attention\.output\.dense\.(\w+)": r"blocks.\1.attn.proj.\2",
    r"encoder\.layers\.(\d+)\.self_attn\.out_proj\.(\w+)": r"blocks.\1.attn.proj.\2",
    r"encoder\.layer\.(\d+)\.intermediate\.dense\.(\w+)": r"blocks.\1.mlp.fc1.\2",
    r"encoder\.layer\.(\d+)\.output\.dense\.(\w+)": r"blocks.\1.mlp.fc2.\2",
    r"encoder\.layers?\.(\d+)\.mlp\.(fc1|fc2)\.(\w+)": r"blocks.\1.mlp.\2.\3",
    r"encoder\.layer\.(\d+)\.layer_scale(\d)\.lambda1": r"blocks.\1.ls\2.gamma",
}
_OPEN_CLIP_NAMES = {
    r"visual\.class_embedding": "cls_token",
    r"visual\.positional_embedding": "pos_embed",
    r"visual\.conv1\.(\w+)": r"patch_embed.proj.\1",
    r"visual\.ln_pre\.(\w+)": r"norm_pre.\1",
    r"visual\.ln_post\.(\w+)": r"norm.\1",
    r"visual\.transformer\.resblocks\.(\d+)\.ln_(\d)\.(\w+)": r"blocks.\1.norm\2.\3",
    r"visual\.transformer\.resblocks\.(\d+)\.attn\.in_proj_(\w+)": r"blocks.\1.attn.qkv.\2",
    r"visual\.transformer\.resblocks\.(\d+)\.attn\.out_proj\.(\w+)": r"blocks.\1.attn.proj.\2",
    r"visual\.transformer\.resblocks\.(\d+)\.mlp\.c_fc\.(\w+)": r"blocks.\1.mlp.fc1.\2",
    r"visual\.transformer\.resblocks\.(\d+)\.mlp\.c_proj\.(\w+)": r"blocks.\1.mlp.fc2.\2",
}
_OPEN_CLIP_TEXT = {
    r"positional_embedding": "embeddings.position_embedding.weight",
    r"token_embedding\.weight": "embeddings.token_embedding.weight",
    r"ln_final\.(\w+)": r"final_layer_norm.\1",
    r"transformer\.resblocks\.(\d+)\.ln_(\d)\.(\w+)": r"encoder.layers.\1.layer_norm\2.\3",
    r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(\w+)": r"encoder.layers.\1.self_attn.qkv.\2",
    r"transformer\.resblocks\.(\d+)\.attn\.out_proj\.(\w+)": (
        r"encoder.layers.\1.self_attn.out_proj.\2"
    ),
    r"transformer\.resblocks\.(\d+)\.mlp\.c_fc\.(\w+)": r"encoder.layers.\1.mlp.fc1.\2",
    r"transformer\.resblocks\.(\d+)\.mlp\.c_proj\.(\w+)": r"encoder.layers.\1.mlp.fc2.\2",
}


def _renamed(
    given: Mapping[str, Tensor], names: Mapping[str, str], prefixes: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    made = {}
    for key, value in given.items():
        short = key
        for prefix in prefixes:
            short = short.removeprefix(prefix)
        for pattern, name in names.items():
            if (match := re.fullmatch(pattern, short)) is not None:
                made[match.expand(name)] = value
    return made


def _joined(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values as timm has them, in one; tokens and positions with a batch axis."""
    queries = [key for key in arrays if re.fullmatch(r"blocks\.\d+\.attn\.q\.\w+", key)]
    for key in queries:
        block, part = key.split(".q.")
        parts = [arrays.pop(f"{block}.{name}.{part}") for name in "qkv"]
        arrays[f"{block}.qkv.{part}"] = torch.cat(parts)
    arrays["cls_token"] = arrays["cls_token"].reshape(1, 1, -1)
    arrays["pos_embed"] = arrays["pos_embed"].reshape(1, -1, arrays["cls_token"].shape[2])
    return arrays


def _check_sizes(options: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> None:
    """No network is made of sizes that the weights do not have: a file may claim any."""
    width, hidden = options["embed_dim"], arrays["blocks.0.mlp.fc1.weight"].shape[0]
    blocks = {name.split(".")[1] for name in arrays if name.startswith("blocks.")}
    tokens = (options["img_size"] // options["patch_size"]) ** 2
    positions = arrays["pos_embed"].shape[1]
    for what, said, held in (
        ("width", width, arrays["cls_token"].shape[2]),
        ("number of blocks", options["depth"], len(blocks)),
        ("width inside the blocks", int(width * options["mlp_ratio"]), hidden),
        ("number of patches", tokens, positions - (positions == tokens + 1)),  # the class token
    ):
        if said != held:
            raise ValueError(f"the {what} is {said} by its configuration and {held} by its weights")


def _dinov2(
    options: dict[str, Any], arrays: dict[str, Tensor], side: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Positions for the processor's image size, as the network itself interpolates them."""
    from timm.layers.pos_embed import resample_abs_pos_embed

    positions = arrays["pos_embed"]
    arrays["cls_token"] = arrays["cls_token"] + positions[:, :1]
    arrays["pos_embed"] = positions[:, 1:]
    if side != options["img_size"]:
        rows = side // options["patch_size"]
        arrays["pos_embed"] = resample_abs_pos_embed(
            positions[:, 1:], [rows, rows], num_prefix_tokens=0
        )
    return {**options, "img_size": side}, arrays


def _clip(folder: Path, config: Mapping[str, Any], given: Mapping[str, Tensor]) -> Clip:
    text = {
        k.removeprefix("text_model."): v for k, v in given.items() if k.startswith("text_model.")
    }
    text["text_projection.weight"] = given["text_projection.weight"]
    wanted = {
        **config.get("text_config", {}),
        "projection_dim": len(given["visual_projection.weight"]),
    }
    scale = float(given["logit_scale"].exp())
    return Clip(folder, given["visual_projection.weight"], scale, text, wanted)


# Parts of open_clip's vision towers that change nothing where they are as here.
_PLAIN = {
    "attentional_pool": False,
    "final_ln_after_pool": False,
    "global_average_pool": False,
    "input_patchnorm": False,
    "ls_init_value": None,
    "no_ln_pre": False,
    "pool_type": "tok",
    "pos_embed_type": "learnable",
}
_KNOWN = {"image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio", "patch_dropout"}


def _from_open_clip(folder: Path) -> Encoder:
    values = _table(folder, OPEN_CLIP_CONFIG)
    given, digest = _arrays(folder, OPEN_CLIP_WEIGHTS)
    try:
        config = values["model_cfg"]
        vision, how = config["vision_cfg"], values["preprocess_cfg"]
        act = "quick_gelu" if config.get("quick_gelu") else "gelu"
        other = [k for k, v in vision.items() if k not in _KNOWN and v != _PLAIN.get(k, object())]
        if other or not isinstance(vision["layers"], int):
            raise ValueError(f"its image tower has {', '.join(other) or 'no blocks of one width'}")
        preprocessing = _open_clip_preprocessing(how, int(vision["image_size"]))
        options = {
            "img_size": int(vision["image_size"]),
            "patch_size": int(vision["patch_size"]),
            "embed_dim": int(vision["width"]),
            "depth": vision["layers"],
            "num_heads": vision["width"] // vision.get("head_width", 64),
            "mlp_ratio": float(vision.get("mlp_ratio", 4.0)),
            "qkv_bias": True,
            "pre_norm": True,
            "act_layer": act,
            "norm_eps": 1e-5,
        }
        arrays = _joined(_renamed(given, _OPEN_CLIP_NAMES))
        _check_sizes(options, arrays)
        clip = _open_clip_text(folder, config, given, act)
    except (
        *(KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError),
        CheckpointError,
    ) as error:
        raise WeightsError(
            f"'{folder.name}' is no CLIP with a vision transformer that can be brought in "
            f"({type(error).__name__}: {error}). Wanted: open_clip's plain ViT."
        ) from None
    source = _source("CLIP", folder, digest)
    return Encoder(VISION_TRANSFORMER, arrays, preprocessing, source, options, "CLIP", clip)


def _open_clip_preprocessing(how: Mapping[str, Any], side: int) -> Preprocessing:
    modes = {"shortest": "crop", "squash": "squash"}
    return Preprocessing.from_dict(
        {
            "size": side,
            "fit": modes[how.get("resize_mode", "shortest")],
            "interpolation": how.get("interpolation", "bicubic"),
            "mean": tuple(how["mean"]),
            "std": tuple(how["std"]),
        }
    )


def _open_clip_text(
    folder: Path, config: Mapping[str, Any], given: Mapping[str, Tensor], act: str
) -> Clip | None:
    """None where the text tower is none of CLIP's own; the image tower serves all the same."""
    text = config.get("text_cfg", {})
    if "text_projection" not in given or "hf_model_name" in text:
        return None
    arrays = _renamed(given, _OPEN_CLIP_TEXT)
    for key in [key for key in arrays if ".qkv." in key]:
        for name, part in zip("qkv", arrays.pop(key).chunk(3), strict=True):
            arrays[key.replace(".qkv.", f".{name}_proj.")] = part
    arrays["text_projection.weight"] = given["text_projection"].T.contiguous()
    wanted = {
        "hidden_size": text["width"],
        "num_hidden_layers": text["layers"],
        "num_attention_heads": text["heads"],
        "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4)),
        "vocab_size": text["vocab_size"],
        "bos_token_id": text["vocab_size"] - 2,
        "eos_token_id": text["vocab_size"] - 1,  # the largest number, where open_clip pools
        "max_position_embeddings": text["context_length"],
        "projection_dim": config["embed_dim"],
        "hidden_act": act,
        "layer_norm_eps": 1e-5,
    }
    projection = given["visual.proj"].T.contiguous()
    return Clip(folder, projection, float(given["logit_scale"].exp()), arrays, wanted)


FORMS = Registry(
    "emoviz.encoders",
    EncoderForm,
    {
        "open_clip": EncoderForm(
            lambda folder: (folder / OPEN_CLIP_CONFIG).is_file(), _from_open_clip
        ),
        "timm": EncoderForm(_is_timm, _from_timm),
        "transformers": EncoderForm(
            lambda folder: _config(folder).get("model_type") in _TRANSFORMERS, _from_transformers
        ),
    },
)
