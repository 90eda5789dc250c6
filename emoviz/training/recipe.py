"""Recipes: what a training run is made of, as a small YAML file.

`emoviz.training.recipe_loading` reads and checks them.
"""

import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emoviz.labels import Taxonomy, get_taxonomy, own_taxonomy
from emoviz.recipe_reading import (
    number,
    plain,
)
from emoviz.training.trackers import TrackerName


@dataclass(frozen=True)
class NetworkPart:
    """The network: see `emoviz.models.network.NetworkConfig`.

    Attributes:
        backbone: timm's model name.
        layers: Where Gram modules stand: a stage by its number, as in timm's ``out_indices``, or
            a part of the network by its name, such as ``blocks.2.1.conv_pwl``; an empty list is
            the plain backbone.
        module: ``additive`` adds the two branches (dissertation 4.2), ``multiplicative``
            multiplies them (IJCCC 2024), ``gathered`` takes all layers through dense layers to
            the backbone's width (Zhang et al.).
        parallel: k modules side by side on each layer (IJCCC 2024).
        reduce: A 1x1 convolution to so many channels in front of each module, because the dense
            layer behind a Gram matrix grows with the cube of the channels; 0 leaves it out.
            Another network than the papers'.
        pretrained: Start from ImageNet weights.
        weights: Folder with weights for the backbone as timm writes them (``config.json`` and
            ``model.safetensors``), instead of those of a package or the model hub.
        start: Id or folder of a checkpoint whose weights the training begins with, instead of
            ImageNet's: its backbone, and of the rest what has the same shape; classifier and
            centers only where the classes are the same. Empty begins without one.
        pooled_dropout: On h before the projection.
        pooled_activation: On h before the projection: ``leaky_relu`` has slope 0.2 (IJCCC 2024).
        gram_dropout: On the entries of the Gram matrices.
        dropout: On u before the classifier.
        standardise: Train on standardised h, Gram entries and map channels; the fixed mean and
            scale are folded into the following layers at the end, so the finished network is
            the paper's.
        kinds: Kinds of image (photograph, abstract painting, ...) that p and z depend on, told by
            the network itself (`emoviz.models.network.KindGate`); the training images say theirs,
            or `data.sets` does. Empty for the papers' networks.
        kinds_from: What it tells them from: ``pooled``, which is h, or ``both``, h and textures.
        linear_start: A ridge penalty for each kind: the heads begin as a linear model of the kept
            features (`emoviz.training.linear_start`). Empty begins at random.
        dimensions: Outputs beside the classes: ``valence``, ``arousal`` and ``division`` (how
            divided viewers are). Empty for the papers' networks.
    """

    backbone: str = "tf_efficientnet_lite2"
    layers: tuple[int | str, ...] = (1, 2, 3)
    module: Literal["additive", "multiplicative", "gathered"] = "additive"
    parallel: int = number(1, 1, 16)
    reduce: int = number(0, 0, 1024)
    pretrained: bool = True
    weights: str = ""
    start: str = ""
    pooled_dropout: float = number(0.0, 0, 0.95)
    pooled_activation: Literal["none", "leaky_relu"] = "none"
    gram_dropout: float = number(0.0, 0, 0.95)
    dropout: float = number(0.0, 0, 0.95)
    standardise: bool = False
    kinds: tuple[str, ...] = ()
    kinds_from: Literal["pooled", "both"] = "pooled"
    linear_start: tuple[float, ...] = ()
    dimensions: tuple[Literal["valence", "arousal", "division"], ...] = ()


@dataclass(frozen=True)
class InputPart:
    """How an image becomes the network's input: see `emoviz.data.preprocessing`.

    Attributes:
        size: Side of the square image in pixels.
        fit: ``squash`` scales the whole picture to the square, ``crop`` takes its middle.
        crop: Share of the short side that ``crop`` keeps.
        interpolation: For scaling.
        ten_crop: Side in pixels of ten crops out of the square (four corners, the centre, and
            the mirror images of these five) whose outputs are averaged at test time; the network
            then sees crops of that side, never the square. 0 turns it off.
    """

    size: int = number(224, 32, 1024)
    fit: Literal["squash", "crop"] = "crop"
    crop: float = number(0.875, 0.1, 1.0)
    interpolation: Literal["bicubic", "bilinear", "lanczos"] = "bicubic"
    ten_crop: int = number(0, 0, 1024)


