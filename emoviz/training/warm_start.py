"""Beginning with a checkpoint's weights instead of ImageNet's."""

import torch

from emoviz.checkpoints import Checkpoint, load_centers, load_network
from emoviz.errors import TrainingError
from emoviz.labels import Taxonomy
from emoviz.models.losses import ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork

_BACKBONE, _CLASSIFIER = "backbone.", "classifier."


@torch.no_grad()
def take_weights(network: EmotionNetwork, start: Checkpoint, classes: Taxonomy) -> str:
    """Fill a network from a checkpoint: its backbone, and of the rest what has the same shape.

    The classifier is taken only where the classes are the same: the weights of *awe* would be a
    poor start for *anger*.

    Returns:
        Where the weights came from, for the card.

    Raises:
        CheckpointError: The checkpoint cannot be read.
        TrainingError: It is of another backbone, or a fusion of several.
    """
    card = start.card
    if card.backbone != network.config.backbone:
        raise TrainingError(
            f"The starting point '{card.id}' has the backbone {card.backbone}, the recipe "
            f"{network.config.backbone}. Choose a network of that backbone, or set "
            f"network.backbone={card.backbone}."
        )
    given = load_network(start).state_dict()
    own = network.state_dict()
    same_modules = _modules(network) == _modules_of(start)
    same_classes = card.taxonomy.names == classes.names
    for name, target in own.items():
        fits = name in given and given[name].shape == target.shape
        if name.startswith(_BACKBONE):
            if not fits:
                raise TrainingError(
                    f"The starting point '{card.id}' has another array {name} than this version "
                    "builds. Choose another network."
                )
        elif not (fits and same_modules) or (name.startswith(_CLASSIFIER) and not same_classes):
            continue
        target.copy_(given[name])
    return f"checkpoint {card.id} (weights {card.weights_sha256[:12]})"


@torch.no_grad()
def take_centers(loss: ContrastiveCenterLoss, start: Checkpoint, classes: Taxonomy) -> bool:
    """Take the checkpoint's class centers where classes and width are the same."""
    if start.card.taxonomy.names != classes.names:
        return False
    centers = load_centers(start)
    if centers is None or tuple(centers.shape) != tuple(loss.centers.shape):
        return False
    loss.centers.copy_(torch.from_numpy(centers))
    return True


def learned_behind(network: EmotionNetwork, start: Checkpoint, classes: Taxonomy) -> bool:
    """Whether the layers right behind the features come from the checkpoint, too."""
    if _modules(network) != _modules_of(start):
        return False
    return bool(network.gram_modules) or start.card.taxonomy.names == classes.names


def _modules(network: EmotionNetwork) -> tuple[object, ...]:
    config = network.config
    return tuple(config.layers), config.module, config.parallel, config.reduce


def _modules_of(start: Checkpoint) -> tuple[object, ...]:
    values = start.card.network
    return (
        tuple(values["layers"]),
        values.get("module", "additive"),
        values.get("parallel", 1),
        values.get("reduce", 0),
    )
