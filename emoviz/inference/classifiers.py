"""Classifiers that others trained, as their own programs write them, through their own steps.

A folder of timm's, of torchvision's or of transformers', or an ONNX graph, with the names of its
classes. Weights are safetensors or a graph: what is pickled is never opened, and no code that a
folder brings is run.

::

    timm           config.json ("architecture", "label_names"), model.safetensors
    torchvision    config.json ("library": "torchvision", "architecture", "label_names"), the same
    transformers   config.json ("model_type", "id2label"), the same, preprocessor_config.json
    ONNX           one .onnx file, its labels, and how images are prepared, as either of the above
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.data.preprocessing import LEAST_CROP, MOST_PIXELS
from emoviz.errors import WeightsError, require_training_packages
from emoviz.memory import available_cores

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CONFIG, PREPROCESSOR = "model.safetensors", "config.json", "preprocessor_config.json"
_LABELS = ("labels.txt", "labels.json")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".joblib")
_NAMELESS = re.compile(r"label_\d+", re.IGNORECASE)
_MOST_BYTES = 2_000_000_000  # of a graph with its arrays inside
_LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_MOST_ARGUMENT = 10_000  # widths, blocks, multipliers: a library may make lists of them
_IMAGENET: Mapping[str, Any] = {
    "input_size": (3, 224, 224),
    "interpolation": "bilinear",
    "crop_pct": 0.875,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}


@dataclass(frozen=True)
class Classifier:
    """Somebody's classifier, ready to answer.

    Attributes:
        title: For people.
        classes: Names, in the order of its outputs.
        fingerprint: 16 hexadecimal digits of all its files.
        answer: RGB image -> (C,) probabilities.
        notes: What was assumed where its folder does not say.
    """

    title: str
    classes: tuple[str, ...]
    fingerprint: str
    answer: Callable[[Image.Image], NDArray[np.float64]]
    notes: tuple[str, ...] = ()


def open_classifier(folder: Path) -> Classifier:
    """The classifier in a folder.

    Raises:
        WeightsError: It is none of the forms above, its weights are pickled or do not fit, or its
            classes have no names.
    """
    if not folder.is_dir():
        raise WeightsError(f"There is no folder '{folder}'.")
    config, graph = _config(folder), _graph(folder)
    if graph is not None:
        return _onnx(folder, graph, config)
    require_training_packages()
    if not (folder / WEIGHTS).is_file():
        raise no_weights(folder, f"{WEIGHTS} and no .onnx file")
    if "model_type" in config:
        return _transformers(folder, config)
    if config.get("library", config.get("library_name")) == "torchvision":
        return _torchvision(folder, config)
    return _timm(folder)


def timm_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder as timm writes it.

    Raises:
        WeightsError: It cannot be read, or names no architecture of timm's.
    """
    import timm

    config = _config(folder)
    architecture = config.get("architecture")
    if not isinstance(architecture, str) or not timm.is_model(architecture):
        kind = f"of the kind '{config.get('model_type')}'" if config else "none"
        raise WeightsError(
            f"'{folder.name}' is no network of timm's ({CONFIG} names the architecture "
            f"{architecture!r}, {kind}). Wanted: a folder as timm writes it."
        )
    return config


