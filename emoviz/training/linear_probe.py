"""The line to beat: a linear probe on the pooled features that a run learns from.

A logistic regression on h, fitted in about a second before the run's first step; a network with
Gram modules has to show that it is better. `emoviz.experiments.probe` is the careful version, with
folds and Gram matrices.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.training.recipe import Phase
from emoviz.training.state import Training
from emoviz.training.targets import Targets

_STRENGTHS = (3e-4, 3e-3, 3e-2)
_MOST = 4000  # training images: more change the line by less than its error


def probe_line(state: Training, phase: Phase, test: Targets | None = None) -> dict[str, Any] | None:
    """Fit the probe on the training images' plain views.

    The strength of its regularisation is the one that is best on a fifth of the training images
    when fitted on the others; it is then fitted on all of them.

    Args:
        state: Before its first step; its kept features are those of `phase`.
        phase: The run's first.
        test: The test images, where their features are kept too.

    Returns:
        Shares of right answers (0-1) under ``validation`` and, where there are any, ``test``, of
        ``validation_images`` and ``test_images``, and ``images``, how many were learned from; None
        where the labels are all alike.
    """
    labels = _labels(state.train)
    rows = np.flatnonzero(labels >= 0)
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST, replace=False))
    if len(np.unique(labels[rows])) < 2:
        return None
    learned = state.features.of(state.train, phase.views, phase.positions).pooled_of(rows)
    model = _fitted(learned, labels[rows])
    found: dict[str, Any] = {"images": len(rows)}
    for name, targets in (("validation", state.validation), ("test", test)):
        if targets is not None and len(targets):
            plain = state.features.of(targets, 1, 0).pooled_of(np.arange(len(targets)))
            found[name] = _share_right(model, plain, _labels(targets))
            found[f"{name}_images"] = int((_labels(targets) >= 0).sum())
    return found


def _labels(targets: Targets) -> NDArray[np.int64]:
    """(N,) labels of all sets, those of different sets being different; -1 for none."""
    answers = targets.answers
    return np.where(answers >= 0, answers + 10_000 * targets.sets, -1)


def _fitted(x: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def of(strength: float) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))

    aside = np.random.default_rng(0).permutation(len(y)) < len(y) // 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        best = _STRENGTHS[1]
        if aside.any() and len(np.unique(y[~aside])) > 1:
            scale = StandardScaler().fit(x[~aside])
            rest, judged = scale.transform(x[~aside]), scale.transform(x[aside])
            # Each strength begins with the weights of the one before, which are near.
            model, scores = LogisticRegression(max_iter=300, warm_start=True), {}
            for strength in _STRENGTHS:
                model.set_params(C=strength).fit(rest, y[~aside])
                scores[strength] = model.score(judged, y[aside])
            best = max(scores, key=scores.__getitem__)
        return of(best).fit(x, y)


def fit_probe(
    x: NDArray[np.float32], y: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(C, D) weights and (C,) biases of a linear classifier on vectors as they are.

    Args:
        x: (N, D) vectors.
        y: (N,) classes 0 to C-1, each of which occurs.
    """
    scale, model = _fitted(x, y).named_steps.values()
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # two classes: one row says the logit of the second over the first
        weight, bias = np.vstack([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    weight = weight / scale.scale_
    return weight.astype(np.float32), (bias - weight @ scale.mean_).astype(np.float32)


def _share_right(model: Any, x: NDArray[np.float32], y: NDArray[np.int64]) -> float | None:
    known = y >= 0
    return float((model.predict(x)[known] == y[known]).mean()) if known.any() else None
