"""Predictions as rows of a table that a spreadsheet can open without being tricked."""

from collections.abc import Sequence

from emoviz.inference.predict import Prediction

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def csv_header(classes: Sequence[str]) -> list[str]:
    """Column names; one ``p_<class>`` for each class."""
    fixed = ["path", "sha256", "predicted", "sentiment", "top2_opposite", "unlike_training"]
    return [*fixed, "error", *(f"p_{name}" for name in classes)]


def csv_row(prediction: Prediction, classes: Sequence[str]) -> list[str]:
    """One prediction as cells; empty probabilities where the image could not be read."""
    return [
        safe_cell(prediction.path),
        prediction.sha256,
        prediction.predicted or "",
        prediction.sentiment or "",
        str(prediction.top2_opposite).lower(),
        str(prediction.unlike_training).lower(),
        safe_cell(prediction.error or ""),
        *(
            f"{prediction.probabilities[name]:.6f}" if prediction.probabilities else ""
            for name in classes
        ),
    ]


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula: those get a leading apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text
