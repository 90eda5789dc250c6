"""Recipes: what a training run is made of, as a small YAML file.

A recipe is validated when it is read: an unknown key or an impossible value is named with its
line and what is allowed.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from emoviz.errors import RecipeError
from emoviz.labels import TAXONOMIES

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


def _number(default: Any, low: float, high: float = float("inf"), open_low: bool = False) -> Any:
    limits = {"low": low, "high": high, "open_low": open_low}
    return field(default=default, metadata=limits)


@dataclass(frozen=True)
class NetworkPart:
    """The network: see `emoviz.models.network.NetworkConfig`.

    Attributes:
        backbone: timm's model name.
        layers: Stages with a Gram module each; an empty list is the plain backbone.
        pretrained: Start from ImageNet weights.
        pooled_dropout: On h before the projection.
        gram_dropout: On the entries of the Gram matrices.
        dropout: On u before the classifier.
        standardise: Train on standardised h, Gram entries and map channels; the fixed mean and
            scale are folded into the following layers at the end, so the finished network is
            the paper's.
    """

    backbone: str = "tf_efficientnet_lite2"
    layers: tuple[int, ...] = (1, 2, 3)
    pretrained: bool = True
    pooled_dropout: float = _number(0.0, 0, 0.95)
    gram_dropout: float = _number(0.0, 0, 0.95)
    dropout: float = _number(0.0, 0, 0.95)
    standardise: bool = False


@dataclass(frozen=True)
class InputPart:
    """How an image becomes the network's input: see `emoviz.data.preprocessing`."""

    size: int = _number(224, 32, 1024)
    fit: Literal["squash", "crop"] = "crop"
    crop: float = _number(0.875, 0.1, 1.0)
    interpolation: Literal["bicubic", "bilinear", "lanczos"] = "bicubic"


@dataclass(frozen=True)
class LossPart:
    """L = L_entropy + beta (L_intra + lambda L_inter); m is the margin.

    Attributes:
        beta: 0 turns the contrastive-center loss off.
        lambda_: Written ``lambda`` in the file.
        margin: m.
        center_spread: Standard deviation of the random centers at the start.
        label_smoothing: Share of each target that is spread over all classes.
    """

    beta: float = _number(0.5, 0)
    lambda_: float = _number(1.0, 0)
    margin: float = _number(5.0, 0, open_low=True)
    center_spread: float = _number(1.0, 0, open_low=True)
    label_smoothing: float = _number(0.0, 0, 0.9)


@dataclass(frozen=True)
class SetPart:
    """How one labelled set takes part; the key in the file is its taxonomy.

    Attributes:
        title: Its name for people, on the card.
        source: Who made it and where it was published, on the card.
        terms: Under which it may be used, on the card.
        weight: Of each of its samples in the loss.
        sharpen: Exponent on the vote shares before they are scaled to 1; above 1 trusts the
            majority more than the votes say.
        sentiment_smoothing: Share of each label's target that is spread evenly over the labels
            with the same sentiment: confusing awe with contentment costs less than with fear.
        center_share: A sample pulls on its class center where the class holds at least this
            share of the votes.
        bridge_weight: Power on the share of the votes that went to labels which the classes
            cover: 0 ignores it, 1 weighs a sample by it.
    """

    title: str = ""
    source: str = ""
    terms: str = ""
    weight: float = _number(1.0, 0, open_low=True)
    sharpen: float = _number(1.0, 0, open_low=True)
    sentiment_smoothing: float = _number(0.0, 0, 1)
    center_share: float = _number(0.5, 0, 1)
    bridge_weight: float = _number(0.0, 0)


@dataclass(frozen=True)
class DataPart:
    """Splits and weights.

    Attributes:
        validation: Share of the groups kept for choosing, calibration and the novelty threshold.
        test: Share of the groups kept for the measures on the card.
        split_seed: Another number gives another split.
        folds: 0 keeps one validation and one test split out of the weights. Otherwise the groups
            are cut into this many folds; networks trained without each fold in turn give the
            measures, the temperature and the novelty threshold, and the finished network is
            trained on every image.
        class_weight_power: 0 treats all samples alike, 1 all classes alike.
        sets: By taxonomy; a set that is not named takes the defaults.
    """

    validation: float = _number(0.1, 0, 0.5)
    test: float = _number(0.15, 0, 0.5)
    split_seed: int = _number(0, 0)
    folds: int = _number(0, 0, 20)
    class_weight_power: float = _number(0.0, 0, 1)
    sets: Mapping[str, SetPart] = field(default_factory=dict)