def load_weights(folder: Path, name: str = WEIGHTS) -> "dict[str, Tensor]":
    """The arrays of ``model.safetensors`` or of another such file.

    Raises:
        WeightsError: They are not there, are pickled, damaged, or hold what is no number.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (folder / name).is_file():
        raise no_weights(folder, name)
    try:
        arrays = load_file(folder / name)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"'{folder.name}/{name}' is damaged ({error}).") from None
    if not all(bool(array.float().isfinite().all()) for array in arrays.values()):
        raise WeightsError("The weights hold values that are no finite numbers.")
    return arrays


def no_weights(folder: Path, wanted: str) -> WeightsError:
    """What to say of a folder without weights that can be read."""
    pickled = ", ".join(sorted(f.name for f in folder.iterdir() if f.suffix in _PICKLED))
    found = f"weights that are pickled ({pickled}), never opened" if pickled else "none"
    return WeightsError(f"'{folder.name}' has no {wanted}; it holds {found}.")


def _timm(folder: Path) -> Classifier:
    import timm
    from torch import device

    from emoviz.models.bounded import no_larger_than

    config = timm_config(folder)
    classes, arrays = _classes(folder, config), load_weights(folder)
    given = _part(config, "model_args")
    # What says where weights and files come from is not the folder's to say.
    if own := sorted(set(given) & set(signature(timm.create_model).parameters)):
        raise WeightsError(f"'{folder.name}/{CONFIG}' may not set '{own[0]}' of its network.")
    _check_numbers(folder, given, "builds its network", _MOST_ARGUMENT)
    options = {**given, "num_classes": len(classes)}
    try:
        with no_larger_than(arrays), device("meta"), suppress(NotImplementedError):
            timm.create_model(config["architecture"], pretrained=False, **options)
        with no_larger_than(arrays):
            network: Any = timm.create_model(config["architecture"], pretrained=False, **options)
    except WeightsError:
        raise
    except Exception as error:  # a network raises whatever its arguments make it stumble on
        raise WeightsError(f"timm cannot build '{folder.name}': {_first(error)}.") from None
    prepare = _timm_steps(folder, {**config, **_part(config, "pretrained_cfg")})
    title = f"{config['architecture']} (timm)"
    return _of_torch(folder, title, classes, network, prepare, arrays)


def _torchvision(folder: Path, config: Mapping[str, Any]) -> Classifier:
    from torchvision.models import get_model, get_model_weights, list_models

    from emoviz.models.bounded import no_larger_than

    name = str(config.get("architecture", ""))
    if name not in list_models() or "." in name or "/" in name:
        raise WeightsError(f"torchvision has no classifier '{name}' ('{folder.name}/{CONFIG}').")
    classes, arrays = _classes(folder, config), load_weights(folder)
    with no_larger_than(arrays):
        network: Any = get_model(name, weights=None, num_classes=len(classes))
    given = _part(config, "pretrained_cfg")
    prepare = _timm_steps(folder, given) if given else get_model_weights(name).DEFAULT.transforms()
    return _of_torch(folder, f"{name} (torchvision)", classes, network, prepare, arrays)


def _of_torch(
    folder: Path,
    title: str,
    classes: tuple[str, ...],
    network: Any,
    prepare: Any,
    arrays: "Mapping[str, Tensor]",
) -> Classifier:
    """A network of PyTorch with its own weights, one image at a time."""
    import torch

    try:
        network.load_state_dict(arrays)
    except RuntimeError as error:
        raise WeightsError(f"The weights of '{folder.name}' do not fit: {_first(error)}") from None
    network.eval()

    def answer(image: Image.Image) -> NDArray[np.float64]:
        with torch.inference_mode():
            scores = network(prepare(image).unsqueeze(0))[0]
        return _probabilities(scores.double().numpy())

    return _tried(Classifier(title, classes, digest(folder), answer))


def _transformers(folder: Path, config: Mapping[str, Any]) -> Classifier:
    try:
        import torch
        from transformers import AutoModelForImageClassification
        from transformers.utils import logging
    except ImportError:
        raise WeightsError(
            f"'{folder.name}' is a network of transformers, which is not installed here."
        ) from None
    from emoviz.models.bounded import no_larger_than

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    classes = _classes(folder, config)
    if not (folder / PREPROCESSOR).is_file():
        raise WeightsError(f"'{folder.name}' has no {PREPROCESSOR}: how are images prepared?")
    arrays = load_weights(folder)
    try:
        with _no_hub(), no_larger_than(arrays):
            prepare = _processor(folder)
            network, told = AutoModelForImageClassification.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **_LOCAL
            )
    except WeightsError:
        raise
    except Exception as error:  # the library raises whatever a folder makes it stumble on
        raise WeightsError(
            f"transformers cannot open '{folder.name}' ({config.get('model_type')}): "
            f"{_first(error)}"
        ) from None
    if lacking := sorted(told.get("missing_keys", ())):
        raise WeightsError(f"The weights of '{folder.name}' lack '{lacking[0]}'.")
    network.eval()
    several = config.get("problem_type") == "multi_label_classification"

    def answer(image: Image.Image) -> NDArray[np.float64]:
        with torch.inference_mode():
            scores = network(**prepare(images=image, return_tensors="pt")).logits[0].double()
        return _probabilities(scores.numpy(), several)

    notes = ("It scores each class by itself; shares of their sum are taken.",) if several else ()
    title = f"{config.get('model_type')} (transformers)"
    return _tried(Classifier(title, classes, digest(folder), answer, notes))


def _onnx(folder: Path, graph: Path, config: Mapping[str, Any]) -> Classifier:
    import onnxruntime as ort

    from emoviz.errors import CheckpointError
    from emoviz.models.graph_check import check_graph_file

    try:
        check_graph_file(graph, _beside(graph), most=_MOST_BYTES)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = available_cores(), 3
        session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except CheckpointError as error:
        raise WeightsError(str(error)) from None
    except Exception as error:  # the runtime's exceptions share no public base
        raise WeightsError(f"'{graph.name}' cannot be run: {_first(error)}") from None
    taken = session.get_inputs()
    if len(taken) != 1 or len(taken[0].shape) != 4 or taken[0].type != "tensor(float)":
        raise WeightsError(
            f"'{graph.name}' takes {[(i.name, i.shape, i.type) for i in taken]}; wanted one input "
            "(N, 3, H, W) of float32."
        )
    side = taken[0].shape[2]
    classes = _classes(folder, config)
    prepare, notes = _steps(folder, config, side if isinstance(side, int) else None)

    def answer(image: Image.Image) -> NDArray[np.float64]:
        scores = session.run(None, {taken[0].name: prepare(image)[None]})[0]
        return _probabilities(np.asarray(scores, np.float64).reshape(-1))

    title = f"{folder.name if graph.stem == 'model' else graph.stem} (ONNX)"
    return _tried(Classifier(title, classes, digest(folder), answer, notes))


def _steps(
    folder: Path, config: Mapping[str, Any], side: int | None
) -> tuple[Callable[[Image.Image], NDArray[np.float32]], tuple[str, ...]]:
    """How an ONNX graph's images are prepared: as its folder says, else as for ImageNet."""
    require_training_packages()
    if (folder / PREPROCESSOR).is_file():
        try:
            with _no_hub():
                given = _processor(folder)
        except WeightsError:
            raise
        except Exception as error:  # as above
            raise WeightsError(f"'{folder.name}/{PREPROCESSOR}': {_first(error)}") from None
        return lambda image: np.asarray(
            given(images=image, return_tensors="np")["pixel_values"][0], np.float32
        ), ()
    expected, notes = _part(config, "pretrained_cfg"), tuple[str, ...]()
    if not expected:
        expected = {**_IMAGENET, "input_size": (3, side or 224, side or 224)}
        told = "Its folder does not say how images are prepared: taken as for ImageNet (middle of "
        notes = (f"{told}the image, {side or 224} x {side or 224} pixels).",)
    steps = _timm_steps(folder, expected)
    return lambda image: np.asarray(steps(image).numpy(), np.float32), notes