@dataclass(frozen=True)
class LossPart:
    """L = L_entropy + beta (L_intra + lambda L_inter); m is the margin.

    Attributes:
        beta: 0 turns the contrastive-center loss off.
        lambda_: Written ``lambda`` in the file.
        margin: m.
        center_spread: Standard deviation of the random centers at the start, which then lie about
            center_spread sqrt(2 D) apart, D the width of u; from the margin on L_inter begins at 0.
        label_smoothing: Share of each target that is spread over all classes.
        kinds: Weight of the cross-entropy over the kinds of image.
        dimensions: Weight of the mean squared error of valence, arousal and division.
    """

    beta: float = number(0.5, 0)
    lambda_: float = number(1.0, 0)
    margin: float = number(5.0, 0, open_low=True)
    center_spread: float = number(1.0, 0, open_low=True)
    label_smoothing: float = number(0.0, 0, 0.9)
    kinds: float = number(0.3, 0)
    dimensions: float = number(1.0, 0)


@dataclass(frozen=True)
class SetPart:
    """How one labelled set takes part.

    The key in the file is the set's taxonomy, or ``taxonomy/name`` for one of several sets of a
    taxonomy, the name in small letters with dashes: ``mikels8/d-visa``.

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
        kind: Of its images, where they do not say themselves; one of `network.kinds`.
    """

    title: str = ""
    source: str = ""
    terms: str = ""
    weight: float = number(1.0, 0, open_low=True)
    sharpen: float = number(1.0, 0, open_low=True)
    sentiment_smoothing: float = number(0.0, 0, 1)
    center_share: float = number(0.5, 0, 1)
    kind: str = ""


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
        sets: By taxonomy, or taxonomy and name; a set that is not named takes the defaults.
    """

    validation: float = number(0.1, 0, 0.5)
    test: float = number(0.15, 0, 0.5)
    split_seed: int = number(0, 0)
    folds: int = number(0, 0, 20)
    class_weight_power: float = number(0.0, 0, 1)
    sets: Mapping[str, SetPart] = field(default_factory=dict)

    def part_of(self, taxonomy: str, name: str) -> SetPart:
        """How the set of that taxonomy and name takes part."""
        own = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
        return self.sets.get(f"{taxonomy}/{own}", self.sets.get(taxonomy, SetPart()))


@dataclass(frozen=True)
class AugmentPart:
    """Random views of a training image.

    Attributes:
        crop: ``resized`` cuts a random part and scales it to the input's size, ``window`` cuts
            `input.ten_crop` pixels at a random place of the square image, ``none`` takes the
            plain view.
        scale: Smallest share of the image's area that a ``resized`` crop keeps.
        ratio: Largest change of the aspect ratio of a ``resized`` crop, as a factor.
        flip: Mirror half of the views.
        vertical_flip: Turn half of the views upside down.
        zoom: Largest share by which a view is magnified around its centre.
        zoom_least: Smallest such share.
        rotate: Largest angle by which a view is turned either way, in degrees.
        colour: Strength of the brightness, contrast and saturation jitter; emotion depends on
            colour, so keep it small.
        randaugment: Strength M of RandAugment on torchvision's scale of 31; 0 turns it off.
        randaugment_ops: Transformations N of RandAugment for each view.
        mixup: Alpha of the Beta distribution from which the shares of two mixed images come, in
            phases that train ``all``; 0 turns it off.
        view_seed: Of the random views of ``heads`` phases. It is not the run's seed, so that runs
            with different seeds share one computation of the features.
    """

    crop: Literal["resized", "window", "none"] = "resized"
    scale: float = number(0.5, 0.05, 1.0)
    ratio: float = number(1.333, 1.0, 4.0)
    flip: bool = True
    vertical_flip: bool = False
    zoom: float = number(0.0, 0, 1)
    zoom_least: float = number(0.0, 0, 1)
    rotate: float = number(0.0, 0, 180)
    colour: float = number(0.0, 0, 1)
    randaugment: int = number(0, 0, 30)
    randaugment_ops: int = number(2, 1, 14)
    mixup: float = number(0.0, 0, 10)
    view_seed: int = number(0, 0)


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
        optimiser: sgd, adamw or adagrad.
        momentum: Of sgd.
        nesterov: Whether sgd looks ahead along its momentum.
        accumulator: What adagrad's sums of squares begin with: 0 in torch, 0.1 in Keras. From 0 the
            first step moves every weight by the whole learning rate.
        learning_rate: Of the modules, the projection and the classifier.
        backbone_learning_rate: Of the backbone, where it is trained.
        center_learning_rate: Of the centers, as a multiple of `learning_rate`.
        weight_decay: Not on the centers, biases and normalisation.
        schedule: ``cosine`` to zero with a tenth of warm-up, ``restarts`` (cosine annealing that
            begins anew, dissertation), or ``constant``.
        restart_epochs: Epochs between two beginnings of ``restarts``.
        lowest_rate: Learning rate that ``restarts`` comes down to.
        per_device: `batch` and the learning rates are those of one device, and are multiplied by
            the number of devices (IJCCC 2024).
        batch_norm: Statistics of the backbone's batch normalisation in phases that train
            ``all``: the backbone's own are ``kept``, or they are ``trained`` as usual.
        precision: Of what is trained anew in each step: bfloat16 where it serves (automatic mixed
            precision), or float32 throughout.
        views: Views an image whose features are kept, one plain and the others random (not for
            ``all``).
        positions: Positions of each map that the convolution branch sees in a step (not for
            ``all``); 0 takes whole maps. Evaluation always sees whole maps.
        clip: Gradients are clipped to this L2 norm.
        average: Decay of the running average of the weights that is kept; 0 keeps the last.
    """

    train: Literal["heads", "tail", "all"] = "all"
    first: str = ""
    depthwise: bool = True
    epochs: int = number(20, 1, 10_000)
    batch: int = number(64, 2, 65_536)
    optimiser: Literal["sgd", "adamw", "adagrad"] = "adamw"
    momentum: float = number(0.9, 0, 0.999)
    nesterov: bool = False
    accumulator: float = number(0.0, 0, 10)
    learning_rate: float = number(1e-3, 0, 10, open_low=True)
    backbone_learning_rate: float = number(1e-4, 0, 10)
    center_learning_rate: float = number(1.0, 0, 1000)
    weight_decay: float = number(0.0, 0, 1)
    schedule: Literal["cosine", "restarts", "constant"] = "cosine"
    restart_epochs: int = number(5, 1, 10_000)
    lowest_rate: float = number(1e-4, 0, 10)
    per_device: bool = False
    batch_norm: Literal["kept", "trained"] = "kept"
    precision: Literal["bf16", "fp32"] = "bf16"
    views: int = number(4, 1, 64)
    positions: int = number(48, 0, 100_000)
    clip: float = number(5.0, 0, open_low=True)
    average: float = number(0.0, 0, 0.99999)


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    Attributes:
        extends: Name of a recipe whose values hold where this one says nothing; empty once the
            recipe is read.
        fuse: Names of recipes whose finished networks are fused into one (see
            `emoviz.models.fusion`); `network` and `phases` are then theirs, not this one's.
        labels: The classes, where they are no registered taxonomy's: `taxonomy` is then a name of
            one's own for them. Empty for a registered one.
        tracker: Where the curves go besides ``progress.jsonl``, all in the run's folder:
            tensorboard, mlflow or wandb (offline).
    """

    name: str = ""
    extends: str = ""
    title: str = ""
    summary: str = ""
    taxonomy: str = "mikels8"
    seed: int = number(0, 0)
    licence: str = ""
    intended_use: str = ""
    limits: str = ""
    network: NetworkPart = NetworkPart()
    input: InputPart = InputPart()
    loss: LossPart = LossPart()
    data: DataPart = DataPart()
    augment: AugmentPart = AugmentPart()
    phases: tuple[Phase, ...] = (Phase(),)
    fuse: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tracker: TrackerName = "tensorboard"

    @property
    def classes(self) -> Taxonomy:
        """What the network tells apart.

        Raises:
            TaxonomyError: There is no such taxonomy, or the labels make none.
        """
        if self.labels:
            return own_taxonomy(self.taxonomy, self.labels)
        return get_taxonomy(self.taxonomy)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, spelled as in the file."""
        return typing.cast(dict[str, Any], plain(self))
