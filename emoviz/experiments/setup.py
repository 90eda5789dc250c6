"""How an experiment was run, in sentences made from the recipes."""

from collections.abc import Iterable, Sequence

from emoviz.training.recipe import Recipe

_FAMILIES = {
    "paper": "Family paper: the papers' own networks.",
    "lite": "Family lite: a small backbone whose weights come with the installation, in the place "
    "of the papers' networks.",
}


def setup_words(family: str, recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """Family, backbone, training, loss, split and seeds; what the rows vary is named as varied.

    Args:
        family: ``paper`` or ``lite``.
        recipes: Of every cell that trains; may be none.
    """
    if not recipes:
        return ("Nothing was trained: the predictions are those of the shipped networks.",)
    return (
        f"{_FAMILIES[family]} {_backbone_words(recipes)}",
        _training_words(recipes),
        _loss_words(recipes),
        _split_words(recipes),
        _seed_words(recipes),
    )


def _backbone_words(recipes: Sequence[Recipe]) -> str:
    backbones = _listed(recipe.network.backbone for recipe in recipes)
    starts = _listed(
        "pre-trained on ImageNet" if recipe.network.pretrained else "random weights"
        for recipe in recipes
    )
    sizes = _listed(f"{recipe.input.size} pixels" for recipe in recipes)
    return f"Backbone: {backbones}; start: {starts}; input: {sizes}."


def _training_words(recipes: Sequence[Recipe]) -> str:
    kinds = {tuple(phase.train for phase in recipe.phases) for recipe in recipes}
    epochs = _listed(" + ".join(str(phase.epochs) for phase in r.phases) for r in recipes)
    if kinds == {("heads",)}:
        return (
            "The backbone is frozen and its features are computed once and kept (epochs of the "
            f"heads: {epochs}), so these are results on cached features, not of fine-tuning."
        )
    words = _listed(" then ".join(phase.train for phase in recipe.phases) for recipe in recipes)
    return f"Trained: {words}; epochs: {epochs}."


def _loss_words(recipes: Sequence[Recipe]) -> str:
    losses = [recipe.loss for recipe in recipes]
    beta = _listed(f"{loss.beta:g}" for loss in losses)
    weight = _listed(f"{loss.lambda_:g}" for loss in losses)
    margin = _listed(f"{loss.margin:g}" for loss in losses)
    if beta == "0":
        return "Contrastive-center loss: off (beta 0)."
    return f"Contrastive-center loss: beta {beta}; lambda {weight}; margin {margin}."


def _split_words(recipes: Sequence[Recipe]) -> str:
    words = _listed(
        f"{r.data.folds} folds by group (split seed {r.data.split_seed}), each image judged by a "
        "network that did not learn from its fold"
        if r.data.folds
        else f"validation {r.data.validation:.0%} and test {r.data.test:.0%} of the groups (split "
        f"seed {r.data.split_seed}) where a set has no split of its own"
        for r in recipes
    )
    return f"Split: {words}."


def _seed_words(recipes: Sequence[Recipe]) -> str:
    return (
        f"Seeds {_listed(str(recipe.seed) for recipe in recipes)} vary the first weights and the "
        "order of the images; the split stays the same, so the deviation does not tell how much "
        "another sample of images would change."
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
