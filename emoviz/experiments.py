"""Tables over recipes and seeds, with a linear probe on the same split beside them.

Every cell is a run folder; a cell that is already there is read, not computed again.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.evaluation import evaluate
from emoviz.checkpoints import read_checkpoint
from emoviz.data.records import LabelledSet, Record, Split, label_array
from emoviz.files import write_json, write_text
from emoviz.labels import Taxonomy, bridge_between, get_taxonomy
from emoviz.settings import Settings
from emoviz.training.finish import summary
from emoviz.training.recipe import load_recipe
from emoviz.training.run import CHECKPOINTS, prepare, train_in_folder
from emoviz.training.views import kept_features

MEASURES = ("accuracy", "macro_f1", "sentiment_accuracy", "cross_sentiment", "ari", "nmi", "asr")
PROBE_STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


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
    name = load_recipe(recipe).name
    folder = out / f"{name}-s{seed}"
    checkpoint = folder / CHECKPOINTS / name
    if checkpoint.is_dir():
        return read_checkpoint(checkpoint).card.measures
    tell(f"{name}, seed {seed}")
    return train_in_folder(recipe, tables, folder, seed, settings, tell).card.measures


def probe_rows(
    recipe_name: str, tables: Sequence[str], settings: Settings, tell: Callable[[str], None]
) -> list[Row]:
    """Logistic regression on frozen features, one for each set, its strength chosen on validation.

    Two feature sets: the pooled vector alone, and pooled vector with signed-root Gram matrices
    reduced to 200 principal components.
    """
    recipe = load_recipe(recipe_name)
    state, sets, _, _ = prepare(recipe, tables, tell)
    cache = settings.home / "cache" / "features"
    rows = []
    for item in sets:
        features, labels = {}, {}
        for split in ("train", "validation", "test"):
            chosen = _probed(item, get_taxonomy(recipe.taxonomy), split)
            labels[split] = label_array(chosen)
            kept = kept_features(state.network, state.maker, chosen, 1, 1, cache)
            grams = np.hstack([g[0].numpy() for g in kept.grams])
            features[split] = (kept.pooled[0].numpy(), np.sign(grams) * np.sqrt(np.abs(grams)))
        for name, parts in (
            ("linear probe, pooled", (0,)),
            ("linear probe, pooled + Gram", (0, 1)),
        ):
            chosen_x = {split: [both[i] for i in parts] for split, both in features.items()}
            scores = _probe(chosen_x, labels)
            bridge = bridge_between(item.taxonomy, item.taxonomy)
            full = np.zeros((len(scores[1]), len(item.taxonomy)))
            full[:, scores[0]] = scores[1]
            result = evaluate(full, full.astype(np.float32), labels["test"], bridge)
            measured = {k: v for k, v in summary(result).items() if k not in ("ari", "nmi", "asr")}
            rows.append(Row(name, f"{item.name}, test split", (measured,)))
    return rows


def _probed(item: LabelledSet, taxonomy: Taxonomy, split: Split) -> tuple[Record, ...]:
    """Records whose majority label the network can reach: those that it is judged on."""
    reachable = bridge_between(taxonomy, item.taxonomy).reachable
    return tuple(r for r in item.of_split(split) if r.label >= 0 and reachable[r.label])


def _probe(
    features: Mapping[str, list[NDArray[np.float32]]], labels: Mapping[str, NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = {split: np.hstack(parts) for split, parts in _reduced(features).items()}

    def fitted(strength: float) -> Any:
        model = LogisticRegression(C=strength, max_iter=2000)
        return make_pipeline(StandardScaler(), model).fit(x["train"], labels["train"])

    models = [fitted(strength) for strength in PROBE_STRENGTHS]
    best = max(models, key=lambda m: m.score(x["validation"], labels["validation"]))
    return best.classes_, best.predict_proba(x["test"])


def _reduced(features: Mapping[str, list[NDArray[np.float32]]]) -> dict[str, list[Any]]:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    out: dict[str, list[Any]] = {split: [parts[0]] for split, parts in features.items()}
    if len(features["train"]) > 1:
        scaler = StandardScaler().fit(features["train"][1])
        directions = min(200, len(features["train"][1]) - 1)
        pca = PCA(directions, random_state=0).fit(scaler.transform(features["train"][1]))
        for split, parts in features.items():
            out[split].append(pca.transform(scaler.transform(parts[1])))
    return out


def _markdown(rows: Sequence[Row], seeds: int) -> str:
    lines = [
        f"Percent on the test split, mean ± standard deviation over {seeds} seeds.",
        "",
        "| set | network | n | " + " | ".join(m.replace("_", " ") for m in MEASURES) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in MEASURES) + " |",
    ]
    for row in sorted(rows, key=lambda r: r.data):
        cells = " | ".join(row.cell(measure) for measure in MEASURES)
        lines.append(f"| {row.data} | {row.name} | {row.seeds[0].get('n', '')} | {cells} |")
    return "\n".join(lines) + "\n"