def _processor(folder: Path) -> Any:
    from transformers import AutoImageProcessor

    _check_steps(folder, read_json(folder / PREPROCESSOR))
    return AutoImageProcessor.from_pretrained(folder, **_LOCAL)  # type: ignore[no-untyped-call]


def _timm_steps(folder: Path, expected: Mapping[str, Any]) -> Any:
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    try:
        config: Any = resolve_data_config({}, pretrained_cfg=dict(expected))  # type: ignore[no-untyped-call]
        _check_steps(folder, config)
        return create_transform(**config)
    except WeightsError:
        raise
    except Exception as error:  # as `_tried`
        raise WeightsError(
            f"'{folder.name}/{CONFIG}' does not say how images are prepared: {_first(error)}."
        ) from None


def _check_steps(folder: Path, values: Any) -> None:
    """No step makes an image giant: none has a number in it that only such a step would have."""
    _check_numbers(folder, values, "prepares images", MOST_PIXELS)
    taken = values.get("crop_pct") if isinstance(values, dict) else None
    if isinstance(taken, int | float) and not taken >= LEAST_CROP:
        raise WeightsError(f"'{folder.name}' takes less than {LEAST_CROP} of an image's side.")


def _check_numbers(folder: Path, value: Any, what: str, most: int, name: str = "") -> None:
    """Each number of a configuration is one that somebody may mean."""
    parts = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list | tuple):
        parts = [(name, item) for item in value]
    for key, part in parts:
        _check_numbers(folder, part, what, most, str(key))
    if isinstance(value, int | float) and not abs(value) <= most:
        raise WeightsError(
            f"'{folder.name}' {what} with '{name[:60]}' {str(value)[:20]}; at most {most:,}."
        )


