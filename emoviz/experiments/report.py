"""``docs/experiments.md`` out of the tables of several experiments."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from emoviz.errors import TableError
from emoviz.experiments.definitions import EXPERIMENTS
from emoviz.experiments.markdown import NAMES, NOTHING, grid, markdown, shown
from emoviz.experiments.run import TABLE_JSON
from emoviz.experiments.statistics import Spread
from emoviz.experiments.tables import ResultRow, ResultTable
from emoviz.files import write_text

INTRODUCTION = """# Experiments

What the networks do on the data at hand, with the papers' figures in the next column. This page is
written by `python -m emoviz experiment report FOLDER... --out docs/experiments.md` from the tables
that `python -m emoviz experiment NAME` leaves; no number in it is typed by hand. A section whose
tables were not given again stands as it was written.

How to read it. Each number is a mean over seeds with the sample standard deviation. A difference
is taken seed by seed to the first row of the same set; one that the paired t-test over the seeds
tells apart from zero at 5 % is set in bold. It says that the difference is larger than what first
weights and order do, not that it would hold on other images, and among many differences some stand
out by chance. The papers' columns come from other sets and other
networks; only the direction of a difference can be compared."""


def write_report(folders: Sequence[Path], out: Path) -> str:
    """Write one page about the experiments in some folders, in the order of the definitions.

    A page that is there keeps its head, and of every experiment the verdicts, sentences and rows of
    sets that no folder tells of, as they stand.

    Raises:
        TableError: A folder holds no table, or none was named.
    """
    if not folders:
        raise TableError("Name the folders of the experiments that the report is about.")
    tables = sorted(map(read_experiment, folders), key=lambda table: _place(table.experiment))
    head, lines, sections = _kept(out, tables)
    made = [(_place(table.experiment), section(table)) for table in tables]
    ordered = (text for _, text in sorted([*sections, *made], key=lambda item: item[0]))
    parts = [head, verdicts(tables, lines), *ordered]
    text = "\n\n".join(part.strip() for part in parts if part) + "\n"
    write_text(out, text)
    return text


def _kept(
    out: Path, tables: Sequence[ResultTable]
) -> tuple[str, list[list[str]], list[tuple[int, str]]]:
    """Of the page as it is: head, lines of verdicts and placed sections that no table replaces."""
    if not out.is_file():
        return INTRODUCTION, [], []
    head, *rest = re.split(r"\n(?=## )", out.read_text(encoding="utf-8"))
    given = {(table.experiment, row.data) for table in tables for row in table.rows}
    lines: list[list[str]] = []
    sections = []
    for text in rest:
        name = re.split(r"[\n,]", text.removeprefix("## "), maxsplit=1)[0]
        if name == "Verdicts":
            cells = [line.strip("| \n").split(" | ") for line in text.split("\n|")[3:]]
            lines = [
                c for c in cells if c[-1] != UNTRIED and tuple(c[2].split(": ", 1)) not in given
            ]
        elif name in EXPERIMENTS and (left := _left(text, {x for n, x in given if n == name})):
            sections.append((_place(name), left))
    return head, lines, sections


def _left(text: str, again: Collection[str]) -> str:
    """A section without the sets that are told of again; "" where it tells of no others."""
    rows = re.findall(r"(?m)^\| set \|.*\n\|.*\n((?:\|.*\n?)*)", text)
    sets = set(re.findall(r"(?m)^\| (.*?) \|", "".join(rows)))
    if not sets & set(again):
        return text
    if sets <= set(again):
        return ""
    longest = sorted(sets, key=len, reverse=True)  # "Set" begins "Set, out of 3 folds", too
    begins = [(data, (f"| {data} |", f"- {data}, ")) for data in longest]

    def whose(line: str) -> str | None:
        return next((data for data, begin in begins if line.startswith(begin)), None)

    return "\n".join(line for line in text.splitlines() if whose(line) not in again)


def read_experiment(folder: Path) -> ResultTable:
    """The table that an experiment left in its folder.

    Raises:
        TableError: There is none, or it is of another version.
    """
    path = folder / TABLE_JSON if folder.is_dir() else folder
    try:
        table = ResultTable.from_dict(json.loads(path.read_text(encoding="utf-8")))
        EXPERIMENTS[table.experiment]  # one that is no longer known cannot be put into words
        return table
    except FileNotFoundError:
        raise TableError(f"'{folder}' holds no {TABLE_JSON} of an experiment.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(
            f"'{path}' holds no table of an experiment ({error}). Run the experiment again."
        ) from None


def section(table: ResultTable) -> str:
    """One experiment: what it shows, then its tables."""
    head, _, rest = markdown(table).partition(f"\n\n{table.question}\n\n")
    findings = "\n".join(f"- {line}" for line in sentences(table))
    shows = f"**What it shows.**\n\n{findings}" if findings else ""
    return "\n\n".join(part for part in (head, table.question, shows, rest) if part)


UNTRIED = "not tried"
VERDICTS = """## Verdicts