@dataclass(frozen=True)
class AugmentPart:
    """Random views of a training image.

    Attributes:
        scale: Smallest share of the image's area that a random crop keeps.
        ratio: Largest change of the aspect ratio of a crop, as a factor.
        flip: Mirror half of the views.
        colour: Strength of the brightness, contrast and saturation jitter; emotion depends on
            colour, so keep it small.
        randaugment: Strength of RandAugment with two transformations; 0 turns it off.
        view_seed: Of the random views of ``heads`` phases. It is not the run's seed, so that runs
            with different seeds share one computation of the features.
    """

    scale: float = _number(0.5, 0.05, 1.0)
    ratio: float = _number(1.333, 1.0, 4.0)
    flip: bool = True
    colour: float = _number(0.0, 0, 1)
    randaugment: int = _number(0, 0, 30)
    view_seed: int = _number(0, 0)


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    Attributes:
        train: ``heads`` keeps the backbone frozen and trains on its features, computed once for
            a few views; ``tail`` also trains the backbone behind the last Gram layer, from the
            kept maps of that layer; ``all`` trains the whole network on fresh views.
        first: First module of the backbone that a ``tail`` phase trains, such as ``blocks.5.1``;
            empty for the one right behind the last Gram layer.
        depthwise: Whether a ``tail`` phase trains depthwise filters too: their gradients take
            most of the time on a CPU.
        epochs: Passes over the training images.
        batch: Images a step.
        optimiser: sgd (momentum 0.9, Nesterov), adamw or adagrad.
        learning_rate: Of the modules, the projection and the classifier.
        backbone_learning_rate: Of the backbone, where it is trained.
        center_learning_rate: Of the centers, as a multiple of `learning_rate`.
        weight_decay: Not on the centers, biases and normalisation.
        schedule: ``cosine`` to zero with a tenth of warm-up, ``restarts`` every five epochs down
            to 1e-4 (dissertation), or ``constant``.
        views: Views an image whose features are kept, one plain and the others random (not for
            ``all``).
        positions: Positions of each map that the convolution branch sees in a step (not for
            ``all``); 0 takes whole maps. Evaluation always sees whole maps.
        clip: Gradients are clipped to this L2 norm.
        average: Decay of the running average of the weights that is kept; 0 keeps the last.
        blend: Share of the weights of the phase before that is mixed in at the end.
    """

    train: Literal["heads", "tail", "all"] = "all"
    first: str = ""
    depthwise: bool = True
    epochs: int = _number(20, 1, 10_000)
    batch: int = _number(64, 2, 65_536)
    optimiser: Literal["sgd", "adamw", "adagrad"] = "adamw"
    learning_rate: float = _number(1e-3, 0, 10, open_low=True)
    backbone_learning_rate: float = _number(1e-4, 0, 10)
    center_learning_rate: float = _number(1.0, 0, 1000)
    weight_decay: float = _number(0.0, 0, 1)
    schedule: Literal["cosine", "restarts", "constant"] = "cosine"
    views: int = _number(4, 1, 64)
    positions: int = _number(48, 0, 100_000)
    clip: float = _number(5.0, 0, open_low=True)
    average: float = _number(0.0, 0, 0.99999)
    blend: float = _number(0.0, 0, 0.99)


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    Attributes:
        extends: Name of a recipe whose values hold where this one says nothing.
    """

    name: str = ""
    extends: str = ""
    title: str = ""
    summary: str = ""
    taxonomy: str = "mikels8"
    seed: int = _number(0, 0)
    licence: str = ""
    intended_use: str = ""
    limits: str = ""
    network: NetworkPart = NetworkPart()
    input: InputPart = InputPart()
    loss: LossPart = LossPart()
    data: DataPart = DataPart()
    augment: AugmentPart = AugmentPart()
    phases: tuple[Phase, ...] = (Phase(),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, spelled as in the file."""
        return typing.cast(dict[str, Any], _plain(self))


def load_recipe(name: str, below: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe by its name in ``emoviz/recipes`` or by its path.

    Raises:
        RecipeError: There is none, or it has an unknown key or an impossible value.
    """
    path = Path(name)
    if not path.is_file():
        path = RECIPES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in RECIPES.glob("*.yaml")))
        raise RecipeError(f"There is no recipe '{name}'. Known: {known}; or give a YAML file.")
    if name in below:
        raise RecipeError(f"Recipe '{name}' extends itself, by way of {' and '.join(below)}.")
    try:
        return read_recipe(path.read_text(encoding="utf-8"), path.name, (*below, name))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"Recipe '{path}' cannot be read: {error}.") from None