_OFFLINE = threading.RLock()


@contextmanager
def _no_hub() -> Iterator[None]:
    """A folder that names networks of a hub has none asked for."""
    from huggingface_hub import constants

    with _OFFLINE:  # it holds for the whole process
        was, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = was


def _tried(item: Classifier) -> Classifier:
    """The classifier, once it has answered for a grey image with as many numbers as classes."""
    try:
        found = item.answer(Image.new("RGB", (320, 240), (128, 128, 128)))
    except WeightsError:
        raise
    except Exception as error:  # whatever a network stumbles on that does not fit its images
        raise WeightsError(f"{item.title} cannot answer: {_first(error)}") from None
    if found.shape != (len(item.classes),):
        raise WeightsError(
            f"{item.title} gives {found.size} numbers for {len(item.classes)} named classes."
        )
    return item


def _probabilities(scores: NDArray[np.float64], several: bool = False) -> NDArray[np.float64]:
    """(C,) adding up to 1, from logits or from what are probabilities already."""
    if not np.isfinite(scores).all():
        raise WeightsError("Its answer holds what is no number.")
    if several:
        shares = 1 / (1 + np.exp(-scores))
        return np.asarray(shares / shares.sum())
    if (scores >= 0).all() and abs(scores.sum() - 1) < 1e-3:
        return np.asarray(scores / scores.sum())
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def _classes(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes in the order of the outputs."""
    given: Any = config.get("label_names") or _part(config, "pretrained_cfg").get("label_names")
    given = given or config.get("id2label")
    if given is None and (folder / _LABELS[0]).is_file():
        try:
            given = (folder / _LABELS[0]).read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise WeightsError(f"'{folder.name}/{_LABELS[0]}' cannot be read: {error}.") from None
        given = [line.strip() for line in given if line.strip()]
    if given is None and (folder / _LABELS[1]).is_file():
        given = read_json(folder / _LABELS[1])
    if isinstance(given, dict):
        try:
            given = [given[key] for key in sorted(given, key=int)]
        except (TypeError, ValueError):
            given = None
    if not isinstance(given, list) or len(given) < 2 or len(set(map(str, given))) < len(given):
        raise WeightsError(
            f"'{folder.name}' does not name its classes, each once: wanted label_names or id2label "
            f"in {CONFIG}, or {_LABELS[0]} with one name a line."
        )
    names = tuple(str(name).strip() for name in given)
    if all(_NAMELESS.fullmatch(name) for name in names):
        raise WeightsError(
            f"The classes of '{folder.name}' have numbers for names ({names[0]}): write what they "
            f"are into id2label of its {CONFIG}."
        )
    return names


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).is_file():
        return {}
    found = read_json(folder / CONFIG)
    return found if isinstance(found, dict) else {}


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A table within a configuration; an empty one where it is missing or none."""
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def read_json(file: Path) -> Any:
    """What a JSON file of a network's folder holds.

    Raises:
        WeightsError: It cannot be read; the message names folder and file.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"'{file.parent.name}/{file.name}' cannot be read: {error}.") from None


def _beside(graph: Path) -> str:
    """The file that may hold the graph's large arrays, as its writers call it."""
    names = (f"{graph.name}.data", f"{graph.name}_data")
    return next((name for name in names if (graph.parent / name).is_file()), names[0])


def _graph(folder: Path) -> Path | None:
    found = sorted((*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")))
    if len(found) > 1:
        raise WeightsError(
            f"'{folder.name}' holds {len(found)} graphs ({', '.join(f.name for f in found)}); "
            "leave one in it."
        )
    return found[0] if found else None


def digest(folder: Path) -> str:
    """16 hexadecimal digits of the names and bytes of a folder's files."""
    found = hashlib.sha256()
    files = (*folder.glob("*"), *folder.glob("onnx/*"))
    for file in sorted(file for file in files if file.is_file()):
        found.update(os.fsencode(file.relative_to(folder)) + b"\0")
        with file.open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()[:16]


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