Each claim of the papers on each set of ours. *Shown*: at least one row differs from the first as
the paper says, told apart by the paired t-test over seeds, and none the other way; *the contrary*:
the reverse; *mixed*: some each way; *not shown*: no row is told apart; *not tried*: no table here
tells."""


def verdicts(tables: Iterable[ResultTable], kept: Sequence[list[str]] = ()) -> str:
    """What became of the papers' claims, one line for each claim and set; empty without any.

    Args:
        tables: Told of in their order, claim by claim.
        kept: Lines of other tables, cell by cell.
    """
    made = [
        [
            claim.words,
            claim.papers,
            f"{table.experiment}: {data}",
            _span([row.difference[claim.measure] for row in rows], claim.measure),
            _verdict([row.difference[claim.measure] for row in rows], claim.rises),
        ]
        for table in tables
        for claim in EXPERIMENTS[table.experiment].claims
        for data in dict.fromkeys(row.data for row in table.rows)
        if (rows := [r for r in table.rows if r.data == data and claim.measure in r.difference])
    ]
    claims = [claim.words for item in EXPERIMENTS.values() for claim in item.claims]
    known = [line for line in [*kept, *made] if line[0] in claims]
    lines = sorted(known, key=lambda line: claims.index(line[0]))
    answered = {line[0] for line in lines}
    untried = {
        claim.words: [claim.words, claim.papers, NOTHING, NOTHING, UNTRIED]
        for item in EXPERIMENTS.values()
        for claim in item.claims
        if claim.words not in answered
    }
    head = ["claim", "the papers", "our images", "our difference", "verdict"]
    return f"{VERDICTS}\n\n{grid(head, [*lines, *untried.values()])}" if lines else ""


def _span(differences: Sequence[Spread], measure: str) -> str:
    """The least and the largest difference, with their deviations."""
    ordered = sorted(differences, key=lambda item: item.mean)
    ends = dict.fromkeys(shown(item, measure, signed=True) for item in (ordered[0], ordered[-1]))
    return " to ".join(ends)


def _verdict(differences: Sequence[Spread], rises: bool) -> str:
    beyond = [item.mean > 0 for item in differences if item.stands_out]
    if not beyond:
        once = all(item.stands_out is None for item in differences)
        return "not told: one seed" if once else "not shown"
    if len(set(beyond)) > 1:
        return "mixed"
    return "**shown**" if beyond[0] == rises else "**the contrary**"


def sentences(table: ResultTable) -> Iterable[str]:
    """For each set and judged measure, which rows differ from the first beyond the seeds."""
    for data in dict.fromkeys(row.data for row in table.rows):
        rows = [row for row in table.rows if row.data == data]
        for measure in EXPERIMENTS[table.experiment].judged:
            line = _sentence(rows, measure)
            if line:
                yield f"{data}, {NAMES.get(measure, measure)}: {line}"
    if table.failures:
        yield f"Failed: {table.failures} seeds of rows, which stand on fewer seeds or on none."


def _sentence(rows: Sequence[ResultRow], measure: str) -> str:
    told = {
        True: "told apart by the paired t-test over seeds",
        False: "not told apart",
        None: "measured once",
    }
    known = [row for row in rows if measure in row.difference]
    parts = [
        f"{words} {_differences(mine, measure)}"
        for found, words in told.items()
        if (mine := [row for row in known if row.difference[measure].stands_out == found])
    ]
    return f"against {rows[0].label}, {'; '.join(parts)}." if parts else ""


def _differences(rows: Sequence[ResultRow], measure: str) -> str:
    return ", ".join(
        f"{row.label} ({shown(row.difference[measure], measure, signed=True)})" for row in rows
    )


def _place(experiment: str) -> int:
    return list(EXPERIMENTS).index(experiment)
