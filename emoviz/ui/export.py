"""Results for other programs: the command line's fields, and the checkpoint that gave them."""

import io
import json
from collections.abc import Sequence

from emoviz.inference.predict import Prediction
from emoviz.inference.tabular import csv_header, csv_row, csv_writer, safe_cell


def to_json(predictions: Sequence[Prediction], checkpoint: str) -> str:
    """A list of objects in the order given, refused files included."""
    rows = [{**item.to_dict(), "checkpoint": checkpoint} for item in predictions]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def to_csv(predictions: Sequence[Prediction], classes: Sequence[str], checkpoint: str) -> str:
    """One row for each image, refused files included, one column for each class.

    Begins with a byte order mark, without which spreadsheet programs misread accents.
    """
    buffer = io.StringIO()
    writer = csv_writer(buffer)
    abstains = any(item.not_sure is not None for item in predictions)
    writer.writerow([*csv_header(classes, abstains), "checkpoint"])
    writer.writerows(
        [*csv_row(item, classes, abstains), safe_cell(checkpoint)] for item in predictions
    )
    return "\N{ZERO WIDTH NO-BREAK SPACE}" + buffer.getvalue()
