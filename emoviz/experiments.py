"""Tables over recipes and seeds, with a linear probe on the same split beside them.

Every cell is a run folder; a cell that is already there is read, not computed again.
"""

import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.evaluation import evaluate
from emoviz.checkpoints import read_checkpoint
from emoviz.data.records import SPLITS, fold_indices, label_array
from emoviz.errors import TrainingError
from emoviz.files import write_json, write_text
from emoviz.labels import bridge_between, get_taxonomy
from emoviz.settings import Settings
from emoviz.training.finish import summary
from emoviz.training.recipe import Recipe, SetPart, load_recipe
from emoviz.training.run import CHECKPOINTS, Prepared, build_network, prepare, train_in_folder

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
PROBE_COMPONENTS = 200
MEASURES = ("accuracy", "macro_f1", "sentiment_accuracy", "cross_sentiment", "ari", "nmi", "asr")
PROBE_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


@dataclass(frozen=True)
class Row:
    """One line of a table: measures of several seeds on one set."""

    name: str
    data: str
    seeds: tuple[Mapping[str, Any], ...]

    def cell(self, measure: str) -> str:
        """Mean ± standard deviation in percent, or the one value there is."""
        values = [100 * s[measure] for s in self.seeds if s.get(measure) is not None]
        if not values:
            return "-"
        if len(values) == 1:
            return f"{values[0]:.1f}"
        return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def shipped(
    recipes: Sequence[str],
    tables: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    settings: Settings,
    tell: Callable[[str], None],
) -> str:
    """Train recipes with several seeds, and the linear probe, on one split.

    Args:
        recipes: Names or files; all must share input and split.
        tables: Labelled sets.
        seeds: One run each.
        out: Folder of the runs and of ``table.md`` and ``table.json``.
        settings: Home and device.
        tell: Called with a line for people now and then.

    Returns:
        The table as Markdown.
    """
    rows = probe_rows(recipes[0], tables, settings, tell)
    for recipe in recipes:
        cells = [_cell(recipe, tables, seed, out, settings, tell) for seed in seeds]
        for data in cells[0]:
            rows.append(Row(recipe, data, tuple(cell[data] for cell in cells)))
    text = _markdown(rows, len(seeds))
    write_text(out / "table.md", text)
    write_json(out / "table.json", [{**vars(row), "seeds": list(row.seeds)} for row in rows])
    return text


def _cell(
    recipe: str,
    tables: Sequence[str],
    seed: int,
    out: Path,
    settings: Settings,
    tell: Callable[[str], None],
) -> Mapping[str, Any]:
    wanted = replace(load_recipe(recipe), seed=seed)
    name = wanted.name
    folder = out / f"{name}-s{seed}"
    checkpoint = folder / CHECKPOINTS / name
    if checkpoint.is_dir():
        card = read_checkpoint(checkpoint).card
        if card.recipe == wanted.to_dict():
            return card.measures
        raise TrainingError(
            f"'{folder}' was made with another version of recipe '{name}'. Choose another --out."
        )
    if folder.is_dir():
        shutil.rmtree(folder)  # a cell that died before its end
    tell(f"{name}, seed {seed}")
    return train_in_folder(recipe, tables, folder, seed, settings, tell).card.measures


def probe_rows(
    recipe_name: str, tables: Sequence[str], settings: Settings, tell: Callable[[str], None]
) -> list[Row]:
    """Logistic regression on the same frozen features, one for each set, on the same images.

    Two kinds: the pooled vector alone, and pooled vector with signed-root Gram matrices reduced
    to 200 principal components. The strength is chosen on held-back training images.
    """
    recipe = load_recipe(recipe_name)
    prepared = prepare(recipe, tables, tell, settings.home / "cache" / "features")
    phase = recipe.phases[0]
    network, _ = build_network(recipe)
    features = prepared.features.of(network, prepared.targets, phase.views, phase.positions)
    grams = np.hstack([gram[0].numpy() for gram in features.grams])
    blocks = (features.pooled[0].numpy(), np.sign(grams) * np.sqrt(np.abs(grams)))
    rows = []
    for number, item in enumerate(prepared.sets):
        for name, kinds in (("linear probe, pooled", 1), ("linear probe, pooled + Gram", 2)):
            tell(f"{name}: {item.name}")
            measured = _probe_set(prepared, number, blocks[:kinds])
            title = recipe.data.sets.get(item.taxonomy.name, SetPart()).title or item.name
            rows.append(Row(name, f"{title}, {_words(recipe)}", (measured,)))
    return rows


def _words(recipe: Recipe) -> str:
    return f"out of {recipe.data.folds} folds" if recipe.data.folds else "test split"


def _probe_set(
    prepared: Prepared, number: int, blocks: Sequence[NDArray[np.float32]]
) -> dict[str, Any]:
    """Measures of one probe on the images of one set whose label the network can reach."""
    item, targets = prepared.sets[number], prepared.targets
    taxonomy = get_taxonomy(prepared.recipe.taxonomy)
    reachable = bridge_between(taxonomy, item.taxonomy).reachable
    labels = label_array(targets.records)
    mine = (targets.sets == number) & (labels >= 0)
    rows = np.flatnonzero(mine & reachable[np.where(mine, labels, 0)])
    probabilities = np.zeros((len(targets), len(item.taxonomy)))
    judged: list[NDArray[np.int64]] = []
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
    p = probabilities[chosen]
    result = summary(evaluate(p, p.astype(np.float32), labels[chosen], bridge))
    return {key: value for key, value in result.items() if key not in ("ari", "nmi", "asr")}


def _rounds(prepared: Prepared, rows: Rows) -> Iterator[tuple[Rows, Rows, Rows]]:
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


def _markdown(rows: Sequence[Row], seeds: int) -> str:
    lines = [
        f"Percent on images not trained on; mean ± standard deviation over {seeds} seeds.",
        "",
        "| set | network | n | " + " | ".join(m.replace("_", " ") for m in MEASURES) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in MEASURES) + " |",
    ]
    for row in sorted(rows, key=lambda r: r.data):
        cells = " | ".join(row.cell(measure) for measure in MEASURES)
        lines.append(f"| {row.data} | {row.name} | {row.seeds[0].get('n', '')} | {cells} |")
    return "\n".join(lines) + "\n"
