"""Logistic regression on frozen features: the line that a network has to beat."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import SPLITS, fold_indices, label_array
from emoviz.errors import TrainingError
from emoviz.labels import bridge_between
from emoviz.settings import Settings
from emoviz.training.finish import summary
from emoviz.training.prepare import PreparedTraining, Worker, prepare
from emoviz.training.recipe import Recipe
from emoviz.training.targets import Rows

Floats = NDArray[np.float64]
PROBE_COMPONENTS = 200
PROBE_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


def probe_measures(
    recipe: Recipe,
    tables: Sequence[str],
    kinds: int,
    settings: Settings,
    tell: Callable[[str], None],
) -> dict[str, Mapping[str, Any]]:
    """Logistic regression on the frozen features of a recipe, for each set on the same images.

    The strength is chosen on held-back training images.

    Args:
        recipe: Gives the backbone, the input and the split.
        tables: The sets.
        kinds: 1 for the pooled vector alone; 2 also for the signed roots of the Gram matrices,
            reduced to 200 principal components.
        settings: Where the home is.
        tell: Called with a line for people now and then.

    Returns:
        Measures by the sets' titles, as a run gives them.

    Raises:
        TrainingError: There are too few folds.
    """
    if 0 < recipe.data.folds < 3:
        raise TrainingError(
            f"data.folds is {recipe.data.folds}; a linear probe fits on some folds, chooses its "
            "strength on one and is judged on another, so it wants 3 or more, or 0."
        )
    prepared = prepare(recipe, tables, tell, Worker(cache=settings.home / "cache" / "features"))
    phase = recipe.phases[0]
    features = prepared.features.of(prepared.targets, phase.views, phase.positions)
    blocks = [features.pooled[0].numpy()]
    if kinds > 1:
        grams = np.hstack([gram[0].numpy() for gram in features.grams])
        blocks.append(np.sign(grams) * np.sqrt(np.abs(grams)))
    measures: dict[str, Mapping[str, Any]] = {}
    for number, item in enumerate(prepared.sets):
        tell(f"linear probe: {item.name}")
        title = recipe.data.part_of(item.taxonomy.name, item.name).title or item.name
        measures[f"{title}, {_words(recipe)}"] = _probe_set(prepared, number, blocks)
    return measures


def _words(recipe: Recipe) -> str:
    return f"out of {recipe.data.folds} folds" if recipe.data.folds else "test split"


def _probe_set(
    prepared: PreparedTraining, number: int, blocks: Sequence[NDArray[np.float32]]
) -> dict[str, Any]:
    """Measures of one probe on the images of one set whose label the network can reach."""
    item, targets = prepared.sets[number], prepared.targets
    reachable = bridge_between(prepared.recipe.classes, item.taxonomy).reachable
    labels = label_array(targets.records)
    mine = (targets.sets == number) & (labels >= 0)
    rows = np.flatnonzero(mine & reachable[np.where(mine, labels, 0)])
    probabilities = np.zeros((len(targets), len(item.taxonomy)))
    judged: list[Rows] = []
    for train, choose, test in _rounds(prepared, rows):
        parts = (train, choose, test)
        x = [
            np.hstack(column) for column in zip(*(_reduced(b, parts) for b in blocks), strict=True)
        ]
        classes, p = _probe(x, [labels[part] for part in parts])
        probabilities[np.ix_(test, classes)] = p
        judged.append(test)
    chosen = np.concatenate(judged)
    bridge = bridge_between(item.taxonomy, item.taxonomy)
    return summary(probabilities[chosen], None, labels[chosen], bridge)


def _rounds(prepared: PreparedTraining, rows: Rows) -> Iterator[tuple[Rows, Rows, Rows]]:
    """Rows to fit on, to choose the strength on, and to be judged on."""
    recipe, records = prepared.recipe, prepared.targets.records
    if not recipe.data.folds:
        splits = np.array([records[i].split for i in rows])
        train, choose, test = (rows[splits == name] for name in SPLITS)
        yield train, choose, test
        return
    count = recipe.data.folds
    folds = fold_indices([records[i].group for i in rows], count, recipe.data.split_seed)
    for k in range(count):
        choose = (k + 1) % count
        yield rows[(folds != k) & (folds != choose)], rows[folds == choose], rows[folds == k]


def _reduced(block: NDArray[np.float32], parts: Sequence[Rows]) -> list[NDArray[np.float32]]:
    """Rows of one block, standardised; wide blocks become 200 principal components."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = np.concatenate(parts[:2])
    steps: list[Any] = [StandardScaler()]
    if block.shape[1] > 10 * PROBE_COMPONENTS:
        steps.append(PCA(min(PROBE_COMPONENTS, len(known) - 1), random_state=0))
        steps.append(StandardScaler())
    scale = make_pipeline(*steps).fit(block[known])
    return [scale.transform(block[part]) for part in parts]


def _probe(x: Sequence[NDArray[np.float32]], y: Sequence[Rows]) -> tuple[Rows, Floats]:
    """Choose the strength on the second part, fit on the first two, predict the third."""
    from sklearn.linear_model import LogisticRegression

    def fitted(strength: float, parts: int) -> Any:
        model = LogisticRegression(C=strength, max_iter=1000)
        return model.fit(np.concatenate(x[:parts]), np.concatenate(y[:parts]))

    best = max(PROBE_STRENGTHS, key=lambda c: fitted(c, 1).score(x[1], y[1]))
    model = fitted(best, 2)
    return model.classes_, model.predict_proba(x[2])
