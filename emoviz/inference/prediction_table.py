"""Predictions as a Parquet table, made whole or in parts: one row a source, errors included.

Columns ``path, sha256, predicted, sentiment, top2_opposite, unlike_training, not_sure, novelty,
error``, then ``valence`` and the like and ``kind`` of networks that estimate them, and
``p_<class>``, unrounded. What is not known is empty.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from emoviz.checkpoints import Card, Checkpoint
from emoviz.data.images import Limits
from emoviz.data.parts import Merged, Part, PartRows, PartWork, Whole, digest_of, texts_of
from emoviz.data.sources import ImageSource
from emoviz.errors import TableError
from emoviz.files import arrow_file, replaced_file
from emoviz.inference.abstention import abstention_of, with_abstention
from emoviz.inference.cache import fingerprint
from emoviz.inference.embedding_table import Progress
from emoviz.inference.predict import Prediction, load_model, predict
from emoviz.inference.prefetch import in_groups
from emoviz.settings import Settings

_ROWS = 4096
_TEXTS = ("path", "sha256", "predicted", "sentiment")
_FLAGS = ("top2_opposite", "unlike_training", "not_sure")


def prediction_work(
    checkpoint: Checkpoint,
    sources: Sequence[ImageSource],
    settings: Settings,
    progress: Progress | None = None,
    batch: int = 32,
    kind: str | None = None,
) -> PartWork:
    """Predictions for some sources as work in parts; the network is loaded with the first.

    Args:
        checkpoint: Whose estimates.
        sources: From `expand`; their names are the keys.
        settings: Which engine, and what is refused.
        progress: Called with (done, all).
        batch: Images that the network sees at once.
        kind: See `predict`.
    """
    model = cache(lambda: load_model(checkpoint, settings))
    chosen, names = abstention_of(checkpoint, settings), [source.name for source in sources]
    schema = _schema(checkpoint.card)

    def batches(index: Sequence[int]) -> Iterator[Any]:
        wanted = (sources[i] for i in index)
        found = predict(model(), wanted, Limits.of(settings), batch, kind=kind, fill=True)
        done = 0
        for group in in_groups(with_abstention(found, chosen), _ROWS):
            done += len(group)
            if progress is not None:
                progress(done, len(index))
            yield _batch(group, schema, checkpoint.card)

    def rows(part: Part) -> PartRows:
        index = part.of(names)
        return PartRows(index, schema, batches(index))

    fixed = digest_of([fingerprint(checkpoint), kind or "", repr(chosen and chosen.threshold)])
    whole = Whole("predict", fixed, len(names), digest_of(names))
    return PartWork(whole, rows)


def write_predictions(path: Path, merged: Merged) -> list[tuple[str, str]]:
    """Write the table that one machine would have written.

    Returns:
        The path and error of each row that has one.

    Raises:
        TableError: The path does not end with ``.parquet``.
        OSError: It cannot be written; what was there stays.
    """
    from pyarrow import parquet

    check_suffix(path)
    problems: list[tuple[str, str]] = []
    with (
        replaced_file(path) as aside,
        arrow_file(aside, "wb") as stream,
        parquet.ParquetWriter(stream, merged.schema, compression="zstd") as writer,
    ):
        for table in merged.tables:
            writer.write_table(table.cast(merged.schema), row_group_size=_ROWS)
            rows = zip(*(table.column(name).to_pylist() for name in ("path", "error")), strict=True)
            problems += [(name, why) for name, why in rows if why is not None]
    return problems


def check_suffix(path: Path) -> None:
    """Raise `TableError` unless a table of predictions can be written under such a name."""
    if path.suffix.casefold() != ".parquet":
        raise TableError(f"'{path}' does not end with .parquet, as a table of predictions must.")


def _schema(card: Card) -> Any:
    import pyarrow as pa

    kinds = {
        **dict.fromkeys(_TEXTS, pa.string()),
        **dict.fromkeys(_FLAGS, pa.bool_()),
        "novelty": pa.float64(),
        "error": pa.string(),
        **dict.fromkeys(card.outputs_beside, pa.float64()),
        **({"kind": pa.string()} if card.kinds else {}),
        **{f"p_{name}": pa.float64() for name in card.taxonomy.names},
    }
    return pa.schema(list(kinds.items()))


def _batch(found: Sequence[Prediction], schema: Any, card: Card) -> Any:
    import pyarrow as pa

    def column(name: str) -> Any:
        if name.startswith("p_"):
            return pa.array([it.probabilities.get(name[2:]) for it in found], pa.float64())
        values = [getattr(it, name) for it in found]
        if name in card.outputs_beside:
            values = [None if value is None else value.value for value in values]
        elif name in _FLAGS:
            values = [None if it.error is not None else getattr(it, name) for it in found]
        kind = schema.field(name).type
        return texts_of(values) if kind == pa.string() else pa.array(values, kind)

    return pa.record_batch([column(name) for name in schema.names], schema=schema)