def read_recipe(text: str, name: str = "recipe", below: tuple[str, ...] = ()) -> Recipe:
    """Validate a recipe's text; see `load_recipe`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from None
    if node is None:
        raise RecipeError(f"{name} is empty.")
    recipe = typing.cast(Recipe, _Reader(name).read(node, Recipe, "the recipe"))
    if recipe.extends:
        merged = _merged(load_recipe(recipe.extends, below).to_dict(), yaml.safe_load(text))
        node = yaml.compose(yaml.safe_dump({**merged, "extends": ""}), Loader=yaml.SafeLoader)
        assert node is not None
        recipe = typing.cast(Recipe, _Reader(name).read(node, Recipe, "the recipe"))
    if recipe.taxonomy not in TAXONOMIES:
        raise RecipeError(
            f"{name}: taxonomy is '{recipe.taxonomy}'; allowed: {', '.join(TAXONOMIES)}."
        )
    return recipe


_NO_LIMITS: Mapping[str, Any] = types.MappingProxyType({})


def _merged(base: Any, over: Any) -> Any:
    """Blocks are merged key by key; single values and lists are replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: _merged(base.get(key), value) for key, value in over.items()}}


class _Reader:
    """Turns YAML nodes into dataclasses, with the line of whatever does not fit."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(
        self, node: yaml.Node, kind: Any, key: str, limits: Mapping[str, Any] = _NO_LIMITS
    ) -> Any:
        if dataclasses.is_dataclass(kind):
            return self._dataclass(node, kind, key)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is tuple:
            return self._tuple(node, arguments[0], key)
        if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(node, arguments[1], key)
        return self._scalar(node, kind, key, limits)

    def _dataclass(self, node: yaml.Node, kind: Any, key: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"{key} must be a block of keys")
        fields = {_spelled(item.name): item for item in dataclasses.fields(kind)}
        types_ = typing.get_type_hints(kind)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = str(key_node.value)
            if name not in fields:
                self._fail(key_node, f"{key} has no key '{name}'; allowed: {', '.join(fields)}")
            item = fields[name]
            values[item.name] = self.read(value_node, types_[item.name], name, item.metadata)
        return kind(**values)

    def _tuple(self, node: yaml.Node, kind: Any, key: str) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self._fail(node, f"{key} must be a list")
        items = node.value
        return tuple(self.read(item, kind, key) for item in items)

    def _mapping(self, node: yaml.Node, kind: Any, key: str) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"{key} must be a block of keys")
        pairs = node.value
        for key_node, _ in pairs:
            if key_node.value not in TAXONOMIES:
                self._fail(key_node, f"'{key_node.value}' is no taxonomy; {', '.join(TAXONOMIES)}")
        return {str(k.value): self.read(v, kind, str(k.value)) for k, v in pairs}

    def _scalar(self, node: yaml.Node, kind: Any, key: str, limits: Mapping[str, Any]) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, f"{key} must be a single value")
        value = yaml.safe_load(str(node.value)) if kind is not str else str(node.value)
        if get_origin(kind) in (Literal, types.UnionType):
            if value not in get_args(kind):
                self._fail(node, f"{key} is '{value}'; allowed: {', '.join(get_args(kind))}")
            return value
        if kind is float:
            value = self._float(node, key, value)
        if type(value) is not kind:
            self._fail(node, f"{key} is '{node.value}'; wanted: {_KINDS[kind]}")
        if limits:
            self._check_limits(node, key, typing.cast(float, value), limits)
        return value

    def _float(self, node: yaml.Node, key: str, value: Any) -> float:
        if isinstance(value, bool):
            self._fail(node, f"{key} is '{node.value}'; wanted: a number")
        try:
            return float(value)  # YAML 1.1 reads 1e-3 as a text
        except (TypeError, ValueError):
            self._fail(node, f"{key} is '{node.value}'; wanted: a number")

    def _check_limits(
        self, node: yaml.Node, key: str, value: float, limits: Mapping[str, Any]
    ) -> None:
        low, high, is_open = limits["low"], limits["high"], limits["open_low"]
        if not (low < value if is_open else low <= value) or not value <= high:
            words = f"above {low:g}" if is_open else f"at least {low:g}"
            words += "" if high == float("inf") else f" and at most {high:g}"
            self._fail(node, f"{key} is {value:g}; allowed: {words}")

    def _fail(self, node: yaml.Node, message: str) -> typing.NoReturn:
        raise RecipeError(f"{self._name}, line {node.start_mark.line + 1}: {message}.")


_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _spelled(name: str) -> str:
    return name.rstrip("_")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            _spelled(item.name): _plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
