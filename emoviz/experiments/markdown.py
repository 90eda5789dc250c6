"""A table as Markdown: measures with the papers' figures in the next column, differences, notes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emoviz.experiments.definitions import EXPERIMENTS, Experiment
from emoviz.experiments.published import Figure, Unit, Value
from emoviz.experiments.statistics import Spread
from emoviz.experiments.tables import ResultRow, ResultTable

NAMES = {
    "macro_f1": "macro F1",
    "cross_sentiment": "cross-sentiment",
    "cross_sentiment_0.3": "cross-sentiment, theta 0.3",
    "votes_kl": "KL from votes",
    "votes_emd": "EMD from votes",
    "votes_entropy_r": "r of entropies",
    "center_distance.least": "least distance of centers",
    "center_distance.largest": "largest distance of centers",
    **{name: name.upper() for name in ("ari", "nmi", "asr", "ece")},
}
_SHARES = ("ari", "nmi", "asr", "ece", "votes_kl", "votes_emd", "votes_entropy_r")
_SCORES = ("precision", "recall", "f1")
_COUNTS = ("eligible", "pos_neg", "neg_pos", "pos_pos", "neg_neg")
_THETAS = (("none", "cross_sentiment"), ("0.3", "cross_sentiment_0.3"))
NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """A measure of a table: its name in the rows, and what stands above it."""

    measure: str
    title: str


def unit_of(measure: str) -> Unit:
    """How a measure is shown: percent for rates, a share for ARI and its like, or as it is."""
    if measure.startswith("cross_sentiment_counts"):
        return "count"
    if measure.startswith("center_distance"):
        return "distance"
    return "share" if measure in _SHARES else "percent"


def shown(value: Spread | None, measure: str, signed: bool = False) -> str:
    """Mean ± standard deviation in the measure's unit."""
    if value is None:
        return NOTHING
    return _number(value.mean, value.sd, unit_of(measure), signed)


def printed(value: Value, measure: str) -> str:
    """A paper's figure with all its digits, in the unit of our measure."""
    to_percent = value.unit == "share" and unit_of(measure) == "percent"
    scale = 100 if to_percent else 1
    sd = None if value.sd is None else round(scale * value.sd, 6)
    unit: Unit = "percent" if to_percent else value.unit
    return _as_printed(Value(round(scale * value.mean, 6), sd, unit))


def markdown(table: ResultTable) -> str:
    """The whole experiment: question, tables, how it was run."""
    experiment = EXPERIMENTS[table.experiment]
    parts = [f"## {table.experiment}", table.question]
    parts += list(result_tables(table, experiment))
    parts += ["**How it was run, and what it does not show.**"]
    parts += ["\n".join(f"- {line}" for line in (*table.setup, *experiment.notes))]
    parts += [f"Made by `{table.command}`."]
    if table.figures:
        parts += ["### What the papers print", *figure_tables(table.figures)]
    return "\n\n".join(parts) + "\n"


def result_tables(table: ResultTable, experiment: Experiment) -> Iterable[str]:
    """Headline measures and differences, then the other views that the experiment asks for."""
    yield (
        f"Mean ± standard deviation over {len(table.seeds)} seeds, on images not learned from. "
        "ARI, NMI, ASR and ECE as shares, counts and distances as they are, all else in percent. "
        "“Papers” is the figure that was printed for the set in the last column, not ours."
    )
    columns = [
        Column(name, NAMES.get(name, name.replace("_", " "))) for name in experiment.measures
    ]
    yield measured_table(table.rows, columns)
    if any(row.difference for row in table.rows):
        yield "Difference to the first row of the same set, seed by seed (in points where percent):"
        yield difference_table(table.rows, columns)
    if "classes" in experiment.views and any(_two_classes(row) for row in table.rows):
        yield from _class_tables(table.rows)
    if "crossing" in experiment.views:
        yield from _crossing_tables(table.rows)
    failed = [line for row in table.rows for line in _failures(row)]
    if failed:
        yield "Failed:\n\n" + "\n".join(failed)


def measured_table(rows: Sequence[ResultRow], columns: Sequence[Column]) -> str:
    """Measures, each with the papers' figure in the next column where any row has one."""
    columns = [c for c in columns if any(c.measure in row.measures for row in rows)] or columns
    head = ["set", "network", "images"]
    cells: list[list[str]] = [[row.data, row.label, _count(row)] for row in rows]
    for column in columns:
        head.append(column.title)
        for row, cell in zip(rows, cells, strict=True):
            cell.append(_measured(row, column.measure))
        if any(_figure(row, column.measure) for row in rows):
            head.append(f"papers: {column.title}")
            for row, cell in zip(rows, cells, strict=True):
                cell.append(_figure(row, column.measure) or NOTHING)
    if any(sources(row, columns) for row in rows):
        head.append("papers' set and table")
        for row, cell in zip(rows, cells, strict=True):
            cell.append(sources(row, columns) or NOTHING)
    return grid(head, cells)


def difference_table(rows: Sequence[ResultRow], columns: Sequence[Column]) -> str:
    """Differences to the first row of the same set; those told apart are bold."""
    columns = [c for c in columns if any(c.measure in row.difference for row in rows)]
    cells = [
        [row.data, row.label, *(_difference(row.difference.get(c.measure), c) for c in columns)]
        for row in rows
        if row.difference
    ]
    return grid(["set", "network", *(c.title for c in columns)], cells)


def figure_tables(figures: Sequence[Figure]) -> Iterable[str]:
    """Everything that the papers print, a table of ours for each of theirs."""
    groups: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.source, figure.data.title), []).append(figure)
    for (source, data), rows in groups.items():
        names = list(dict.fromkeys(name for row in rows for name in row.values))
        cells = [[row.row, *(_as_printed(row.values.get(name)) for name in names)] for row in rows]
        notes = _notes(rows)
        yield f"{source[:1].upper()}{source[1:]}, {data}:"
        yield grid(["network", *(_column_words(name, rows) for name in names)], cells)
        if notes:
            yield notes


def _notes(figures: Sequence[Figure]) -> str:
    """What is known of the rows of one printed table; one note that all share stands once."""
    notes = list(dict.fromkeys(figure.note for figure in figures))
    if len(notes) == 1:
        return notes[0]
    return "\n".join(f"- {figure.row}: {figure.note}" for figure in figures if figure.note)


def sources(row: ResultRow, columns: Sequence[Column]) -> str:
    """Where the figures beside a row come from."""
    if row.figure is None:
        return ""
    values = row.figure["values"]
    used = [values[c.measure] for c in columns if c.measure in values]
    places = dict.fromkeys(f"{value['data']}: {value['table']}" for value in used)
    return f"{'; '.join(places)} ({row.figure['row']})" if places else ""


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_safe(cell) for cell in line) + " |" for line in lines)


def _safe(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())


def _number(mean: float, sd: float | None, unit: Unit, signed: bool) -> str:
    scale, digits = {"percent": (100, 1), "share": (1, 3), "count": (1, 0), "distance": (1, 2)}[
        unit
    ]
    shown_mean = round(scale * mean, digits) + 0.0  # no minus sign on a rounded nought
    text = f"{shown_mean:{'+' if signed else ''},.{digits}f}"
    return text if sd is None else f"{text} ± {scale * sd:,.{digits}f}"


def _as_printed(value: Value | None) -> str:
    if value is None:
        return NOTHING
    mean = f"{value.mean:,.0f}" if value.unit == "count" else f"{value.mean:g}"
    return mean if value.sd is None else f"{mean} ± {value.sd:g}"


def _column_words(name: str, rows: Sequence[Figure]) -> str:
    unit = next(row.values[name].unit for row in rows if name in row.values)
    words = NAMES.get(name, name)
    words = words.removeprefix("per_class.").removeprefix("cross_sentiment_counts.")
    words = words.replace("none.", "").replace("0.3.", "theta 0.3 ").replace(".", " ")
    return words.replace("_", "-" if unit == "count" else " ") + (" %" if unit == "percent" else "")


def _count(row: ResultRow) -> str:
    return NOTHING if row.n is None else f"{row.n:,}"


def _measured(row: ResultRow, measure: str) -> str:
    if not row.measures and row.failed:
        return "failed"
    return shown(row.measures.get(measure), measure)


def _figure(row: ResultRow, measure: str) -> str:
    values = row.figure["values"] if row.figure else {}
    if measure not in values:
        return ""
    value = values[measure]
    return printed(Value(value["mean"], value["sd"], value["unit"]), measure)


def _difference(value: Spread | None, column: Column) -> str:
    text = shown(value, column.measure, signed=True)
    return f"**{text}**" if value is not None and value.stands_out else text


def _failures(row: ResultRow) -> Iterable[str]:
    """A line for each reason, with the seeds that it holds for."""
    for reason in dict.fromkeys(row.failed.values()):
        seeds = ", ".join(seed for seed, why in row.failed.items() if why == reason)
        yield f"- {row.label}, {row.data}, seed {seeds}: {_safe(reason)}"


def _classes(row: ResultRow) -> list[str]:
    names = (name for name in row.measures if name.startswith("per_class."))
    return list(dict.fromkeys(name.removeprefix("per_class.").rpartition(".")[0] for name in names))


def _two_classes(row: ResultRow) -> bool:
    return len(_classes(row)) == 2


def _class_tables(rows: Sequence[ResultRow]) -> Iterable[str]:
    two = [row for row in rows if _two_classes(row)]
    for name in dict.fromkeys(name for row in two for name in _classes(row)):
        columns = [Column(f"per_class.{name}.{score}", _score(score)) for score in _SCORES]
        yield f"The class “{name}”:"
        yield measured_table([row for row in two if name in _classes(row)], columns)


def _score(name: str) -> str:
    return "F1" if name == "f1" else name


def _crossing_tables(rows: Sequence[ResultRow]) -> Iterable[str]:
    for theta, rate in _THETAS:
        prefix = f"cross_sentiment_counts.{theta}."
        mine = [row for row in rows if f"{prefix}eligible" in row.measures]
        if mine:
            columns = [Column(prefix + name, name.replace("_", "-")) for name in _COUNTS]
            yield f"Top-2 cross-sentiment, theta {theta}; first class, then second:"
            yield measured_table(mine, [*columns, Column(rate, "cross %")])
